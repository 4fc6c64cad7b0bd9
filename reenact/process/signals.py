"""Who answers the signals of those that interrupt or end the program."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

INTERRUPT = signal.SIGINT
"""Ctrl-C."""
ENDING = (signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))
"""The signals of whoever ends the program, or closes its terminal."""

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def signals_call(handler: Handler, numbers: Sequence[int]) -> Iterator[None]:
    """Meanwhile these signals call the handler; in another than the main thread, which gets them, nothing.

    Not those that are ignored: nohup does that to go on without its terminal.
    """
    before = {}
    for number in numbers:
        earlier = signal.getsignal(number)
        # None: the handler is none of Python's, which Python cannot put back.
        if earlier is None or earlier == signal.SIG_IGN:
            continue
        try:
            signal.signal(number, handler)
        except ValueError:
            break  # another thread
        before[number] = earlier
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def signals_answered_afterwards() -> Iterator[None]:
    """Interrupts and requests to end that come meanwhile are answered when this is left.

    For imports: MediaPipe's own runs through bare `except:`, which swallow what a signal raises.
    """
    came: list[int] = []
    try:
        with signals_call(lambda number, frame: came.append(number), (INTERRUPT, *ENDING)):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)
