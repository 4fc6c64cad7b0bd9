"""How much a model has to compute."""

from __future__ import annotations

from io import BytesIO
from math import prod
from typing import Any

from engines import openvino
from engines.base import EngineError, Tensors


def count_macs(model: bytes, inputs: Tensors) -> int | None:
    """Multiplications with an addition in the model's convolutions and products, for inputs of these shapes.

    model: the content of an ONNX file. None where it has none of them, or OpenVINO, which knows the shapes in
    between, is not here or cannot read it.
    """
    if not openvino.probe().available:
        return None
    try:
        graph = openvino.import_runtime().Core().read_model(BytesIO(model))
        graph.reshape({name: list(tensor.shape) for name, tensor in inputs.items()})
        return sum(map(_macs, graph.get_ops())) or None
    except (EngineError, RuntimeError):
        return None


def _macs(operation: Any) -> int:
    """Of one layer of the graph; 0 for those that multiply little."""
    kind = operation.get_type_name()
    if kind not in _COUNTED:
        return 0
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
