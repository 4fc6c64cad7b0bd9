"""Both MediaPipe back ends answer alike, and say in one line what is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import reenact
from reenact.track.landmarkers import CheckedLandmarker, Landmarker, TrackerError, open_landmarker
from reenact.track.region import Region, region_around

PORTRAIT = Path(reenact.__file__).with_name("data") / "portrait.jpg"
WHOLE = Region(255.5, 255.5, 512.0)
RIGHT_IRIS, LEFT_IRIS, NOSE_TIP = 468, 473, 4


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.array(Image.open(PORTRAIT).convert("RGB"))


@pytest.fixture(scope="module", params=["face_mesh", "face_landmarker"])
def landmarker(request: pytest.FixtureRequest) -> Iterator[Landmarker]:
    model = None
    if request.param == "face_landmarker":
        model = request.getfixturevalue("shared") / "models" / "face_landmarker.task"
    with open_landmarker(request.param, model) as opened:
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


def test_presence_falls_when_half_the_face_is_covered(portrait: np.ndarray) -> None:
    covered = portrait.copy()
    covered[115:200, 150:300] = 40
    with open_landmarker("face_mesh") as landmarker:
        region = landmarker.find(portrait, WHOLE)[0]
        bare, hidden = landmarker.fit(portrait, region), landmarker.fit(covered, region)
    assert bare is not None and bare.presence == 1
    assert hidden is None or hidden.presence < 0.7


def test_opening_is_silent_and_importing_does_not_import_mediapipe() -> None:
    code = (
        "import sys, reenact.track\n"
        "assert 'mediapipe' not in sys.modules\n"
        "from reenact.track.landmarkers import open_landmarker\n"
        "open_landmarker('face_mesh').__exit__(None, None, None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("backend", "model", "words"),
    [
        ("dlib", None, "unknown face tracker 'dlib'; choose from auto, face_mesh, face_landmarker"),
        ("face_landmarker", None, "needs a model file; download https://"),
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


def test_a_file_that_is_no_model_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.task"
    path.write_bytes(b"not a model")
    with pytest.raises(TrackerError, match=r"broken\.task") as caught:
        open_landmarker("face_landmarker", path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("points", "score"),
    [
        (np.zeros((478, 3), np.float32), np.nan),
        (np.full((478, 3), np.nan, np.float32), 30.0),
        (None, 30.0),
    ],
)
def test_what_a_network_answers_in_error_is_no_face(
    portrait: np.ndarray, points: np.ndarray | None, score: float
) -> None:
    with CheckedLandmarker(open_landmarker("face_mesh")) as landmarker:
        mesh = landmarker._landmarker
        mesh._run = lambda crop: (points, score)  # type: ignore[attr-defined]
        assert landmarker.fit(portrait, WHOLE) is None


def test_an_empty_mesh_of_the_graph_is_no_face(portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_landmarker("face_mesh") as landmarker:
        getter = landmarker._mediapipe.packet_getter  # type: ignore[attr-defined]
        whole = getter.get_float_list
        monkeypatch.setattr(getter, "get_float_list", lambda packet: whole(packet)[:1])
        assert landmarker.fit(portrait, WHOLE) is None
