"""ONNX Runtime with execution providers that this machine has not: the real one, whose sessions compute on
the CPU and say that they do not.

It is as strict as the real one about names and options, and as lenient: a provider that does not start is
left out without an error, and the session's own fall-back goes to the CPU unless it is switched off.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import onnxruntime
import pytest

from engines import Availability

OPTIONS = {
    "CUDAExecutionProvider": {
        *("device_id", "use_tf32", "cudnn_conv_algo_search", "cudnn_conv_use_max_workspace"),
        *("prefer_nhwc", "enable_cuda_graph", "gpu_mem_limit", "arena_extend_strategy"),
    },
    "TensorrtExecutionProvider": {
        *("device_id", "trt_fp16_enable", "trt_bf16_enable", "trt_engine_cache_enable"),
        *("trt_engine_cache_path", "trt_timing_cache_enable", "trt_cuda_graph_enable"),
        *("trt_profile_min_shapes", "trt_profile_opt_shapes", "trt_profile_max_shapes"),
    },
    "NvTensorRTRTXExecutionProvider": {
        *("device_id", "enable_cuda_graph", "nv_runtime_cache_path", "nv_multi_profile_enable"),
        *("nv_profile_min_shapes", "nv_profile_opt_shapes", "nv_profile_max_shapes"),
    },
    "DmlExecutionProvider": {"device_id", "performance_preference", "device_filter", "disable_metacommands"},
    "CoreMLExecutionProvider": {
        *("ModelFormat", "MLComputeUnits", "RequireStaticInputShapes", "EnableOnSubgraphs"),
        *("SpecializationStrategy", "ModelCacheDirectory", "AllowLowPrecisionAccumulationOnGPU"),
    },
}
"""Those that each provider knows, as far as they concern us."""

PLUGIN = "NvTensorRTRTXExecutionProvider"
LIBRARIES = (
    "libonnxruntime_providers_cuda.so",
    "libonnxruntime_providers_tensorrt.so",
    "DirectML.dll",
)


@dataclass
class Fake:
    """What tests look at and break."""

    folder: Path
    """Of the runtime's libraries."""
    starts: bool = True
    """Whether providers find what they need."""
    left_to_cpu: int = 0
    """Nodes that no provider knows."""
    tells_nodes: bool = True
    """False: as before 1.24."""
    failing_run: int | None = None
    """The number of the run, from 0, that fails."""
    devices: bool = True
    """Whether the plug-in finds a GPU."""
    registered: list[str] = field(default_factory=list)
    opened: list[Session] = field(default_factory=list)
    """Sessions with a provider, not those on the CPU."""
    on_cpu: int = 0
    """How many sessions were opened on the CPU alone."""


class SessionOptions(onnxruntime.SessionOptions):
    appended: tuple[str, dict[str, str]] | None = None

    def add_provider_for_devices(self, devices: Sequence[Any], options: dict[str, str]) -> None:
        if not devices:
            raise RuntimeError("Must provide one or more OrtEpDevice instances.")
        (name,) = {device.ep_name for device in devices}
        self.appended = name, options


class Session:
    """An InferenceSession. Its class says on which the work is."""

    def __init__(
        self,
        fake: Fake,
        model: bytes,
        options: SessionOptions,
        name: str,
        provider_options: dict[str, str],
        enable_fallback: bool,
    ) -> None:
        unknown = set(provider_options) - OPTIONS[name]
        assert not unknown, f"{name} knows no {unknown}"
        assert all(isinstance(value, str) for value in provider_options.values())
        if name == "DmlExecutionProvider":
            assert not options.enable_mem_pattern, "DirectML refuses memory patterns"
        self.options, self.provider_options = options, provider_options
        self.falls_back = enable_fallback
        self.alone = options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
        self._fake, self._runs = fake, 0
        if self.alone and (fake.left_to_cpu or not fake.starts):
            raise RuntimeError("This session contains graph nodes that are assigned to the default CPU EP")
        plain = onnxruntime.SessionOptions()
        plain.log_severity_level = 4
        self._real = onnxruntime.InferenceSession(model, plain, providers=["CPUExecutionProvider"])
        self._providers = [name] if fake.starts else []
        if fake.tells_nodes:
            self.get_provider_graph_assignment_info = self._assignment
        fake.opened.append(self)

    def get_providers(self) -> list[str]:
        return [*self._providers, "CPUExecutionProvider"]

    def _assignment(self) -> list[Any]:
        if self.options.get_session_config_entry("session.record_ep_graph_assignment_info") != "1":
            raise RuntimeError("Session configuration entry must be set to 1 to retrieve the assignment")
        counts = {self._providers[0]: 5, "CPUExecutionProvider": self._fake.left_to_cpu}
        return [
            SimpleNamespace(ep_name=name, get_nodes=lambda count=count: ["node"] * count)
            for name, count in counts.items()
        ]

    def disable_fallback(self) -> None:
        self.falls_back = False

    def run(self, names: list[str], inputs: dict[str, Any]) -> list[Any]:
        number, self._runs = self._runs, self._runs + 1
        if number == self._fake.failing_run and not self.falls_back:
            raise RuntimeError("CUDA failure 2: out of memory")
        return self._real.run(names, inputs)


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, system: str = "linux") -> Fake:
    """Puts the fake where engines import it, with an NVIDIA GPU; libraries and plans lie under `folder`."""
    fake = Fake(folder / "capi")
    fake.folder.mkdir()
    for library in LIBRARIES:
        (fake.folder / library).touch()
    module = ModuleType("onnxruntime")
    module.__dict__.update(onnxruntime.__dict__)
    module.__dict__.update(_functions(fake))
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    plugin = ModuleType("onnxruntime_ep_nv_tensorrt_rtx")
    plugin.__spec__ = SimpleNamespace(name=plugin.__name__)
    plugin.get_ep_name, plugin.get_library_path = lambda: PLUGIN, lambda: "libplugin.so"
    monkeypatch.setitem(sys.modules, plugin.__name__, plugin)
    monkeypatch.setattr("engines.onnx.wheel_folder", lambda: fake.folder)
    monkeypatch.setattr("engines.onnx.sys", SimpleNamespace(platform=system))
    monkeypatch.setattr("engines.cuda.probe_gpu", lambda: Availability(True, "driver", "Fake GPU"))
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder)
    return fake


def _functions(fake: Fake) -> dict[str, Any]:
    def inference_session(model, options, providers=None, enable_fallback=1):
        assert isinstance(model, bytes)
        assert providers is None or options.appended is None, (
            "only the providers would be used, not the device"
        )
        if providers == ["CPUExecutionProvider"]:
            fake.on_cpu += 1
            return onnxruntime.InferenceSession(model, options, providers=providers)
        chosen = options.appended if providers is None else providers[0]
        return Session(fake, model, options, *chosen, enable_fallback=bool(enable_fallback))

    def register(name: str, library: str) -> None:
        assert name not in fake.registered, f"{name} is already registered"
        fake.registered.append(name)

    def ep_devices() -> list[Any]:
        found = fake.registered if fake.devices else []
        return [SimpleNamespace(ep_name="CPUExecutionProvider"), *(SimpleNamespace(ep_name=n) for n in found)]

    return {
        "InferenceSession": inference_session,
        "SessionOptions": SessionOptions,
        "get_available_providers": lambda: [name for name in OPTIONS if name != PLUGIN],
        "preload_dlls": lambda: print("Failed to load libcudnn.so.9"),
        "register_execution_provider_library": register,
        "get_ep_devices": ep_devices,
    }
