"""ONNX Runtime on what is no CPU: it computes there, or says so."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import engines
from engines import Availability, EngineError, load_engine, parse_choice
from engines.cache import PlanCache
from engines.onnx_file import model, node, value_info
from engines.providers import PROVIDERS
from reenact.doctor import diagnose
from tests.support.fake_onnxruntime import Fake, install
from tests.support.marks import engine_params

SYSTEM = {"onnx-directml": "win32", "onnx-coreml": "darwin"}
"""Of the engines that are not Linux's."""


@pytest.fixture
def tripler(tmp_path: Path) -> Path:
    path = tmp_path / "tripler.onnx"
    path.write_bytes(
        model(
            nodes=[node("Add", ["picture", "picture"], ["twice"]), node("Add", ["twice", "picture"], ["y"])],
            inputs=[value_info("picture", ("faces", 2, 3))],
            outputs=[value_info("y", ("faces", 2, 3))],
        )
    )
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fake:
    return install(monkeypatch, tmp_path)


ONES = {"picture": np.ones((2, 2, 3), np.float32)}


@pytest.mark.parametrize(
    ("name", "engine", "options"),
    [
        (
            "onnx-cuda",
            "with CUDA on Fake GPU, tf32",
            {"use_tf32": "1", "cudnn_conv_algo_search": "HEURISTIC"},
        ),
        (
            "onnx-cuda:fp32",
            "with CUDA on Fake GPU, fp32",
            {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
        ),
        (
            "onnx-tensorrt",
            "with TensorRT on Fake GPU, tf32",
            {
                "trt_fp16_enable": "0",
                "trt_engine_cache_enable": "1",
                "trt_engine_cache_path": "FOLDER",
                "trt_profile_min_shapes": "picture:1x2x3",
                "trt_profile_opt_shapes": "picture:1x2x3",
                "trt_profile_max_shapes": "picture:20x2x3",
            },
        ),
        (
            "onnx-tensorrt-rtx",
            "with TensorRT for RTX on Fake GPU",
            {
                "nv_runtime_cache_path": "FOLDER",
                "nv_profile_min_shapes": "picture:1x2x3",
                "nv_profile_opt_shapes": "picture:1x2x3",
                "nv_profile_max_shapes": "picture:20x2x3",
            },
        ),
        ("onnx-directml", "with DirectML on GPU", {}),
        (
            "onnx-coreml",
            "with Core ML on GPU and Neural Engine",
            {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL"},
        ),
    ],
)
def test_each_provider_is_opened_alone_with_its_options_and_runs(
    monkeypatch, tmp_path, tripler, capfd, name, engine, options
):
    fake = install(monkeypatch, tmp_path, SYSTEM.get(name, "linux"))
    with load_engine(tripler, name) as opened:
        np.testing.assert_array_equal(opened.run(ONES)["y"], np.full((2, 2, 3), 3))
        assert opened.name.endswith(engine) and opened.notes == ()
    (session,) = fake.opened
    folders = {
        value: "FOLDER" for value in session.provider_options.values() if value.startswith(str(tmp_path))
    }
    assert {key: folders.get(value, value) for key, value in session.provider_options.items()} == options
    assert all(Path(folder).is_dir() for folder in folders)
    assert session.alone and not session.falls_back
    assert fake.on_cpu == 0
    assert capfd.readouterr() == ("", "")


def test_half_precision_is_asked_of_tensorrt_and_kept_apart(fake, tripler):
    for name in ("onnx-tensorrt", "onnx-tensorrt:fp16"):
        load_engine(tripler, name).__exit__(None, None, None)
    usual, half = (session.provider_options for session in fake.opened)
    assert (usual["trt_fp16_enable"], half["trt_fp16_enable"]) == ("0", "1")
    assert usual["trt_engine_cache_path"] != half["trt_engine_cache_path"]


@pytest.mark.parametrize("name", ["onnx-cuda", "onnx-tensorrt-rtx"])
def test_a_provider_that_does_not_start_is_refused_and_not_replaced_by_the_cpu(fake, tripler, name):
    fake.starts = False
    message = rf"tripler\.onnx: {PROVIDERS[name].title} does not start in ONNX Runtime: pip"
    with pytest.raises(EngineError, match=message) as caught:
        load_engine(tripler, name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tells_nodes", "note"),
    [(True, "CUDA leaves 2 of 7 nodes to the CPU"), (False, "CUDA leaves a part of the model to the CPU")],
)
def test_what_a_provider_leaves_to_the_cpu_is_told(fake, tripler, tells_nodes, note):
    fake.left_to_cpu, fake.tells_nodes = 2, tells_nodes
    with load_engine(tripler, "onnx-cuda") as engine:
        assert fake.on_cpu == 0
        assert engine.notes == (note,)
        assert engine.run(ONES)["y"].max() == 3


@pytest.mark.parametrize("run", [0, 1])
def test_a_run_that_fails_is_an_error_and_does_not_go_to_the_cpu(fake, tripler, run):
    fake.failing_run = run  # the first is made when it is opened
    with pytest.raises(EngineError, match="failed to run the model: CUDA failure 2: out of memory"):
        load_engine(tripler, "onnx-cuda").run(ONES)


def test_a_plugin_is_registered_once_however_many_models_are_opened(fake, tripler):
    for _ in range(2):
        load_engine(tripler, "onnx-tensorrt-rtx").__exit__(None, None, None)
    assert fake.registered == ["NvTensorRTRTXExecutionProvider"]


def test_a_plugin_that_finds_no_gpu_says_so(fake, tripler):
    fake.devices = False
    with pytest.raises(EngineError, match="TensorRT for RTX finds no GPU that it can compute on"):
        load_engine(tripler, "onnx-tensorrt-rtx")


def test_libraries_that_promise_a_provider_which_the_module_lacks_are_not_believed(
    fake, tripler, monkeypatch
):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EngineError, match="comes without CUDA: pip uninstall onnxruntime, then"):
        load_engine(tripler, "onnx-cuda")


@pytest.mark.parametrize(
    ("name", "system", "missing", "detail"),
    [
        ("onnx-cuda", "linux", "libonnxruntime_providers_cuda.so", "comes without CUDA: pip"),
        ("onnx-tensorrt", "linux", "libonnxruntime_providers_tensorrt.so", "comes without TensorRT: pip"),
        ("onnx-directml", "win32", "DirectML.dll", "comes without DirectML: pip"),
        ("onnx-directml", "linux", None, "DirectML is a part of Windows"),
        ("onnx-coreml", "win32", None, "Core ML is a part of macOS"),
    ],
)
def test_what_is_not_here_is_known_without_an_import_and_nothing_to_worry_about(
    monkeypatch, tmp_path, name, system, missing, detail
):
    fake = install(monkeypatch, tmp_path, system)
    if missing:
        (fake.folder / missing).unlink()
    answer = engines.probe(name)
    assert detail in answer.detail
    assert not answer.available and not answer.expected


def test_what_is_here_is_told_with_its_gpu(fake):
    answer = engines.probe("onnx-cuda")
    assert answer.available and answer.device == "Fake GPU"
    assert re.fullmatch(r"onnxruntime \S+ with CUDA", answer.detail)


def test_without_an_nvidia_gpu_its_providers_are_not_here(fake, monkeypatch):
    nothing = Availability(False, "there is no NVIDIA GPU here", expected=False)
    monkeypatch.setattr("engines.cuda.probe_gpu", lambda: nothing)
    names = [name for name, provider in PROVIDERS.items() if provider.needs_nvidia]
    assert names == ["onnx-cuda", "onnx-tensorrt-rtx", "onnx-tensorrt"]
    assert [engines.probe(name) for name in names] == [nothing] * 3


def test_auto_prefers_a_gpu_to_the_cpu_and_tells_why_it_did_without(fake, tripler, monkeypatch):
    missing = Availability(False, "tensorrt is not installed", expected=False)
    monkeypatch.setattr("engines.tensorrt.probe", lambda: missing)
    with load_engine(tripler) as engine:
        assert "with CUDA on Fake GPU" in engine.name
    fake.starts = False
    with load_engine(tripler) as engine:
        assert engine.name.startswith(("openvino", "onnxruntime")) and " on CPU" in engine.name
        assert "CUDA does not start in ONNX Runtime" in engine.notes[0]


def test_engines_are_tried_in_the_order_of_their_speed():
    assert engines.NAMES[0] == "tensorrt" and engines.NAMES[-2:] == ("openvino", "onnx")
    assert engines.NAMES[1:-2] == tuple(PROVIDERS)


@pytest.mark.parametrize("name", ["onnx-directml", "onnx-coreml", "onnx-tensorrt-rtx"])
def test_where_there_is_no_precision_to_choose_one_is_told_so(name):
    assert str(parse_choice(name)) == name
    with pytest.raises(EngineError, match="it has no choice of precision; leave it out"):
        parse_choice(f"{name}:fp16")


def test_what_tensorrt_keeps_for_onnx_runtime_is_removed_with_the_plans(fake, tripler):
    load_engine(tripler, "onnx-tensorrt").__exit__(None, None, None)
    folder = Path(fake.opened[0].provider_options["trt_engine_cache_path"])
    assert folder.is_dir()
    assert PlanCache().clear() == ()
    assert not folder.exists()


def test_a_cache_that_cannot_be_written_stops_nobody(fake, tripler, tmp_path):
    (tmp_path / "engines").write_text("in the way")
    with load_engine(tripler, "onnx-tensorrt") as engine:
        assert engine.run(ONES)["y"].max() == 3


def test_doctor_speaks_of_no_engine_that_nobody_would_expect(monkeypatch):
    nothing = Availability(False, "there is no NVIDIA GPU here", expected=False)
    monkeypatch.setattr("engines.cuda.probe_gpu", lambda: nothing)
    monkeypatch.setattr("engines.onnx.sys.platform", "linux")
    assert list(diagnose.engines_of_interest()) == ["tensorrt", "openvino", "onnx"]


@pytest.mark.parametrize("name", engine_params(PROVIDERS))
def test_a_real_provider_agrees_with_the_cpu(tripler, name):
    answer = engines.probe(name)
    if not answer.available:
        pytest.skip(answer.detail)
    with load_engine(tripler, name) as engine:
        np.testing.assert_allclose(engine.run(ONES)["y"], 3, rtol=1e-3)
