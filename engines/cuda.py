"""The CUDA runtime, through NVIDIA's `cuda-bindings`: every call checked, every resource a context manager.

`runtime` below is what `import_runtime` returns. Work runs on the first GPU that the driver offers.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import Availability, EngineError, one_line

ADVICE = {
    "cudaErrorInsufficientDriver": "; update NVIDIA's driver, or pip install 'cuda-bindings<13'",
    "cudaErrorMemoryAllocation": "; the GPU's memory is full, close other programs that use it",
}
"""Advice for some errors."""

_NO_DEVICE = 100
"""The error code CUDA_ERROR_NO_DEVICE."""


@dataclass(frozen=True)
class Gpu:
    """A GPU and its compute capability."""

    name: str
    """The GPU's name."""
    capability: str
    """NVIDIA's compute capability, such as 9.0."""


def probe_gpu() -> Availability:
    """Returns whether there is a GPU with a driver. It asks the driver itself and imports nothing."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Availability(False, "there is no NVIDIA GPU here, or no driver for it", expected=False)
    error = driver.cuInit(0)
    if error == _NO_DEVICE:
        return Availability(False, "there is no NVIDIA GPU here that the driver offers", expected=False)
    if error:
        return Availability(
            False, f"NVIDIA's driver does not start (CUDA error {error}): reboot, or reinstall it"
        )
    name, device = ctypes.create_string_buffer(256), ctypes.c_int()
    driver.cuDeviceGet(ctypes.byref(device), 0)
    driver.cuDeviceGetName(name, len(name), device)
    return Availability(True, "NVIDIA's driver", device=name.value.decode())


def probe() -> Availability:
    """Returns whether a GPU with a driver and cuda-bindings are here. It imports nothing."""
    gpu = probe_gpu()
    if not gpu.available:
        return gpu
    try:
        version = metadata.version("cuda-bindings")
    except metadata.PackageNotFoundError:
        return Availability(False, "cuda-bindings is not installed: pip install cuda-bindings")
    return Availability(True, f"cuda-bindings {version}", device=gpu.device)


def import_runtime() -> Any:
    """Returns the module `cuda.bindings.runtime`. Raises EngineError where it cannot be imported."""
    try:
        from cuda.bindings import runtime
    except Exception as error:  # A broken installation can fail in any way.
        raise EngineError(f"cuda-bindings cannot be imported: {one_line(error)}") from error
    return runtime


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns the result of a function of the runtime. Raises EngineError for an error code."""
    try:
        error, *results = function(*arguments)
    except (
        RuntimeError,
        ValueError,
    ) as failure:  # The driver lacks the function, or the code is newer than the bindings.
        raise EngineError(f"{function.__name__} failed: {one_line(failure)}") from failure
    if error.value:
        raise EngineError(f"{function.__name__} failed: {error.name}{ADVICE.get(error.name, '')}")
    return results[0] if results else None


def read_gpu(runtime: Any) -> Gpu:
    """Returns the first GPU."""
    properties = call(runtime.cudaGetDeviceProperties, 0)
    return Gpu(properties.name.decode(), f"{properties.major}.{properties.minor}")


@contextmanager
def open_stream(runtime: Any) -> Iterator[Any]:
    """Opens a stream that does not wait for other streams."""
    stream = call(runtime.cudaStreamCreateWithFlags, runtime.cudaStreamNonBlocking)
    try:
        yield stream
    finally:
        call(runtime.cudaStreamDestroy, stream)


@contextmanager
def open_event(runtime: Any) -> Iterator[Any]:
    """Opens an event in a stream. A thread that waits for it sleeps, so its core is free for other stages."""
    event = call(
        runtime.cudaEventCreateWithFlags, runtime.cudaEventBlockingSync | runtime.cudaEventDisableTiming
    )
    try:
        yield event
    finally:
        call(runtime.cudaEventDestroy, event)


@contextmanager
def device_memory(runtime: Any, size: int) -> Iterator[int]:
    """Allocates `size` bytes on the GPU and yields their address."""
    address = call(runtime.cudaMalloc, size)
    try:
        yield address
    finally:
        call(runtime.cudaFree, address)


@contextmanager
def pinned_array(runtime: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Allocates an array in memory that the GPU reads and writes directly; it is freed when this is left."""
    size = int(np.prod(shape)) * dtype.itemsize
    address = call(runtime.cudaMallocHost, size)
    try:
        memory: Any = (ctypes.c_uint8 * size).from_address(address)
        yield np.ndarray(shape, dtype, memory)
    finally:
        call(runtime.cudaFreeHost, address)


@contextmanager
def open_graph(runtime: Any, stream: Any, enqueue: Callable[[], None]) -> Iterator[Any]:
    """Captures what `enqueue` puts on the stream, as one graph for cudaGraphLaunch."""
    graph = _capture(runtime, stream, enqueue)
    try:
        executable = call(runtime.cudaGraphInstantiate, graph, 0)
    finally:
        call(runtime.cudaGraphDestroy, graph)
    try:
        yield executable
    finally:
        call(runtime.cudaGraphExecDestroy, executable)


def _capture(runtime: Any, stream: Any, enqueue: Callable[[], None]) -> Any:
    # The capture is limited to this thread, so that allocations in other threads do not break it.
    call(
        runtime.cudaStreamBeginCapture, stream, runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    )
    try:
        enqueue()
    except BaseException:
        runtime.cudaStreamEndCapture(stream)  # Its error only repeats that the capture failed.
        runtime.cudaGetLastError()  # This clears the error.
        raise
    return call(runtime.cudaStreamEndCapture, stream)
