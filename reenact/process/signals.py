"""Handlers of the signals that interrupt or end the program."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

INTERRUPT = signal.SIGINT
"""The signal of Ctrl-C."""
ENDING = (signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))
"""The signals that end the program, by another program or because its terminal is closed."""

Handler = Callable[[int, FrameType | None], None]
"""A function that is called with the number of the signal and the interrupted frame."""


@contextmanager
def signals_call(handler: Handler, numbers: Sequence[int]) -> Iterator[None]:
    """Makes these signals call the handler for the block.

    Nothing is changed outside the main thread, which alone gets signals. Signals that are ignored stay so:
    nohup ignores SIGHUP, so that the program continues without its terminal.
    """
    before = {}
    for number in numbers:
        earlier = signal.getsignal(number)
        # None: the handler was not set by Python, which could not restore it.
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
    """Delays signals that interrupt or end the program until the block is left.

    MediaPipe's import needs that: its bare `except:` clauses would swallow what a handler raises.
    """
    came: list[int] = []
    try:
        with signals_call(lambda number, frame: came.append(number), (INTERRUPT, *ENDING)):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)
