"""Metadata, hash and signature of an ONNX file, read without a runtime, so that all engines agree on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from engines.engine import EngineError, TensorSpec
from engines.protobuf import fields

# Field numbers of ModelProto, StringStringEntryProto, GraphProto, TensorProto, ValueInfoProto, TypeProto and
# TensorShapeProto in onnx.proto3.
_GRAPH, _METADATA = 7, 14
_KEY, _VALUE = 1, 2
_WEIGHTS, _INPUT, _OUTPUT = 5, 11, 12
_WEIGHTS_NAME = 8
_NAME, _TYPE = 1, 2
_TENSOR, _ELEMENT, _SHAPE = 1, 1, 2
_DIMENSION, _LENGTH = 1, 1

DTYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}
"""numpy types by ONNX's numbers for them."""


@dataclass(frozen=True)
class Description:
    """The metadata and the hash of an ONNX file."""

    metadata: Mapping[str, str]
    """The model's `metadata_props`."""
    graph_sha256: str
    """The SHA-256 of the graph with its weights. Metadata cannot hold a hash of the whole file, which
    includes it."""


def is_tflite(model: bytes) -> bool:
    """Whether this is the content of a TensorFlow Lite file, which begins with where its table lies."""
    return model[4:8] == b"TFL3"


def describe(model: bytes) -> Description:
    """Reads the content of an ONNX file. Raises EngineError where it is not one or is cut off."""
    _refuse_tflite(model)
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


def _refuse_tflite(model: bytes) -> None:
    if is_tflite(model):
        raise EngineError("is a TensorFlow Lite model, which only OpenVINO reads: pip install openvino")


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def read_signature(model: bytes) -> Signature:
    """Reads the content of an ONNX file. Raises EngineError where it is damaged or has unknown types."""
    _refuse_tflite(model)
    inputs, outputs, weights = list[TensorSpec](), list[TensorSpec](), set[str]()
    try:
        graph = next((content for number, content in _contents(model) if number == _GRAPH), None)
        if graph is None:
            raise EngineError("is not an ONNX model: it holds no graph")
        for number, content in _contents(graph):
            if number == _WEIGHTS:
                weights.add(_text(content, _WEIGHTS_NAME))
            elif number in (_INPUT, _OUTPUT):
                (inputs if number == _INPUT else outputs).append(_spec(content))
    except (IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise EngineError("is not an ONNX model, or is damaged") from error
    # Old files also list their weights among the inputs.
    return Signature(tuple(spec for spec in inputs if spec.name not in weights), tuple(outputs))


def _spec(value: memoryview) -> TensorSpec:
    """Reads a ValueInfoProto."""
    name = _text(value, _NAME)
    value_type = _only(_only(value, _TYPE), _TENSOR)
    element = dict(fields(value_type))[_ELEMENT]
    if element not in DTYPES:
        known = ", ".join(np.dtype(dtype).name for dtype in DTYPES.values())
        raise EngineError(f"has a tensor {name!r} of a type (number {element} in ONNX) other than {known}")
    lengths = [
        dict(fields(dimension))
        for shape_number, message in _contents(value_type)
        if shape_number == _SHAPE
        for number, dimension in _contents(message)
        if number == _DIMENSION
    ]
    shape = tuple(_length(each.get(_LENGTH)) for each in lengths)
    return TensorSpec(name, shape, np.dtype(DTYPES[element]))


def _length(found: int | memoryview | None) -> int | None:
    """Returns a fixed length. None: any length is allowed, since it has a name, is absent or is -1."""
    return found if isinstance(found, int) and found < 1 << 63 else None


def _only(message: memoryview, number: int) -> memoryview:
    return dict(_contents(message))[number]


def _text(message: memoryview, number: int) -> str:
    return bytes(_only(message, number)).decode()


def title(model: bytes) -> str:
    """Returns the model's title, from its metadata. Raises EngineError where it cannot be read."""
    if is_tflite(model):
        return "a TensorFlow Lite model"
    return describe(model).metadata.get("preset", "a model without a name")


def _contents(message: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields (number, content) of the fields with a length."""
    return ((number, value) for number, value in fields(message) if isinstance(value, memoryview))
