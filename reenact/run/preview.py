"""The preview: shows the output in a window with an overlay, and handles its keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reenact.pipeline.meter import LiveStatus
from reenact.records import Finished
from reenact.retarget.controls import Controls
from reenact.run.hotkeys import ACTIONS, Action, settings_after
from reenact.run.overlay import OverlayState, overlaid

FIGURES_S = 0.3
"""The interval at which the figures are updated, in seconds; a shorter one makes them illegible."""
MESSAGE_S = 2.5
"""The time for which a message is shown, in seconds."""
IDLE_S = 0.1
"""The interval, in seconds, at which the overlay is updated while the camera sends no frames."""


class Screen(Protocol):
    """The window of a preview."""

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Shows the picture, (height, width, 3) RGB."""

    def key(self) -> str | None:
        """The name of a key that was pressed. None: no key was pressed."""

    @property
    def closed(self) -> bool:
        """Whether the user has closed the window."""


class RecordingSwitch(Protocol):
    """A recorder, as the key that starts and stops it needs it."""

    @property
    def recording(self) -> bool:
        """Whether a recording is running."""

    def toggle(self) -> str:
        """Starts or ends a recording; returns one line for the user."""


class Preview:
    """A sink that shows every frame and handles the keys."""

    def __init__(
        self,
        screen: Screen,
        controls: Controls,
        status: Callable[[], LiveStatus],
        take_neutral: Callable[[], str],
        recording: RecordingSwitch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """screen: the window. controls: the settings that the keys change. status: gives the figures.
        take_neutral: takes the neutral and returns one line for the user. recording: started and stopped by a
        key. None: there is no recorder. clock: a monotonic clock in seconds."""
        self._screen = screen
        self._controls = controls
        self._asked = controls.now.targets
        self._read_status = status
        self._take_neutral = take_neutral
        self._recording = recording
        self._clock = clock
        self._status = LiveStatus()
        self._finished: Finished | None = None
        self._message: str | None = None
        self._figures_due_s = self._message_end_s = self._idle_due_s = clock()
        self._quit = False

    @property
    def closed(self) -> bool:
        """Whether the user has ended the run by a key or closed the window."""
        return self._quit or self._screen.closed

    def write(self, finished: Finished) -> None:
        """Shows the frame."""
        self._finished = finished
        self._show()

    def idle(self) -> None:
        """Handles the keys, and updates the overlay while the camera sends no frames."""
        if self._clock() >= self._idle_due_s:
            self._show()
        else:
            self._handle_key()

    def _show(self) -> None:
        self._handle_key()
        now_s = self._clock()
        self._idle_due_s = now_s + IDLE_S
        if now_s >= self._figures_due_s:
            self._status = self._read_status()
            self._figures_due_s = now_s + FIGURES_S
        if now_s >= self._message_end_s:
            self._message = None
        if self._finished is not None:
            self._screen.show(overlaid(self._finished, self._overlay_state()))

    def _overlay_state(self) -> OverlayState:
        recording = self._recording is not None and self._recording.recording
        return OverlayState(self._controls.now, self._status, self._message, recording)

    def _handle_key(self) -> None:
        key = self._screen.key()
        if key is None:
            return
        if key in ACTIONS:
            self._act(ACTIONS[key])
        else:
            self._controls.change(lambda settings: settings_after(key, settings, self._asked))

    def _act(self, action: Action) -> None:
        if action == "quit":
            self._quit = True
        elif action == "neutral":
            self._show_message(self._take_neutral())
        elif self._recording is None:
            self._show_message("nothing to record to: start with --record out.mp4")
        else:
            self._show_message(self._recording.toggle())

    def _show_message(self, message: str) -> None:
        self._message = message
        self._message_end_s = self._clock() + MESSAGE_S
