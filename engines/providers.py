"""ONNX Runtime's execution providers other than the CPU, and the options that each is opened with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.engine import TensorSpec

MOST_FACES = 20
"""The largest number of faces in one batch, which is the most that the tracker finds."""


@dataclass(frozen=True)
class Setting:
    """The inputs of a provider's options."""

    precision: str | None
    """The precision asked for. None: the usual one."""
    inputs: Sequence[TensorSpec]
    """The model's inputs."""
    folder: Path
    """The folder in which the provider may keep what it builds."""


@dataclass(frozen=True)
class Provider:
    """An execution provider of ONNX Runtime."""

    title: str
    """The name for people."""
    execution_provider: str
    """The name in ONNX Runtime."""
    options: Callable[[Setting], dict[str, str]]
    """Returns the provider's options for a setting."""
    advice: str
    """How to install it."""
    precisions: tuple[str, ...] = ()
    """The precisions that can be asked for, the usual one first. Empty: it computes in the model's types."""
    library: str | None = None
    """A part of the name of a library beside ONNX Runtime's own that shows support. None: there is none."""
    plugin: str | None = None
    """The module that contains the provider. None: ONNX Runtime contains it."""
    system: str | None = None
    """The only system that has it, as in sys.platform. None: any system."""
    needs_nvidia: bool = False
    """Whether it needs an NVIDIA GPU."""
    keeps_plans: bool = False
    """Whether it needs the folder of its Setting."""
    device: str = "GPU"
    """The device that it computes on; for NVIDIA's GPUs the name is known."""


def _cuda_options(setting: Setting) -> dict[str, str]:
    return {
        "use_tf32": switch(setting.precision == "tf32"),
        # The default, EXHAUSTIVE, times every algorithm for each new number of faces, in the middle of a
        # film.
        "cudnn_conv_algo_search": "HEURISTIC",
    }


def _tensorrt_options(setting: Setting) -> dict[str, str]:
    fewest, most = _profile(setting.inputs, 1), _profile(setting.inputs, MOST_FACES)
    return {
        "trt_fp16_enable": switch(setting.precision == "fp16"),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(setting.folder),
        # Without a profile it builds for a minute when there are more faces than before.
        "trt_profile_min_shapes": fewest,
        "trt_profile_opt_shapes": fewest,
        "trt_profile_max_shapes": most,
    }


def _tensorrt_rtx_options(setting: Setting) -> dict[str, str]:
    fewest, most = _profile(setting.inputs, 1), _profile(setting.inputs, MOST_FACES)
    return {
        "nv_runtime_cache_path": str(setting.folder),
        "nv_profile_min_shapes": fewest,
        "nv_profile_opt_shapes": fewest,
        "nv_profile_max_shapes": most,
    }


def switch(on: bool) -> str:
    """Returns the text that ONNX Runtime reads as yes or no."""
    return "1" if on else "0"


def _profile(inputs: Sequence[TensorSpec], faces: int) -> str:
    """Returns shapes in the syntax of TensorRT's providers: `warped:1x96x128x3,geometry:1x96x128x4`."""
    shapes = {spec.name: (faces if length is None else length for length in spec.shape) for spec in inputs}
    return ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())


_GPU_WHEEL = "pip uninstall onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]'"

PROVIDERS: Mapping[str, Provider] = {
    "onnx-cuda": Provider(
        title="CUDA",
        execution_provider="CUDAExecutionProvider",
        options=_cuda_options,
        advice=_GPU_WHEEL,
        precisions=("tf32", "fp32"),
        library="onnxruntime_providers_cuda",
        needs_nvidia=True,
    ),
    "onnx-tensorrt-rtx": Provider(
        title="TensorRT for RTX",
        execution_provider="NvTensorRTRTXExecutionProvider",
        options=_tensorrt_rtx_options,
        advice="pip install 'onnxruntime>=1.24' onnxruntime-ep-nv-tensorrt-rtx",
        plugin="onnxruntime_ep_nv_tensorrt_rtx",
        keeps_plans=True,
        needs_nvidia=True,
    ),
    "onnx-tensorrt": Provider(
        title="TensorRT",
        execution_provider="TensorrtExecutionProvider",
        options=_tensorrt_options,
        advice=f"{_GPU_WHEEL} 'tensorrt<11'",
        precisions=("tf32", "fp16"),
        library="onnxruntime_providers_tensorrt",
        keeps_plans=True,
        needs_nvidia=True,
    ),
    "onnx-directml": Provider(
        title="DirectML",
        execution_provider="DmlExecutionProvider",
        options=lambda setting: {},
        advice="pip uninstall onnxruntime, then pip install onnxruntime-directml",
        library="DirectML",
        system="win32",
    ),
    "onnx-coreml": Provider(
        title="Core ML",
        execution_provider="CoreMLExecutionProvider",
        options=lambda setting: {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL"},
        advice="pip install --force-reinstall onnxruntime",
        system="darwin",
        device="GPU and Neural Engine",
    ),
}
"""The providers by their engines' names, in the order in which they are tried."""

SYSTEMS = {"win32": "Windows", "darwin": "macOS"}
"""The names of the systems in Provider.system, for people."""
