"""The frames of a camera, which is opened again whenever it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from reenact.media.read.devices import Device, Size, device_opener, without_password
from reenact.media.read.video_file import CaptureError
from reenact.records import Frame, Signal

_LONGEST_SLEEP_S = 0.1
"""Longest sleep within a pause, in seconds, so that the consumer can end the iteration soon."""


@dataclass(frozen=True)
class CameraOptions:
    """The requested size and rate of a camera, and the time limits after which it counts as lost."""

    size: Size | None = None
    """The requested (height, width) in pixels; the device may give another. None: 720p."""
    fps: float | None = None
    """The requested frames per second; the device may give another rate. None: 30."""
    stall_s: float = 1.0
    """The time without a frame, in seconds, after which the camera counts as stalled."""
    first_picture_s: float = 10.0
    """The longest wait for the first frame, in seconds, before opening the camera fails."""
    failures: int = 5
    """The number of consecutive missing or damaged frames after which the camera counts as lost."""
    failure_pause_s: float = 0.02
    """The pause after a missing or damaged frame, in seconds."""
    retry_s: float = 0.25
    """The first pause, in seconds, before a lost camera is opened again; it doubles after each attempt."""
    longest_retry_s: float = 2.0
    """The longest pause between two attempts to open a lost camera, in seconds."""


class Camera:
    """The frames of a camera, without end. It can be iterated only once.

    While there is no frame, the iteration gives None several times a second, unless the device itself blocks.
    A lost camera is opened again as soon as it is back; its frames may then have another size. Any thread may
    read `signal`.
    """

    size: Size
    """The (height, width) of the first frame, in pixels."""
    rate: Fraction | None
    """The frames per second that the camera reports. None: it reports no rate."""
    notes: tuple[str, ...]
    """The differences from the requested size and rate, one line each."""

    def __init__(
        self,
        name: str,
        open_device: Callable[[], Device],
        options: CameraOptions = CameraOptions(),
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Opens the device and waits for its first frame. Raises CaptureError.

        name: the camera's name in messages. clock_ns: the clock of `Frame.captured_ns`, in nanoseconds.
        """
        self._name = name
        self._open_device = open_device
        self._options = options
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._device: Device | None = open_device()
        try:
            self.size = self._first_size(self._device)
        except BaseException:
            self._device.close()
            raise
        self.rate = self._device.rate
        self.notes = _notes(name, options, self.size, self.rate)
        self._last_frame_ns = clock_ns()
        self._lost: str | None = None

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The iteration closes its own device: one must not be closed while another thread reads from it.
        if self._device is not None:
            self._device.close()

    @property
    def signal(self) -> Signal:
        """The camera's state now, and the time since its last frame."""
        silent_s = (self._clock_ns() - self._last_frame_ns) / 1e9
        lost = self._lost
        if lost is not None:
            return Signal("lost", silent_s, lost)
        return Signal("live" if silent_s < self._options.stall_s else "stalled", silent_s)

    def __iter__(self) -> Generator[Frame | None, None, None]:
        device, self._device = self._device, None
        assert device is not None, "a camera can be iterated only once"
        start_ns = self._last_frame_ns = self._clock_ns()
        index = 0
        while True:
            with closing(device):
                for image in self._images(device):
                    if image is None:
                        yield None
                        continue
                    pts = Fraction(self._last_frame_ns - start_ns, 10**9)
                    yield Frame(image, pts, index, self._last_frame_ns)
                    index += 1
            device = yield from self._reopened()

    def _images(self, device: Device) -> Iterator[NDArray[np.uint8] | None]:
        """The frames' pictures, or None for each that failed, until the camera counts as lost."""
        failures = 0
        while failures < self._options.failures:
            asked_ns = self._clock_ns()
            image = self._picture(device)
            yield image
            if image is not None:
                failures = 0
                continue
            if self._clock_ns() - asked_ns > self._options.stall_s * 1e9:
                return
            failures += 1
            self._sleep(self._options.failure_pause_s)

    def _picture(self, device: Device) -> NDArray[np.uint8] | None:
        if not device.grab():
            return None
        # The time of capture is taken before decoding, so that decoding counts as latency.
        grabbed_ns = self._clock_ns()
        image = device.retrieve()
        if image is None:
            return None
        self._last_frame_ns = max(grabbed_ns, self._last_frame_ns + 1)
        return image

    def _reopened(self) -> Generator[None, None, Device]:
        """Opens the lost device again and returns it; gives None repeatedly until then."""
        self._lost = f"{self._name} is gone"
        pause_s = self._options.retry_s
        while True:
            yield from self._wait(pause_s)
            try:
                device = self._open_device()
            except CaptureError as error:
                self._lost = str(error)
                pause_s = min(2 * pause_s, self._options.longest_retry_s)
            else:
                self._lost = None
                return device

    def _wait(self, duration_s: float) -> Iterator[None]:
        """Sleeps in short steps and gives None at each, so that the iteration can be ended."""
        until_ns = self._clock_ns() + int(duration_s * 1e9)
        while (left_s := (until_ns - self._clock_ns()) / 1e9) > 0:
            yield None
            self._sleep(min(_LONGEST_SLEEP_S, left_s))

    def _first_size(self, device: Device) -> Size:
        until_ns = self._clock_ns() + int(self._options.first_picture_s * 1e9)
        while self._clock_ns() < until_ns:
            image = device.retrieve() if device.grab() else None
            if image is not None:
                return image.shape[0], image.shape[1]
            self._sleep(self._options.failure_pause_s)
        raise CaptureError(
            f"{self._name} opens but delivers no picture: close the program that uses it, or plug it in again"
        )


def open_camera(where: int | str, options: CameraOptions = CameraOptions()) -> Camera:
    """Opens a camera. Raises CaptureError.

    where: an index, a path such as /dev/video0, a URL, or a video file that is played as a camera.
    """
    name = f"camera {without_password(str(where))}"
    return Camera(name, device_opener(str(where), options.size, options.fps), options)


def _notes(name: str, options: CameraOptions, size: Size, rate: Fraction | None) -> tuple[str, ...]:
    notes = []
    if options.size is not None and size != options.size:
        asked, given = (f"{width}x{height}" for height, width in (options.size, size))
        notes.append(f"{name} gives {given}, not {asked}")
    if options.fps is not None and rate is not None and abs(rate - options.fps) > 0.05 * options.fps:
        notes.append(f"{name} gives {float(rate):.4g} frames a second, not {options.fps:.4g}")
    return tuple(notes)
