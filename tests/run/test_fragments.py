"""MP4 files whose writing broke off."""

from __future__ import annotations

from pathlib import Path

import pytest

from reenact.run.recording.fragments import truncate_to_last_fragment


def box(kind: bytes, size: int) -> bytes:
    return (size + 8).to_bytes(4, "big") + kind + bytes(size)


def large_box(kind: bytes, size: int) -> bytes:
    """One that has its length in 64 bits."""
    return (1).to_bytes(4, "big") + kind + (size + 16).to_bytes(8, "big") + bytes(size)


HEAD = box(b"ftyp", 16) + box(b"moov", 200)
FRAGMENT = box(b"moof", 40) + box(b"mdat", 1000)


@pytest.mark.parametrize(
    ("whole", "torn"),
    [
        (HEAD + 3 * FRAGMENT, b""),
        (HEAD + 3 * FRAGMENT, FRAGMENT[:-1]),
        (HEAD + 3 * FRAGMENT, box(b"moof", 40)),
        (HEAD + 3 * FRAGMENT, b"\x00\x00"),
        (HEAD + 3 * FRAGMENT, box(b"moof", 40)[:20]),
        (HEAD + box(b"moof", 40) + large_box(b"mdat", 99), FRAGMENT[:60]),
        (HEAD, FRAGMENT[:100]),
    ],
    ids=["nothing", "a picture", "a promise", "two bytes", "half a promise", "after 64 bits", "the first"],
)
def test_all_that_is_whole_is_kept_and_nothing_else(tmp_path: Path, whole: bytes, torn: bytes) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(whole + torn)
    truncate_to_last_fragment(path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("rubbish", [b"", bytes(8), b"\x00\x00\x00\x01mdat"])
def test_what_is_no_file_at_all_does_no_harm(tmp_path: Path, rubbish: bytes) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(rubbish)
    truncate_to_last_fragment(path)
    assert path.read_bytes() == b""
