"""The preview: the result in a window, with figures on it and keys that steer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reenact.pipeline.meter import LiveStatus
from reenact.records import Finished
from reenact.retarget.controls import Controls
from reenact.run.hotkeys import ACTIONS, Action, turned
from reenact.run.overlay import Situation, overlaid

FIGURES_S = 0.3
"""Between two looks at the figures: faster, nobody can read them."""
MESSAGE_S = 2.5
IDLE_S = 0.1
"""Between two pictures while the camera sends none, so that what is said of it is up to date."""


class Screen(Protocol):
    """What a preview needs of a window."""

    def show(self, picture: NDArray[np.uint8]) -> None: ...

    def key(self) -> str | None: ...

    @property
    def closed(self) -> bool: ...


class Recording(Protocol):
    """What records, for the key that turns it on and off."""

    @property
    def recording(self) -> bool:
        """Whether it does now."""

    def toggle(self) -> str:
        """Starts, or ends and completes the file; says in one line which."""


class Preview:
    """A sink that shows every frame and sees to the keys."""

    def __init__(
        self,
        screen: Screen,
        controls: Controls,
        status: Callable[[], LiveStatus],
        take_neutral: Callable[[], str],
        recording: Recording | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`take_neutral` says in one line what came of it."""
        self._screen = screen
        self._controls = controls
        self._asked = controls.now.targets
        self._ask_status = status
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
        """Whether somebody wants the run to end."""
        return self._quit or self._screen.closed

    def write(self, finished: Finished) -> None:
        """Shows the frame."""
        self._finished = finished
        self._show()

    def idle(self) -> None:
        """Sees to the keys, and to what is said about a camera that sends nothing."""
        if self._clock() >= self._idle_due_s:
            self._show()
        else:
            self._see_to_keys()

    def _show(self) -> None:
        self._see_to_keys()
        now_s = self._clock()
        self._idle_due_s = now_s + IDLE_S
        if now_s >= self._figures_due_s:
            self._status = self._ask_status()
            self._figures_due_s = now_s + FIGURES_S
        if now_s >= self._message_end_s:
            self._message = None
        if self._finished is not None:
            self._screen.show(overlaid(self._finished, self._situation()))

    def _situation(self) -> Situation:
        recording = self._recording is not None and self._recording.recording
        return Situation(self._controls.now, self._status, self._message, recording)

    def _see_to_keys(self) -> None:
        key = self._screen.key()
        if key is None:
            return
        if key in ACTIONS:
            self._act(ACTIONS[key])
        else:
            self._controls.change(lambda settings: turned(key, settings, self._asked))

    def _act(self, action: Action) -> None:
        if action == "quit":
            self._quit = True
        elif action == "neutral":
            self._say(self._take_neutral())
        elif self._recording is None:
            self._say("nothing to record to: start with --record out.mp4")
        else:
            self._say(self._recording.toggle())

    def _say(self, message: str) -> None:
        self._message = message
        self._message_end_s = self._clock() + MESSAGE_S
