"""OpenVINO on the CPU: the fastest engine there.

A network of 0.8 GMAC on two cores of an AMD EPYC with AVX512_BF16: 5.5 ms in bf16 and 9.2 in fp32, against
13.6 in ONNX Runtime.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.cache import Plan, PlanCache, PlanKey
from engines.description import is_tflite, title
from engines.engine import Availability, EngineError, Tensors, TensorSpec, check_tensors, one_line
from engines.threads import thread_count

if TYPE_CHECKING:
    from openvino import CompiledModel, InferRequest, Model

Shapes = tuple[tuple[int, ...], ...]
"""The shapes of all inputs, in the model's order."""

PRECISIONS = ("fp32", "bf16")

MOST_SHAPES = 8
"""How many compiled models are kept: one for each number of faces that a batch is likely to have."""

LEAST_KEPT_BYTES = 1_000_000
"""A smaller model is compiled sooner than it is looked for."""

_TELEMETRY = ("openvino.tools.ovc", "openvino_telemetry")
"""Modules that send usage data: the model converter, which the runtime does not need, and its telemetry."""


@dataclass(frozen=True)
class OpenVinoOptions:
    """The options of the OpenVINO engine."""

    precision: str | None = None
    """One of PRECISIONS, for the computation inside; inputs and outputs keep the model's types. None: bf16 on
    processors that multiply it in hardware (AVX512_BF16, AMX), otherwise fp32.

    With trained weights of `live` on a clip, bf16 differs from ONNX Runtime by at most 1.3 of 255 in a colour
    (0.1 in the mean) and 0.002 in alpha, which changes 1 of 250 values of the edited frame, by 1. fp32
    differs by at most 0.0003 of 255.

    There is no int8: calibrated by NNCF on 64 real crops, it took 0.9 of bf16's time and lost a third of what
    the network changes. With 96 crops, and both ends and FiLM in floating point, it lost 0.4 % of that in
    0.92 of bf16's time, still with errors up to 40 of 255.
    """
    threads: int | None = None
    """The number of threads. None: the number by engines.threads. Of two threads of a core only one is
    used."""


def probe() -> Availability:
    """Returns whether OpenVINO is installed, without importing it."""
    if find_spec("openvino") is None:
        return Availability(False, "openvino is not installed: pip install openvino")
    return Availability(True, f"openvino {metadata.version('openvino')}")


def import_runtime() -> Any:
    """Returns the module `openvino`, without its telemetry. Raises EngineError where it cannot be
    imported."""
    try:
        with _unimportable(_TELEMETRY):
            import openvino
    except Exception as error:  # A broken installation can fail in any way.
        raise EngineError(f"OpenVINO cannot be imported: {_last_line(error)}") from error
    return openvino


@lru_cache(maxsize=1)
def shared_core() -> Any:
    """Returns OpenVINO's core, one for the process, kept until the process ends. Raises EngineError.

    Its CPU plugin gives the thread that loads it another stack for signals, and frees the stack when it is
    unloaded: after an engine was closed in another thread, the next signal caused a segmentation fault.
    """
    return import_runtime().Core()


class OpenVinoEngine:
    """A model in OpenVINO, on the CPU; compiled anew for each shape of its inputs, which is fast to run.

    What compiling has made of a large model is kept on disk: of a network of 0.8 GMAC, 0.57 s of one core and
    14 MB, is there again in 0.12 s.

    OpenVINO's own cache (its property CACHE_DIR) is no faster: for the mouth network, medians of 7 processes
    on a busy machine, 1.30 s fresh and 0.42 s warm against 1.35 s and 0.42 s here. It does not check what it
    reads: with 4 kB of a kept file changed it computed colours that were wrong by 90 of 255 and said nothing.
    """

    def __init__(
        self,
        model: bytes,
        options: OpenVinoOptions = OpenVinoOptions(),
        notes: tuple[str, ...] = (),
        cache: PlanCache | None = None,
    ) -> None:
        """`model` is the content of an ONNX or TensorFlow Lite file; raises EngineError where the runtime
        refuses it.

        cache: None: the user's own.
        """
        self._content = model
        self._cache = cache or PlanCache()
        self._requests: dict[Shapes, InferRequest] = {}
        try:
            self._core = shared_core()
            precision = choose_precision(
                options.precision,
                self._core.get_property("CPU", "INFERENCE_PRECISION_HINT").to_string(),
                self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"),
            )
            self._precision = precision
            self._properties = _properties(precision, options.threads or thread_count())
            self._model = _read(self._core, model)
            self.inputs = tuple(_spec(port) for port in self._model.inputs)
            self.outputs = tuple(_spec(port) for port in self._model.outputs)
            # Whatever is wrong with the model comes out here, and the first frame does not wait.
            self._request(tuple(tuple(length or 1 for length in spec.shape) for spec in self.inputs))
        except EngineError:
            raise
        except Exception as error:  # The runtime's errors share no base class.
            raise EngineError(f"OpenVINO cannot load the model: {_last_line(error)}") from error
        self.name = f"openvino {metadata.version('openvino')} on CPU, {precision}"
        self.notes = notes

    def run(self, inputs: Tensors) -> Tensors:
        """Computes the outputs for these inputs. Raises EngineError where the inputs do not fit."""
        check_tensors(self.inputs, inputs)
        try:
            request = self._request(tuple(inputs[spec.name].shape for spec in self.inputs))
            outputs = request.infer(dict(inputs), share_inputs=True, decode_strings=False)
        except Exception as error:  # The runtime's errors share no base class.
            raise EngineError(f"OpenVINO failed to run the model: {_last_line(error)}") from error
        return {spec.name: outputs[index] for index, spec in enumerate(self.outputs)}

    def __enter__(self) -> OpenVinoEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del self._requests, self._model, self._core, self._content

    def _request(self, shapes: Shapes) -> InferRequest:
        """The model compiled for these shapes of its inputs."""
        if shapes not in self._requests:
            if len(self._requests) == MOST_SHAPES:
                del self._requests[next(iter(self._requests))]
            keep = len(self._content) >= LEAST_KEPT_BYTES
            compiled = self._kept(shapes) if keep else self._compiled(shapes)
            self._requests[shapes] = compiled.create_infer_request()
        return self._requests[shapes]

    def _compiled(self, shapes: Shapes) -> CompiledModel:
        return self._core.compile_model(self._of_shapes(shapes), "CPU", self._properties)

    def _kept(self, shapes: Shapes) -> CompiledModel:
        """As `_compiled`, from the cache where it has it."""
        made: list[CompiledModel] = []

        def build() -> Plan:
            made.append(self._compiled(shapes))
            exported = BytesIO()  # given, since what export_model() returns differs from release to release
            made[0].export_model(exported)
            return Plan(exported.getvalue(), self._precision)

        key = self._key(shapes)
        plan = self._cache.load_or_build(key, title(self._content), build).plan
        if made:
            return made[0]
        try:
            return self._core.import_model(plan.content, "CPU", self._properties)
        except Exception:  # whole, but the runtime does not take it any more; its errors share no class
            self._cache.discard(key)
            return self._compiled(shapes)

    def _key(self, shapes: Shapes) -> PlanKey:
        return PlanKey(
            model_sha256=hashlib.sha256(self._content).hexdigest(),
            runtime=f"openvino {metadata.version('openvino')}",
            device=str(self._core.get_property("CPU", "FULL_DEVICE_NAME")),
            capability=" ".join(self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
            precision=self._precision,
            shapes=str(shapes),
            flags=tuple(f"{name}={value}" for name, value in self._properties.items()),
            builder="openvino",
        )

    def _of_shapes(self, shapes: Shapes) -> Model:
        fixed = self._model.clone()
        fixed.reshape({spec.name: list(shape) for spec, shape in zip(self.inputs, shapes, strict=True)})
        return fixed


def _read(core: Any, content: bytes) -> Model:
    """The model in a file of this content."""
    if not is_tflite(content):
        return core.read_model(BytesIO(content))
    # The runtime takes TensorFlow Lite from files only, and has read all of them when it returns.
    with TemporaryDirectory(prefix="reenact-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(content)
        return core.read_model(str(file))


def choose_precision(asked: str | None, default: str, capabilities: Sequence[str]) -> str:
    """Returns fp32 or bf16. Raises EngineError where the processor does not support the precision asked for.

    asked: None: the best. default: the runtime's default in its own spelling, which is bf16 exactly where the
    processor has instructions for it. capabilities: the precisions that work at any speed.
    """
    if asked is None:
        return "bf16" if default == "bf16" else "fp32"
    if asked == "bf16" and "BF16" not in capabilities:
        raise EngineError("OpenVINO cannot compute in bf16 on this processor; choose fp32")
    return asked


def _properties(precision: str, threads: int) -> dict[str, Any]:
    """Returns properties for a model that shares the cores with the tracker and the encoder."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_HYPER_THREADING": False,
        "ENABLE_CPU_PINNING": False,
    }


@contextmanager
def _unimportable(modules: tuple[str, ...]) -> Iterator[None]:
    """Makes imports of these modules fail, as if they were not installed.

    `import openvino` reports usage to Google Analytics unless the user has objected. The reporting modules
    are optional; without them the import takes a quarter of the time.
    """
    hidden: Mapping[str, Any] = dict.fromkeys(name for name in modules if name not in sys.modules)
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _spec(port: Any) -> TensorSpec:
    """Reads the specification of one input or output from the runtime."""
    shape = tuple(None if length.is_dynamic else length.get_length() for length in port.partial_shape)
    return TensorSpec(port.any_name, shape, np.dtype(port.element_type.to_dtype()))


def _last_line(error: Exception) -> str:
    """Returns the last line of a message, whose first lines are places in the runtime's source."""
    lines = [one_line(line) for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)
