"""The switch of the panel: what a page asks of the programme that serves it, such as to start a camera."""

from __future__ import annotations

import time
from collections.abc import Callable

from reenact.panel.protocol import Act
from reenact.run.desk import Desk

_LOOK_S = 0.05
"""The interval at which a start is looked for."""


class Switch:
    """Does what an Act asks. The server's thread calls it; the main thread sees what is wanted of it."""

    def __init__(self, desk: Desk, *, can_start: bool) -> None:
        """can_start: whether a page may start a camera; otherwise the run began with the programme."""
        self._desk = desk
        self._can_start = can_start
        self._start: Act | None = None
        self.stopping = False
        """Whether the run is to end."""

    def __call__(self, command: Act) -> str:
        """Does it, or has the main thread do it; returns one line for the user."""
        if command.action == "neutral":
            return self._desk.take_neutral()
        if command.action == "record":
            return self._desk.toggle_recording()
        if command.action == "hand":
            return self._desk.toggle_hand()
        if command.action == "stop":
            self.stopping = True
            return "the run ends"
        if self._desk.state.running:
            return "a camera runs already"
        if not self._can_start:
            return "the run has ended; start reenact again"
        self._start = command
        return "the camera starts"

    def await_start(self, keep_going: Callable[[], bool]) -> Act | None:
        """The next start that a page asks for. None: `keep_going`, called many times a second, gave False."""
        while keep_going():
            if self._start is not None:
                start, self._start, self.stopping = self._start, None, False
                return start
            time.sleep(_LOOK_S)
        return None
