"""Text files that other programs saved: which encoding they are in, and what they say."""

from __future__ import annotations

import codecs
from pathlib import Path

_MARKS = (
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ENCODINGS = "UTF-8 or UTF-16"
"""What `encoding_of` tells apart, as error messages name it."""


def encoding_of(head: bytes) -> str:
    """The encoding of a text whose first character is ASCII, as in tables and JSON, from its first bytes.

    The byte order mark decides. Where there is none, a zero among the first two bytes means UTF-16.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if len(head) >= 2 and (head[0] == 0) != (head[1] == 0):
        return "utf-16-be" if head[0] == 0 else "utf-16-le"
    return "utf-8"


def read_text(path: Path, refusal: type[ValueError], largest_bytes: int) -> str:
    """The text of a file, without a byte order mark.

    Raises `refusal` with what is wrong, but without the file's name.
    """
    try:
        with path.open("rb") as file:
            data = file.read(largest_bytes + 1)
    except OSError as error:
        raise refusal(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # no name that a file can have
        raise refusal(f"cannot be read: {error}") from error
    if len(data) > largest_bytes:
        raise refusal(f"is larger than {largest_bytes} bytes")
    return text_of(data, refusal)


def text_of(data: bytes, refusal: type[ValueError]) -> str:
    """The text that is the whole content of a file. Raises `refusal` where it is none."""
    try:
        return data.decode(encoding_of(data))
    except UnicodeDecodeError as error:
        raise refusal(f"is not text in {ENCODINGS}") from error
