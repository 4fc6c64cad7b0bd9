"""Writes and reads small ONNX models without the onnx package: it needs little of their format, protobuf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engines.description import _varint as read_varint

FLOAT, UINT8, HALF = 1, 2, 10
"""ONNX's numbers for float32, uint8 and float16."""


def _varint(number: int) -> bytes:
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def field(number: int, value: int | str | bytes) -> bytes:
    """One protobuf field: a whole number, or something with a length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def value_info(name: str, shape: tuple[int | str, ...], dtype: int = FLOAT) -> bytes:
    """A graph's input or output; a string in the shape stands for any length."""
    dimensions = b"".join(field(1, field(1 if isinstance(length, int) else 2, length)) for length in shape)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, dimensions)))


def node(operator: str, inputs: list[str], outputs: list[str], **attributes: int) -> bytes:
    return b"".join(
        [
            *(field(1, name) for name in inputs),
            *(field(2, name) for name in outputs),
            field(4, operator),
            *(field(5, _attribute(name, value)) for name, value in attributes.items()),
        ]
    )


def _attribute(name: str, value: int) -> bytes:
    return field(1, name) + field(3, value) + field(20, 2)


def model(nodes: list[bytes], inputs: list[bytes], outputs: list[bytes], opset: int = 13) -> bytes:
    """The content of an ONNX file."""
    graph = b"".join(
        [
            *(field(1, each) for each in nodes),
            field(2, "tiny"),
            *(field(11, each) for each in inputs),
            *(field(12, each) for each in outputs),
        ]
    )
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, opset))


def metadata(entries: Mapping[str, str]) -> bytes:
    """What a model says of itself: to be put behind its content."""
    return b"".join(field(14, field(1, key) + field(2, value)) for key, value in entries.items())


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: what `field` wrote."""
    view, position = memoryview(message), 0
    while position < len(view):
        tag, position = read_varint(view, position)
        value, position = read_varint(view, position)
        if tag & 7 == 2:
            length, value = value, bytes(view[position : position + value])
            position += length
        yield tag >> 3, value
