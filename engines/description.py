"""What an ONNX file says of itself, read without a runtime: every engine starts from the same file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engines.base import EngineError
from engines.protobuf import fields

# Field numbers of ModelProto and StringStringEntryProto in onnx.proto3.
_GRAPH, _METADATA = 7, 14
_KEY, _VALUE = 1, 2


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
        for number, content in _contents(model):
            if number == _GRAPH:
                graph = content
            elif number == _METADATA:
                entry = dict(_contents(content))
                metadata[bytes(entry[_KEY]).decode()] = bytes(entry[_VALUE]).decode()
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise EngineError("is not an ONNX model, or is damaged") from error
    if graph is None:
        raise EngineError("is not an ONNX model: it holds no graph")
    return Description(metadata, hashlib.sha256(graph).hexdigest())


def title(model: bytes) -> str:
    """What the model calls itself; raises EngineError where it cannot be read."""
    return describe(model).metadata.get("preset", "a model without a name")


def _contents(message: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """(number, content) of the fields that have a length."""
    return ((number, value) for number, value in fields(message) if isinstance(value, memoryview))
