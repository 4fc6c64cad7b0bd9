"""Builds TensorRT's plan of an ONNX model for this GPU. It takes a minute, so plans are cached."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from engines.cache import Plan, PlanKey
from engines.cuda import Gpu
from engines.engine import EngineError, one_line

log = logging.getLogger(__name__)

PRECISIONS = ("tf32", "fp32")

MOST_FACES = 4
"""The largest number of faces in one batch; larger batches are run in parts."""


@dataclass(frozen=True)
class TensorRtOptions:
    """The options of a TensorRT plan."""

    precision: str = PRECISIONS[0]
    """One of PRECISIONS, for products of the parts of the model that are in float32. tf32 has float32's range
    and float16's ten bits of mantissa, and is several times as fast. Half precision is in the model itself:
    `python -m train export --precision fp16`."""


def plan_key(
    model: bytes, version: str, gpu: Gpu, options: TensorRtOptions, builder: str = "onnx"
) -> PlanKey:
    """Returns the cache's key of a plan. version: TensorRT's. builder: the name of the plan's builder."""
    return PlanKey(
        model_sha256=hashlib.sha256(model).hexdigest(),
        runtime=f"tensorrt {version}",
        device=gpu.name,
        capability=gpu.capability,
        precision=options.precision,
        shapes=f"1 to {MOST_FACES} faces, best at 1",
        flags=("strongly typed",) if builder == "onnx" else (),
        builder=builder,
    )


def build_plan(tensorrt: Any, model: bytes, options: TensorRtOptions = TensorRtOptions()) -> Plan:
    """Builds the plan of an ONNX file's content. Raises EngineError, in one line, where TensorRT refuses
    it."""
    log.warning("building the model for this GPU; this takes about a minute and is done once")
    logger = the_logger(tensorrt)
    logger.errors.clear()
    try:
        builder = tensorrt.Builder(logger)
        network = builder.create_network(_network_flags(tensorrt))
        parser = tensorrt.OnnxParser(network, logger)
        if not parser.parse(model):
            errors = [parser.get_error(index).desc() for index in range(parser.num_errors)]
            raise EngineError(f"TensorRT cannot read the model: {first_of(errors)}")
        config = builder.create_builder_config()
        if options.precision == "fp32":
            config.clear_flag(tensorrt.BuilderFlag.TF32)
        if config.add_optimization_profile(_profile(builder, network)) < 0:
            raise EngineError(f"TensorRT refuses the model's shapes: {first_of(logger.errors)}")
        content = builder.build_serialized_network(network, config)
    except EngineError:
        raise
    except Exception as error:  # The runtime's errors share no base class.
        raise EngineError(f"TensorRT cannot build the model: {first_of([*logger.errors, error])}") from error
    if content is None:
        raise EngineError(f"TensorRT cannot build the model: {first_of(logger.errors)}")
    return Plan(bytes(content), computed_in(network, options.precision))


def computed_in(network: Any, float32: str) -> str:
    """Returns the types of the network's convolutions and products, such as fp16. float32: its name here."""
    kinds = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY")
    names = {"FLOAT": float32, "HALF": "fp16", "BF16": "bf16"}
    layers = (network.get_layer(index) for index in range(network.num_layers))
    found = {layer.get_output(0).dtype.name for layer in layers if layer.type.name in kinds}
    return " and ".join(sorted(names.get(name, name.lower()) for name in found)) or float32


@cache
def the_logger(tensorrt: Any) -> Any:
    """Returns the logger that collects TensorRT's messages. TensorRT keeps the first one in a process."""

    class Logger(tensorrt.ILogger):
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)
            self.errors: deque[str] = deque(maxlen=8)

        def log(self, severity: Any, message: str) -> None:
            if severity in (tensorrt.ILogger.Severity.INTERNAL_ERROR, tensorrt.ILogger.Severity.ERROR):
                self.errors.append(message)
                log.debug("%s", message)

    return Logger()


def first_of(errors: Iterable[object]) -> str:
    """Returns the first, and so the innermost, of TensorRT's errors."""
    return next((one_line(error) for error in errors), "it does not say why")


def _network_flags(tensorrt: Any) -> int:
    """Returns the flags by which types are the model's own; before TensorRT 11 they must be set."""
    if int(tensorrt.__version__.split(".")[0]) > 10:
        return 0
    return 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def _profile(builder: Any, network: Any) -> Any:
    """Returns a profile for one to MOST_FACES faces that is fastest for one, the most frequent number."""
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        first, *rest = tuple(tensor.shape)
        if -1 in rest:
            raise EngineError(f"the model's {tensor.name!r} has no fixed size but {(first, *rest)}")
        fewest, most = (1, MOST_FACES) if first == -1 else (first, first)
        profile.set_shape(tensor.name, (fewest, *rest), (fewest, *rest), (most, *rest))
    return profile
