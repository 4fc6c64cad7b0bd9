"""A stack of large convolutions, which a runtime computes as fast as it computes anything.

It is written as an ONNX file by hand: `onnx` is not among what a user installs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engines.base import Tensors

CHANNELS = (16, 256, 256, 256, 256, 16)
"""Of the stack's input, between its layers and of its output. Few at the ends, so that copying them to a GPU
and back does not count."""
SIDE = 64
"""Of the square pictures, all along."""

_FLOAT, _INTS = 1, 7
"""ONNX's numbers for float32 and for an attribute that is a list of whole numbers."""


@dataclass(frozen=True, eq=False)
class Ceiling:
    model: bytes
    """The content of an ONNX file."""
    inputs: Tensors
    macs: int
    """Multiplications with an addition for one run."""


def convolutions(channels: tuple[int, ...] = CHANNELS, side: int = SIDE) -> Ceiling:
    """3 x 3 convolutions, one after the other, with weights that keep the size of what goes through."""
    random = np.random.default_rng(0)
    shapes = [(into, out_of, 3, 3) for out_of, into in pairwise(channels)]
    weights = [random.normal(0, (9 * shape[1]) ** -0.5, shape).astype(np.float32) for shape in shapes]
    nodes = [_node("Conv", [f"x{i}", f"w{i}"], f"x{i + 1}", pads=[1] * 4) for i in range(len(weights))]
    last = f"x{len(weights)}"
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, "convolutions"),
            *(_field(5, _tensor(f"w{i}", weight)) for i, weight in enumerate(weights)),
            _field(11, _value_info("x0", (1, channels[0], side, side))),
            _field(12, _value_info(last, (1, channels[-1], side, side))),
        ]
    )
    preset = _field(14, _field(1, "preset") + _field(2, "convolutions"))
    model = _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13)) + preset
    inputs = {"x0": random.normal(0, 1, (1, channels[0], side, side)).astype(np.float32)}
    return Ceiling(model, inputs, sum(weight.size for weight in weights) * side * side)


# ---- Protobuf, with the field numbers of onnx.proto3 -------------------------------------------------------


def _field(number: int, value: int | str | bytes) -> bytes:
    """A whole number, or something with a length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _node(operator: str, inputs: list[str], output: str, **attributes: list[int]) -> bytes:
    names = b"".join(_field(1, name) for name in inputs)
    lists = b"".join(
        _field(5, _field(1, name) + b"".join(_field(8, value) for value in values) + _field(20, _INTS))
        for name, values in attributes.items()
    )
    return names + _field(2, output) + _field(4, operator) + lists


def _tensor(name: str, value: NDArray[np.float32]) -> bytes:
    shape = b"".join(_field(1, length) for length in value.shape)
    return shape + _field(2, _FLOAT) + _field(8, name) + _field(9, value.astype("<f4").tobytes())


def _value_info(name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(_field(1, _field(1, length)) for length in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, dimensions)))
