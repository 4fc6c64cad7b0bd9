"""The program of the other process."""

from __future__ import annotations

import logging
import mmap
import os
import pickle
import signal
import sys
import time
from contextlib import ExitStack, suppress
from typing import IO, Any

import cv2

from engines.threads import core_count
from reenact.generate import Generator, open_generator
from reenact.pipeline.runner import few_threads
from reenact.records import Frame, Retargeted
from reenact.run.remote.messages import (
    ErrorMessage,
    FrameMessage,
    GeneratorProcessError,
    LogMessage,
    MessageStream,
    OpenedMessage,
    OpenMessage,
    PatchesMessage,
)
from reenact.run.remote.shared_frames import SharedFrames


def serve() -> None:
    """Runs in the other process until the first one closes its pipes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stream = MessageStream(sys.stdin.buffer, _own_output())
    with suppress(EOFError, OSError):
        opening = stream.receive()
        assert isinstance(opening, OpenMessage)
        logging.getLogger().addHandler(_LogSender(stream))
        logging.getLogger().setLevel(opening.log_level)
        logging.captureWarnings(True)
        # The first process needs the other cores. (On two: 65 frames a second, and 60 with two threads.)
        cv2.setNumThreads(max(1, core_count() // 2))
        with few_threads, ExitStack() as opened:
            try:
                generator = opened.enter_context(open_generator(**vars(opening.request)))
                slots = _opened_slots(opening)
            except Exception as error:
                stream.send(_failed(error))
                return
            stream.send(OpenedMessage(generator.notes))
            while True:
                task = stream.receive()
                assert isinstance(task, FrameMessage)
                stream.send(_answer(task, generator, slots))


class _LogSender(logging.Handler):
    """Sends log records to the first process."""

    def __init__(self, stream: MessageStream) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Sends a record whose message is complete, because its arguments may be of any kind."""
        text = self.format(record)
        complete = logging.LogRecord(
            record.name, record.levelno, record.pathname, record.lineno, text, None, None
        )
        with suppress(OSError):
            self._stream.send(LogMessage(complete))


def _own_output() -> IO[bytes]:
    """The pipe to the first process. What libraries print goes to standard error instead."""
    own = os.fdopen(os.dup(1), "wb")
    with suppress(OSError):  # there may be no standard error
        os.dup2(2, 1)
    return own


def _opened_slots(opening: OpenMessage) -> SharedFrames:
    with opening.memory_file.open("r+b") as file:
        return SharedFrames(mmap.mmap(file.fileno(), 0), opening.slot_bytes)


def _answer(task: FrameMessage, generator: Generator, slots: SharedFrames) -> PatchesMessage | ErrorMessage:
    frame = Frame(slots.frame(task.slot, task.shape), task.pts, task.index)
    record: Any = Retargeted(frame, task.faces, aus=task.aus, changes=task.changes)
    times_s = {}
    try:
        for name, step in generator.steps.items():
            start = time.perf_counter()
            record = step(record)
            times_s[name] = time.perf_counter() - start
    except Exception as error:
        return _failed(error)
    return slots.put_patches(task.slot, record.patches, times_s)


def _failed(error: Exception) -> ErrorMessage:
    """The message about an error; one that cannot be sent is told as text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return ErrorMessage(GeneratorProcessError(f"{type(error).__name__}: {error}"))
    return ErrorMessage(error)
