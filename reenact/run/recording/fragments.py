"""MP4 files whose writing broke off."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO


def drop_torn_end(path: Path) -> None:
    """Takes from a fragmented MP4 file what lies behind its last whole fragment, so that it plays to its end.

    A fragment is a `moof` box, which tells what is in the `mdat` box behind it: ISO/IEC 14496-12, 8.8.
    """
    with path.open("r+b") as file:
        whole = 0
        for kind, end in _boxes(file, path.stat().st_size):
            if kind != b"moof":
                whole = end
        file.truncate(whole)


def _boxes(file: BinaryIO, size: int) -> list[tuple[bytes, int]]:
    """The kind and the end, in bytes, of each box that is all there."""
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
