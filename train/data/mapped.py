"""Memory-mapped arrays of an .npz file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_LOCAL_HEADER = 30
"""The size in bytes of a member's header in a zip file, before its name and extra field, whose lengths are
the last four bytes (PKWARE, APPNOTE.TXT, 4.3.7)."""


def map_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Maps the arrays that np.savez wrote, by name, read-only. They must not hold objects.

    A page of the file is loaded on first access, and processes that map the same file share it.

    Raises OSError, ValueError or zipfile.BadZipFile for another file, or one that is cut off.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    content = np.memmap(path, np.uint8, "r")
    with path.open("rb") as stream:
        return {member.filename.removesuffix(".npy"): _array(stream, member, content) for member in members}


def _array(stream: BinaryIO, member: zipfile.ZipInfo, content: NDArray[np.uint8]) -> NDArray[Any]:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} in it is compressed")
    stream.seek(member.header_offset + _LOCAL_HEADER - 4)
    name, extra = np.frombuffer(stream.read(4), "<u2").tolist()
    stream.seek(member.header_offset + _LOCAL_HEADER + name + extra)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{member.filename} in it is of another format")
    shape, columns_first, dtype = np.lib.format.read_array_header_1_0(stream)
    offset = stream.tell()
    if dtype.hasobject or offset + dtype.itemsize * int(np.prod(shape)) > len(content):
        raise ValueError(f"{member.filename} in it is cut off, or holds objects")
    return np.ndarray(shape, dtype, content, offset, order="F" if columns_first else "C")
