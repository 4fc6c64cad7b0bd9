"""TensorRT, 10.12 or newer, on an NVIDIA GPU: the fastest engine where there is one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines import cuda
from engines.cache import Loaded, Plan, PlanCache, PlanKey
from engines.description import read_signature, title
from engines.engine import Availability, EngineError, Tensors, TensorSpec, check_tensors, one_line
from engines.tensorrt_plan import MOST_FACES, TensorRtOptions, build_plan, first_of, plan_key, the_logger

OLDEST = (10, 12)
BUILDERS = ("torch2trt", "onnx")
"""The builders whose plans are accepted, in this order. Only plans by the last are built here;
engines.torch2trt builds the others, from a module that only training has."""

_DISTRIBUTIONS = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12")


def probe() -> Availability:
    """Returns whether TensorRT and a GPU for it are here. Imports neither."""
    if find_spec("tensorrt") is None:
        detail = "tensorrt is not installed; with an NVIDIA GPU: pip install 'reenact[tensorrt]'"
        return Availability(False, detail, expected=False)
    gpu = cuda.probe()
    if not gpu.available:
        return gpu
    version = installed_version()
    if _number(version) < OLDEST:
        return Availability(False, f"tensorrt {version} is too old: pip install 'tensorrt>=10.12'")
    return Availability(True, f"tensorrt {version}", device=gpu.device)


def installed_version() -> str:
    """Returns TensorRT's version. Raises EngineError where TensorRT cannot be imported."""
    for name in _DISTRIBUTIONS:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return import_tensorrt().__version__  # It is from NVIDIA's archive, which pip does not list.


def import_runtime() -> None:
    """Imports all that the engine needs. Raises EngineError where that fails."""
    cuda.import_runtime()
    import_tensorrt()


def import_tensorrt() -> Any:
    """Returns the module `tensorrt`. Raises EngineError where it cannot be imported."""
    try:
        import tensorrt
    except Exception as error:  # A broken installation can fail in any way.
        raise EngineError(f"TensorRT cannot be imported: {one_line(error)}") from error
    return tensorrt


@dataclass(frozen=True, eq=False)
class _Tensor:
    """One input or output of the model, with memory for MOST_FACES faces on the host and on the GPU."""

    spec: TensorSpec
    """The tensor's name, shape and dtype."""
    host: NDArray[Any]
    """Its memory on the host."""
    device: int
    """The address of its memory on the GPU."""

    @property
    def counts_faces(self) -> bool:
        return self.spec.shape[:1] == (None,)

    def of(self, faces: int) -> NDArray[Any]:
        """Returns the part of `host` for this many faces."""
        return self.host[:faces] if self.counts_faces else self.host

    def empty(self, faces: int) -> NDArray[Any]:
        """Returns a new array for the tensor, for any number of faces."""
        shape = (faces, *self.host.shape[1:]) if self.counts_faces else self.host.shape
        return np.empty(shape, self.host.dtype)


class TensorRtEngine:
    """A model in TensorRT, from a plan that is cached on disk or built now; one CUDA graph for each batch
    size.

    A graph copies the inputs to the GPU, runs the model and copies the outputs back, in one call. Each graph
    has its own execution context, since a change to a context invalidates the graph captured from it. `run`
    returns copies.
    """

    def __init__(
        self,
        model: bytes,
        options: TensorRtOptions = TensorRtOptions(),
        notes: tuple[str, ...] = (),
        cache: PlanCache | None = None,
    ) -> None:
        """model: the content of the ONNX file. Raises EngineError where the runtime refuses it.

        cache: the cache of plans. None: the user's own.
        """
        self._cuda = cuda.import_runtime()
        tensorrt = import_tensorrt()
        self._logger = the_logger(tensorrt)
        self._logger.errors.clear()
        self._capture_notes: tuple[str, ...] = ()
        gpu = cuda.read_gpu(self._cuda)
        keys = [plan_key(model, tensorrt.__version__, gpu, options, builder) for builder in BUILDERS]
        try:
            self._runtime = tensorrt.Runtime(self._logger)
            source = _PlanSource(tensorrt, self._runtime, model, options, cache or PlanCache())
            self._engine, loaded, builder = source.open(keys)
            with ExitStack() as opened:
                self._open(tensorrt, opened)
                self.inputs = tuple(_given(tensor.spec, model) for tensor in self._inputs)
                self._opened = opened.pop_all()
        except EngineError:
            raise
        except Exception as error:  # The runtime's errors share no base class.
            reason = first_of([*self._logger.errors, error])
            raise EngineError(f"TensorRT cannot load the model: {reason}") from error
        made_by = "" if builder == "onnx" else f" by {builder}"
        self.name = f"tensorrt {tensorrt.__version__} on {gpu.name}, {loaded.plan.computes}{made_by}"
        built = () if loaded.build_s is None else (f"built for {gpu.name} in {loaded.build_s:.0f} s",)
        self.notes = (*notes, *built, *loaded.notes, *self._capture_notes)

    def run(self, inputs: Tensors) -> Tensors:
        """Computes the outputs for these inputs. Raises EngineError where the inputs do not fit."""
        check_tensors(self.inputs, inputs)
        faces = self._count_faces(inputs)
        outputs = {tensor.spec.name: tensor.empty(faces) for tensor in self._outputs}
        for start in range(0, faces, MOST_FACES):
            self._run_part(inputs, outputs, slice(start, min(start + MOST_FACES, faces)))
        return outputs

    def __enter__(self) -> TensorRtEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._opened.close()
        finally:
            del self._launches, self._engine, self._runtime

    def _open(self, tensorrt: Any, opened: ExitStack) -> None:
        """Allocates everything on the GPU and runs once, so that errors of the model are raised here."""
        self._stream = opened.enter_context(cuda.open_stream(self._cuda))
        self._event = opened.enter_context(cuda.open_event(self._cuda))
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        is_input = {name: self._engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT for name in names}
        tensors = {name: self._allocate(_spec(tensorrt, self._engine, name), opened) for name in names}
        self._inputs = [tensor for name, tensor in tensors.items() if is_input[name]]
        self._outputs = [tensor for name, tensor in tensors.items() if not is_input[name]]
        self.outputs = tuple(tensor.spec for tensor in self._outputs)
        batches = any(tensor.counts_faces for tensor in self._inputs)
        self._launches = {
            faces: self._prepare(faces, opened) for faces in range(1, MOST_FACES + 1 if batches else 2)
        }

    def _allocate(self, spec: TensorSpec, opened: ExitStack) -> _Tensor:
        shape = tuple(MOST_FACES if length is None else length for length in spec.shape)
        host = opened.enter_context(cuda.pinned_array(self._cuda, shape, spec.dtype))
        host.fill(0)
        return _Tensor(spec, host, opened.enter_context(cuda.device_memory(self._cuda, host.nbytes)))

    def _prepare(self, faces: int, opened: ExitStack) -> Callable[[], None]:
        """Returns a function that puts the work for a batch of this size on the stream."""
        enqueue = partial(self._enqueue, self._context(faces), faces)
        # TensorRT does much of its work in the first run, which must not be captured.
        enqueue()
        self._wait()
        if self._capture_notes:
            return enqueue
        try:
            graph = opened.enter_context(cuda.open_graph(self._cuda, self._stream, enqueue))
        except EngineError as error:
            self._capture_notes = (f"the model runs without CUDA graphs, slower: {error}",)
            return enqueue
        return partial(cuda.call, self._cuda.cudaGraphLaunch, graph, self._stream)

    def _context(self, faces: int) -> Any:
        """Returns an execution context for batches of this size, in the memory of the tensors."""
        context = self._engine.create_execution_context()
        if context is None:
            raise EngineError("TensorRT has no memory left on the GPU for the model")
        for tensor in self._inputs:
            if not context.set_input_shape(tensor.spec.name, tensor.of(faces).shape):
                raise EngineError(f"TensorRT refuses {faces} faces for {tensor.spec.name!r}")
        for tensor in (*self._inputs, *self._outputs):
            if not context.set_tensor_address(tensor.spec.name, tensor.device):
                raise EngineError(f"TensorRT refuses the memory for {tensor.spec.name!r}")
        unknown = context.infer_shapes()
        if unknown:
            raise EngineError(f"TensorRT cannot tell the shapes of {', '.join(unknown)}")
        return context

    def _enqueue(self, context: Any, faces: int) -> None:
        """Enqueues the copies of inputs, the run and the copies of outputs, without waiting between them."""
        copy, kind = partial(cuda.call, self._cuda.cudaMemcpyAsync), self._cuda.cudaMemcpyKind
        for tensor in self._inputs:
            part = tensor.of(faces)
            copy(tensor.device, part.ctypes.data, part.nbytes, kind.cudaMemcpyHostToDevice, self._stream)
        if not context.execute_async_v3(int(self._stream)):
            raise EngineError(f"TensorRT failed to run the model: {first_of(self._logger.errors)}")
        for tensor in self._outputs:
            part = tensor.of(faces)
            copy(part.ctypes.data, tensor.device, part.nbytes, kind.cudaMemcpyDeviceToHost, self._stream)

    def _wait(self) -> None:
        """Waits until all work on the stream is done."""
        cuda.call(self._cuda.cudaEventRecord, self._event, self._stream)
        cuda.call(self._cuda.cudaEventSynchronize, self._event)

    def _count_faces(self, inputs: Tensors) -> int:
        """Returns the number of faces; 1 for a model that takes no batches."""
        counts = {
            len(inputs[tensor.spec.name]): tensor.spec.name for tensor in self._inputs if tensor.counts_faces
        }
        if len(counts) > 1:
            found = ", ".join(f"{faces} in {name!r}" for faces, name in counts.items())
            raise EngineError(f"every input must hold the same number of faces, but there are {found}")
        return next(iter(counts), 1)

    def _run_part(self, inputs: Tensors, outputs: dict[str, NDArray[Any]], part: slice) -> None:
        """Runs one slice of at most MOST_FACES faces."""
        faces = part.stop - part.start
        for tensor in self._inputs:
            given = inputs[tensor.spec.name]
            np.copyto(tensor.of(faces), given[part] if tensor.counts_faces else given)
        self._launches[faces]()
        self._wait()
        for tensor in self._outputs:
            wanted = outputs[tensor.spec.name]
            np.copyto(wanted[part] if tensor.counts_faces else wanted, tensor.of(faces))


@dataclass(frozen=True, eq=False)
class _PlanSource:
    """Opens a plan: a cached one if it can be used, otherwise a new one."""

    tensorrt: Any
    runtime: Any
    model: bytes
    options: TensorRtOptions
    cache: PlanCache

    def open(self, keys: list[PlanKey]) -> tuple[Any, Loaded, str]:
        """Returns the ICudaEngine, its plan and its builder, for the first key in the cache, or builds
        one."""
        for key in keys:
            plan = self.cache.load(key)
            if plan is None:
                continue
            engine = self.runtime.deserialize_cuda_engine(plan.content)
            if engine is not None:
                return engine, Loaded(plan, None), key.builder
            self.cache.discard(key)  # The plan is complete, but made with other libraries.
        loaded = self.cache.load_or_build(keys[-1], self._title(), self._build)
        logger = the_logger(self.tensorrt)
        logger.errors.clear()
        engine = self.runtime.deserialize_cuda_engine(loaded.plan.content)
        if engine is None:
            raise EngineError(f"TensorRT refuses the plan that it has built: {first_of(logger.errors)}")
        return engine, loaded, keys[-1].builder

    def _title(self) -> str:
        try:
            return title(self.model)
        except EngineError as error:
            raise EngineError(f"TensorRT cannot load the model: it {error}") from error

    def _build(self) -> Plan:
        return build_plan(self.tensorrt, self.model, self.options)


def _spec(tensorrt: Any, engine: Any, name: str) -> TensorSpec:
    """Reads the specification of one input or output from the plan."""
    shape = tuple(None if length == -1 else length for length in tuple(engine.get_tensor_shape(name)))
    kind = engine.get_tensor_dtype(name)
    try:
        return TensorSpec(name, shape, np.dtype(tensorrt.nptype(kind)))
    except TypeError as error:
        raise EngineError(f"the model's {name!r} is {kind}, which numpy does not have") from error


def _given(spec: TensorSpec, model: bytes) -> TensorSpec:
    """Returns the input as callers give it, in the type of the model's file, which may be narrower."""
    dtypes = {each.name: each.dtype for each in read_signature(model).inputs}
    dtype = dtypes.get(spec.name, spec.dtype)
    return replace(spec, dtype=dtype) if np.can_cast(dtype, spec.dtype) else spec


def _number(version: str) -> tuple[int, ...]:
    """Converts 10.12.0.36 to (10, 12)."""
    return tuple(int(part) for part in version.split(".")[:2])
