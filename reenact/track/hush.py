"""A library's chatter is kept off the user's terminal."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

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
