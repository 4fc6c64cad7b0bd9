"""Both back ends answer alike, and say in one line what is missing."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import engines
import reenact
from engines import Availability
from reenact.process.signals import signals_call
from reenact.track import landmark_model, landmarkers
from reenact.track.face_mesh import has_face_mesh
from reenact.track.fit import CheckedLandmarker, Landmarker, TrackerError
from reenact.track.landmarkers import BACKENDS, open_landmarker
from reenact.track.region import Region, region_around

PORTRAIT = Path(reenact.__file__).with_name("data") / "portrait.jpg"
WHOLE = Region(255.5, 255.5, 512.0)
RIGHT_IRIS, LEFT_IRIS, NOSE_TIP = 468, 473, 4


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.array(Image.open(PORTRAIT).convert("RGB"))


NO_FACE_MESH = "needs mediapipe 0.10.21 (Python 3.10 to 3.12)"
needs_face_mesh = pytest.mark.skipif(not has_face_mesh(), reason=NO_FACE_MESH)


@pytest.fixture(scope="module", params=[pytest.param("face_mesh", marks=needs_face_mesh), "face_landmarker"])
def landmarker(request: pytest.FixtureRequest) -> Iterator[Landmarker]:
    if request.param == "face_landmarker":
        request.getfixturevalue("landmark_file")
    with open_landmarker(request.param) as opened:
        yield opened


def test_the_portraits_face_is_found_and_fitted(landmarker: Landmarker, portrait: np.ndarray) -> None:
    (region,) = landmarker.find(portrait, WHOLE)
    fit = landmarker.fit(portrait, region)
    assert fit is not None
    assert fit.landmarks.shape == (478, 3)
    assert fit.landmarks.dtype == np.float32
    assert fit.landmarks[[RIGHT_IRIS, LEFT_IRIS], :2] == pytest.approx(
        np.array([[204, 107], [247, 109]]), abs=6
    )
    assert fit.presence == 1


def test_a_turned_region_fits_a_turned_face(landmarker: Landmarker, portrait: np.ndarray) -> None:
    upright = landmarker.fit(portrait, landmarker.find(portrait, WHOLE)[0])
    lying = np.ascontiguousarray(np.rot90(portrait, -1))
    (region,) = landmarker.find(lying, WHOLE.turned(1))
    fit = landmarker.fit(lying, region)
    assert upright is not None and fit is not None
    x, y = upright.landmarks[:, 0], upright.landmarks[:, 1]
    expected = np.column_stack([511 - y, x])
    assert np.abs(fit.landmarks[:, :2] - expected).mean() < 2
    assert region_around(fit.landmarks).roll == pytest.approx(
        region_around(upright.landmarks).roll + np.pi / 2, abs=0.05
    )


def test_no_face_is_none_and_not_an_error(landmarker: Landmarker) -> None:
    blank = np.full((240, 320, 3), 90, np.uint8)
    assert landmarker.find(blank, Region(160, 120, 320)) == []
    assert landmarker.fit(blank, Region(160, 120, 100)) is None


def test_the_same_picture_gives_the_same_answer(landmarker: Landmarker, portrait: np.ndarray) -> None:
    region = landmarker.find(portrait, WHOLE)[0]
    first = landmarker.fit(portrait, region)
    landmarker.fit(portrait[::-1], region)
    again = landmarker.fit(portrait, region)
    assert first is not None and again is not None
    assert np.array_equal(first.landmarks, again.landmarks)


def test_presence_falls_when_half_the_face_is_outside(landmarker: Landmarker, portrait: np.ndarray) -> None:
    region = landmarker.find(portrait, WHOLE)[0]
    whole = landmarker.fit(portrait, region)
    assert whole is not None and whole.presence == 1
    half = np.ascontiguousarray(portrait[:, : int(whole.landmarks[NOSE_TIP, 0])])
    cut = landmarker.fit(half, region)
    assert cut is None or cut.presence < 0.7


@needs_face_mesh
def test_presence_of_the_face_mesh_falls_when_half_the_face_is_covered(portrait: np.ndarray) -> None:
    covered = portrait.copy()
    covered[115:200, 150:300] = 40
    with open_landmarker("face_mesh") as landmarker:
        region = landmarker.find(portrait, WHOLE)[0]
        bare, hidden = landmarker.fit(portrait, region), landmarker.fit(covered, region)
    assert bare is not None and bare.presence == 1
    assert hidden is None or hidden.presence < 0.7


REFERENCE = """
import sys, numpy, mediapipe
from mediapipe.tasks.python import BaseOptions, vision
model, folder = sys.argv[1:]
options = vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=model))
picture = mediapipe.Image.create_from_file(folder + "/picture.png")
with vision.FaceLandmarker.create_from_options(options) as task:
    (face,) = task.detect(picture).face_landmarks
points = numpy.array([(point.x, point.y, point.z) for point in face], numpy.float32)
numpy.save(folder + "/landmarks.npy", points * picture.width)
"""
"""Writes the landmarks that MediaPipe's own task finds, in a process of its own: its library may crash."""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "quarters"), [(300, 0), (512, 0), (1400, 0), (512, 1)])
def test_landmarks_are_those_of_mediapipes_own_task(
    landmark_file: Path, portrait: np.ndarray, tmp_path: Path, width: int, quarters: int
) -> None:
    picture = np.array(Image.fromarray(portrait).resize((width, width)))
    Image.fromarray(picture).save(tmp_path / "picture.png")
    command = [sys.executable, "-c", REFERENCE, str(landmark_file), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    reasons = "ModuleNotFoundError", "cannot open shared object file"
    if done.returncode < 0 or any(reason in done.stderr for reason in reasons):
        pytest.skip("needs a mediapipe that can be loaded here, to compare with")
    assert done.returncode == 0, done.stderr
    theirs = np.load(tmp_path / "landmarks.npy")
    # MediaPipe looks for upright faces only; a picture on its side is looked at as it lies.
    turned = np.ascontiguousarray(np.rot90(picture, -quarters))
    whole = Region((width - 1) / 2, (width - 1) / 2, float(width)).turned(quarters)
    with open_landmarker("face_landmarker") as landmarker:
        (region,) = landmarker.find(turned, whole)
        fit = landmarker.fit(turned, region)
    assert fit is not None
    ours = fit.landmarks
    if quarters:
        ours = np.column_stack([ours[:, 1], width - 1 - ours[:, 0], ours[:, 2]])
    apart = np.linalg.norm(ours - theirs, axis=1)
    assert np.median(apart) < 0.5
    assert np.percentile(apart, 95) < (0.5 if not quarters else 1.0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_presence_tells_which_way_up_a_face_is(
    landmarker: Landmarker, portrait: np.ndarray, quarters: int
) -> None:
    wrong = landmarker.fit(portrait, landmarker.find(portrait, WHOLE)[0].turned(quarters))
    assert wrong is None or wrong.presence < 0.8


@pytest.mark.usefixtures("tracks_faces")
def test_the_chosen_back_end_is_opened_silently_and_importing_opens_none() -> None:
    code = (
        "import sys, reenact.track\n"
        "assert not {'mediapipe', 'openvino'} & set(sys.modules)\n"
        "from reenact.track.landmarkers import open_landmarker\n"
        "open_landmarker().__exit__(None, None, None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_signal_that_comes_meanwhile_finds_standard_error_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a landmarker is opened, standard error is diverted; a handler's message must not go there."""
    terminal, seen = os.fstat(2).st_ino, []
    monkeypatch.setattr(landmarkers, "_warm_up", lambda opened: signal.raise_signal(signal.SIGTERM))
    with signals_call(lambda number, frame: seen.append(os.fstat(2).st_ino), [signal.SIGTERM]):
        open_landmarker().__exit__(None, None, None)
    assert seen == [terminal]


def test_the_face_landmarker_does_without_mediapipe(landmark_file: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['mediapipe'] = None\n"
        "from reenact.track.landmarkers import open_landmarker\n"
        "open_landmarker('face_landmarker').__exit__(None, None, None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_model_that_is_given_is_the_one_that_is_used(landmark_file: Path) -> None:
    with open_landmarker(model_path=landmark_file) as opened:
        assert type(opened).__name__ == "FaceLandmarker"


def test_the_face_mesh_needs_no_network_and_is_the_first_choice_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not has_face_mesh():
        pytest.skip(NO_FACE_MESH)
    monkeypatch.setattr(landmark_model, "read_landmark_model", None)
    with open_landmarker() as opened:
        assert type(opened).__name__ == "FaceMesh"


def test_without_the_face_mesh_the_model_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(given: Path | None) -> bytes:
        assert given is None
        raise TrackerError("cannot be fetched")

    monkeypatch.setattr("reenact.track.landmarkers.has_face_mesh", lambda: False)
    monkeypatch.setattr(landmark_model, "read_landmark_model", offline)
    with pytest.raises(TrackerError, match="cannot be fetched"):
        open_landmarker()


def test_a_back_end_that_cannot_be_here_is_refused_with_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reenact.track.landmarkers.has_face_mesh", lambda: False)
    with pytest.raises(TrackerError, match=r"needs mediapipe==0\.10\.21.*; choose face_landmarker"):
        open_landmarker("face_mesh")
    monkeypatch.setattr(engines, "probe", lambda name: Availability(False, "openvino is not installed"))
    with pytest.raises(TrackerError, match=r"ONNX Runtime cannot read TensorFlow Lite.*pip install openvino"):
        open_landmarker("face_landmarker")


@pytest.mark.parametrize(
    ("backend", "model", "words"),
    [
        ("dlib", None, f"unknown face tracker 'dlib'; choose from {', '.join(BACKENDS)}"),
        (
            "face_landmarker",
            Path("nowhere.task"),
            "no face landmarker model at 'nowhere.task'; download https://",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_line(backend: str, model: Path | None, words: str) -> None:
    with pytest.raises(TrackerError) as caught:
        open_landmarker(backend, model)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def _task(detector: bytes, landmarks: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as task:
        task.writestr("face_detector.tflite", detector)
        task.writestr("face_landmarks_detector.tflite", landmarks)
    return written.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a model",
        _task(b"", b""),
        _task(b"\0\0\0\0TFL3", b"\0\0\0\0TFL3"),
        _task(b"x" * 9, b"y" * 9),
    ],
    ids=["empty", "text", "empty-networks", "headers", "no-networks"],  # a ZIP holds the time of its making
)
def test_a_file_that_is_no_model_is_said_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.task"
    path.write_bytes(content)
    with pytest.raises(TrackerError, match=r"broken\.task") as caught:
        open_landmarker("face_landmarker", path)
    assert "\n" not in str(caught.value)


def test_networks_that_are_others_are_said_in_one_line(tmp_path: Path, landmark_file: Path) -> None:
    right = landmark_model.read_networks(landmark_file.read_bytes())
    path = tmp_path / "swapped.task"
    path.write_bytes(_task(right.landmarks, right.detector))
    with pytest.raises(TrackerError, match=r"swapped\.task.*a network takes .*256, 256, 3") as caught:
        open_landmarker("face_landmarker", path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("points", "score"),
    [(np.zeros((478, 3), np.float32), np.nan), (np.full((478, 3), np.nan, np.float32), 30.0), (None, 30.0)],
)
def test_what_a_network_answers_in_error_is_no_face(
    landmarker: Landmarker,
    portrait: np.ndarray,
    points: np.ndarray | None,
    score: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landmarker, "_run", lambda crop: (points, score))
    if points is not None or hasattr(landmarker, "_graph"):  # only a graph's mesh may be missing
        assert CheckedLandmarker(landmarker).fit(portrait, WHOLE) is None


@needs_face_mesh
def test_an_empty_mesh_of_the_graph_is_no_face(portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_landmarker("face_mesh") as landmarker:
        getter = landmarker._mediapipe.packet_getter  # type: ignore[attr-defined]
        whole = getter.get_float_list
        monkeypatch.setattr(getter, "get_float_list", lambda packet: whole(packet)[:1])
        assert landmarker.fit(portrait, WHOLE) is None
