"""Whatever happens to a live run: it goes on or ends in time, leaves no thread, and keeps its recording."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import reenact.run.live
from reenact.doctor.machine import CameraIdentity, camera_identity, find_camera
from reenact.media.read import Camera, CameraOptions, CaptureError
from reenact.media.read.devices import device_opener
from reenact.pipeline import runner as pipeline
from reenact.pipeline.meter import LiveStatus
from reenact.pipeline.runner import Stage
from reenact.programme import parse_targets
from reenact.records import Finished
from reenact.run.files import EditOptions
from reenact.run.live import LiveOptions, open_live
from reenact.run.recording.recorder import RecordOptions
from reenact.track import TrackerOptions
from tests.media.test_virtual_camera import Seen
from tests.pipeline.test_pipeline import LIMIT_S, leaked
from tests.run.test_live import until
from tests.run.test_recorder import rows_of
from tests.support.media import picture_times

pyvirtualcam = pytest.importorskip("pyvirtualcam")

QUICK = CameraOptions(stall_s=0.3, failures=2, failure_pause_s=0.001, retry_s=0.01, longest_retry_s=0.02)
SMILE = parse_targets("smile")
SIZE = (240, 320)
BLACK = np.zeros((*SIZE, 3), np.uint8)
RUN_LIMIT_S = 60
"""For one run with everything in it, on a machine that does other things, too."""


def portrait(height: int) -> np.ndarray:
    """The face that ships, so many rows high."""
    path = Path(reenact.__file__).parent / "data" / "portrait.jpg"
    image = np.asarray(Image.open(path).convert("RGB"))
    width = round(image.shape[1] * height / image.shape[0])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def group(people: int, size: tuple[int, int] = (360, 1000)) -> np.ndarray:
    """So many people side by side, on grey."""
    image = np.full((*size, 3), 128, np.uint8)
    face = portrait(240)
    for place in range(people):
        left = place * size[1] // 5 + (size[1] // 5 - face.shape[1]) // 2
        visible = face[:, max(0, -left) :]
        left = max(0, left)
        image[60:300, left : left + visible.shape[1]] = visible[:, : size[1] - left]
    return image


class Webcam:
    """A device that a test plugs in and out, stops, and gives something to see; 50 pictures a second."""

    rate = Fraction(50)

    def __init__(self) -> None:
        self.plugged = True
        self.picture = centred(portrait(200), SIZE)
        self.pause_s = 0.02
        self.free = threading.Event()
        self.free.set()

    def open(self) -> Webcam:
        if not self.plugged:
            raise CaptureError("there is no camera 0")
        return self

    def grab(self) -> bool:
        self.free.wait(RUN_LIMIT_S)
        time.sleep(self.pause_s)
        return self.plugged

    def retrieve(self) -> np.ndarray:
        return self.picture

    def close(self) -> None:
        """Can be opened again."""


def centred(face: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    image = np.full((*size, 3), 128, np.uint8)
    top, left = (size[0] - face.shape[0]) // 2, (size[1] - face.shape[1]) // 2
    image[top : top + face.shape[0], left : left + face.shape[1]] = face
    return image


@pytest.fixture
def webcam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webcam]:
    device = Webcam()
    monkeypatch.setattr(
        "reenact.run.live.open_camera", lambda where, options: Camera("camera 0", device.open, options)
    )
    monkeypatch.setattr("pyvirtualcam.camera.BACKENDS", {})
    monkeypatch.setattr(Seen, "opened", [])
    monkeypatch.setattr(Seen, "broken", False)
    pyvirtualcam.register_backend("seen", Seen)
    yield device
    device.free.set()


Condition = Callable[[LiveStatus], bool]
Act = tuple[Condition, Callable[[], object]]


class Run:
    """A live run that is recorded. Each act waits for its condition, then does what belongs to it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.path = folder / "out.mp4"
        record = RecordOptions(self.path, audio=False)
        self._options = LiveOptions(
            camera=QUICK, preview=False, record=record, **{"edit": EditOptions("warp"), **options}
        )
        self.records: list[Finished] = []

    def __call__(self, *acts: Act) -> None:
        started_s = time.monotonic()
        with open_live(0, SMILE, self._options) as live:
            watched = replace(live, sinks=(*live.sinks, self))
            watched.run(until(live, *acts, limit_s=RUN_LIMIT_S))
        assert time.monotonic() - started_s < RUN_LIMIT_S
        self._check()

    def write(self, record: Finished) -> None:
        self.records.append(record)

    def idle(self) -> None:
        """Only records count."""

    def faces(self, count: int) -> Condition:
        """So many faces are in the last picture."""
        return lambda status: bool(self.records) and len(self.records[-1].faces) == count

    def changed(self) -> bool:
        """Whether the last picture shows something else than the camera saw."""
        last = self.records[-1]
        return bool((last.output.image != last.frame.image).any())

    def _check(self) -> None:
        """The recording is whole: every picture plays, and has its row."""
        assert leaked() == []
        times = picture_times(self.path)
        assert times == sorted(set(times))
        numbers = {int(row["frame"]) for row in rows_of(self.path.with_suffix(".csv"))}
        assert numbers == set(range(1, len(times) + 1))
        assert len(times) >= len(self.records) - 5, "all that was shown, but for what the encoder missed"


def frames(count: int) -> Condition:
    return lambda status: status.frames >= count


def more_frames(count: int) -> Condition:
    """So many more than when it is first asked."""
    first: list[int] = []

    def enough(status: LiveStatus) -> bool:
        first.append(status.frames)
        return status.frames >= first[0] + count

    return enough


def in_state(state: str) -> Condition:
    return lambda status: status.signal.state == state


def nothing() -> None:
    """Only wait."""


# The camera.


def test_a_camera_that_is_unplugged_and_plugged_in_again(webcam: Webcam, tmp_path: Path) -> None:
    run, before = Run(tmp_path), []

    def change() -> float:
        """By how much what other programs see differs from the camera's picture."""
        return float(cv2.absdiff(Seen.opened[0].images[-1], webcam.picture).sum())

    def look() -> None:
        before.append(change())
        assert before[0] > 0, "frozen as it was shown"

    run(
        (frames(10), partial(setattr, webcam, "plugged", False)),
        (in_state("lost"), look),
        (lambda status: change() == 0, partial(setattr, webcam, "plugged", True)),
        (in_state("live"), nothing),
        (more_frames(5), nothing),
        (lambda status: change() > 0.9 * before[0], nothing),
    )


def test_a_camera_that_falls_silent_without_an_error(webcam: Webcam, tmp_path: Path) -> None:
    run = Run(tmp_path)
    run(
        (frames(10), webcam.free.clear),
        (in_state("stalled"), nothing),
        (lambda status: status.signal.silent_s > 1.5, webcam.free.set),
        (in_state("live"), nothing),
        (more_frames(5), nothing),
    )
    gaps = np.diff([float(moment) for moment in picture_times(run.path)])
    assert gaps.sum() > 1.5 and gaps.max() < 1.4, "the recording goes on meanwhile"


def test_a_camera_that_stays_silent_to_the_end(
    webcam: Webcam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "LEAVE_S", 0.2)
    options = LiveOptions(
        camera=QUICK, preview=False, record=RecordOptions(tmp_path / "out.mp4", audio=False)
    )
    with open_live(0, SMILE, options) as live:
        status = live.status
        live.run(
            lambda: not (status().frames >= 5 and (webcam.free.clear() or status().signal.state != "live"))
        )
    assert len(picture_times(tmp_path / "out.mp4")) >= 5
    webcam.free.set()
    for thread in threading.enumerate():
        if thread.name.startswith("reenact"):
            thread.join(LIMIT_S)
    assert leaked() == []


def test_a_camera_whose_size_and_rate_change_under_way(webcam: Webcam, tmp_path: Path) -> None:
    def change() -> None:
        webcam.picture = centred(portrait(300), (480, 360))
        webcam.pause_s = 0.1

    run = Run(tmp_path)
    run((frames(10), change), (more_frames(10), nothing), (run.faces(1), nothing))
    assert {record.frame.size for record in run.records} == {SIZE, (480, 360)}
    assert Seen.opened[0].size == SIZE, "what other programs see keeps its size"
    assert {image.shape for image in Seen.opened[0].images} == {(*SIZE, 3)}


def test_the_lights_go_off_and_on(webcam: Webcam, tmp_path: Path) -> None:
    light, run = webcam.picture, Run(tmp_path)
    run(
        (run.faces(1), partial(setattr, webcam, "picture", BLACK)),
        (run.faces(0), nothing),
        (more_frames(10), partial(setattr, webcam, "picture", light)),
        (run.faces(1), nothing),
        (lambda status: run.changed(), nothing),
    )
    dark = [record for record in run.records if not record.frame.image.any()]
    assert len(dark) >= 10
    # A tracker may believe in a face for a frame or two more.
    assert sum(bool(record.output.image.any()) for record in dark) <= 3


# The people.


def test_a_face_that_leaves_and_comes_back(webcam: Webcam, tmp_path: Path) -> None:
    face, room, run = webcam.picture, np.full_like(webcam.picture, 128), Run(tmp_path)
    run(
        (run.faces(1), nothing),
        (lambda status: run.changed(), partial(setattr, webcam, "picture", room)),
        (run.faces(0), nothing),
        (more_frames(20), partial(setattr, webcam, "picture", face)),
        (run.faces(1), nothing),
        (lambda status: run.changed(), nothing),
    )
    empty = [record for record in run.records if not record.faces and (record.frame.image == room).all()]
    assert all((record.output.image == record.frame.image).all() for record in empty)


def test_five_people_walk_in(webcam: Webcam, tmp_path: Path) -> None:
    webcam.picture, run = (
        group(0),
        Run(tmp_path, edit=EditOptions("warp", tracker=TrackerOptions(max_faces=5))),
    )
    acts: list[Act] = [(frames(3), nothing)]
    for people in range(1, 6):
        acts += [
            (more_frames(1), partial(setattr, webcam, "picture", group(people))),
            (run.faces(people), nothing),
        ]
    run(*acts, (lambda status: run.changed(), nothing))
    ids = {face.track_id for face in run.records[-1].faces}
    assert len(ids) == 5
    rows = rows_of(run.path.with_suffix(".csv"))
    last = [row for row in rows if row["frame"] == rows[-1]["frame"]]
    assert len({row["face_id"] for row in rows}) >= 5 and len(last) in (1, 5), "1: held until the end"


# What is behind the stages.


def test_a_virtual_camera_that_vanishes_and_is_back(webcam: Webcam, tmp_path: Path) -> None:
    run = Run(tmp_path)
    run(
        (frames(10), partial(setattr, Seen, "broken", True)),
        (more_frames(10), partial(setattr, Seen, "broken", False)),
        (lambda status: len(Seen.opened) == 2 and len(Seen.opened[1].images) > 5, nothing),
    )
    assert [camera.closed for camera in Seen.opened] == [1, 1]


def test_a_stage_that_never_returns_does_not_hold_up_the_end(
    webcam: Webcam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipeline, "LEAVE_S", 0.2)
    released, stuck = threading.Event(), threading.Event()

    passed: list[object] = []

    def hang(record: object) -> object:
        passed.append(record)
        if len(passed) > 10:
            stuck.set()
            released.wait(RUN_LIMIT_S)
        return record

    monkeypatch.setattr(
        "reenact.run.live.measuring_stages",
        lambda *arguments: (*measuring(*arguments), Stage("hang", hang)),
    )
    options = LiveOptions(
        camera=QUICK, preview=False, record=RecordOptions(tmp_path / "out.mp4", audio=False)
    )
    started_s = time.monotonic()
    with open_live(0, SMILE, options) as live:
        live.run(lambda: not stuck.is_set())
        ended_s = time.monotonic()
        released.set()
    assert ended_s - started_s < RUN_LIMIT_S / 2
    assert any("does not answer and is no longer waited for" in line for line in caplog.messages)
    assert len(picture_times(tmp_path / "out.mp4")) >= 5
    for thread in threading.enumerate():
        if thread.name.startswith("reenact"):
            thread.join(LIMIT_S)
    assert leaked() == []


measuring = reenact.run.live.measuring_stages  # type: ignore[attr-defined]


# A camera under another number.


def plug_in(folder: Path, number: int, name: str, port: str, stream: int = 0) -> None:
    """A camera as Linux lists it."""
    device, real = folder / f"video{number}", folder.parent / "devices" / port
    device.mkdir(parents=True)
    real.mkdir(parents=True, exist_ok=True)
    (device / "name").write_text(f"{name}\n")
    (device / "index").write_text(f"{stream}\n")
    (device / "device").symlink_to(real)


def unplug(folder: Path, number: int) -> None:
    for file in (folder / f"video{number}").iterdir():
        file.unlink()
    (folder / f"video{number}").rmdir()


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Linux's list, with a camera of two streams and another."""
    folder = tmp_path / "video4linux"
    plug_in(folder, 0, "Laptop", "1-6")
    plug_in(folder, 2, "Logitech", "1-2")
    plug_in(folder, 3, "Logitech", "1-2", stream=1)
    return folder


@pytest.mark.parametrize(
    ("port", "expected"), [("1-2", 7), ("3-1", 7)], ids=["the same port", "another port"]
)
def test_a_camera_is_found_under_its_new_number(listed: Path, port: str, expected: int) -> None:
    identity = camera_identity(2, listed)
    assert identity is not None
    unplug(listed, 2)
    unplug(listed, 3)
    assert find_camera(identity, listed) is None
    plug_in(listed, 7, "Logitech", port)
    plug_in(listed, 8, "Logitech", port, stream=1)
    assert find_camera(identity, listed) == expected


def test_of_two_alike_the_one_at_its_port_is_taken_and_otherwise_none(listed: Path) -> None:
    identity = camera_identity(2, listed)
    assert identity is not None
    plug_in(listed, 5, "Logitech", "3-1")
    plug_in(listed, 6, "Logitech", "3-2")
    assert find_camera(identity, listed) == 2
    unplug(listed, 2)
    assert find_camera(identity, listed) is None, "who knows which"


def test_a_camera_that_the_system_does_not_list_has_no_identity(listed: Path) -> None:
    assert camera_identity(9, listed) is None


def test_a_lost_camera_is_opened_by_what_it_is_not_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    logitech, numbers, opened = CameraIdentity("Logitech", "1-2", "0"), [2, None, 4], []
    monkeypatch.setattr("reenact.media.read.devices.sys.platform", "linux")
    monkeypatch.setattr(
        "reenact.media.read.devices.open_device", lambda where, *requested: opened.append(where)
    )
    monkeypatch.setattr("reenact.media.read.devices.camera_identity", lambda number: logitech)
    monkeypatch.setattr("reenact.media.read.devices.find_camera", lambda identity: numbers.pop(0))
    open_again = device_opener("/dev/video2")
    open_again()
    open_again()
    with pytest.raises(CaptureError, match=r"camera /dev/video2 \(Logitech\) is gone"):
        open_again()
    open_again()
    assert opened == ["/dev/video2", "/dev/video2", "4"]
