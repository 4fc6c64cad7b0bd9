"""What an ONNX file says of itself, read without a runtime: every engine starts from the same file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engines.base import EngineError

# Field numbers of ModelProto and StringStringEntryProto in onnx.proto3.
_GRAPH, _METADATA = 7, 14
_KEY, _VALUE = 1, 2
# Protobuf's wire types.
_VARINT, _BYTES = 0, 2
_FIXED_LENGTHS = {1: 8, 5: 4}


@dataclass(frozen=True)
class Description:
    metadata: Mapping[str, str]
    """The model's `metadata_props`."""
    graph_sha256: str
    """Of the graph with its weights, as it lies in the file. Metadata cannot hold the hash of all of it."""


def describe(model: bytes) -> Description:
    """Reads the content of an ONNX file. Raises EngineError where it is none, or was cut off."""
    metadata: dict[str, str] = {}
    graph: memoryview | None = None
    try:
        for number, content in _fields(memoryview(model)):
            if number == _GRAPH:
                graph = content
            elif number == _METADATA:
                entry = dict(_fields(content))
                metadata[bytes(entry[_KEY]).decode()] = bytes(entry[_VALUE]).decode()
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise EngineError("is not an ONNX model, or is damaged") from error
    if graph is None:
        raise EngineError("is not an ONNX model: it holds no graph")
    return Description(metadata, hashlib.sha256(graph).hexdigest())


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(field number, content) of the fields that have a length. IndexError where the message ends early."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == _BYTES:
            length, position = _varint(message, position)
            if position + length > len(message):
                raise IndexError(position)
            yield tag >> 3, message[position : position + length]
            position += length
        elif kind == _VARINT:
            _, position = _varint(message, position)
        elif kind in _FIXED_LENGTHS:
            position += _FIXED_LENGTHS[kind]
        else:
            raise IndexError(position)


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """(the number that begins at `position`, where the next thing begins)."""
    number = shift = 0
    while message[position] > 127:
        number |= (message[position] & 127) << shift
        position, shift = position + 1, shift + 7
    return number | message[position] << shift, position + 1
