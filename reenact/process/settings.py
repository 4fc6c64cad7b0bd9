"""Settings of the whole process that are changed for a while and then restored."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from types import TracebackType

_STANDARD = (0, 1, 2)
"""The file descriptors of standard input, output and error."""


class WhileNeeded:
    """A change to the whole process that several `with` blocks may need at the same time, in any threads.

    The first block that is entered makes the change and the last one that is left undoes it. If each block
    did both, the first one left would undo the change under the others.
    """

    def __init__(self, change: Callable[[], AbstractContextManager[object]]) -> None:
        """change: opens a context that makes the change when it is entered and undoes it when it is left."""
        self._change = change
        self._lock = Lock()
        self._needed_by = 0
        self._made = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._needed_by == 0:
                self._made.enter_context(self._change())
            self._needed_by += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._needed_by -= 1
            if self._needed_by == 0:
                self._made.close()


@contextmanager
def environment_defaults(values: dict[str, str]) -> Iterator[None]:
    """Sets these variables of the environment for the block, except those that are set already."""
    missing = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name, value in missing.items():
            if os.environ.get(name) == value:
                del os.environ[name]


@contextmanager
def _descriptors_held() -> Iterator[None]:
    with ExitStack() as held:
        for number in _STANDARD:
            if not _is_open(number):
                _open_nowhere(number)
                held.callback(os.close, number)
        yield


standard_descriptors_held = WhileNeeded(_descriptors_held)
"""Keeps file descriptors 0, 1 and 2 open for the block: those that were closed lead to the null device.

A file that is opened gets the lowest free number. If that were 2, what libraries write to standard error
would go into that file, such as a film that is being written."""


@contextmanager
def standard_error_open() -> Iterator[None]:
    """Opens standard error for the block if the program was started without: by pythonw, by 2>&- or as a
    frozen program without a console. What is written is then lost. Only our own programs may use it."""
    with standard_descriptors_held, ExitStack() as opened:
        if sys.stderr is None:
            sys.stderr = opened.enter_context(open(os.devnull, "w", encoding="utf-8"))
            opened.callback(setattr, sys, "stderr", None)
        yield


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _open_nowhere(descriptor: int) -> None:
    """Opens the null device under this number; processes that are started inherit it."""
    opened = os.open(os.devnull, os.O_RDWR)
    if opened == descriptor:
        os.set_inheritable(descriptor, True)
        return
    os.dup2(opened, descriptor)
    os.close(opened)
