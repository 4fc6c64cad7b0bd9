"""ONNX Runtime on the CPU: the engine that is always there."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.base import Availability, EngineError, Tensors, TensorSpec, check_tensors
from engines.threads import thread_count

if TYPE_CHECKING:
    from onnxruntime import NodeArg, SessionOptions

PRECISIONS = ("fp32",)

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def probe() -> Availability:
    """Whether ONNX Runtime is installed; does not import it."""
    if find_spec("onnxruntime") is None:
        return Availability(False, "onnxruntime is not installed: pip install onnxruntime")
    return Availability(True, f"onnxruntime {_version()}")


def import_runtime() -> Any:
    """The module `onnxruntime`; raises EngineError where it cannot be imported."""
    try:
        import onnxruntime
    except Exception as error:  # a broken installation can fail in any way
        raise EngineError(f"ONNX Runtime cannot be imported: {_one_line(error)}") from error
    return onnxruntime


class OnnxEngine:
    """A model in ONNX Runtime, on the CPU."""

    def __init__(self, model: bytes, threads: int | None = None, notes: tuple[str, ...] = ()) -> None:
        """`model` is the ONNX file's content; raises EngineError where the runtime refuses it.

        threads: None: see engines.threads.
        """
        onnxruntime = import_runtime()
        try:
            self._session = onnxruntime.InferenceSession(
                model,
                _options(threads or thread_count()),
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:  # the runtime's errors share no class
            raise EngineError(f"ONNX Runtime cannot load the model: {_one_line(error)}") from error
        self.name = f"onnxruntime {onnxruntime.__version__} on CPU, fp32"
        self.inputs = tuple(_spec(argument) for argument in self._session.get_inputs())
        self.outputs = tuple(_spec(argument) for argument in self._session.get_outputs())
        self.notes = notes
        self._output_names = [spec.name for spec in self.outputs]

    def run(self, inputs: Tensors) -> Tensors:
        """The outputs for these inputs; raises EngineError where the inputs do not fit."""
        check_tensors(self.inputs, inputs)
        try:
            outputs = self._session.run(self._output_names, inputs)
        except Exception as error:  # the runtime's errors share no class
            raise EngineError(f"ONNX Runtime failed to run the model: {_one_line(error)}") from error
        return dict(zip(self._output_names, outputs, strict=True))

    def __enter__(self) -> OnnxEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del self._session


def _options(threads: int) -> SessionOptions:
    """For a session that shares the cores with the tracker and the encoder."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Idle threads would spin between two frames and take the cores from the other stages.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only; the runtime warns about harmless things on standard error
    return options


def _spec(argument: NodeArg) -> TensorSpec:
    """What the runtime says of one input or output."""
    if argument.type not in DTYPES:
        raise EngineError(f"the model's {argument.name!r} is {argument.type}; can do {', '.join(DTYPES)}")
    shape = tuple(length if isinstance(length, int) else None for length in argument.shape)
    return TensorSpec(argument.name, shape, np.dtype(DTYPES[argument.type]))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _version() -> Any:
    return metadata.version("onnxruntime")
