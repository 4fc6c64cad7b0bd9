"""A GPU that is none: what engines use of `tensorrt` and `cuda.bindings.runtime`, as strict as the real ones.

Names, signatures, return values, values of enumerations and removed attributes are those of tensorrt 10.12
and 11.4 and of cuda-bindings 12.9 and 13.5; test_fakes.py compares them where the real ones are installed.
What the real ones answer with an error is answered with that error; what they leave undefined (memory that
was freed, a context changed under its CUDA graph) raises Misuse. Work waits until somebody waits for it, so
that results read too early are wrong. Plans are computed with ONNX Runtime.
"""

from __future__ import annotations

import ctypes
import enum
import gc
import io
import json
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import signature
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from engines import Availability
from engines.onnx_file import FLOAT, HALF
from engines.protobuf import fields

OLD, NEW = "10.12.0.36", "11.4.0.106"


class Misuse(BaseException):
    """What the real libraries would not notice, or crash of. No Exception, so that nobody handles it."""


class cudaError_t(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


class cudaMemcpyKind(enum.IntEnum):
    cudaMemcpyHostToHost = 0
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2
    cudaMemcpyDeviceToDevice = 3
    cudaMemcpyDefault = 4


class cudaStreamCaptureMode(enum.IntEnum):
    cudaStreamCaptureModeGlobal = 0
    cudaStreamCaptureModeThreadLocal = 1
    cudaStreamCaptureModeRelaxed = 2


Work = Callable[[], None]


@dataclass(eq=False)
class Stream:
    handle: int
    pending: list[Work] = field(default_factory=list)
    captured: list[Work] | None = None
    """None while nothing is captured."""
    invalid: bool = False

    def __int__(self) -> int:
        return self.handle

    def put(self, work: Work) -> None:
        (self.pending if self.captured is None else self.captured).append(work)

    def finish(self) -> None:
        for work in self.pending:
            work()
        self.pending.clear()


@dataclass(eq=False)
class Event:
    stream: Stream | None = None


@dataclass(eq=False)
class Graph:
    work: list[Work]


@dataclass(eq=False)
class GraphExec:
    work: list[Work]


@dataclass
class Gpu:
    """What the two modules share, and what tests look at and break."""

    name: str = "Fake GPU"
    fails: dict[str, str] = field(default_factory=dict)
    """Functions of the CUDA runtime, and the error that each is to return."""
    capturable: bool = True
    """Whether models can be captured."""
    build_error: str | None = None
    plans_are_foreign: bool = False
    """Plans are refused until one is built here."""
    builds: int = 0
    strongly_typed: bool | None = None
    """The last network that was built."""
    flags: frozenset[str] = frozenset()
    """Of the last build's configuration."""
    launches: Counter[str] = field(default_factory=Counter)
    """How often work was begun by a graph, and by a context."""
    device: dict[int, Any] = field(default_factory=dict)
    pinned: dict[int, Any] = field(default_factory=dict)
    opened: set[Any] = field(default_factory=set)
    """Streams, events, graphs that are not closed."""
    contexts: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)

    def leaks(self) -> list[str]:
        """What has not been given back."""
        gc.collect()
        kinds = [type(each).__name__ for each in (*self.opened, *self.contexts)]
        return [*kinds, *("device memory" for _ in self.device), *("pinned memory" for _ in self.pinned)]

    def stream(self, handle: int) -> Stream:
        for each in self.opened:
            if isinstance(each, Stream) and each.handle == handle:
                return each
        raise Misuse(f"no stream {handle}: the default one, or one that is closed")

    def bytes_at(self, memory: dict[int, Any], address: int, size: int) -> np.ndarray:
        for start, buffer in memory.items():
            if start <= address and address + size <= start + len(buffer):
                return np.frombuffer(buffer, np.uint8)[address - start : address - start + size]
        raise Misuse(f"{size} bytes at {address} are outside of all that is allocated there")


def install(monkeypatch: pytest.MonkeyPatch, cache: Any, version: str = OLD) -> Gpu:
    """Puts the fakes where engines import them; plans are kept in the folder `cache`."""
    gpu = Gpu()
    runtime, tensorrt = cuda_runtime(gpu), Tensorrt(gpu, version).module
    bindings, cuda = ModuleType("cuda.bindings"), ModuleType("cuda")
    bindings.runtime, cuda.bindings = runtime, bindings
    for module in (cuda, bindings, runtime, tensorrt):
        module.__spec__ = SimpleNamespace(name=module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    here = Availability(True, "cuda-bindings 13.5.0", device=gpu.name)
    monkeypatch.setattr("engines.cuda.probe", lambda: here)
    monkeypatch.setattr("engines.tensorrt.installed_version", lambda: version)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: cache)
    return gpu


def install_torch2trt(monkeypatch: pytest.MonkeyPatch, surgeon: bool = True) -> None:
    """torch2trt as it is on its way by ONNX, under TensorRT 10; see convert. surgeon: with what it needs."""
    module: Any = ModuleType("torch2trt")
    module.torch2trt, module.__spec__ = convert, SimpleNamespace(name="torch2trt")
    monkeypatch.setitem(sys.modules, "torch2trt", module)
    graphsurgeon: Any = ModuleType("onnx_graphsurgeon")
    graphsurgeon.__spec__ = SimpleNamespace(name="onnx_graphsurgeon") if surgeon else None
    monkeypatch.setitem(sys.modules, "onnx_graphsurgeon", graphsurgeon if surgeon else None)


def convert(
    module: Any,
    inputs: list[Any],
    input_names: list[str],
    output_names: list[str],
    fp16_mode: bool = False,
    use_onnx: bool = False,
    min_shapes: list[tuple[int, ...]] | None = None,
    max_shapes: list[tuple[int, ...]] | None = None,
    opt_shapes: list[tuple[int, ...]] | None = None,
    onnx_opset: int | None = None,
) -> Any:
    """Like the real one, it passes over tensors that are not of float32, halves or truth values.

    It hands torch a list of inputs for a module that takes a list, and looks at neither the parser's nor the
    builder's answer.
    """
    import tensorrt
    import torch

    assert use_onnx, "its own converters do not know these layers"
    assert min_shapes and opt_shapes and max_shapes
    module(*inputs)
    kept = [index for index, each in enumerate(inputs) if each.dtype in (torch.float, torch.half, torch.bool)]
    least, best, most = ([shapes[index] for index in kept] for shapes in (min_shapes, opt_shapes, max_shapes))
    open_axes = [
        [axis for axis, (fewest, longest) in enumerate(zip(*pair, strict=True)) if fewest != longest]
        for pair in zip(least, most, strict=True)
    ]
    import onnx_graphsurgeon  # noqa: F401

    written = io.BytesIO()
    torch.onnx.export(
        _taking_a_list(module, kept, len(inputs)),
        [inputs[index] for index in kept],
        written,
        input_names=input_names,
        output_names=output_names,
        dynamic_axes={
            name: {axis: f"input_{index}_axis_{axis}" for axis in open_axes[index]}
            for index, name in enumerate(input_names)
        },
        opset_version=onnx_opset,
    )
    logger = ILogger()
    logger.log = lambda severity, message: None
    builder = tensorrt.Builder(logger)
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    tensorrt.OnnxParser(network, logger).parse(written.getvalue())
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    config.set_flag(tensorrt.BuilderFlag.GPU_FALLBACK)
    if fp16_mode:
        config.set_flag(tensorrt.BuilderFlag.FP16)
    for index, name in enumerate(input_names):
        profile.set_shape(name, least[index], best[index], most[index])
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    engine = plan and tensorrt.Runtime(logger).deserialize_cuda_engine(plan)
    if engine is not None:
        engine.create_execution_context()
    return SimpleNamespace(engine=engine)


def _taking_a_list(module: Any, kept: list[int], count: int) -> Any:
    """The torch module with its tensors in one list, without those that are passed over."""
    import torch

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *arguments: Any) -> Any:
            return self.module(*self.spread(*arguments))

        def spread(self, flat: list[Any]) -> list[Any]:
            return [flat[kept.index(index)] if index in kept else None for index in range(count)]

    return Flat()


# ---- cuda.bindings.runtime ---------------------------------------------------------------------------------


def cuda_runtime(gpu: Gpu) -> Any:
    """Functions return (error, result), or (error,) if they have none; after an error the result is None."""
    runtime: Any = ModuleType("cuda.bindings.runtime")
    runtime.cudaError_t, runtime.cudaMemcpyKind = cudaError_t, cudaMemcpyKind
    runtime.cudaStreamCaptureMode = cudaStreamCaptureMode
    runtime.cudaStreamNonBlocking, runtime.cudaEventBlockingSync, runtime.cudaEventDisableTiming = 1, 1, 2
    good = cudaError_t.cudaSuccess

    def check(name: str, what: Any, kind: str) -> None:
        """As strict as a C library is. The real one takes numbers for handles, and crashes of bad ones."""
        if kind == "int" and isinstance(what, int):
            if what < 0:
                raise OverflowError("can't convert negative value to size_t")
        elif type(what).__name__ != kind:
            raise TypeError(f"{name}() is given {what!r}, not {kind}")
        elif isinstance(what, Stream | Event | Graph | GraphExec) and what not in gpu.opened:
            raise Misuse(f"{name}() is given a {kind} that is closed")

    def offer(returns: int) -> Callable[[Callable[..., tuple[Any, ...]]], None]:
        def add(function: Callable[..., tuple[Any, ...]]) -> None:
            name = function.__name__

            kinds = [parameter.annotation for parameter in signature(function).parameters.values()]

            def checked(*arguments: Any) -> tuple[Any, ...]:
                if len(arguments) != len(kinds):
                    raise TypeError(f"{name}() takes exactly {len(kinds)} positional arguments")
                for what, kind in zip(arguments, kinds, strict=True):
                    check(name, what, kind)
                error = gpu.fails.get(name)
                answer = (cudaError_t[error],) if error else function(*arguments)
                return (*answer, *(None,) * (1 + returns - len(answer)))

            checked.__name__ = name
            checked.arguments = len(kinds)  # type: ignore[attr-defined]
            setattr(runtime, name, checked)

        return add

    def allocate(memory: dict[int, Any], size: int) -> tuple[Any, ...]:
        if not isinstance(size, int) or size <= 0:
            raise Misuse(f"an allocation of {size!r} bytes")
        for each in gpu.opened:
            if isinstance(each, Stream) and each.captured is not None:
                each.invalid = True
                return (cudaError_t.cudaErrorStreamCaptureUnsupported,)
        whole = (ctypes.c_uint8 * (size + ALIGNMENT)).from_buffer(bytearray([0xAB]) * (size + ALIGNMENT))
        offset = -ctypes.addressof(whole) % ALIGNMENT  # its content: nobody has said that it is 0
        buffer = (ctypes.c_uint8 * size).from_buffer(whole, offset)
        memory[ctypes.addressof(buffer)] = buffer
        return good, ctypes.addressof(buffer)

    def release(memory: dict[int, Any], address: int) -> tuple[Any, ...]:
        for each in gpu.opened:  # the real ones wait, too
            if isinstance(each, Stream):
                each.finish()
        return (good if memory.pop(address, None) is not None else cudaError_t.cudaErrorInvalidValue,)

    def close(kind: type, what: Any) -> tuple[Any, ...]:
        if not isinstance(what, kind) or what not in gpu.opened:
            return (cudaError_t.cudaErrorInvalidValue,)
        gpu.opened.remove(what)
        return (good,)

    def opened(what: Any) -> tuple[Any, ...]:
        gpu.opened.add(what)
        return good, what

    def no_waiting(stream: Stream) -> tuple[Any, ...]:
        if stream.captured is not None:
            stream.invalid = True
            return (cudaError_t.cudaErrorStreamCaptureUnsupported,)
        stream.finish()
        return (good,)

    @offer(1)
    def cudaGetDeviceProperties(device: int) -> tuple[Any, ...]:
        if device != 0:
            return (cudaError_t.cudaErrorInvalidDevice,)
        return good, SimpleNamespace(name=gpu.name.encode(), major=9, minor=0)

    @offer(1)
    def cudaStreamCreateWithFlags(flags: int) -> tuple[Any, ...]:
        if flags not in (0, runtime.cudaStreamNonBlocking):
            return (cudaError_t.cudaErrorInvalidValue,)
        return opened(Stream(handle=0x1000 + len(gpu.opened)))

    @offer(0)
    def cudaStreamDestroy(stream: Stream) -> tuple[Any, ...]:
        return close(Stream, stream)

    @offer(0)
    def cudaStreamSynchronize(stream: Stream) -> tuple[Any, ...]:
        return no_waiting(stream)

    @offer(1)
    def cudaEventCreateWithFlags(flags: int) -> tuple[Any, ...]:
        if flags & ~(runtime.cudaEventBlockingSync | runtime.cudaEventDisableTiming):
            return (cudaError_t.cudaErrorInvalidValue,)
        return opened(Event())

    @offer(0)
    def cudaEventRecord(event: Event, stream: Stream) -> tuple[Any, ...]:
        event.stream = stream
        return (good,)

    @offer(0)
    def cudaEventSynchronize(event: Event) -> tuple[Any, ...]:
        return (good,) if event.stream is None else no_waiting(event.stream)

    @offer(0)
    def cudaEventDestroy(event: Event) -> tuple[Any, ...]:
        return close(Event, event)

    @offer(1)
    def cudaMalloc(size: int) -> tuple[Any, ...]:
        return allocate(gpu.device, size)

    @offer(0)
    def cudaFree(address: int) -> tuple[Any, ...]:
        return release(gpu.device, address)

    @offer(1)
    def cudaMallocHost(size: int) -> tuple[Any, ...]:
        return allocate(gpu.pinned, size)

    @offer(0)
    def cudaFreeHost(address: int) -> tuple[Any, ...]:
        return release(gpu.pinned, address)

    @offer(0)
    def cudaMemcpyAsync(
        target: int, source: int, size: int, kind: cudaMemcpyKind, stream: Stream
    ) -> tuple[Any, ...]:
        there = kind is cudaMemcpyKind.cudaMemcpyHostToDevice
        if not there and kind is not cudaMemcpyKind.cudaMemcpyDeviceToHost:
            raise Misuse(f"{kind.name} is nothing that engines need")
        to, of = (gpu.device, gpu.pinned) if there else (gpu.pinned, gpu.device)

        def copy() -> None:
            gpu.bytes_at(to, target, size)[:] = gpu.bytes_at(of, source, size)

        gpu.bytes_at(to, target, size), gpu.bytes_at(of, source, size)
        stream.put(copy)
        return (good,)

    @offer(0)
    def cudaStreamBeginCapture(stream: Stream, mode: cudaStreamCaptureMode) -> tuple[Any, ...]:
        if stream.captured is not None:
            return (cudaError_t.cudaErrorInvalidValue,)
        stream.captured, stream.invalid = [], False
        return (good,)

    @offer(1)
    def cudaStreamEndCapture(stream: Stream) -> tuple[Any, ...]:
        work, stream.captured = stream.captured, None
        if work is None or stream.invalid:
            return (cudaError_t.cudaErrorStreamCaptureInvalidated,)
        return opened(Graph(work))

    @offer(1)
    def cudaGraphInstantiate(graph: Graph, flags: int) -> tuple[Any, ...]:
        return opened(GraphExec(list(graph.work)))

    @offer(0)
    def cudaGraphDestroy(graph: Graph) -> tuple[Any, ...]:
        return close(Graph, graph)

    @offer(0)
    def cudaGraphExecDestroy(executable: GraphExec) -> tuple[Any, ...]:
        return close(GraphExec, executable)

    @offer(0)
    def cudaGraphLaunch(executable: GraphExec, stream: Stream) -> tuple[Any, ...]:
        if executable not in gpu.opened:
            raise Misuse("a graph that was destroyed is launched")
        gpu.launches["graph"] += 1
        for work in executable.work:
            stream.put(work)
        return (good,)

    @offer(0)
    def cudaGetLastError() -> tuple[Any, ...]:
        return (good,)

    return runtime


# ---- tensorrt ----------------------------------------------------------------------------------------------


class Dims(Sequence[int]):
    """A shape, -1 where it is open; no tuple, cannot be added or hashed, and compares to any sequence."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Iterable[int] = ()) -> None:
        if isinstance(shape, str | bytes) or not isinstance(shape, Sequence | np.ndarray):
            raise TypeError(f"__init__(): incompatible constructor arguments. Invoked with: {shape!r}")
        if not all(isinstance(length, int | np.integer) for length in shape):
            raise TypeError(f"__init__(): incompatible constructor arguments. Invoked with: {shape!r}")
        if len(shape) > 8:
            raise ValueError(f"Input length {len(shape)}. Max expected length is 8")
        self._lengths = [int(length) for length in shape]

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, index: Any) -> Any:
        return Dims(self._lengths[index]) if isinstance(index, slice) else self._lengths[index]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    def __repr__(self) -> str:
        return repr(tuple(self))


class HostMemory(bytearray):
    """Can be read through the buffer protocol, and no other way."""

    def _missing(self, *_: object) -> Any:
        raise TypeError("object of type 'tensorrt_bindings.tensorrt.IHostMemory' is a buffer and no sequence")

    __len__ = __getitem__ = __iter__ = __add__ = __contains__ = _missing  # type: ignore[assignment]
    __bool__ = lambda self: True  # noqa: E731

    @property
    def nbytes(self) -> int:
        return memoryview(self).nbytes


class Value:
    """One value of an enumeration; of pybind11's kind: no int, and equal to none."""

    __slots__ = ("kind", "name", "value")

    def __init__(self, kind: Enumeration, name: str, value: int) -> None:
        self.kind, self.name, self.value = kind, name, value

    def __int__(self) -> int:
        return self.value

    __index__ = __int__

    def __hash__(self) -> int:
        return self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and (self.kind, self.value) == (other.kind, other.value)

    def __str__(self) -> str:
        return f"{self.kind.name}.{self.name}"

    def __repr__(self) -> str:
        return f"<{self}: {self.value}>"


class Enumeration:
    """Its values are attributes, and in `__members__`; it cannot be iterated over, nor indexed."""

    def __init__(self, name: str, **members: int) -> None:
        self.name = name
        self.__members__ = {member: Value(self, member, value) for member, value in members.items()}

    def __getattr__(self, name: str) -> Value:
        if name in self.__dict__.get("__members__", {}):
            return self.__members__[name]
        raise AttributeError(f"type object {self.__dict__.get('name')!r} has no attribute {name!r}")


def argument(what: Any, kind: Enumeration | type | tuple[type, ...]) -> Any:
    """`what`, of this kind, or the TypeError with which pybind11 refuses all others."""
    fits = what.kind is kind if isinstance(what, Value) else not isinstance(kind, Enumeration)
    if not fits or (not isinstance(kind, Enumeration) and not isinstance(what, kind)):
        raise TypeError(f"incompatible function arguments. Invoked with: {what!r}")
    return what


TensorIOMode = Enumeration("TensorIOMode", NONE=0, INPUT=1, OUTPUT=2)
_DTYPES = ("FLOAT", "HALF", "INT8", "INT32", "BOOL", "UINT8", "FP8", "BF16", "INT64", "INT4", "FP4", "E8M0")
DataType = Enumeration("DataType", **{name: value for value, name in enumerate(_DTYPES)})
LayerType = Enumeration(
    "LayerType", CONVOLUTION=0, CAST=1, DECONVOLUTION=7, ELEMENTWISE=9, MATRIX_MULTIPLY=17
)
"""Those that are made here, of more."""
Severity = Enumeration("Severity", INTERNAL_ERROR=0, ERROR=1, WARNING=2, INFO=3, VERBOSE=4)
FLAGS = {
    10: {
        "FP16": 0,
        "INT8": 1,
        "DEBUG": 2,
        "GPU_FALLBACK": 3,
        "REFIT": 4,
        "TF32": 6,
        "FP8": 15,
        "BF16": 17,
        "STRIP_PLAN": 19,
    },
    11: {"DEBUG": 2, "GPU_FALLBACK": 3, "REFIT": 4, "TF32": 6, "STRIP_PLAN": 18},
}
"""BuilderFlag, by the major version; some of those that concern nobody here are left out."""
NETWORK_FLAGS = {
    10: {
        "EXPLICIT_BATCH": 0,
        "STRONGLY_TYPED": 1,
        "PREFER_JIT_PYTHON_PLUGINS": 2,
        "PREFER_AOT_PYTHON_PLUGINS": 3,
    },
    11: {"STRONGLY_TYPED": 0, "PREFER_JIT_PYTHON_PLUGINS": 1, "PREFER_AOT_PYTHON_PLUGINS": 2},
}
"""NetworkDefinitionCreationFlag, by the major version: numbers of bits."""
ALIGNMENT = 256
"""Of the addresses of tensors, in bytes: TensorRT demands it, and cudaMalloc gives it."""


NUMPY = {
    DataType.FLOAT: np.float32,
    DataType.HALF: np.float16,
    DataType.INT8: np.int8,
    DataType.INT32: np.int32,
    DataType.INT64: np.int64,
    DataType.BOOL: np.bool_,
    DataType.UINT8: np.uint8,
}
ORT_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}
"""As ONNX Runtime calls them."""
LAYERS = {"Conv": LayerType.CONVOLUTION, "MatMul": LayerType.MATRIX_MULTIPLY, "Cast": LayerType.CAST}


class ILogger:
    Severity = Severity

    def __init__(self) -> None:
        self.ready = True


def nptype(kind: Any) -> Any:
    if kind not in NUMPY:
        raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")
    return NUMPY[kind]


@dataclass(eq=False)
class Tensor:
    name: str
    shape: Dims
    dtype: Value


@dataclass(eq=False)
class Layer:
    type: Value
    output: Tensor

    def get_output(self, index: int) -> Tensor:
        assert index == 0
        return self.output


class Tensorrt:
    """One version of the library, over one GPU."""

    def __init__(self, gpu: Gpu, version: str) -> None:
        self.gpu, self.version, self.major = gpu, version, int(version.split(".")[0])
        self.module: Any = ModuleType("tensorrt")
        self.module.__version__ = version
        self.module.ILogger, self.module.nptype = ILogger, nptype
        self.module.TensorIOMode, self.module.LayerType = TensorIOMode, LayerType
        self.module.DataType, self.module.Dims = DataType, Dims
        # What 11 has removed is not there.
        self.module.NetworkDefinitionCreationFlag = Enumeration(
            "NetworkDefinitionCreationFlag", **NETWORK_FLAGS[self.major]
        )
        self.module.BuilderFlag = Enumeration("BuilderFlag", **FLAGS[self.major])
        for kind in (Builder, OnnxParser, Runtime):
            setattr(self.module, kind.__name__, self._bound(kind))

    def _bound(self, kind: type) -> type:
        return type(kind.__name__, (kind,), {"library": self})


class _Object:
    library: Tensorrt

    @property
    def gpu(self) -> Gpu:
        return self.library.gpu


def check_logger(logger: Any, gpu: Gpu, kind: str) -> None:
    """As the constructors of TensorRT's objects do, which raise TypeError whatever is wrong."""
    if not isinstance(logger, ILogger):
        raise TypeError(f"__init__(): incompatible constructor arguments. Invoked with: {logger!r}")
    if not getattr(logger, "ready", False):
        raise TypeError("ILogger.__init__() must be called when overriding __init__")
    if kind in gpu.fails:
        say(logger, f"CUDA initialization failure with error: {int(cudaError_t[gpu.fails[kind]])}")
        raise TypeError("pybind11::init(): factory function returned nullptr")


def say(logger: Any, message: str) -> None:
    logger.log(Severity.ERROR, message)
    logger.log(Severity.WARNING, "and this is only a warning")


class Builder(_Object):
    def __init__(self, logger: ILogger) -> None:
        check_logger(logger, self.gpu, "Builder")
        self.logger = logger

    def create_network(self, flags: int = 0) -> Network:
        known = sum(1 << bit for bit in NETWORK_FLAGS[self.library.major].values())
        assert argument(flags, int) & ~known == 0, f"unknown flags {flags:b}"
        return Network(self.library.major > 10 or bool(flags & 2))

    def create_builder_config(self) -> BuilderConfig:
        return BuilderConfig(self.library)

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: BuilderConfig) -> HostMemory | None:
        argument(network, Network), argument(config, BuilderConfig)
        error = self.gpu.build_error or network.error(config)
        if error:
            return say(self.logger, error)
        self.gpu.builds += 1
        self.gpu.strongly_typed = network.strongly_typed
        self.gpu.flags = config.names()
        self.gpu.plans_are_foreign = False
        shapes = config.profile.shapes if config.profile else {}
        made_for = [self.library.version, self.gpu.name]
        head = json.dumps({"made for": made_for, "shapes": shapes}).encode()
        return HostMemory(b"FAKE" + len(head).to_bytes(4, "little") + head + network.model)


@dataclass
class Network:
    strongly_typed: bool
    model: bytes = b""
    inputs: list[Tensor] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    def get_input(self, index: int) -> Tensor | None:
        return self.inputs[index] if 0 <= argument(index, int) < len(self.inputs) else None

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    def get_layer(self, index: int) -> Layer | None:
        return self.layers[index] if 0 <= argument(index, int) < len(self.layers) else None

    def error(self, config: BuilderConfig) -> str | None:
        """Why this cannot be built."""
        if not self.model:
            return "Network must have at least one output"
        if self.strongly_typed and {"FP16", "INT8", "BF16", "FP8"} & config.names():
            return "precision flags are not allowed in strongly typed networks"
        shapes = config.profile.shapes if config.profile else {}
        open_inputs = {tensor.name for tensor in self.inputs if -1 in tensor.shape}
        if open_inputs - set(shapes):
            return "Network has dynamic or shape inputs, but no optimization profile has been defined."
        unknown = set(shapes) - {tensor.name for tensor in self.inputs}
        if unknown:
            return f"an optimization profile names {unknown}, which are no inputs of the network"
        for tensor in self.inputs:
            for asked in shapes.get(tensor.name, ()):
                if not _agrees(asked, tensor.shape):
                    return f"{tensor.name}: {asked} of the profile does not agree with {tensor.shape}"
        return None


def _agrees(asked: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether this is the network's shape, but for what is open there."""
    return len(asked) == len(shape) and all(
        known in (-1, length) for known, length in zip(shape, asked, strict=True)
    )


class BuilderConfig:
    def __init__(self, library: Tensorrt) -> None:
        self._known = library.module.BuilderFlag
        self._flags = {self._known.TF32}  # as the real one begins
        self.profile: Profile | None = None

    def names(self) -> frozenset[str]:
        """Of the flags."""
        return frozenset(flag.name for flag in self._flags)

    def set_flag(self, flag: Any) -> None:
        self._flags.add(argument(flag, self._known))

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(argument(flag, self._known))

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profile = argument(profile, Profile)
        return 0 if profile else -1


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[list[int], ...]] = {}

    def __bool__(self) -> bool:
        """What is set is in order, as far as it can be told here; nothing need be."""
        return all(
            len(least) == len(best) == len(most)
            and all(0 <= a <= b <= c for a, b, c in zip(least, best, most, strict=True))
            for least, best, most in self.shapes.values()
        )

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:  # the real names
        argument(input, str)
        self.shapes[input] = (list(Dims(min)), list(Dims(opt)), list(Dims(max)))
        if not self:
            del self.shapes[input]
            raise ValueError("Shape provided for max is inconsistent with other shapes.")


class OnnxParser(_Object):
    def __init__(self, network: Network, logger: ILogger) -> None:
        argument(network, Network)
        check_logger(logger, self.gpu, "OnnxParser")
        self._network, self._errors = network, list[str]()

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> Any:
        if not 0 <= argument(index, int) < len(self._errors):
            return None
        return SimpleNamespace(desc=lambda: self._errors[index])

    def parse(self, model: bytes, path: str | None = None) -> bool:
        model = bytes(memoryview(model))
        try:
            session = open_session(model)
        except Exception as error:
            self._errors.append(f"Failed to parse the ONNX model:\n{error}")
            return False
        graph = OnnxGraph(model)
        inputs = [_tensor(argument) for argument in session.get_inputs()]
        for tensor in inputs:
            if tensor.dtype is DataType.UINT8 and graph.readers(tensor.name) - {"Cast", "CastLike"}:
                self._errors.append(f"UINT8 input {tensor.name} does not feed directly into a Cast")
                return False
        self._network.model, self._network.inputs = model, inputs
        self._network.layers = list(graph.layers())
        return True


class Runtime(_Object):
    def __init__(self, logger: ILogger) -> None:
        check_logger(logger, self.gpu, "Runtime")
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: Any) -> CudaEngine | None:
        content = bytes(memoryview(serialized_engine))
        if content[:4] != b"FAKE":
            return say(self._logger, "Magic tag does not match")
        end = 8 + int.from_bytes(content[4:8], "little")
        head = json.loads(content[8:end])
        made_for = [self.library.version, self.gpu.name]
        if head["made for"] != made_for or self.gpu.plans_are_foreign:
            return say(self._logger, "The plan was made for another version or GPU")
        return CudaEngine(self.library, content, content[end:], head["shapes"], self._logger)


class CudaEngine:
    def __init__(
        self, library: Tensorrt, plan: bytes, model: bytes, profile: dict[str, Any], logger: Any
    ) -> None:
        self.library, self.plan, self.profile, self.logger = library, plan, profile, logger
        self.session = open_session(model)
        self.inputs = {each.name: _tensor(each) for each in self.session.get_inputs()}
        self.outputs = {each.name: _tensor(each) for each in self.session.get_outputs()}
        self._names = [*self.inputs, *self.outputs]
        if library.major == 10:
            self.device_memory_size = 0  # removed in 11

    @property
    def num_io_tensors(self) -> int:
        return len(self._names)

    def get_tensor_name(self, index: int) -> str | None:
        return self._names[index] if 0 <= argument(index, int) < len(self._names) else None

    def get_tensor_mode(self, name: str) -> Value:
        if self._known(name) is None:
            return TensorIOMode.NONE
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> Dims:
        found = self._known(name)
        if found is None:
            raise Misuse(f"{name!r} is no tensor, its shape has -1 lengths")
        return Dims(found.shape)

    def get_tensor_dtype(self, name: str) -> Value:
        found = self._known(name)
        return DataType.FLOAT if found is None else found.dtype

    def _known(self, name: str) -> Tensor | None:
        return {**self.inputs, **self.outputs}.get(argument(name, str))

    def serialize(self) -> HostMemory:
        return HostMemory(self.plan)

    def create_execution_context(self) -> Context | None:
        if "create_execution_context" in self.library.gpu.fails:
            return None
        context = Context(self)
        self.library.gpu.contexts.add(context)
        return context


class Context:
    """State: shapes and addresses; `changes` counts what has been done to it."""

    def __init__(self, engine: CudaEngine) -> None:
        self.engine = engine
        self._shapes = {
            name: tensor.shape for name, tensor in engine.inputs.items() if -1 not in tensor.shape
        }
        self._addresses: dict[str, int] = {}
        self._changes = 0
        self._warm_at: int | None = None

    def set_input_shape(self, name: str, shape: Any) -> bool:
        if argument(name, str) not in self.engine.inputs:
            say(self.engine.logger, f"Given invalid tensor name: {name}")
            return False
        shape = list(Dims(argument(shape, (tuple, list, Dims))))
        least, _, most = self.engine.profile.get(name, (self.engine.inputs[name].shape,) * 3)
        fits = len(shape) == len(least) and all(
            a <= length <= b for a, length, b in zip(least, shape, most, strict=True)
        )
        if not fits:
            say(self.engine.logger, f"{name}: {tuple(shape)} is outside of the profile {least} to {most}")
            return False
        self._shapes[name] = Dims(shape)
        self._changes += 1
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if argument(name, str) not in self.engine.inputs and name not in self.engine.outputs:
            say(self.engine.logger, f"Given invalid tensor name: {name}")
            return False
        if argument(memory, int) % ALIGNMENT:
            raise Misuse(f"{memory!r} is no address for a tensor: it is to be a multiple of {ALIGNMENT}")
        self._addresses[name] = memory
        self._changes += 1
        return True

    def infer_shapes(self) -> list[str]:
        return [name for name in self.engine.inputs if name not in self._shapes]

    def execute_async_v3(self, stream_handle: int) -> bool:
        gpu = self.engine.library.gpu
        stream = gpu.stream(argument(stream_handle, int))
        missing = {*self.engine.inputs, *self.engine.outputs} - set(self._addresses)
        if missing or self.infer_shapes():
            say(self.engine.logger, f"not all is set: {missing or self.infer_shapes()}")
            return False
        if stream.captured is not None and (not gpu.capturable or self._warm_at != self._changes):
            stream.invalid = True
            say(self.engine.logger, "operation not permitted when stream is capturing")
            return False
        gpu.launches["context"] += 1
        self._warm_at = self._changes
        stream.put(self._work(weakref.ref(self), self._changes))
        return True

    @staticmethod
    def _work(reference: weakref.ref[Context], changes: int) -> Work:
        def work() -> None:
            context = reference()
            if context is None or context._changes != changes:
                raise Misuse("a graph runs whose context is gone or was changed after it was captured")
            context._compute()

        return work

    def _compute(self) -> None:
        gpu, engine = self.engine.library.gpu, self.engine
        inputs = {}
        for name, tensor in engine.inputs.items():
            dtype, shape = np.dtype(NUMPY[tensor.dtype]), self._shapes[name]
            size = int(np.prod(shape)) * dtype.itemsize
            inputs[name] = gpu.bytes_at(gpu.device, self._addresses[name], size).view(dtype).reshape(shape)
        names = list(engine.outputs)
        for name, array in zip(names, engine.session.run(names, inputs), strict=True):
            target = gpu.bytes_at(gpu.device, self._addresses[name], array.nbytes)
            target[:] = np.frombuffer(array.tobytes(), np.uint8)


class OnnxGraph:
    """The nodes of a model, and the types between them as far as casts decide them."""

    def __init__(self, model: bytes) -> None:
        (graph,) = (value for number, value in read_fields(model) if number == 7)
        self._nodes = [list(read_fields(value)) for number, value in read_fields(graph) if number == 1]
        self._types = dict(self._initial(graph))

    def readers(self, name: str) -> set[str]:
        """The operators that take this tensor first."""
        return {self._operator(node) for node in self._nodes if (1, name.encode()) in node}

    def layers(self) -> Iterator[Layer]:
        for node in self._nodes:
            sources, targets = self._all(node, 1), self._all(node, 2)
            kind = self._types.get(sources[0], FLOAT) if sources else FLOAT
            kind = self._cast_to(node) or kind
            self._types.update(dict.fromkeys(targets, kind))
            dtype = DataType.HALF if kind == HALF else DataType.FLOAT
            layer = LAYERS.get(self._operator(node), LayerType.ELEMENTWISE)
            yield Layer(layer, Tensor(targets[0].decode(), Dims(()), dtype))

    @staticmethod
    def _initial(graph: bytes) -> Iterator[tuple[bytes, int]]:
        """Of weights: TensorProto's data_type and name."""
        for number, value in read_fields(graph):
            if number == 5:
                content = dict(read_fields(value))
                yield content[8], content[2]

    @staticmethod
    def _operator(node: list[tuple[int, Any]]) -> str:
        return dict(node)[4].decode()

    @staticmethod
    def _all(node: list[tuple[int, Any]], number: int) -> list[bytes]:
        return [value for found, value in node if found == number]

    def _cast_to(self, node: list[tuple[int, Any]]) -> int | None:
        if self._operator(node) != "Cast":
            return None
        (attribute,) = self._all(node, 5)
        return dict(read_fields(attribute))[3]


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    return ((number, value if isinstance(value, int) else bytes(value)) for number, value in fields(message))


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _tensor(argument: Any) -> Tensor:
    kinds = {np.dtype(value): kind for kind, value in NUMPY.items()}
    shape = Dims([length if isinstance(length, int) else -1 for length in argument.shape])
    return Tensor(argument.name, shape, kinds[np.dtype(ORT_DTYPES[argument.type])])
