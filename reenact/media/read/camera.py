"""A camera as frames that go on through whatever happens to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from reenact.media.read.devices import Device, Size, opener, shown
from reenact.media.read.video_file import CaptureError
from reenact.records import Frame, Signal

_SLICE_S = 0.1
"""Of a pause in which nobody must be kept waiting for longer."""


@dataclass(frozen=True)
class CameraOptions:
    """What to ask of a camera, and when to give up on it."""

    size: Size | None = None
    """(height, width) to ask a device for, usually 720p. It may give another."""
    fps: float | None = None
    """Frames per second to ask a device for, usually 30."""
    stall_s: float = 1.0
    """A camera that has delivered nothing for so long has stalled."""
    first_picture_s: float = 10.0
    """One that delivers nothing for so long after it was opened does not work."""
    failures: int = 5
    """Pictures in a row that may be missing or damaged before the camera counts as lost."""
    failure_pause_s: float = 0.02
    """Before the next picture is asked for."""
    retry_s: float = 0.25
    """Between attempts to open a lost camera again: at first, then twice as long each time ..."""
    longest_retry_s: float = 2.0
    """... up to this."""


class Camera:
    """The frames of a camera, for ever, from the moment they are asked for; can be asked once.

    While there is no frame to be had, None comes instead, several times a second, unless the device itself is
    stuck. A lost camera is opened again as soon as it is back; frames may then have another size. `signal`
    tells any thread how it stands.
    """

    size: Size
    """(height, width) of the first picture."""
    rate: Fraction | None
    """Pictures per second, if the camera says."""
    notes: tuple[str, ...]
    """In what it is not as it was asked to be, one plain line each."""

    def __init__(
        self,
        name: str,
        open_device: Callable[[], Device],
        options: CameraOptions = CameraOptions(),
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Opens the device and waits for its first picture. Raises CaptureError.

        `name`: for messages. `clock_ns`: of `Frame.captured_ns`.
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
        self._heard_ns = clock_ns()
        self._lost: str | None = None

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is iterated belongs to the thread that iterates: a device must not be closed under its reader.
        if self._device is not None:
            self._device.close()

    @property
    def signal(self) -> Signal:
        """How the camera stands now."""
        silent_s = (self._clock_ns() - self._heard_ns) / 1e9
        lost = self._lost
        if lost is not None:
            return Signal("lost", silent_s, lost)
        return Signal("live" if silent_s < self._options.stall_s else "stalled", silent_s)

    def __iter__(self) -> Generator[Frame | None, None, None]:
        device, self._device = self._device, None
        assert device is not None, "a camera's frames can be asked for once"
        start_ns = self._heard_ns = self._clock_ns()
        index = 0
        while True:
            with closing(device):
                for image in self._images(device):
                    if image is None:
                        yield None
                        continue
                    pts = Fraction(self._heard_ns - start_ns, 10**9)
                    yield Frame(image, pts, index, self._heard_ns)
                    index += 1
            device = yield from self._device_again()

    def _images(self, device: Device) -> Iterator[NDArray[np.uint8] | None]:
        """Pictures, and None for each that failed, until the camera counts as lost."""
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
        # Before decoding, so that its time counts as delay.
        grabbed_ns = self._clock_ns()
        image = device.retrieve()
        if image is None:
            return None
        self._heard_ns = max(grabbed_ns, self._heard_ns + 1)
        return image

    def _device_again(self) -> Generator[None, None, Device]:
        """The device, opened anew; None again and again until then."""
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
        """Sleeps, but wakes often enough for whoever wants no more frames."""
        until_ns = self._clock_ns() + int(duration_s * 1e9)
        while (left_s := (until_ns - self._clock_ns()) / 1e9) > 0:
            yield None
            self._sleep(min(_SLICE_S, left_s))

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
    """The camera that `where` names: an index, a path as /dev/video0, a URL, or a video file that stands in.

    Raises CaptureError.
    """
    return Camera(f"camera {shown(str(where))}", opener(str(where), options.size, options.fps), options)


def _notes(name: str, options: CameraOptions, size: Size, rate: Fraction | None) -> tuple[str, ...]:
    notes = []
    if options.size is not None and size != options.size:
        asked, given = (f"{width}x{height}" for height, width in (options.size, size))
        notes.append(f"{name} gives {given}, not {asked}")
    if options.fps is not None and rate is not None and abs(rate - options.fps) > 0.05 * options.fps:
        notes.append(f"{name} gives {float(rate):.4g} frames a second, not {options.fps:.4g}")
    return tuple(notes)
