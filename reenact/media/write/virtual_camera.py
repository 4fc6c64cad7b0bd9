"""A camera that other programs see, and that shows what we send."""

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
"""Between attempts to open a virtual camera again that has vanished."""
_PATIENCE = 1.5
"""Frame times without a frame after which the last one is repeated: cameras are not that punctual."""


class VirtualCamera:
    """Sends every frame at once, and the last one again, at the declared rate, while none comes.

    Programs that use a camera drop one that falls silent. One that vanishes is opened again as soon as it is
    back; until then frames are let go. Frames of another size are fitted in, with black beside them.
    """

    size: tuple[int, int]
    """(height, width) as declared: even, because what carries the pictures halves their colours."""

    def __init__(
        self,
        size: tuple[int, int],
        rate: float,
        device: str | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`rate`: frames per second to declare. `device`: None takes the first that is free.

        Raises SinkError, with what to do, where no virtual camera opens.
        """
        height, width = size
        self.size = height + height % 2, width + width % 2
        self._period_s = 1 / rate
        self._rate = rate
        self._device = device
        self._clock = clock
        # Black from the start: a camera that sends nothing is not offered by the programs that look for one.
        self._image: NDArray[np.uint8] = np.zeros((*self.size, 3), np.uint8)
        self._camera: pyvirtualcam.Camera | None = self._open()
        self.name: str = self._camera.device
        self._due_s = self._retry_s = clock()

    def __enter__(self) -> VirtualCamera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._camera is not None:
            self._camera.close()

    def write(self, record: Finished) -> None:
        """Sends what is to be shown."""
        self._image = letterbox(record.output.image, self.size)
        self._send()
        self._due_s = self._clock() + _PATIENCE * self._period_s

    def idle(self) -> None:
        """Sends the last picture again, if one is due."""
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
        except Exception as error:  # there are several backends, and each raises what it likes
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
    """A virtual camera for pictures of (height, width), `rate` a second; raises SinkError."""
    return VirtualCamera(size, rate, device)


def letterbox(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(height, width, 3), the whole image in its middle, as large as fits, on black; itself if it is so."""
    height, width = size
    if image.shape[:2] == size:
        return image
    scale = min(height / image.shape[0], width / image.shape[1])
    # A row or column too few is the size made even: not worth blurring the picture for.
    if not (0 <= height - image.shape[0] <= 1 and 0 <= width - image.shape[1] <= 1):
        fitting = max(1, round(scale * image.shape[1])), max(1, round(scale * image.shape[0]))
        image = cv2.resize(image, fitting, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    boxed = np.zeros((height, width, 3), np.uint8)
    boxed[top : top + image.shape[0], left : left + image.shape[1]] = image
    return boxed
