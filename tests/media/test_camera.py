"""Cameras and what can happen to them, played by a scripted device on a clock that only sleeping moves."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from reenact.doctor.machine import System
from reenact.media.read import Camera, CameraOptions, CaptureError, open_camera
from reenact.media.read.devices import (
    FileDevice,
    OpenCvDevice,
    Pacer,
    backends,
    camera_hint,
    negotiate,
    open_device,
    opencv_logging,
    without_password,
)
from reenact.records import Frame
from tests.support.media import Film, gradient, write_film

OPTIONS = CameraOptions()


class Clock:
    """Nanoseconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_ns = 7 * 10**9

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, duration_s: float) -> None:
        self.now_ns += round(duration_s * 1e9)


def picture(shade: int = 0, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    return np.full((*size, 3), shade, np.uint8)


FAILS, DAMAGED = "fails", "damaged"


class Script:
    """A device that does what is written, a thirtieth of a second each, and then fails for ever.

    A step is a picture, FAILS, DAMAGED, or seconds for which it is stuck before it fails.
    """

    rate = Fraction(30)

    def __init__(self, clock: Clock, *steps: object) -> None:
        self._clock = clock
        self._steps = iter(steps)
        self._step: object = FAILS
        self.closed = 0

    def grab(self) -> bool:
        self._step = next(self._steps, FAILS)
        stuck = isinstance(self._step, int | float)
        self._clock.sleep(float(self._step) if stuck else 1 / 30)
        return not stuck and not (isinstance(self._step, str) and self._step == FAILS)

    def retrieve(self) -> np.ndarray | None:
        return self._step if isinstance(self._step, np.ndarray) else None

    def close(self) -> None:
        self.closed += 1


def camera_of(clock: Clock, *scripts: Script | str, options: CameraOptions = OPTIONS) -> Camera:
    """Each opening takes the next script; a string is the reason why it does not open, so is their end."""
    coming = iter(scripts)

    def open_next() -> Script:
        script = next(coming, "no more")
        if isinstance(script, str):
            raise CaptureError(script)
        return script

    return Camera("camera 0", open_next, options, clock, clock.sleep)


def shades(camera: Camera, count: int) -> list[int | None]:
    """Of the next frames, None where there was none."""
    return [None if frame is None else int(frame.image[0, 0, 0]) for frame in islice(camera, count)]


def frames_of(camera: Camera) -> Iterator[Frame]:
    return (frame for frame in camera if frame is not None)


def test_frames_come_in_order_with_the_time_of_their_capture() -> None:
    clock = Clock()
    camera = camera_of(clock, Script(clock, picture(), *map(picture, (1, 2, 3))))
    started_ns = clock.now_ns
    frames = list(islice(camera, 3))
    third = 33333333
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 2, 3]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.captured_ns for frame in frames] == [started_ns + n * third for n in (1, 2, 3)]
    assert [frame.pts for frame in frames] == [Fraction(n * third, 10**9) for n in (1, 2, 3)]


def test_size_and_rate_are_known_once_the_camera_is_open() -> None:
    clock = Clock()
    camera = camera_of(clock, Script(clock, FAILS, DAMAGED, picture(size=(8, 10))))
    assert camera.size == (8, 10)
    assert camera.rate == 30
    assert camera.notes == ()


def test_what_the_camera_gives_instead_of_what_was_asked_is_said() -> None:
    clock = Clock()
    options = CameraOptions(size=(720, 1280), fps=60)
    camera = camera_of(clock, Script(clock, picture(size=(480, 640))), options=options)
    assert camera.notes == (
        "camera 0 gives 640x480, not 1280x720",
        "camera 0 gives 30 frames a second, not 60",
    )


def test_a_frame_that_fails_now_and_then_is_passed_over() -> None:
    clock = Clock()
    script = Script(clock, picture(), picture(1), FAILS, picture(2), DAMAGED, FAILS, picture(3))
    camera = camera_of(clock, script)
    assert shades(camera, 6) == [1, None, 2, None, None, 3]
    assert script.closed == 1, "with the iterator"


def test_a_lost_camera_is_opened_again_with_growing_pauses() -> None:
    clock = Clock()
    tried: list[float] = []
    first, second = Script(clock, picture(), picture(1)), Script(clock, picture(2, size=(8, 8)))

    def open_next() -> Script:
        tried.append(clock.now_ns / 1e9)
        if len(tried) == 1:
            return first
        if len(tried) < 7:
            raise CaptureError("there is no camera 0")
        return second

    camera = Camera("camera 0", open_next, OPTIONS, clock, clock.sleep)
    frames = frames_of(camera)
    assert next(frames).size == (4, 6)
    after = next(frames)
    assert after.size == (8, 8)
    assert after.index == 1
    assert first.closed == 1
    assert np.diff(tried)[1:] == pytest.approx([0.5, 1, 2, 2, 2])


def test_while_the_camera_is_lost_its_reader_is_told_so_several_times_a_second() -> None:
    clock = Clock()
    camera = camera_of(clock, Script(clock, picture(), picture(1)), *["unplugged"] * 50)
    frames = iter(camera)
    next(frames)
    assert camera.signal.state == "live"
    before_ns, reasons = clock.now_ns, []
    for _ in range(100):
        assert next(frames) is None
        assert clock.now_ns - before_ns <= 0.2e9
        before_ns = clock.now_ns
        reasons.append(camera.signal.reason)
    assert camera.signal.state == "lost"
    assert camera.signal.silent_s > 5
    assert list(dict.fromkeys(reasons)) == [None, "camera 0 is gone", "unplugged"]


def test_a_camera_that_is_back_is_live_again() -> None:
    clock = Clock()
    camera = camera_of(clock, Script(clock, picture(), picture(1)), Script(clock, picture(2)))
    frames = frames_of(camera)
    next(frames)
    next(frames)
    assert camera.signal.state == "live"
    assert camera.signal.reason is None


def test_a_camera_that_delivers_nothing_and_says_nothing_has_stalled() -> None:
    clock = Clock()
    camera = camera_of(clock, Script(clock, picture(), picture(1)))
    frames = iter(camera)
    next(frames)
    clock.sleep(0.9)  # as another thread sees it, while the camera's is stuck in the device
    assert camera.signal.state == "live"
    clock.sleep(0.2)
    assert camera.signal.state == "stalled"
    assert camera.signal.silent_s == pytest.approx(1.1)


def test_a_device_that_was_stuck_is_opened_again_at_its_first_failure() -> None:
    clock = Clock()
    stuck = Script(clock, picture(), picture(1), 10.0, picture(99))
    camera = camera_of(clock, stuck, Script(clock, picture(2)))
    frames = frames_of(camera)
    assert [int(next(frames).image[0, 0, 0]) for _ in range(2)] == [1, 2]
    assert stuck.closed == 1


def test_a_camera_that_does_not_open_raises_its_reason() -> None:
    with pytest.raises(CaptureError, match="busy"):
        camera_of(Clock(), "busy")


def test_a_camera_without_a_picture_is_refused_after_a_while_and_closed() -> None:
    clock = Clock()
    script, before_ns = Script(clock), clock.now_ns
    with pytest.raises(CaptureError, match="camera 0 opens but delivers no picture"):
        camera_of(clock, script)
    assert script.closed == 1
    assert clock.now_ns - before_ns == pytest.approx(10e9, rel=0.05)


@pytest.mark.parametrize("asked", [0, 1, 5])
def test_the_device_is_closed_exactly_once_however_far_it_was_read(asked: int) -> None:
    clock = Clock()
    script = Script(clock, *[picture()] * 9)
    with camera_of(clock, script) as camera:
        frames = iter(camera)
        for _ in range(asked):
            next(frames)
        frames.close()
    assert script.closed == 1


# Files that stand in for a camera.


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames at 30 a second."""
    return write_film(
        tmp_path_factory.mktemp("films") / "film.mp4",
        Film(ticks=range(0, 5 * 512, 512), options={"movflags": "+faststart"}),
    )


def test_a_file_goes_round_and_round_at_its_own_rate(film: Path) -> None:
    clock = Clock()
    device = FileDevice(film, Pacer(clock, clock.sleep))
    times, blues = [], []
    for _ in range(12):
        assert device.grab()
        times.append(clock.now_ns / 1e9)
        image = device.retrieve()
        assert image is not None
        blues.append(int(image[..., 2].mean()))
    assert device.rate == 30
    assert np.diff(times) == pytest.approx([1 / 30] * 11)
    assert blues[:5] == blues[5:10]
    assert np.diff(blues[:5]) == pytest.approx([7] * 4, abs=2), "each picture once"
    device.close()


def test_a_short_delay_is_made_up_for_and_a_long_one_is_not(film: Path) -> None:
    clock = Clock()
    device = FileDevice(film, Pacer(clock, clock.sleep))
    device.grab()
    started_s = clock.now_ns / 1e9
    clock.sleep(0.1)
    for _ in range(4):
        device.grab()
    assert clock.now_ns / 1e9 - started_s == pytest.approx(4 / 30)
    clock.sleep(10)
    device.grab()
    late_s = clock.now_ns / 1e9
    device.grab()
    assert clock.now_ns / 1e9 - late_s == pytest.approx(1 / 30)
    device.close()


def test_the_time_that_models_take_to_open_is_not_made_up_for(film: Path) -> None:
    clock = Clock()
    device = FileDevice(film, Pacer(clock, clock.sleep))
    device.grab()
    clock.sleep(0.3)
    times = []
    for _ in range(4):
        device.grab()
        times.append(clock.now_ns / 1e9)
    assert np.diff(times) == pytest.approx([1 / 30] * 3)
    device.close()


def test_open_camera_takes_a_file_and_shows_its_colours(film: Path) -> None:
    with open_camera(str(film)) as camera:
        frame = next(frames_of(camera))
    assert camera.size == (48, 64)
    assert camera.rate == 30
    assert np.abs(frame.image.astype(int) - gradient(1, (48, 64))).mean() < 3, "the first tells the size"


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no film")
    with pytest.raises(CaptureError, match="not a video"):
        open_camera(str(tmp_path / "notes.mp4"))


# What OpenCV opens.


def test_pictures_from_opencv_are_rgb(tmp_path: Path) -> None:
    path = str(tmp_path / "red.avi")
    writer = cv2.VideoWriter(path, cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = 200  # BGR
    for _ in range(3):
        writer.write(red)
    writer.release()
    device = OpenCvDevice(cv2.VideoCapture(path, cv2.CAP_OPENCV_MJPEG))
    assert device.rate == 25
    assert device.grab()
    image = device.retrieve()
    assert image is not None and image.shape == (48, 64, 3)
    assert image[24, 32].tolist() == pytest.approx([200, 0, 0], abs=4)
    device.grab(), device.grab()
    assert not device.grab(), "at its end"
    device.close()


class Webcam:
    """Settings of a camera as OpenCV shows them: rates of raw and compressed pictures by their rows."""

    def __init__(self, raw: dict[int, float], compressed: dict[int, float]) -> None:
        self._modes = {"raw": raw, "MJPG": compressed}
        self.format = "raw"
        self.asked: dict[int, float] = {}

    def set(self, what: int, value: float) -> bool:
        if what == cv2.CAP_PROP_FOURCC:
            self.format = "MJPG" if self._modes["MJPG"] else "raw"
        self.asked[what] = value
        return True

    def get(self, what: int) -> float:
        modes = self._modes[self.format]
        rows = max(row for row in modes if row <= self.asked[cv2.CAP_PROP_FRAME_HEIGHT])
        told = {
            cv2.CAP_PROP_FRAME_HEIGHT: rows,
            cv2.CAP_PROP_FRAME_WIDTH: rows * 16 // 9,
            cv2.CAP_PROP_FPS: min(modes[rows], self.asked[cv2.CAP_PROP_FPS]),
        }
        return told[what]


@pytest.mark.parametrize(
    ("webcam", "chosen"),
    [
        (Webcam({720: 30}, {720: 30}), "raw"),
        (Webcam({360: 30, 720: 10}, {720: 30}), "MJPG"),
        (Webcam({360: 30}, {720: 30}), "MJPG"),
        (Webcam({720: 10}, {}), "raw"),
    ],
    ids=["raw is enough", "raw is too slow", "raw is too small", "there is only raw"],
)
def test_compressed_pictures_are_asked_for_where_raw_ones_fall_short(webcam: Webcam, chosen: str) -> None:
    negotiate(webcam, (720, 1280), 30)
    assert webcam.format == chosen
    assert webcam.asked[cv2.CAP_PROP_FRAME_WIDTH] == 1280


def test_each_system_has_its_own_way_to_a_camera() -> None:
    assert list(backends("linux")) == [cv2.CAP_V4L2]
    assert list(backends("darwin")) == [cv2.CAP_AVFOUNDATION]
    assert list(backends("win32")) == [cv2.CAP_MSMF, cv2.CAP_DSHOW]


def test_the_cameras_that_there_are_are_named() -> None:
    assert camera_hint({2: "Logitech", 0: "Laptop"}, "linux").startswith("there is 0 (Laptop), 2 (Logitech);")
    assert camera_hint({}, "linux").startswith("this machine has no camera")
    assert "counted from 0" in camera_hint({0: "camera"}, "darwin")


@pytest.mark.parametrize("where", ["98", "/dev/video98", "nowhere.mp4", "-1", ""])
def test_a_camera_that_is_not_there_is_refused_in_one_line(
    where: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reenact.media.read.devices.sys.platform", "linux")
    monkeypatch.setattr("reenact.media.read.devices.camera_names", lambda: {0: "Laptop"})
    with pytest.raises(CaptureError) as caught:
        open_device(where)
    assert "there is no camera" in str(caught.value)
    assert "there is 0 (Laptop)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == "", "nothing of OpenCV's own"


@pytest.mark.parametrize(("allowed", "words"), [(True, "close the program"), (False, "usermod -aG video")])
def test_a_camera_that_is_there_and_does_not_open_is_refused_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool, words: str
) -> None:
    monkeypatch.setattr("reenact.media.read.devices.sys.platform", "linux")
    monkeypatch.setattr("reenact.media.read.devices.may_open", lambda device: allowed)
    monkeypatch.setattr("reenact.media.read.devices.this_system", lambda: System("linux"))
    with pytest.raises(CaptureError, match=words):
        open_device("/dev/null")


def test_a_stream_that_is_not_there_is_refused_without_its_password(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CaptureError) as caught:
        open_camera("http://me:secret@127.0.0.1:9/video")
    assert str(caught.value).startswith("http://127.0.0.1:9/video does not open")
    assert capfd.readouterr().err == ""


@pytest.fixture
def served(film: Path) -> Iterator[str]:
    """The film's address on a server of this machine."""
    handler = partial(Quiet, directory=str(film.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{film.name}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


def test_a_recording_behind_a_url_comes_at_its_own_rate_and_begins_again(served: str) -> None:
    with open_camera(served) as camera:
        assert (camera.size, camera.rate) == ((48, 64), 30)
        started_s = time.perf_counter()
        seen = list(islice(frames_of(camera), 8))
    assert time.perf_counter() - started_s > 7 / 30
    assert np.abs(seen[0].image.astype(int) - gradient(1, (48, 64))).mean() < 3
    assert np.abs(seen[4].image.astype(int) - gradient(0, (48, 64))).mean() < 3, (
        "four are left, then the first"
    )


def test_opencv_is_told_to_be_quiet_and_not_to_wait_long_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENCV_FFMPEG_LOGLEVEL", raising=False)
    monkeypatch.setenv("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "7")
    told: list[object] = []

    def opened(*_: object) -> cv2.VideoCapture:
        told.extend(
            os.environ[f"OPENCV_{name}"] for name in ("FFMPEG_LOGLEVEL", "VIDEOIO_V4L_SELECT_TIMEOUT")
        )
        told.append(opencv_logging().getLogLevel())
        return nothing

    nothing, level = cv2.VideoCapture(), opencv_logging().getLogLevel()
    monkeypatch.setattr(cv2, "VideoCapture", opened)
    with pytest.raises(CaptureError):
        open_device("http://127.0.0.1:9/video")
    assert told == ["-8", "7", 0]
    assert "OPENCV_FFMPEG_LOGLEVEL" not in os.environ
    assert os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] == "7"
    assert opencv_logging().getLogLevel() == level


def test_opencv_is_quiet_as_long_as_any_camera_is_open(served: str) -> None:
    level = opencv_logging().getLogLevel()
    first, second = open_device(served), open_device(served)
    first.close()
    assert opencv_logging().getLogLevel() == 0
    second.close()
    second.close()
    assert opencv_logging().getLogLevel() == level


def test_names_show_no_passwords() -> None:
    assert without_password("rtsp://me:secret@camera.local/1") == "rtsp://camera.local/1"
    assert without_password("rtsp://camera.local/a@b") == "rtsp://camera.local/a@b"
    assert without_password("0") == "0"
