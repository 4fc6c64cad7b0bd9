"""A library's chatter is kept off the user's terminal."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

from reenact.process.settings import WhileNeeded, standard_descriptors_held

_log = logging.getLogger(__name__)


@contextmanager
def _diverted() -> Iterator[None]:
    with ExitStack() as opened:
        messages = opened.enter_context(tempfile.TemporaryFile())
        opened.callback(_tell, messages)
        # Held, so that there is something to come back to where standard error is closed.
        opened.enter_context(standard_descriptors_held)
        terminal = os.dup(2)
        opened.callback(os.close, terminal)
        _flush()
        os.dup2(messages.fileno(), 2)
        opened.callback(os.dup2, terminal, 2)
        opened.callback(_flush)
        yield


native_messages_logged = WhileNeeded(_diverted)
"""What C++ code writes to standard error meanwhile goes to the log instead, at debug level.

For the whole process, so wrap only the opening of a library. MediaPipe needs it: its messages do not pass
through Python, and 0.10.21 obeys neither GLOG_minloglevel nor TF_CPP_MIN_LOG_LEVEL."""


def _flush() -> None:
    if sys.stderr is not None:  # None: the program has no standard error
        sys.stderr.flush()


def _tell(messages: IO[bytes]) -> None:
    messages.seek(0)
    for line in messages.read().decode(errors="replace").splitlines():
        _log.debug("%s", line)
