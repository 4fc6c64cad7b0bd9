"""The messages between the two processes, and the stream that carries them."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector, Change
from reenact.generate.painters.mouth import MouthMemory
from reenact.records import Box, Face

_LENGTH_BYTES = 8
"""The number of bytes in front of a message, which give its length."""


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
class OpenMessage:
    """The first message to the other process."""

    request: GeneratorRequest
    """The generator to open."""
    memory_file: Path
    """The file of the shared memory."""
    slot_bytes: int
    """The size of a slot."""
    log_level: int
    """The level from which on log records are sent back."""


@dataclass(frozen=True)
class FrameMessage:
    """A frame whose patches are to be made; its pixels lie in a slot."""

    slot: int
    """The slot of the frame's pixels, which its patches replace."""
    shape: tuple[int, ...]
    """(height, width, 3) of the frame."""
    pts: Fraction
    """The presentation time of the frame in seconds."""
    index: int
    """The position of the frame in the input."""
    faces: tuple[Face, ...]
    """The faces in the frame."""
    aus: tuple[AUVector, ...]
    """For each face, the intensities (AU_COUNT,) that it shows."""
    changes: tuple[Change, ...]
    """For each face, the relative action units (2, AU_COUNT) to write."""


@dataclass(frozen=True)
class PatchesMessage:
    """The patches of a frame, which lie in its slot one after the other."""

    regions: tuple[Box | None, ...]
    """The region of each face's patch in the frame. None: the face does not change."""
    further: tuple[NDArray[np.uint8], ...]
    """The pixels of the patches that had no room in the slot."""
    times_s: Mapping[str, float]
    """The time of each step of the generator in seconds."""


@dataclass(frozen=True)
class OpenedMessage:
    """The answer to OpenMessage."""

    notes: tuple[str, ...]
    """The generator's remarks for the user."""


@dataclass(frozen=True)
class ErrorMessage:
    """The answer to any message on which the generator has raised an error."""

    error: Exception
    """The error."""


@dataclass(frozen=True)
class LogMessage:
    """A log record of the other process, which comes before the answer."""

    record: logging.LogRecord
    """The record, with its complete message."""


class MessageStream:
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
