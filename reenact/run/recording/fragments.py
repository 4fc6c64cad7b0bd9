"""Repairs MP4 files whose writing was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO


def truncate_to_last_fragment(path: Path) -> None:
    """Truncates a fragmented MP4 file after its last complete fragment, so that it can be played to its end.

    A fragment is a `moof` box, which describes the `mdat` box after it: ISO/IEC 14496-12, 8.8. Raises
    OSError.
    """
    with path.open("r+b") as file:
        whole = 0
        for kind, end in _boxes(file, path.stat().st_size):
            if kind != b"moof":
                whole = end
        file.truncate(whole)


def _boxes(file: BinaryIO, size: int) -> list[tuple[bytes, int]]:
    """The kind of each complete box and the position of its end, in bytes."""
    boxes, end = [], 0
    while end + 8 <= size:
        file.seek(end)
        length, kind = int.from_bytes(file.read(4), "big"), file.read(4)
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        if length < 8 or end + length > size:
            break
        end += length
        boxes.append((kind, end))
    return boxes
