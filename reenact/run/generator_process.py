"""A generator in a process of its own, which makes the new pixels of faces while this one tracks and encodes.

Python executes one thread of a process at a time. The frame loop spends half of its time in numpy and in the
many short calls around cv2, so that on two cores its threads were no faster than a single one: 52 frames a
second of a 720p film, and 64 with two processes.

The pixels of frames and patches lie in memory that both processes share; everything else passes through the
standard input and output of the other one.
"""

from __future__ import annotations

import logging
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector, Change
from reenact.generate import Generator, open_generator
from reenact.generate.painters.mouth import MouthMemory
from reenact.pipeline.runner import few_threads
from reenact.records import Box, Face, Frame, Generated, Patch, Retargeted

log = logging.getLogger(__name__)

SLOTS = 8
"""The number of frames that may be on their way: more than the six that a run with its queue of four has
between two stages."""
_CLOSE_S = 5.0
"""The time in seconds that the other process has to end."""
_LENGTH_BYTES = 8
"""The number of bytes in front of a message, which give its length."""
_SHARED_FOLDERS = (Path("/dev/shm"), Path(tempfile.gettempdir()))
"""Folders for the shared memory, the first of which is in memory where it exists."""
_PROGRAM = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "from reenact.run.generator_process import serve; serve()"
)
"""The program of the other process; without the current folder, whose files could hide our packages."""


class GeneratorProcessError(RuntimeError):
    """The other process cannot be started, or has ended unexpectedly; the message is one line."""


@dataclass(frozen=True)
class GeneratorRequest:
    """The arguments of open_generator."""

    name: str
    """The generator's name."""
    model: Path | None
    """The ONNX file of a network. None: see open_generator."""
    engine: str
    """The name of an engine, or auto."""
    threads: int
    """The number of threads of each network."""
    memory: MouthMemory | None
    """The teeth that earlier frames have shown. None: every frame is painted by itself."""


@dataclass(frozen=True)
class _Opening:
    """The first message to the other process."""

    request: GeneratorRequest
    memory_file: Path
    """The file of the shared memory."""
    slot_bytes: int
    """The size of a slot."""
    log_level: int
    """The level from which on log records are sent back."""


@dataclass(frozen=True)
class _Task:
    """A frame whose patches are to be made; its pixels lie in a slot."""

    slot: int
    shape: tuple[int, ...]
    """(height, width, 3) of the frame."""
    pts: Fraction
    index: int
    faces: tuple[Face, ...]
    aus: tuple[AUVector, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class _Answer:
    """The patches of a frame, which lie in its slot one after the other."""

    patches: tuple[Box | None, ...]
    """The region of each patch in the frame. None: the face does not change."""
    further: tuple[NDArray[np.uint8], ...]
    """The pixels of the last patches, which had no room in the slot."""
    times_s: Mapping[str, float]
    """The time of each step of the generator in seconds."""


@dataclass(frozen=True)
class _Opened:
    """The answer to _Opening."""

    notes: tuple[str, ...]
    """The generator's remarks for the user."""


@dataclass(frozen=True)
class _Failed:
    """The answer to any message on which the generator has raised an error."""

    error: Exception


@dataclass(frozen=True)
class _Logged:
    """A log record of the other process, which comes before the answer."""

    record: logging.LogRecord


class GeneratorProcess:
    """The other process; a context manager. It starts at once, so that it is ready when it is needed."""

    def __init__(self) -> None:
        """Raises GeneratorProcessError where no process can be started."""
        if getattr(sys, "frozen", False) or not sys.executable:
            raise GeneratorProcessError("this program is not run by a Python that can be started again")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                **_apart(),
            )
        except OSError as error:
            raise GeneratorProcessError(f"{sys.executable} cannot be started: {error.strerror}") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stream = _Stream(self._process.stdout, self._process.stdin)

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
            path, memory = _new_memory(SLOTS * frame_bytes)
            opened.callback(_remove, path)
            answer = self.ask(_Opening(request, path, frame_bytes, logging.getLogger().getEffectiveLevel()))
        assert isinstance(answer, _Opened)
        return RemoteGenerator(self, _Slots(memory, frame_bytes), answer.notes, timed)

    def send(self, message: object) -> None:
        """Sends a message. Raises GeneratorProcessError."""
        try:
            self._stream.send(message)
        except OSError as error:
            raise self._ended() from error

    def receive(self) -> object:
        """The next answer. Raises the error that the generator has raised, or GeneratorProcessError."""
        try:
            while isinstance(answer := self._stream.receive(), _Logged):
                logging.getLogger(answer.record.name).handle(answer.record)
        except (OSError, EOFError) as error:
            raise self._ended() from error
        if isinstance(answer, _Failed):
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


def _apart() -> dict[str, Any]:
    """The arguments of Popen for a process that Ctrl-C in the terminal does not reach: it is for the first
    process, which then ends the other one."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


class RemoteGenerator:
    """A Generator whose work another process does."""

    def __init__(
        self,
        process: GeneratorProcess,
        slots: _Slots,
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
            _Task(slot, frame.image.shape, frame.pts, frame.index, record.faces, record.aus, record.changes)
        )
        self._sent += 1
        return record

    def _receive(self, record: Retargeted) -> Generated:
        slot = self._received % SLOTS
        self._received += 1
        answer = self._process.receive()
        assert isinstance(answer, _Answer)
        for step, time_s in answer.times_s.items():
            self._timed(step, time_s)
        return Generated(**vars(record), patches=self._slots.patches(slot, answer))


class _Slots:
    """Shared memory for frames, each in a slot, in which its patches replace it."""

    def __init__(self, memory: mmap.mmap, slot_bytes: int) -> None:
        self._memory = memory
        self._slot_bytes = slot_bytes

    def frame(self, slot: int, shape: Sequence[int]) -> NDArray[np.uint8]:
        """The pixels (height, width, 3) of the frame in a slot."""
        count = int(np.prod(shape))
        return np.frombuffer(self._memory, np.uint8, count, slot * self._slot_bytes).reshape(shape)

    def put_patches(
        self, slot: int, patches: Sequence[Patch | None], times_s: Mapping[str, float]
    ) -> _Answer:
        """Stores patches in a slot, and returns the message about them."""
        there, start = self.frame(slot, (self._slot_bytes,)), 0
        further: list[NDArray[np.uint8]] = []
        for patch in patches:
            if patch is None:
                continue
            end = start + patch.image.size
            if further or end > self._slot_bytes:
                further.append(patch.image)
                continue
            there[start:end] = patch.image.ravel()
            start = end
        regions = tuple(None if patch is None else patch.region for patch in patches)
        return _Answer(regions, tuple(further), times_s)

    def patches(self, slot: int, answer: _Answer) -> tuple[Patch | None, ...]:
        """Copies of the patches in a slot."""
        there, start = self.frame(slot, (self._slot_bytes,)), 0
        further = list(answer.further)
        found: list[Patch | None] = []
        for region in answer.patches:
            if region is None:
                found.append(None)
                continue
            x0, y0, x1, y1 = region
            shape = y1 - y0, x1 - x0, 3
            end = start + int(np.prod(shape))
            if len(further) and end > self._slot_bytes:
                image = further.pop(0)
            else:
                image = there[start:end].reshape(shape).copy()
                start = end
            found.append(Patch(image, (x0, y0)))
        return tuple(found)


class _Stream:
    """Sends and receives objects through pipes."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    def send(self, message: object) -> None:
        """Sends an object. Raises OSError if nobody reads any more."""
        content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._outgoing.write(len(content).to_bytes(_LENGTH_BYTES, "little") + content)
        self._outgoing.flush()

    def receive(self) -> object:
        """The next object. Raises EOFError if there is none any more."""
        length = int.from_bytes(self._read(_LENGTH_BYTES), "little")
        return pickle.loads(self._read(length))  # from our own process only

    def _read(self, count: int) -> bytes:
        content = self._incoming.read(count)
        if len(content) < count:
            raise EOFError
        return content


def _new_memory(size: int) -> tuple[Path, mmap.mmap]:
    """A file of this size that is mapped into memory. Raises GeneratorProcessError where there is no room."""
    reason = "there is no folder for it"
    for folder in filter(Path.is_dir, _SHARED_FOLDERS):
        try:
            descriptor, name = tempfile.mkstemp(prefix="reenact-", dir=folder)
        except OSError as error:
            reason = str(error.strerror)
            continue
        with os.fdopen(descriptor, "r+b") as file:
            try:
                _reserve(file, size)
                return Path(name), mmap.mmap(file.fileno(), size)
            except OSError as error:
                reason = str(error.strerror)
                _remove(Path(name))
    raise GeneratorProcessError(f"no {size / 1e6:.0f} MB of memory can be shared: {reason}")


def _reserve(file: IO[bytes], size: int) -> None:
    """Makes the file as large as this. On Linux the room is taken at once: writing could not fail later, it
    would crash."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


def _remove(path: Path) -> None:
    """Removes the name of the shared memory, which stays until both processes have ended."""
    with suppress(OSError):  # Windows keeps a file that is in use
        path.unlink()


# ---- The other process -------------------------------------------------------------------------------------


def serve() -> None:
    """Runs in the other process until the first one closes its pipes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stream = _Stream(sys.stdin.buffer, _own_output())
    with suppress(EOFError, OSError):
        opening = stream.receive()
        assert isinstance(opening, _Opening)
        logging.getLogger().addHandler(_LogSender(stream))
        logging.getLogger().setLevel(opening.log_level)
        logging.captureWarnings(True)
        with few_threads, ExitStack() as opened:
            try:
                generator = opened.enter_context(open_generator(**vars(opening.request)))
                slots = _opened_slots(opening)
            except Exception as error:
                stream.send(_failed(error))
                return
            stream.send(_Opened(generator.notes))
            while True:
                task = stream.receive()
                assert isinstance(task, _Task)
                stream.send(_answer(task, generator, slots))


class _LogSender(logging.Handler):
    """Sends log records to the first process."""

    def __init__(self, stream: _Stream) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Sends a record whose message is complete, because its arguments may be of any kind."""
        text = self.format(record)
        complete = logging.LogRecord(
            record.name, record.levelno, record.pathname, record.lineno, text, None, None
        )
        with suppress(OSError):
            self._stream.send(_Logged(complete))


def _own_output() -> IO[bytes]:
    """The pipe to the first process. What libraries print goes to standard error instead."""
    own = os.fdopen(os.dup(1), "wb")
    with suppress(OSError):  # there may be no standard error
        os.dup2(2, 1)
    return own


def _opened_slots(opening: _Opening) -> _Slots:
    with opening.memory_file.open("r+b") as file:
        return _Slots(mmap.mmap(file.fileno(), 0), opening.slot_bytes)


def _answer(task: _Task, generator: Generator, slots: _Slots) -> _Answer | _Failed:
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


def _failed(error: Exception) -> _Failed:
    """The message about an error; one that cannot be sent is told as text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return _Failed(GeneratorProcessError(f"{type(error).__name__}: {error}"))
    return _Failed(error)
