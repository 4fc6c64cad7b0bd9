"""Text files that other programs wrote: their encoding and their text."""

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
"""The encodings that `encoding_of` recognises, for error messages."""


def encoding_of(head: bytes) -> str:
    """Returns the encoding of a text that starts with an ASCII character, such as JSON, from its first bytes.

    The byte order mark decides. Without one, a zero among the first two bytes means UTF-16.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if len(head) >= 2 and (head[0] == 0) != (head[1] == 0):
        return "utf-16-be" if head[0] == 0 else "utf-16-le"
    return "utf-8"


def read_text(path: Path, refusal: type[ValueError], largest_bytes: int) -> str:
    """Returns the text of a file, without a byte order mark.

    Raises `refusal` with what is wrong, but without the file's name.
    """
    try:
        with path.open("rb") as file:
            data = file.read(largest_bytes + 1)
    except OSError as error:
        raise refusal(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # No file can have this name.
        raise refusal(f"cannot be read: {error}") from error
    if len(data) > largest_bytes:
        raise refusal(f"is larger than {largest_bytes} bytes; give a smaller file")
    return text_of(data, refusal)


def text_of(data: bytes, refusal: type[ValueError]) -> str:
    """Returns the text of a file's content. Raises `refusal` where it is not text."""
    try:
        return data.decode(encoding_of(data))
    except UnicodeDecodeError as error:
        raise refusal(f"is not text in {ENCODINGS}") from error
