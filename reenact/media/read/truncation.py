"""Detects media files that are cut short, from the sizes of their container's outermost parts."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_EBML = bytes.fromhex("1a45dfa3")
_ISO_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide")
_HEAD_BYTES = 24


def is_cut_short(path: Path) -> bool:
    """Whether a part of the file extends beyond the file's end.

    MP4 and QuickTime, Matroska and WebM, AVI and ASF (WMV) are understood. Other files, and files with a part
    of unknown length, count as complete.
    """
    with path.open("rb") as file:
        length = _part_length(file.read(_HEAD_BYTES))
        if length is None:
            return False
        size, position = path.stat().st_size, 0
        while position < size:
            file.seek(position)
            part = length(file.read(_HEAD_BYTES))
            if not part:
                return False
            position += part
        return position > size


def _part_length(head: bytes) -> Callable[[bytes], int | None] | None:
    """A function that reads a part's length from its first bytes. None: the container is unknown."""
    if head[4:8] in _ISO_BOXES:
        return _box_length
    if head.startswith(b"RIFF"):
        return _riff_length
    if head.startswith(_ASF):
        return _asf_length
    return _ebml_length if head.startswith(_EBML) else None


def _box_length(head: bytes) -> int | None:
    if len(head) < 16:
        return None
    (length,) = struct.unpack_from(">I", head)
    return struct.unpack_from(">Q", head, 8)[0] if length == 1 else length


def _riff_length(head: bytes) -> int | None:
    # The length is 0 where a recording was interrupted.
    length = struct.unpack_from("<I", head, 4)[0] if len(head) >= 8 else 0
    return 8 + length + length % 2 if length else None


def _asf_length(head: bytes) -> int | None:
    return struct.unpack_from("<Q", head, 16)[0] if len(head) == _HEAD_BYTES else None


def _ebml_length(head: bytes) -> int | None:
    """The length of the identifier, the length field and the content; leading zeros give the first two."""
    identifier_bytes = 9 - head[0].bit_length()
    length_head = head[identifier_bytes : identifier_bytes + 8]
    if len(length_head) < 8:
        return None
    length_bytes = 9 - length_head[0].bit_length()
    if length_bytes > 8:
        return None
    marked = int.from_bytes(length_head[:length_bytes], "big")
    content = marked - (1 << 7 * length_bytes)
    unknown = content == (1 << 7 * length_bytes) - 1  # a live recording
    return None if unknown else identifier_bytes + length_bytes + content
