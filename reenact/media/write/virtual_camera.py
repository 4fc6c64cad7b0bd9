"""Sends frames to a virtual camera, which other programs can open."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.doctor.diagnose import virtual_camera_fix
from reenact.doctor.machine import loopback_installed, this_system
from reenact.media.write.encoding import SinkError
from reenact.records import Finished

if TYPE_CHECKING:
    import pyvirtualcam

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""The interval, in seconds, between attempts to open a lost virtual camera again."""
_REPEAT_PERIODS = 1.5
"""The time without a frame, in frame periods, until the last one is repeated; cameras jitter by less."""


class VirtualCamera:
    """Sends every frame at once, and repeats the last one at the declared rate while there is none.

    It repeats because programs drop a camera that sends nothing. A lost device is opened again as soon as it
    is back; until then frames are dropped. Frames of another size are fitted in, on black.
    """

    size: tuple[int, int]
    """The declared (height, width) in pixels, both even, because of chroma subsampling."""
    name: str
    """The device's name, as other programs show it."""

    def __init__(
        self,
        size: tuple[int, int],
        rate: float,
        device: str | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Opens the device.

        size: the frames' (height, width). rate: the declared frames per second. device: the device's name.
        None: the first one that is free. Raises SinkError, with the remedy, where none opens.
        """
        height, width = size
        self.size = height + height % 2, width + width % 2
        self._period_s = 1 / rate
        self._rate = rate
        self._device = device
        self._clock = clock
        # Black frames are sent from the start, because programs do not list a camera that sends nothing.
        self._image: NDArray[np.uint8] = np.zeros((*self.size, 3), np.uint8)
        self._camera: pyvirtualcam.Camera | None = self._open()
        self.name = self._camera.device
        self._due_s = self._retry_s = clock()

    def __enter__(self) -> VirtualCamera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._camera is not None:
            self._camera.close()

    def write(self, record: Finished) -> None:
        """Sends the output of a frame."""
        self._image = letterbox(record.output.image, self.size)
        self._send()
        self._due_s = self._clock() + _REPEAT_PERIODS * self._period_s

    def idle(self) -> None:
        """Sends the last picture again if it is due."""
        now_s = self._clock()
        if now_s >= self._due_s:
            self._send()
            self._due_s = max(self._due_s + self._period_s, now_s)

    def _send(self) -> None:
        camera = self._camera or self._open_again()
        if camera is None:
            return
        try:
            camera.send(self._image)
        except Exception as error:  # each backend raises errors of its own
            log.warning("the virtual camera %s is gone: %s", self.name, error)
            with suppress(Exception):
                camera.close()
            self._camera = None

    def _open_again(self) -> pyvirtualcam.Camera | None:
        if self._clock() < self._retry_s:
            return None
        self._retry_s = self._clock() + RETRY_S
        with suppress(SinkError):
            self._camera = self._open()
            log.warning("the virtual camera %s is back", self.name)
        return self._camera

    def _open(self) -> pyvirtualcam.Camera:
        try:
            import pyvirtualcam
        except ImportError as error:
            raise SinkError(
                f"virtual cameras need pyvirtualcam ({error}): pip install pyvirtualcam"
            ) from error
        height, width = self.size
        try:
            return pyvirtualcam.Camera(width, height, self._rate, device=self._device)
        except Exception as error:  # RuntimeError, with the reason of each backend on a line of its own
            name = "no virtual camera opens" if self._device is None else f"{self._device} does not open"
            reasons = "; ".join(str(error).splitlines())
            fix = virtual_camera_fix(this_system(), loopback_installed())
            raise SinkError(f"{name} ({reasons}): {fix}") from error


def open_virtual_camera(size: tuple[int, int], rate: float, device: str | None = None) -> VirtualCamera:
    """Opens a virtual camera for frames of (height, width), `rate` a second. Raises SinkError.

    device: the device's name. None: the first one that is free."""
    return VirtualCamera(size, rate, device)


def letterbox(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The image scaled to fit into (height, width), centred on black; the same array if it has that size."""
    height, width = size
    if image.shape[:2] == size:
        return image
    scale = min(height / image.shape[0], width / image.shape[1])
    # One row or column less comes from making the size even and is not worth a resampling.
    if not (0 <= height - image.shape[0] <= 1 and 0 <= width - image.shape[1] <= 1):
        fitting = max(1, round(scale * image.shape[1])), max(1, round(scale * image.shape[0]))
        image = cv2.resize(image, fitting, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    boxed = np.zeros((height, width, 3), np.uint8)
    boxed[top : top + image.shape[0], left : left + image.shape[1]] = image
    return boxed
