"""torch2trt makes plans that the TensorRT engine runs; over a fake of both."""

from __future__ import annotations

import importlib.util
import warnings
from functools import partial

import numpy as np
import pytest

from engines import EngineError, torch2trt
from engines.cache import PlanCache
from engines.onnx_file import UINT8
from engines.tensorrt import TensorRtEngine
from engines.tensorrt_plan import TensorRtOptions
from tests.engines.test_tensorrt import GAIN, pictures, run, tripler
from tests.support.fake_nvidia import NEW, OLD, install, install_torch2trt

torch = pytest.importorskip("torch")


class Tripler(torch.nn.Module):
    """The torch module of `tripler`."""

    def forward(self, picture, gain):
        return picture.float() * gain


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    gpu = install(monkeypatch, tmp_path, OLD)
    install_torch2trt(monkeypatch)
    return gpu


@pytest.fixture(autouse=True)
def older_exporter(monkeypatch):
    """As train.torch2trt_plan has torch use it."""
    monkeypatch.setattr(torch.onnx, "export", partial(torch.onnx.export, dynamo=False))


def build(model: bytes = tripler(), picture: np.ndarray | None = None, module=None):
    picture = pictures(1) if picture is None else picture
    examples = {"picture": torch.from_numpy(picture), "gain": torch.from_numpy(GAIN)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is the older one
        return torch2trt.build(model, module or Tripler(), examples, ["scaled"], opset=18)


def test_the_engine_takes_the_plan_that_torch2trt_has_made_and_says_so(gpu):
    built = build()
    assert built.plan.computes == "fp16 and tf32"
    assert (gpu.strongly_typed, gpu.flags) == (False, {"TF32", "FP16", "GPU_FALLBACK"})
    with TensorRtEngine(tripler()) as engine:
        assert engine.name.endswith("on Fake GPU, fp16 and tf32 by torch2trt")
        assert engine.notes == ()
        for faces in (1, 4, 6):
            np.testing.assert_allclose(run(engine, faces), pictures(faces) * 3, rtol=1e-6)
    assert gpu.builds == 1


def test_bytes_go_into_its_plan_as_float32_and_the_engine_still_takes_bytes(gpu):
    """Its Flattener passes over tensors of bytes, and then lacks them."""
    faces = np.random.default_rng(0).integers(0, 256, (6, 3, 4), np.uint8)
    model = tripler(UINT8)
    build(model, faces[:1])
    with TensorRtEngine(model) as engine:
        assert engine.name.endswith("by torch2trt")
        assert {each.name: each.dtype for each in engine.inputs} == {"picture": np.uint8, "gain": np.float32}
        found = engine.run({"picture": faces, "gain": GAIN})["scaled"]
        with pytest.raises(EngineError, match="'picture' is uint8"):
            engine.run({"picture": faces.astype(np.float32), "gain": GAIN})
    np.testing.assert_allclose(found, faces * 3.0, rtol=1e-6)


def test_without_what_it_needs_it_says_what_to_install(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, OLD)
    install_torch2trt(monkeypatch, surgeon=False)
    real = importlib.util.find_spec
    absent = ("onnx_graphsurgeon",)
    monkeypatch.setattr("engines.torch2trt.find_spec", lambda name: None if name in absent else real(name))
    refusal = "torch2trt lacks what it needs: pip install onnx-graphsurgeon"
    assert torch2trt.probe().detail == refusal
    with pytest.raises(EngineError, match=refusal):
        build()


def test_its_plan_is_not_taken_for_another_model_or_for_full_float32(gpu):
    build()
    with TensorRtEngine(tripler(), TensorRtOptions("fp32")) as engine:
        assert engine.name.endswith("fp32")
    with TensorRtEngine(tripler(shape=("faces", 3, 4, 1))) as engine:
        assert engine.name.endswith("tf32")
    assert gpu.builds == 3


def test_it_is_kept_in_the_same_cache_and_made_once(gpu):
    assert [build().build_s is None for _ in range(2)] == [False, True]
    (plan,) = PlanCache().plans()
    assert plan.meta.key.builder == "torch2trt"
    assert gpu.builds == 1


def test_a_plan_of_its_that_is_damaged_is_left_for_one_from_onnx(gpu):
    build()
    (plan,) = PlanCache().plans()
    (plan.folder / "plan").write_bytes(b"half a pl")
    with TensorRtEngine(tripler()) as engine:
        assert engine.name.endswith("Fake GPU, tf32")


def test_what_it_cannot_convert_is_said_in_one_line(gpu):
    class Broken(torch.nn.Module):
        def forward(self, picture, gain):
            raise RuntimeError("no such\nlayer")

    with pytest.raises(EngineError, match=r"^torch2trt cannot convert the model: no such layer$"):
        build(module=Broken())
    assert PlanCache().plans() == ()


def test_where_tensorrt_refuses_its_network_that_is_said(gpu):
    gpu.build_error = "no memory"
    with pytest.raises(EngineError, match="the model: TensorRT refuses it, for the reason that it gives"):
        build()
    assert PlanCache().plans() == ()


def test_under_tensorrt_11_it_is_refused_in_one_line(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, NEW)
    answer = torch2trt.probe()
    assert not answer.available
    refusal = f"torch2trt cannot be imported under tensorrt {NEW}: pip install 'tensorrt<11' for it"
    assert answer.detail == refusal
    with pytest.raises(EngineError, match="cannot be imported under tensorrt 11"):
        build()


def test_where_it_is_missing_one_is_told_where_to_get_it(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, OLD)
    monkeypatch.setattr("engines.torch2trt.find_spec", lambda name: None)
    answer = torch2trt.probe()
    assert not answer.available
    assert "pip install --no-build-isolation git+https://github.com/NVIDIA-AI-IOT/torch2trt" in answer.detail


def test_without_tensorrt_that_is_what_is_missing(monkeypatch):
    monkeypatch.setattr("engines.tensorrt.find_spec", lambda name: None)
    assert torch2trt.probe().detail.startswith("tensorrt is not installed")
