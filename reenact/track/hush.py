"""A library's start-up: its chatter is kept off the user's terminal, and no signal is lost in it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_log = logging.getLogger(__name__)


@contextmanager
def native_messages_logged() -> Iterator[None]:
    """What C++ code writes to standard error meanwhile goes to the log instead, at debug level.

    For the whole process, so wrap only the opening of a library. MediaPipe needs it: its messages do not pass
    through Python, and 0.10.21 obeys neither GLOG_minloglevel nor TF_CPP_MIN_LOG_LEVEL.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            messages.seek(0)
            for line in messages.read().decode(errors="replace").splitlines():
                _log.debug("%s", line)


@contextmanager
def signals_answered_afterwards() -> Iterator[None]:
    """Ctrl-C and requests to end that come meanwhile are answered when this is left.

    For imports: MediaPipe's own runs through bare `except:`, which swallow what a signal raises.
    """
    came: list[int] = []
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {}
    with suppress(ValueError):  # in a thread beside the main one, which is the one that answers
        for number in heeded:
            before[number] = signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)
