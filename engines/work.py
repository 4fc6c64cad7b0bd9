"""Counts the operations of a model."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import Any

from engines import openvino
from engines.engine import EngineError, Tensors


@dataclass(frozen=True)
class Work:
    """The operations of a model for one batch."""

    macs: int
    """The multiply-accumulate operations in convolutions and products."""
    halves: bool
    """Whether some of these are in 16 bits in the model itself."""


def read_work(model: bytes, inputs: Tensors) -> Work | None:
    """Counts the operations for inputs of these shapes.

    model: the content of an ONNX file. None: it has neither convolutions nor products, or OpenVINO, which
    knows the shapes between layers, is not here or cannot read it.
    """
    if not openvino.probe().available:
        return None
    try:
        graph = openvino.shared_core().read_model(BytesIO(model))
        graph.reshape({name: list(tensor.shape) for name, tensor in inputs.items()})
    except (EngineError, RuntimeError):
        return None
    counted = [operation for operation in graph.get_ops() if operation.get_type_name() in _COUNTED]
    if not counted:
        return None
    halves = any(operation.get_output_element_type(0).size == 2 for operation in counted)
    return Work(sum(map(_macs, counted)), halves)


def _macs(operation: Any) -> int:
    """Returns the operations of one layer of the graph, whose type is one of _COUNTED."""
    kind = operation.get_type_name()
    given, weights = (list(operation.input_value(index).get_shape()) for index in (0, 1))
    made = list(operation.output(0).get_shape())
    match kind:
        case "Convolution":  # weights: (out, in, height, width)
            return prod(made) * prod(weights[1:])
        case "GroupConvolution":  # (groups, out, in, height, width)
            return prod(made) * prod(weights[2:])
        case "ConvolutionBackpropData":  # (in, out, height, width)
            return prod(given) * prod(weights[1:])
        case "GroupConvolutionBackpropData":  # (groups, in, out, height, width)
            return prod(given) * prod(weights[2:])
    assert kind == "MatMul"
    return prod(made) * given[-2 if operation.get_attributes()["transpose_a"] else -1]


_COUNTED = {
    "Convolution",
    "GroupConvolution",
    "ConvolutionBackpropData",
    "GroupConvolutionBackpropData",
    "MatMul",
}
