"""What a camera's pictures come out of: a device or a stream that OpenCV opens, or a video file."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.doctor.diagnose import camera_fix
from reenact.doctor.machine import (
    CameraIdentity,
    camera_identity,
    camera_names,
    find_camera,
    may_open,
    this_system,
)
from reenact.media.read.spool import Source, passes_by, shown, spooled
from reenact.media.read.video_file import CaptureError, open_capture
from reenact.process.settings import WhileNeeded, environment_defaults

Size = tuple[int, int]
"""(height, width) in pixels."""

USUAL_SIZE: Size = (720, 1280)
USUAL_RATE = 30.0
"""What a camera is asked for by whoever does not mind."""
_ENOUGH = 0.9
"""Share of the asked rate below which raw pictures are too few."""
_OPENCV_SETTINGS = {"OPENCV_FFMPEG_LOGLEVEL": "-8", "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2"}
"""What OpenCV lets nothing but the environment set, when it is first used. Its FFmpeg is to be quiet: what
it says on standard error becomes one line of ours. A silent camera on Linux is to be given up after so many
seconds, not after 10."""
_STREAM_LIMIT_MS = 5000
"""For opening a stream and for every picture of it; OpenCV's own is 30 s."""
_HURRY_S = 0.5
"""A recording that has fallen behind by more than this does not try to catch up: no camera would."""
_ASSUMED_RATE = Fraction(25)
"""Of a recording that does not say."""


class Device(Protocol):
    """Delivers pictures in the thread that asks for them. After it is open, nothing of it raises."""

    @property
    def rate(self) -> Fraction | None:
        """Pictures per second, if it says."""

    def grab(self) -> bool:
        """Waits for the next picture; False if none came."""

    def retrieve(self) -> NDArray[np.uint8] | None:
        """The picture that was grabbed, (height, width, 3) RGB; None if it is damaged."""

    def close(self) -> None: ...


class Pace:
    """Lets the pictures of a recording come when they are due, as a camera's do."""

    def __init__(
        self, clock_ns: Callable[[], int] = time.perf_counter_ns, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._due_s: float | None = None

    def wait(self, after_s: float) -> None:
        """Until this long after the picture before was due."""
        now_s = self._clock_ns() / 1e9
        due_s = now_s if self._due_s is None else self._due_s + after_s
        self._due_s = now_s if now_s - due_s > _HURRY_S else due_s
        if self._due_s > now_s:
            self._sleep(self._due_s - now_s)


class OpenCvDevice:
    """A device or a stream, through OpenCV."""

    def __init__(
        self, capture: cv2.VideoCapture, pace: Pace | None = None, opened: ExitStack | None = None
    ) -> None:
        """`pace`: for what comes faster than it was filmed, a recording. `opened`: what is to be closed after
        the device."""
        self._capture = capture
        self._pace = pace
        self._opened = opened or ExitStack()

    @property
    def rate(self) -> Fraction | None:
        told = self._capture.get(cv2.CAP_PROP_FPS)
        # Streams without a rate tell the ticks of their clock, 90000.
        return Fraction(told).limit_denominator(1001) if 1 <= told <= 1000 else None

    def grab(self) -> bool:
        grabbed = bool(self._capture.grab())
        if grabbed and self._pace is not None:
            self._pace.wait(float(1 / (self.rate or _ASSUMED_RATE)))
        return grabbed

    def retrieve(self) -> NDArray[np.uint8] | None:
        whole, image = self._capture.retrieve()
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if whole else None

    def close(self) -> None:
        self._capture.release()
        self._opened.close()


class FileDevice:
    """A video file that stands in for a camera: over and over, each picture when it is due."""

    def __init__(self, path: Path, pace: Pace | None = None) -> None:
        """Raises CaptureError where there is no video."""
        with ExitStack() as opened:
            # From a pipe nothing comes a second time.
            source = opened.enter_context(spooled(path)) if passes_by(path) else path
            with open_capture(source) as capture:
                self.rate = capture.rate
            self._kept = opened.pop_all()
        self._pace = pace or Pace()
        self._pictures = _over_and_over(source)
        self._image: NDArray[np.uint8] | None = None

    def grab(self) -> bool:
        try:
            after_s, self._image = next(self._pictures)
        except (CaptureError, StopIteration):
            return False
        self._pace.wait(after_s)
        return True

    def retrieve(self) -> NDArray[np.uint8] | None:
        return self._image

    def close(self) -> None:
        self._pictures.close()
        self._kept.close()


def _over_and_over(source: Source) -> Generator[tuple[float, NDArray[np.uint8]], None, None]:
    """(seconds after the picture before, picture), without end."""
    while True:
        with open_capture(source) as capture:
            after_s = 1 / (capture.rate or _ASSUMED_RATE)
            before: Fraction | None = None
            for frame in capture:
                after_s = after_s if before is None else frame.pts - before
                before = frame.pts
                yield float(after_s), frame.image


def open_device(where: str, size: Size | None = None, fps: float | None = None) -> Device:
    """What `where` names: the index or path of a device, a URL, or a video file.

    Size and rate are wishes, which only devices heed. Raises CaptureError.
    """
    if "://" in where:
        return _open_stream(where)
    if where.isascii() and where.isdecimal():
        return _open_local(int(where), size or USUAL_SIZE, fps or USUAL_RATE)
    path = Path(where)
    if where.startswith("/dev/") or path.is_char_device():
        return _open_local(where, size or USUAL_SIZE, fps or USUAL_RATE)
    if where and path.exists():
        return FileDevice(path)
    raise CaptureError(f"there is no camera or video file {where!r}; {what_there_is(camera_names())}")


def opener(where: str, size: Size | None = None, fps: float | None = None) -> Callable[[], Device]:
    """What opens `where`, as `open_device` does, as often as it is needed."""
    numbered = re.fullmatch(r"(?:/dev/video)?(\d+)", where, re.ASCII)
    if sys.platform == "linux" and numbered:
        return NumberedCamera(where, int(numbered[1]), size, fps)
    return partial(open_device, where, size, fps)


class NumberedCamera:
    """Opens a camera by its number, and from then on the same camera, whatever its number is then.

    Linux gives a camera that is plugged in again the next number that is free.
    """

    def __init__(self, where: str, number: int, size: Size | None, fps: float | None) -> None:
        """`where`: as the user names it, which holds for as long as its number does."""
        self._where = where
        self._number = number
        self._size = size
        self._fps = fps
        self._identity: CameraIdentity | None = None

    def __call__(self) -> Device:
        """Raises CaptureError."""
        if self._identity is not None:
            found = find_camera(self._identity)
            if found is None:
                raise CaptureError(f"camera {self._where} ({self._identity.name}) is gone")
            if found != self._number:
                self._where, self._number = str(found), found
        device = open_device(self._where, self._size, self._fps)
        self._identity = camera_identity(self._number)
        return device


def what_there_is(names: Mapping[int, str], platform: str = sys.platform) -> str:
    """What would be a right camera on this machine."""
    others = "a URL or a video file can stand in for one"
    if not names:
        return f"this machine has no camera, but {others}"
    if platform != "linux":
        return f"cameras are counted from 0, usually the built-in one; {others}"
    listed = ", ".join(f"{index} ({name})" for index, name in sorted(names.items()))
    return f"there is {listed}; {others}"


def backends(platform: str) -> Sequence[int]:
    """OpenCV's ways to the cameras of a system, best first."""
    if platform == "linux":
        return (cv2.CAP_V4L2,)
    if platform == "darwin":
        return (cv2.CAP_AVFOUNDATION,)
    return cv2.CAP_MSMF, cv2.CAP_DSHOW


def negotiate(capture: cv2.VideoCapture, size: Size, fps: float) -> None:
    """Asks for size and rate, and for compressed pictures where raw ones would be too few or too small."""
    _ask(capture, size, fps)
    if _falls_short(capture, size, fps):
        # Raw 720p is more than USB 2 carries at 30 a second: many cameras then offer 10, without a word.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        _ask(capture, size, fps)


def _ask(capture: cv2.VideoCapture, size: Size, fps: float) -> None:
    height, width = size
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    capture.set(cv2.CAP_PROP_FPS, fps)


def _falls_short(capture: cv2.VideoCapture, size: Size, fps: float) -> bool:
    told_fps = capture.get(cv2.CAP_PROP_FPS)
    told = capture.get(cv2.CAP_PROP_FRAME_HEIGHT), capture.get(cv2.CAP_PROP_FRAME_WIDTH)
    return 0 < told_fps < _ENOUGH * fps or told[0] < size[0] or told[1] < size[1]


def _open_local(where: int | str, size: Size, fps: float) -> OpenCvDevice:
    allowed = _require_local(where)
    with ExitStack() as opened:
        opened.enter_context(quiet_opencv)
        for backend in backends(sys.platform):
            capture = cv2.VideoCapture(where, backend)
            if capture.isOpened():
                negotiate(capture, size, fps)
                return OpenCvDevice(capture, opened=opened.pop_all())
    raise CaptureError(f"camera {where} does not open: {camera_fix(allowed, this_system())}")


def _require_local(where: int | str) -> bool:
    """Whether the user may open the device, which must be there, so far as the system says."""
    if sys.platform != "linux":
        return True
    path = Path(f"/dev/video{where}") if isinstance(where, int) else Path(where)
    if not path.exists():
        raise CaptureError(f"there is no camera {where}; {what_there_is(camera_names())}")
    return may_open(path)


def _open_stream(url: str) -> OpenCvDevice:
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        _STREAM_LIMIT_MS,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        _STREAM_LIMIT_MS,
    ]
    with ExitStack() as opened:
        opened.enter_context(quiet_opencv)
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            raise CaptureError(f"{shown(url)} does not open: is it the address of a stream, and is it on?")
        is_recording = capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
        return OpenCvDevice(capture, Pace() if is_recording else None, opened.pop_all())


def opencv_logging() -> Any:
    """What has getLogLevel and setLogLevel: cv2 itself, or from 4.14 on its module utils.logging."""
    module: Any = cv2
    return module if hasattr(module, "getLogLevel") else module.utils.logging


@contextmanager
def _quiet() -> Iterator[None]:
    logging = opencv_logging()
    with environment_defaults(_OPENCV_SETTINGS):
        level = logging.getLogLevel()
        logging.setLogLevel(0)
        try:
            yield
        finally:
            logging.setLogLevel(level)


quiet_opencv = WhileNeeded(_quiet)
"""Meanwhile OpenCV says nothing, in the whole process. As long as a device is open: OpenCV also speaks up
while it reads, in the middle of what the terminal shows."""
