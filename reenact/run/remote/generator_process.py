"""A generator in a process of its own, which makes the new pixels of faces while this one tracks and encodes.

Python executes one thread of a process at a time. The frame loop spends half of its time in numpy and in the
many short calls around cv2, so that on two cores its threads were no faster than a single one: 52 frames a
second of a 720p film, and 64 with two processes.

The pixels of frames and patches lie in memory that both processes share; everything else passes through the
standard input and output of the other one.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from reenact.doctor.machine import environment_with_packages
from reenact.records import Generated, Retargeted
from reenact.run.remote.messages import (
    ErrorMessage,
    FrameMessage,
    GeneratorProcessError,
    GeneratorRequest,
    LogMessage,
    MessageStream,
    OpenedMessage,
    OpenMessage,
    PatchesMessage,
)
from reenact.run.remote.shared_frames import SLOTS, SharedFrames, new_memory, remove_memory

_CLOSE_S = 5.0
"""The time in seconds that the other process has to end."""
_PROGRAM = (
    "import sys; sys.path[:] = filter(None, sys.path); from reenact.run.remote.worker import serve; serve()"
)
"""The program of the other process; without the current folder, whose files could hide our packages."""


class GeneratorProcess:
    """The other process; a context manager. It starts at once, so that it is ready when it is needed."""

    def __init__(self) -> None:
        """Raises GeneratorProcessError where no process can be started."""
        # In a program that contains Python, sys.executable may be that program.
        if sys.platform == "win32" or not Path(sys.executable or "").name.startswith(("python", "pypy")):
            raise GeneratorProcessError(f"{sys.executable!r} is no Python that can be started again here")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment_with_packages(),
                # Ctrl-C in the terminal is for this process, which then ends the other one.
                start_new_session=True,
            )
        except OSError as error:
            raise GeneratorProcessError(f"{sys.executable} cannot be started: {error.strerror}") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stream = MessageStream(self._process.stdout, self._process.stdin)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def open(
        self, request: GeneratorRequest, frame_bytes: int, timed: Callable[[str, float], None]
    ) -> RemoteGenerator:
        """Opens the generator in the other process.

        frame_bytes: the size of the frames' images. timed: called with the name of each of the generator's
        steps and its time in seconds.

        Raises what open_generator raises, and GeneratorProcessError.
        """
        with ExitStack() as opened:
            path, memory = new_memory(SLOTS * frame_bytes)
            opened.callback(remove_memory, path)
            answer = self.ask(
                OpenMessage(request, path, frame_bytes, logging.getLogger().getEffectiveLevel())
            )
        assert isinstance(answer, OpenedMessage)
        return RemoteGenerator(self, SharedFrames(memory, frame_bytes), answer.notes, timed)

    def send(self, message: object) -> None:
        """Sends a message. Raises GeneratorProcessError."""
        try:
            self._stream.send(message)
        except OSError as error:
            raise self._ended() from error

    def receive(self) -> object:
        """The next answer. Raises the error that the generator has raised, or GeneratorProcessError."""
        try:
            while isinstance(answer := self._stream.receive(), LogMessage):
                logging.getLogger(answer.record.name).handle(answer.record)
        except (OSError, EOFError) as error:
            raise self._ended() from error
        if isinstance(answer, ErrorMessage):
            raise answer.error
        return answer

    def ask(self, message: object) -> object:
        """The answer to a message; see `receive`."""
        self.send(message)
        return self.receive()

    def __enter__(self) -> GeneratorProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        try:
            self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self) -> GeneratorProcessError:
        try:
            code = self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            return GeneratorProcessError("the process that makes the faces does not answer")
        reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return GeneratorProcessError(f"the process that makes the faces has ended unexpectedly ({reason})")


class RemoteGenerator:
    """A Generator whose work another process does."""

    def __init__(
        self,
        process: GeneratorProcess,
        slots: SharedFrames,
        notes: tuple[str, ...],
        timed: Callable[[str, float], None],
    ) -> None:
        self._process = process
        self._slots = slots
        self._timed = timed
        self._sent = self._received = 0
        self.notes = notes

    @property
    def steps(self) -> Mapping[str, Callable[[Any], Any]]:
        """The steps: the first one sends a frame, and the second one waits for its patches."""
        return {"send": self._send, "receive": self._receive}

    def __call__(self, retargeted: Retargeted) -> Generated:
        return self._receive(self._send(retargeted))

    def __enter__(self) -> RemoteGenerator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def _send(self, record: Retargeted) -> Retargeted:
        assert self._sent - self._received < SLOTS, "more frames on their way than slots"
        slot, frame = self._sent % SLOTS, record.frame
        self._slots.frame(slot, frame.image.shape)[:] = frame.image
        self._process.send(
            FrameMessage(
                slot, frame.image.shape, frame.pts, frame.index, record.faces, record.aus, record.changes
            )
        )
        self._sent += 1
        return record

    def _receive(self, record: Retargeted) -> Generated:
        slot = self._received % SLOTS
        self._received += 1
        answer = self._process.receive()
        assert isinstance(answer, PatchesMessage)
        for step, time_s in answer.times_s.items():
            self._timed(step, time_s)
        return Generated(**vars(record), patches=self._slots.patches(slot, answer))
