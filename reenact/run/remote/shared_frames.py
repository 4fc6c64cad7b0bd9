"""Memory that two processes share, with the pixels of frames and patches."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from reenact.records import Patch
from reenact.run.remote.messages import GeneratorProcessError, PatchesMessage

SLOTS = 8
"""The number of frames that may be on their way: more than the six that a run with its queue of four has
between two stages."""
_SHARED_FOLDERS = (Path("/dev/shm"), Path(tempfile.gettempdir()))
"""Folders for the shared memory, the first of which is in memory where it exists."""


class SharedFrames:
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
    ) -> PatchesMessage:
        """Stores patches in a slot, and returns the message about them."""
        there = self.frame(slot, (self._slot_bytes,))
        shown = [patch for patch in patches if patch is not None]
        further = []
        for patch, start in zip(shown, self._starts([patch.image.size for patch in shown]), strict=True):
            if start is None:
                further.append(patch.image)
            else:
                there[start : start + patch.image.size] = patch.image.ravel()
        regions = tuple(None if patch is None else patch.region for patch in patches)
        return PatchesMessage(regions, tuple(further), times_s)

    def patches(self, slot: int, message: PatchesMessage) -> tuple[Patch | None, ...]:
        """Copies of the patches in a slot."""
        there, further = self.frame(slot, (self._slot_bytes,)), iter(message.further)
        shapes = [(y1 - y0, x1 - x0, 3) for x0, y0, x1, y1 in filter(None, message.regions)]
        sizes = [int(np.prod(shape)) for shape in shapes]
        images = iter(
            [
                next(further) if start is None else there[start : start + size].reshape(shape).copy()
                for shape, size, start in zip(shapes, sizes, self._starts(sizes), strict=True)
            ]
        )
        return tuple(region and Patch(next(images), region[:2]) for region in message.regions)

    def _starts(self, sizes: Sequence[int]) -> list[int | None]:
        """The place of each patch in a slot. None: there is no room for it."""
        starts: list[int | None] = []
        used = 0
        for size in sizes:
            fits = used + size <= self._slot_bytes
            starts.append(used if fits else None)
            used += size if fits else 0
        return starts


def new_memory(size: int) -> tuple[Path, mmap.mmap]:
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
                remove_memory(Path(name))
    raise GeneratorProcessError(f"no {size / 1e6:.0f} MB of memory can be shared: {reason}")


def _reserve(file: IO[bytes], size: int) -> None:
    """Makes the file as large as this. On Linux the room is taken at once: writing could not fail later, it
    would crash."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


def remove_memory(path: Path) -> None:
    """Removes the name of the shared memory, which stays until both processes have ended."""
    with suppress(OSError):
        path.unlink()
