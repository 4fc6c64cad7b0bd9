"""Ends a run between two steps when a signal asks for it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether SIGTERM or SIGINT came; a second signal acts as usual."""
    came: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    if threading.current_thread() is threading.main_thread():
        before.update({number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)})
    try:
        yield lambda: bool(came)
    finally:
        restore()
