"""The live loop as a whole: a camera that comes, goes and changes, down to what other programs see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from reenact.media.read import Camera, CameraOptions, CaptureError
from reenact.pipeline import runner as pipeline
from reenact.pipeline.meter import LiveStatus
from reenact.programme import parse_targets
from reenact.records import Signal
from reenact.run.files import EditOptions
from reenact.run.live import LiveEdit, LiveOptions, open_live
from tests.media.test_virtual_camera import Seen
from tests.pipeline.test_pipeline import LIMIT_S, leaked
from tests.support.media import gradient

pyvirtualcam = pytest.importorskip("pyvirtualcam")

QUICK = CameraOptions(stall_s=0.1, failures=2, failure_pause_s=0.001, retry_s=0.01, longest_retry_s=0.02)
SMILE = parse_targets("smile")


class Webcam:
    """A device that is told by the test whether it is plugged in, stuck, and how large its pictures are."""

    rate = Fraction(100)

    def __init__(self) -> None:
        self.plugged = True
        self.size = (48, 64)
        self.free = threading.Event()
        self.free.set()
        self.index = 0

    def open(self) -> Webcam:
        if not self.plugged:
            raise CaptureError("there is no camera 0")
        return self

    def grab(self) -> bool:
        self.free.wait(LIMIT_S)
        time.sleep(0.01)
        return self.plugged

    def retrieve(self) -> np.ndarray:
        self.index += 1
        return gradient(self.index, self.size)

    def close(self) -> None:
        """Can be opened again."""


@pytest.fixture
def webcam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webcam]:
    device = Webcam()
    monkeypatch.setattr(
        "reenact.run.live.open_camera", lambda where, options: Camera("camera 0", device.open, options)
    )
    monkeypatch.setattr("pyvirtualcam.camera.BACKENDS", {})
    monkeypatch.setattr(Seen, "opened", [])
    pyvirtualcam.register_backend("seen", Seen)
    yield device
    device.free.set()


def until(
    live: LiveEdit,
    *acts: tuple[Callable[[LiveStatus], bool], Callable[[], object]],
    limit_s: float = LIMIT_S,
) -> Callable[[], bool]:
    """Goes on until each condition has held in its turn, and does what belongs to it when it does."""
    waiting, deadline = list(acts), time.monotonic() + limit_s

    def going() -> bool:
        assert time.monotonic() < deadline, f"still waits: {live.status()}"
        while waiting and waiting[0][0](live.status()):
            waiting.pop(0)[1]()
        return bool(waiting)

    return going


@contextmanager
def opened(**options: object) -> Iterator[LiveEdit]:
    with open_live(0, SMILE, LiveOptions(camera=QUICK, **{"preview": False, **options})) as live:
        yield live
    assert leaked() == []


def frames(count: int, status: LiveStatus) -> bool:
    return status.frames >= count and status.signal.state == "live"


def nothing() -> None:
    """Only wait."""


def test_a_camera_that_is_unplugged_and_back_with_another_size_goes_on(webcam: Webcam) -> None:
    signals: list[Signal] = []
    sent: list[int] = []

    def unplug() -> None:
        webcam.plugged = False

    def look() -> None:
        signals.append(live.status().signal)
        sent.append(len(Seen.opened[0].images))

    def plug_in() -> None:
        look()
        webcam.plugged, webcam.size = True, (96, 64)

    with opened() as live:
        going = until(
            live,
            (partial(frames, 5), unplug),
            (lambda status: status.signal.reason == "there is no camera 0", look),
            (lambda status: status.signal.silent_s > 0.3, plug_in),
            (lambda status: frames(5, status) and Seen.opened[0].images[-1][:, 0].max() == 0, nothing),
        )
        live.run(going)
    assert [signal.state for signal in signals] == ["lost", "lost"]
    images = Seen.opened[0].images
    assert sent[1] > sent[0] + 5, "the last picture goes on meanwhile, a hundred times a second"
    assert all((image == images[sent[0]]).all() for image in images[sent[0] : sent[1]])
    assert {image.shape for image in images} == {(48, 64, 3)}
    assert images[-1][:, 16:48].any(), "the tall picture stands in the middle"


def test_a_camera_that_stalls_is_shown_as_stalled_and_the_last_picture_goes_on(webcam: Webcam) -> None:
    at: list[int] = []

    def stall() -> None:
        webcam.free.clear()

    def look() -> None:
        at.append(len(Seen.opened[0].images))

    with opened() as live:
        going = until(
            live,
            (partial(frames, 3), stall),
            (lambda status: status.signal.state == "stalled", look),
            (lambda status: status.signal.silent_s > 0.4, webcam.free.set),
            (lambda status: status.signal.state == "live", nothing),
        )
        live.run(going)
    assert len(Seen.opened[0].images) > at[0] + 10, "a hundred a second"


def test_a_camera_that_is_stuck_at_the_end_is_left_to_itself_and_all_else_is_closed(
    webcam: Webcam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "LEAVE_S", 0.05)
    started_s = time.monotonic()
    with open_live(0, SMILE, LiveOptions(camera=QUICK, preview=False)) as live:
        live.run(
            until(
                live,
                (partial(frames, 3), webcam.free.clear),
                (lambda status: status.signal.state == "stalled", nothing),
            )
        )
    assert time.monotonic() - started_s < LIMIT_S
    assert Seen.opened[0].closed == 1
    (stuck,) = [thread for thread in threading.enumerate() if thread.name == "reenact camera"]
    webcam.free.set()
    stuck.join(LIMIT_S)
    assert leaked() == []


def test_without_a_virtual_camera_none_is_opened(webcam: Webcam) -> None:
    with opened(virtual_camera=False) as live:
        assert live.run(until(live, (partial(frames, 3), nothing))).frames >= 3
    assert Seen.opened == []


def test_the_notes_say_where_the_result_goes(webcam: Webcam) -> None:
    with opened(virtual_device="/dev/video42") as live:
        assert "other programs see the result as the camera /dev/video42" in live.notes


def test_what_cannot_be_opened_leaves_nothing_open(webcam: Webcam) -> None:
    with pytest.raises(OSError, match=r"\.csv"), opened(edit=EditOptions(aus_csv=Path("aus.txt"))):
        pass
    assert Seen.opened[0].closed == 1
