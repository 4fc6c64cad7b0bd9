"""Redirects what native libraries write to standard error into the log."""

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
        opened.callback(_log_messages, messages)
        # Descriptor 2 must be open to be restored, also where the program was started without standard error.
        opened.enter_context(standard_descriptors_held)
        terminal = os.dup(2)
        opened.callback(os.close, terminal)
        _flush()
        os.dup2(messages.fileno(), 2)
        opened.callback(os.dup2, terminal, 2)
        opened.callback(_flush)
        yield


native_messages_logged = WhileNeeded(_diverted)
"""While this context is open, standard error goes to the log at debug level.

It acts on the whole process, so only the opening of a library is wrapped in it. MediaPipe needs it: its C++
messages do not pass through Python, and 0.10.21 ignores GLOG_minloglevel and TF_CPP_MIN_LOG_LEVEL."""


def _flush() -> None:
    if sys.stderr is not None:  # None: the program has no standard error
        sys.stderr.flush()


def _log_messages(messages: IO[bytes]) -> None:
    messages.seek(0)
    for line in messages.read().decode(errors="replace").splitlines():
        _log.debug("%s", line)
