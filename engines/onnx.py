"""ONNX Runtime on the CPU, where it always works, and on its other execution providers.

A provider is asked for by name and checked: ONNX Runtime would silently use the CPU instead of a provider
that does not start, and runs single nodes on the CPU that a provider lacks. The first is refused, the second
is reported in the engine's notes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines import cuda
from engines.cache import foreign_folder
from engines.description import Signature, read_signature
from engines.engine import Availability, EngineError, Tensors, TensorSpec, check_tensors, one_line
from engines.providers import PROVIDERS, SYSTEMS, Provider, Setting, switch
from engines.threads import thread_count

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

PRECISIONS = ("fp32",)
"""The precisions on the CPU."""

CPU = "CPUExecutionProvider"

_DISTRIBUTIONS = ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime")
"""The packages that contain the module `onnxruntime`; pip installs them over each other."""


# ---- What is here ------------------------------------------------------------------------------------------


def probe(name: str = "onnx") -> Availability:
    """Returns whether ONNX Runtime and what the engine of this name needs are installed. Imports nothing."""
    provider = PROVIDERS.get(name)
    if provider is not None:
        return _probe_provider(provider)
    if find_spec("onnxruntime") is None:
        return Availability(False, "onnxruntime is not installed: pip install onnxruntime")
    return Availability(True, f"onnxruntime {_version()}")


def _probe_provider(provider: Provider) -> Availability:
    if provider.system not in (None, sys.platform):
        system = SYSTEMS[provider.system or ""]
        return Availability(False, f"{provider.title} is a part of {system}", expected=False)
    gpu = cuda.probe_gpu() if provider.needs_nvidia else Availability(True, "", provider.device)
    if not gpu.available:
        return gpu
    if find_spec("onnxruntime") is None or not _is_installed(provider):
        return Availability(False, _lacks(provider), expected=False)
    return Availability(True, f"onnxruntime {_version()} with {provider.title}", gpu.device)


def _is_installed(provider: Provider) -> bool:
    if provider.plugin is not None:
        return find_spec(provider.plugin) is not None
    return provider.library is None or any(wheel_folder().glob(f"*{provider.library}*"))


def _lacks(provider: Provider) -> str:
    return f"the onnxruntime that is here comes without {provider.title}: {provider.advice}"


def import_runtime(name: str = "onnx") -> Any:
    """Returns the module `onnxruntime`. Raises EngineError where it or the engine's needs are not
    importable."""
    provider = PROVIDERS.get(name)
    try:
        import onnxruntime

        if provider is not None and provider.plugin is not None:
            _register(onnxruntime, provider.plugin)
        if provider is not None and provider.needs_nvidia and hasattr(onnxruntime, "preload_dlls"):  # 1.21
            # It finds CUDA and cuDNN where pip installed them, and prints on standard output what is missing.
            with redirect_stdout(StringIO()):
                onnxruntime.preload_dlls()
        available = onnxruntime.get_available_providers()
    except Exception as error:  # A broken installation can fail in any way.
        raise EngineError(f"ONNX Runtime cannot be imported: {one_line(error)}") from error
    if provider is not None and provider.plugin is None and provider.execution_provider not in available:
        raise EngineError(_lacks(provider))
    return onnxruntime


def wheel_folder() -> Path:
    """Returns the folder of the installed `onnxruntime`'s libraries."""
    spec = find_spec("onnxruntime")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "capi"


def _register(onnxruntime: Any, plugin: str) -> None:
    """Registers the plug-in with ONNX Runtime, which accepts each only once."""
    module = import_module(plugin)
    name = module.get_ep_name()
    if all(device.ep_name != name for device in onnxruntime.get_ep_devices()):
        onnxruntime.register_execution_provider_library(name, module.get_library_path())


def _version() -> str:
    for name in _DISTRIBUTIONS:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return import_runtime().__version__  # It was built from source.


# ---- The engine --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OnnxOptions:
    """The options of an engine of ONNX Runtime."""

    engine: str = "onnx"
    """The engine's name: "onnx" or one of PROVIDERS."""
    precision: str | None = None
    """One of this engine's precisions. None: the usual one."""
    threads: int | None = None
    """The number of threads on the CPU. None: the number by engines.threads."""


class OnnxEngine:
    """A model in ONNX Runtime."""

    def __init__(
        self, model: bytes, options: OnnxOptions = OnnxOptions(), notes: tuple[str, ...] = ()
    ) -> None:
        """model: the content of the ONNX file. Raises EngineError where the runtime refuses it."""
        onnxruntime = import_runtime(options.engine)
        threads = options.threads or thread_count()
        provider = PROVIDERS.get(options.engine)
        left: tuple[str, ...] = ()
        try:
            # The inputs come from the file; a session on the CPU for them would cost its time and memory.
            signature = _signature(model)
            self.inputs, self.outputs = signature.inputs, signature.outputs
            if provider is None:
                self._session = onnxruntime.InferenceSession(model, _options(threads), providers=[CPU])
            else:
                opening = _Opening(onnxruntime, model, provider, threads)
                setting = _setting(onnxruntime.__version__, model, options, provider, self.inputs)
                self._session, left = opening(setting)
        except EngineError:
            raise
        except Exception as error:  # The runtime's errors share no base class.
            raise EngineError(f"ONNX Runtime cannot load the model: {one_line(error)}") from error
        self.name = _name(onnxruntime.__version__, provider, options.precision)
        self.notes = (*notes, *left)
        self._output_names = [spec.name for spec in self.outputs]
        if provider is not None:
            # Providers do much of their work in the first run, so its errors are raised here.
            self.run({spec.name: _zeros(spec) for spec in self.inputs})

    def run(self, inputs: Tensors) -> Tensors:
        """Computes the outputs for these inputs. Raises EngineError where the inputs do not fit."""
        check_tensors(self.inputs, inputs)
        try:
            outputs = self._session.run(self._output_names, inputs)
        except Exception as error:  # The runtime's errors share no base class.
            raise EngineError(f"ONNX Runtime failed to run the model: {one_line(error)}") from error
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


@dataclass(frozen=True)
class _Opening:
    """Opens the model with a provider: completely if possible, otherwise with the rest on the CPU."""

    onnxruntime: Any
    model: bytes
    provider: Provider
    threads: int

    def __call__(self, setting: Setting) -> tuple[InferenceSession, tuple[str, ...]]:
        """Returns the session, and notes for the user."""
        options = self.provider.options(setting)
        try:
            return self._open(options, alone=True), ()
        except EngineError:
            raise
        except Exception:  # The provider may only lack some nodes.
            session = self._open(options, alone=False)
        return session, (f"{self.provider.title} leaves {_left_to_cpu(session)} to the CPU",)

    def _open(self, options: dict[str, str], *, alone: bool) -> InferenceSession:
        """Opens a session. alone: whether no node may run on the CPU."""
        asked = _options(self.threads)
        asked.log_severity_level = 4  # The refusal becomes our own message, without one on standard error.
        asked.enable_mem_pattern = False  # DirectML does not support it.
        asked.add_session_config_entry("session.disable_cpu_ep_fallback", switch(alone))
        asked.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        name = self.provider.execution_provider
        providers: list[Any] | None = [(name, options)]
        if self.provider.plugin is not None:
            asked.add_provider_for_devices([self._device()], options)
            providers = None
        session = self.onnxruntime.InferenceSession(self.model, asked, providers=providers, enable_fallback=0)
        if name not in session.get_providers():
            raise EngineError(f"{self.provider.title} does not start in ONNX Runtime: {self.provider.advice}")
        session.disable_fallback()
        return session

    def _device(self) -> Any:
        """Returns the first device that the plug-in can compute on."""
        name = self.provider.execution_provider
        for device in self.onnxruntime.get_ep_devices():
            if device.ep_name == name:
                return device
        raise EngineError(f"{self.provider.title} finds no GPU that it can compute on")


def _setting(
    version: str, model: bytes, options: OnnxOptions, provider: Provider, inputs: Sequence[TensorSpec]
) -> Setting:
    """version: the version of ONNX Runtime."""
    precision = options.precision or next(iter(provider.precisions), None)
    folder = foreign_folder(model, version, options.engine, precision or "", _device(provider))
    if provider.keeps_plans:
        with suppress(OSError):  # Without the folder, the provider builds its plan each time.
            folder.mkdir(parents=True, exist_ok=True)
    return Setting(precision, inputs, folder)


def _left_to_cpu(session: InferenceSession) -> str:
    """Returns, for people, how much of the model runs on the CPU."""
    if not hasattr(session, "get_provider_graph_assignment_info"):  # since 1.24
        return "a part of the model"
    nodes = [(part.ep_name, len(part.get_nodes())) for part in session.get_provider_graph_assignment_info()]
    left = sum(count for name, count in nodes if name == CPU)
    return f"{left} of {sum(count for _, count in nodes)} nodes"


def _device(provider: Provider) -> str:
    return cuda.probe_gpu().device if provider.needs_nvidia else provider.device


def _name(version: str, provider: Provider | None, precision: str | None) -> str:
    if provider is None:
        return f"onnxruntime {version} on CPU, fp32"
    kinds = (precision, *provider.precisions) if precision else provider.precisions
    return ", ".join([f"onnxruntime {version} with {provider.title} on {_device(provider)}", *kinds[:1]])


def _options(threads: int) -> SessionOptions:
    """Returns options for a session that shares the cores with the tracker and the encoder."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Otherwise idle threads spin between two frames and take the cores from the other stages.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # Errors only; the runtime prints harmless warnings on standard error.
    return options


def _signature(model: bytes) -> Signature:
    try:
        return read_signature(model)
    except EngineError as error:
        raise EngineError(f"ONNX Runtime cannot load the model: it {error}") from error


def _zeros(spec: TensorSpec) -> NDArray[Any]:
    """Returns an input of zeros for one face."""
    return np.zeros(tuple(1 if length is None else length for length in spec.shape), spec.dtype)
