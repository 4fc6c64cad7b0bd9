"""A window opened by OpenCV, to be used in the main thread."""

from __future__ import annotations

from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.doctor import machine
from reenact.doctor.diagnose import why_no_window
from reenact.media.write.encoding import SinkError
from reenact.run.hotkeys import key_name

_LARGEST = (720, 1280)
"""The largest (height, width) in which a window opens, in pixels; the user may enlarge it."""


class Window:
    """A window that shows pictures and reports pressed keys."""

    def __init__(self, title: str, size: tuple[int, int]) -> None:
        """size: the (height, width) of the pictures. Raises SinkError where OpenCV cannot open a window."""
        self._title = title
        scale = min(1.0, _LARGEST[0] / size[0], _LARGEST[1] / size[1])
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(title, round(scale * size[1]), round(scale * size[0]))
        except cv2.error as error:
            raise SinkError(f"no window opens: {error.err or error}") from error
        self._bgr: NDArray[np.uint8] | None = None

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.closed:
            cv2.destroyWindow(self._title)
            cv2.pollKey()  # the window disappears when events are handled

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Shows the picture, (height, width, 3) RGB, unless the window is closed."""
        # OpenCV would open a new window in place of a closed one.
        if not self.closed:
            self._bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR, self._bgr)
            cv2.imshow(self._title, self._bgr)

    def key(self) -> str | None:
        """The name of a pressed key, as in reenact.run.hotkeys. None: no key. Also lets the window redraw."""
        return key_name(cv2.pollKey())

    @property
    def closed(self) -> bool:
        """Whether the user has closed the window."""
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:
            return True


def why_no_preview() -> str | None:
    """One line that says why no window can be opened here. None: one can be opened.

    It is tried in another process, because OpenCV ends a process whose display refuses it.
    """
    outcome = machine.run(machine.WINDOW) if machine.has_display() else None
    return why_no_window(outcome, machine.this_system())
