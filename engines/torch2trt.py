"""torch2trt, a second builder of TensorRT's plans. It converts a torch module, which only training has.

It uses TensorRT 10's older method, in which the builder computes each layer in half precision where that is
faster. TensorRT 11 no longer has this method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import partial
from importlib.util import find_spec
from typing import Any

from engines import cuda, tensorrt
from engines.cache import Loaded, Plan, PlanCache
from engines.description import read_signature
from engines.engine import Availability, EngineError, one_line
from engines.tensorrt_plan import MOST_FACES, TensorRtOptions, plan_key

_NEEDED = {"onnx": "onnx", "onnx_graphsurgeon": "onnx-graphsurgeon", "packaging": "packaging"}
"""Modules that torch2trt's conversion by ONNX imports but does not install, and their packages."""


def probe() -> Availability:
    """Returns whether it can build here. Imports neither it nor torch."""
    runtime = tensorrt.probe()
    if not runtime.available:
        return runtime
    version = tensorrt.installed_version()
    if int(version.split(".")[0]) > 10:
        detail = f"torch2trt cannot be imported under tensorrt {version}: pip install 'tensorrt<11' for it"
        return Availability(False, detail)
    if find_spec("torch2trt") is None:
        return Availability(
            False,
            "torch2trt is not installed, and not on the package index: "
            "pip install --no-build-isolation git+https://github.com/NVIDIA-AI-IOT/torch2trt",
        )
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        names = " ".join(missing)
        return Availability(False, f"torch2trt lacks what it needs: pip install {names}")
    return Availability(True, "torch2trt", runtime.device)


def build(
    model: bytes,
    module: Any,
    examples: Mapping[str, Any],
    outputs: Sequence[str],
    opset: int,
    cache: PlanCache | None = None,
) -> Loaded:
    """Builds the plan of a torch module and caches it where TensorRtEngine looks for the plan of `model`.

    model: the content of the ONNX file of the same network. examples: a tensor of one face for each input, by
    its name in the file, in the module's order and on its device. outputs: their names. cache: the cache of
    plans; None: the user's own. The plan takes every input as float32, also uint8 ones, which torch2trt
    ignores: the engine converts them, and the module must accept both. Raises EngineError, in one line, where
    the plan cannot be built.
    """
    available = probe()
    if not available.available:
        raise EngineError(available.detail)
    gpu = cuda.read_gpu(cuda.import_runtime())
    version = tensorrt.import_tensorrt().__version__
    key = plan_key(model, version, gpu, TensorRtOptions(), builder="torch2trt")
    batched = {spec.name for spec in read_signature(model).inputs if spec.shape[:1] == (None,)}
    convert = partial(_convert, module, examples, batched, outputs, opset)
    return (cache or PlanCache()).load_or_build(key, tensorrt.title(model), convert)


def _convert(
    module: Any, examples: Mapping[str, Any], batched: Set[str], outputs: Sequence[str], opset: int
) -> Plan:
    """Converts the module. batched: the inputs that have a row for each face."""
    inputs = [tensor.float() for tensor in examples.values()]
    shapes = [tuple(tensor.shape) for tensor in inputs]
    try:
        from torch2trt import torch2trt

        converted = torch2trt(
            module,
            inputs,
            input_names=list(examples),
            output_names=list(outputs),
            fp16_mode=True,
            # Its own converters support neither uint8 nor every layer of these networks.
            use_onnx=True,
            onnx_opset=opset,
            min_shapes=shapes,
            opt_shapes=shapes,
            max_shapes=[
                (MOST_FACES, *shape[1:]) if name in batched else shape
                for name, shape in zip(examples, shapes, strict=True)
            ],
        )
        if converted.engine is None:
            raise EngineError("TensorRT refuses it, for the reason that it gives on standard error")
        content = bytes(converted.engine.serialize())
    except Exception as error:  # Its errors share no base class.
        raise EngineError(f"torch2trt cannot convert the model: {one_line(error)}") from error
    return Plan(content, "fp16 and tf32")
