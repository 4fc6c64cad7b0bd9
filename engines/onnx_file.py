"""Writes small ONNX files without the package `onnx`, which users do not install.

The numbers of the fields are those of onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engines.protobuf import field

FLOAT, UINT8, HALF = 1, 2, 10
"""ONNX's numbers for float32, uint8 and float16."""
_INT, _INTS = 2, 7
"""ONNX's type numbers of an attribute that is a whole number, or a list of them."""


def model(
    nodes: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    weights: Sequence[bytes] = (),
    opset: int = 13,
) -> bytes:
    """Returns the content of an ONNX file with these parts, which the other functions here return."""
    graph = b"".join(
        [
            *(field(1, each) for each in nodes),
            field(2, "graph"),
            *(field(5, each) for each in weights),
            *(field(11, each) for each in inputs),
            *(field(12, each) for each in outputs),
        ]
    )
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, opset))


def metadata(entries: Mapping[str, str]) -> bytes:
    """Returns metadata entries, to be appended to a model's content."""
    return b"".join(field(14, field(1, key) + field(2, value)) for key, value in entries.items())


def node(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int | list[int]
) -> bytes:
    """Returns a node of a graph with this operator, inputs, outputs and attributes."""
    return b"".join(
        [
            *(field(1, name) for name in inputs),
            *(field(2, name) for name in outputs),
            field(4, operator),
            *(field(5, _attribute(name, value)) for name, value in attributes.items()),
        ]
    )


def tensor(name: str, value: NDArray[np.float32]) -> bytes:
    """Returns weights of this name."""
    shape = b"".join(field(1, length) for length in value.shape)
    return shape + field(2, FLOAT) + field(8, name) + field(9, value.astype("<f4").tobytes())


def value_info(name: str, shape: Sequence[int | str], dtype: int = FLOAT) -> bytes:
    """Returns a graph's input or output; a string in the shape stands for any length."""
    dimensions = b"".join(field(1, field(1 if isinstance(length, int) else 2, length)) for length in shape)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, dimensions)))


def _attribute(name: str, value: int | list[int]) -> bytes:
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, _INT)
    return field(1, name) + b"".join(field(8, each) for each in value) + field(20, _INTS)
