"""The part of protobuf that ONNX files need: a sequence of numbered fields."""

from __future__ import annotations

from collections.abc import Iterator

# Wire types.
_VARINT, _BYTES = 0, 2
_FIXED_LENGTHS = {1: 8, 5: 4}


def field(number: int, value: int | str | bytes) -> bytes:
    """Returns one field: a non-negative whole number, or a value with a length."""
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def fields(message: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields (number, value) of each field of a message, without fields of a fixed length.

    Raises IndexError where the message ends too early or is not one.
    """
    view, position = memoryview(message), 0
    while position < len(view):
        tag, position = _read_varint(view, position)
        kind = tag & 7
        if kind in _FIXED_LENGTHS:
            position += _FIXED_LENGTHS[kind]
            continue
        if kind not in (_VARINT, _BYTES):
            raise IndexError(position)
        value, position = _read_varint(view, position)
        if kind == _VARINT:
            yield tag >> 3, value
            continue
        if position + value > len(view):
            raise IndexError(position)
        yield tag >> 3, view[position : position + value]
        position += value


def _varint(number: int) -> bytes:
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Returns the number that starts at `position`, and the position after it."""
    number = shift = 0
    while message[position] > 127:
        number |= (message[position] & 127) << shift
        position, shift = position + 1, shift + 7
    return number | message[position] << shift, position + 1
