"""The sources of a camera's frames: a device or stream opened by OpenCV, or a video file."""

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
from reenact.media.read.spool import Source, needs_spooling, spooled, without_password
from reenact.media.read.video_file import CaptureError, open_capture
from reenact.process.settings import WhileNeeded, environment_defaults

Size = tuple[int, int]
"""(height, width) in pixels."""

USUAL_SIZE: Size = (720, 1280)
"""The (height, width) in pixels that is requested by default."""
USUAL_RATE = 30.0
"""The frames per second that are requested by default."""
_LEAST_RATE_SHARE = 0.9
"""The share of the requested rate below which compressed instead of raw pictures are requested."""
_OPENCV_SETTINGS = {"OPENCV_FFMPEG_LOGLEVEL": "-8", "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2"}
"""Settings that OpenCV reads only from the environment, when it is first used. The first one silences its
FFmpeg, whose messages would appear beside our error. The second one is the timeout of a camera on Linux, in
seconds; OpenCV's default is 10."""
_STREAM_TIMEOUT_MS = 5000
"""Timeout of opening a stream and of each of its frames; OpenCV's default is 30 s."""
_LARGEST_LAG_S = 0.2
"""A recording that lags by more than this, in seconds, continues from now instead of catching up: after the
opening of models its frames would come all at once."""
_DEFAULT_RATE = Fraction(25)
"""Frames per second of a recording that has no rate."""


class Device(Protocol):
    """Delivers frames in the thread that calls it. Once it is open, none of its methods raises."""

    @property
    def rate(self) -> Fraction | None:
        """The frames per second. None: the device reports no rate."""

    def grab(self) -> bool:
        """Waits for the next frame. False: there was none."""

    def retrieve(self) -> NDArray[np.uint8] | None:
        """The frame that was grabbed, (height, width, 3) RGB. None: it is damaged."""

    def close(self) -> None:
        """Releases the device."""


class Pacer:
    """Delays the frames of a recording until they are due, as those of a camera."""

    def __init__(
        self, clock_ns: Callable[[], int] = time.perf_counter_ns, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._due_s: float | None = None

    def wait(self, after_s: float) -> None:
        """Sleeps until `after_s` seconds after the time at which the frame before was due."""
        now_s = self._clock_ns() / 1e9
        due_s = now_s if self._due_s is None else self._due_s + after_s
        self._due_s = now_s if now_s - due_s > _LARGEST_LAG_S else due_s
        if self._due_s > now_s:
            self._sleep(self._due_s - now_s)


class OpenCvDevice:
    """A device or a stream opened by OpenCV."""

    def __init__(
        self, capture: cv2.VideoCapture, pacer: Pacer | None = None, opened: ExitStack | None = None
    ) -> None:
        """pacer: delays the frames of a recording. None: the frames arrive in real time.
        opened: closed after the device. None: nothing else is closed."""
        self._capture = capture
        self._pacer = pacer
        self._opened = opened or ExitStack()

    @property
    def rate(self) -> Fraction | None:
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        # For streams without a rate OpenCV gives the ticks of their clock, 90000.
        return Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else None

    def grab(self) -> bool:
        grabbed = bool(self._capture.grab())
        if grabbed and self._pacer is not None:
            self._pacer.wait(float(1 / (self.rate or _DEFAULT_RATE)))
        return grabbed

    def retrieve(self) -> NDArray[np.uint8] | None:
        whole, image = self._capture.retrieve()
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if whole else None

    def close(self) -> None:
        self._capture.release()
        self._opened.close()


class FileDevice:
    """A video file that is played as a camera: in an endless loop, each frame at its time."""

    def __init__(self, path: Path, pacer: Pacer | None = None) -> None:
        """pacer: delays the frames. None: a new one. Raises CaptureError where `path` is no video."""
        with ExitStack() as opened:
            # A pipe can be read only once, so it is kept in a file.
            source = opened.enter_context(spooled(path)) if needs_spooling(path) else path
            with open_capture(source) as capture:
                self.rate = capture.rate
            self._kept = opened.pop_all()
        self._pacer = pacer or Pacer()
        self._pictures = _looped(source)
        self._image: NDArray[np.uint8] | None = None

    def grab(self) -> bool:
        try:
            after_s, self._image = next(self._pictures)
        except (CaptureError, StopIteration):
            return False
        self._pacer.wait(after_s)
        return True

    def retrieve(self) -> NDArray[np.uint8] | None:
        return self._image

    def close(self) -> None:
        self._pictures.close()
        self._kept.close()


def _looped(source: Source) -> Generator[tuple[float, NDArray[np.uint8]], None, None]:
    """Pairs of (seconds since the frame before, picture), without end."""
    while True:
        with open_capture(source) as capture:
            after_s = 1 / (capture.rate or _DEFAULT_RATE)
            before: Fraction | None = None
            for frame in capture:
                after_s = after_s if before is None else frame.pts - before
                before = frame.pts
                yield float(after_s), frame.image


def open_device(where: str, size: Size | None = None, fps: float | None = None) -> Device:
    """Opens the camera `where`: the index or path of a device, a URL, or a video file.

    size: the requested (height, width) in pixels. None: USUAL_SIZE. fps: the requested frames per second.
    None: USUAL_RATE. Both apply to devices only, which may give others. Raises CaptureError.
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
    raise CaptureError(f"there is no camera or video file {where!r}; {camera_hint(camera_names())}")


def device_opener(where: str, size: Size | None = None, fps: float | None = None) -> Callable[[], Device]:
    """A function that opens `where` as `open_device` does and may be called again when the camera is lost."""
    numbered = re.fullmatch(r"(?:/dev/video)?(\d+)", where, re.ASCII)
    if sys.platform == "linux" and numbered:
        return NumberedCamera(where, int(numbered[1]), size, fps)
    return partial(open_device, where, size, fps)


class NumberedCamera:
    """Opens a camera by its number, and later the same camera even if its number has changed.

    Linux gives a camera that is plugged in again the next free number.
    """

    def __init__(self, where: str, number: int, size: Size | None, fps: float | None) -> None:
        """where: the user's name for the camera, which is replaced when its number changes."""
        self._where = where
        self._number = number
        self._size = size
        self._fps = fps
        self._identity: CameraIdentity | None = None

    def __call__(self) -> Device:
        """Opens the camera. Raises CaptureError."""
        if self._identity is not None:
            found = find_camera(self._identity)
            if found is None:
                raise CaptureError(f"camera {self._where} ({self._identity.name}) is gone")
            if found != self._number:
                self._where, self._number = str(found), found
        device = open_device(self._where, self._size, self._fps)
        self._identity = camera_identity(self._number)
        return device


def camera_hint(names: Mapping[int, str], platform: str = sys.platform) -> str:
    """The cameras of this machine, for messages. names: their names by number."""
    others = "a URL or a video file can stand in for one"
    if not names:
        return f"this machine has no camera, but {others}"
    if platform != "linux":
        return f"cameras are counted from 0, usually the built-in one; {others}"
    listed = ", ".join(f"{index} ({name})" for index, name in sorted(names.items()))
    return f"there is {listed}; {others}"


def backends(platform: str) -> Sequence[int]:
    """OpenCV's camera backends on a system, in order of preference."""
    if platform == "linux":
        return (cv2.CAP_V4L2,)
    if platform == "darwin":
        return (cv2.CAP_AVFOUNDATION,)
    return cv2.CAP_MSMF, cv2.CAP_DSHOW


def negotiate(capture: cv2.VideoCapture, size: Size, fps: float) -> None:
    """Requests size and rate, and compressed pictures where raw ones would be too few or too small."""
    _request(capture, size, fps)
    if _falls_short(capture, size, fps):
        # USB 2 cannot carry raw 720p at 30 frames a second: many cameras then silently give 10.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        _request(capture, size, fps)


def _request(capture: cv2.VideoCapture, size: Size, fps: float) -> None:
    height, width = size
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    capture.set(cv2.CAP_PROP_FPS, fps)


def _falls_short(capture: cv2.VideoCapture, size: Size, fps: float) -> bool:
    given_fps = capture.get(cv2.CAP_PROP_FPS)
    given = capture.get(cv2.CAP_PROP_FRAME_HEIGHT), capture.get(cv2.CAP_PROP_FRAME_WIDTH)
    return 0 < given_fps < _LEAST_RATE_SHARE * fps or given[0] < size[0] or given[1] < size[1]


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
    """Whether the user may open the device; True except on Linux. Raises CaptureError where there is none."""
    if sys.platform != "linux":
        return True
    path = Path(f"/dev/video{where}") if isinstance(where, int) else Path(where)
    if not path.exists():
        raise CaptureError(f"there is no camera {where}; {camera_hint(camera_names())}")
    return may_open(path)


def _open_stream(url: str) -> OpenCvDevice:
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        _STREAM_TIMEOUT_MS,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        _STREAM_TIMEOUT_MS,
    ]
    with ExitStack() as opened:
        opened.enter_context(quiet_opencv)
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            name = without_password(url)
            raise CaptureError(f"{name} does not open: is it the address of a stream, and is it on?")
        is_recording = capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
        return OpenCvDevice(capture, Pacer() if is_recording else None, opened.pop_all())


def opencv_logging() -> Any:
    """The module with getLogLevel and setLogLevel: cv2, or from 4.14 on cv2.utils.logging."""
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
"""While this context is open, OpenCV logs nothing, in the whole process. It stays open as long as a device,
because OpenCV also logs while it reads, in the middle of the terminal's progress display."""
