"""The TensorRT engine: over a GPU that is fake, and over a real one where there is one."""

from __future__ import annotations

import ctypes
import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import engines
from engines import Availability, EngineError, cuda, load_engine, onnx_file
from engines.cache import PlanCache
from engines.tensorrt import TensorRtEngine
from engines.tensorrt_plan import TensorRtOptions
from tests.support.fake_nvidia import NEW, OLD, Gpu, install

PICTURES = ("faces", 3, 4)
GAIN = np.array([3], np.float32)

needs_gpu = pytest.mark.skipif(
    not engines.probe("tensorrt").available, reason=engines.probe("tensorrt").detail
)


def tripler(input_dtype: int = onnx_file.FLOAT, reader: str = "Cast", shape: tuple = PICTURES) -> bytes:
    """scaled = picture * gain, in float32."""
    casts = {"to": onnx_file.FLOAT} if reader == "Cast" else {}
    return onnx_file.model(
        nodes=[
            onnx_file.node(reader, ["picture"], ["read"], **casts),
            onnx_file.node("Cast", ["read"], ["seen"], to=onnx_file.FLOAT),
            onnx_file.node("Mul", ["seen", "gain"], ["scaled"]),
        ],
        inputs=[
            onnx_file.value_info("picture", shape, input_dtype),
            onnx_file.value_info("gain", (1,)),
        ],
        outputs=[onnx_file.value_info("scaled", shape)],
    )


def multiplier(dtype: int) -> bytes:
    """product = left @ right, multiplied in `dtype`, on the outside float32."""
    square = ("faces", 4, 4)
    return onnx_file.model(
        nodes=[
            onnx_file.node("Cast", ["left"], ["l"], to=dtype),
            onnx_file.node("Cast", ["right"], ["r"], to=dtype),
            onnx_file.node("MatMul", ["l", "r"], ["p"]),
            onnx_file.node("Cast", ["p"], ["product"], to=onnx_file.FLOAT),
        ],
        inputs=[onnx_file.value_info("left", square), onnx_file.value_info("right", square)],
        outputs=[onnx_file.value_info("product", square)],
    )


def pictures(faces: int) -> np.ndarray:
    return np.random.default_rng(faces).random((faces, 3, 4), np.float32)


def run(engine: TensorRtEngine, faces: int) -> np.ndarray:
    return engine.run({"picture": pictures(faces), "gain": GAIN})["scaled"]


@pytest.fixture(params=[OLD, NEW], ids=["10", "11"])
def gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Gpu:
    return install(monkeypatch, tmp_path, request.param)


# ---- Running -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faces", [0, 1, 3, 4, 5, 9])
def test_any_number_of_faces_is_run_in_parts_of_four(gpu, faces):
    with TensorRtEngine(tripler()) as engine:
        gpu.launches.clear()
        np.testing.assert_allclose(run(engine, faces), pictures(faces) * 3, rtol=1e-6)
    assert gpu.launches == ({"graph": -(-faces // 4)} if faces else {})


def test_each_batch_size_is_captured_once_in_a_context_of_its_own_after_a_run_to_warm_up(gpu):
    with TensorRtEngine(tripler()) as engine:
        assert len(gpu.contexts) == 4
        assert gpu.launches == {"context": 8}  # one to warm up and one to be captured, for 1 to 4 faces
        for faces in (1, 2, 1, 4):
            run(engine, faces)
        assert gpu.launches == {"context": 8, "graph": 4}
        assert engine.notes == ("built for Fake GPU in 0 s",)


def test_outputs_are_the_callers_to_keep(gpu):
    with TensorRtEngine(tripler()) as engine:
        first = run(engine, 2)
        run(engine, 4)
    np.testing.assert_allclose(first, pictures(2) * 3, rtol=1e-6)


def test_leaving_gives_back_all_that_was_taken(gpu):
    with TensorRtEngine(tripler()) as engine:
        run(engine, 4)
        assert gpu.leaks()
    assert gpu.leaks() == []


def test_a_model_for_one_picture_at_a_time_has_one_graph(gpu):
    with TensorRtEngine(tripler(shape=(1, 3, 4))) as engine:
        assert len(gpu.contexts) == 1
        np.testing.assert_allclose(run(engine, 1), pictures(1) * 3, rtol=1e-6)


def test_inputs_with_different_numbers_of_faces_are_refused(gpu):
    square = np.ones((2, 4, 4), np.float32)
    with (
        TensorRtEngine(multiplier(onnx_file.FLOAT)) as engine,
        pytest.raises(EngineError, match="the same number of faces, but there are 2 in 'left', 1 in 'right'"),
    ):
        engine.run({"left": square, "right": square[:1]})


def test_a_model_that_cannot_be_captured_runs_without_graphs_and_says_so(gpu):
    gpu.capturable = False
    with TensorRtEngine(tripler()) as engine:
        np.testing.assert_allclose(run(engine, 3), pictures(3) * 3, rtol=1e-6)
        (note,) = (note for note in engine.notes if "CUDA graphs" in note)
        assert note.endswith("failed to run the model: operation not permitted when stream is capturing")
    assert gpu.launches["graph"] == 0
    assert gpu.leaks() == []


@pytest.mark.parametrize(
    "function",
    [
        "cudaGetDeviceProperties",
        "cudaStreamCreateWithFlags",
        "cudaEventCreateWithFlags",
        "cudaMalloc",
        "cudaMallocHost",
        "cudaMemcpyAsync",
        "cudaEventSynchronize",
        "create_execution_context",
    ],
)
def test_whatever_fails_while_opening_is_named_in_one_line_and_nothing_stays_open(gpu, function):
    gpu.fails[function] = "cudaErrorMemoryAllocation"
    try:
        TensorRtEngine(tripler())
    except EngineError as error:
        message = str(error)  # not the error itself, whose traceback holds on to what it passed through
    assert re.search(f"{function} failed: cudaErrorMemoryAllocation; the GPU|no memory left", message)
    assert "\n" not in message
    assert gpu.leaks() == []


def test_a_failure_while_running_is_named(gpu):
    with TensorRtEngine(tripler()) as engine:
        gpu.fails["cudaGraphLaunch"] = "cudaErrorIllegalAddress"
        with pytest.raises(EngineError, match=r"^cudaGraphLaunch failed: cudaErrorIllegalAddress$"):
            run(engine, 1)


def test_a_driver_that_is_too_old_is_said_with_what_helps(gpu):
    gpu.fails["cudaGetDeviceProperties"] = "cudaErrorInsufficientDriver"
    with pytest.raises(EngineError, match="update NVIDIA's driver, or pip install 'cuda-bindings<13'"):
        TensorRtEngine(tripler())


# ---- Building ----------------------------------------------------------------------------------------------


def test_types_are_the_models_own_and_no_precision_is_chosen_by_the_builder(gpu):
    with TensorRtEngine(multiplier(onnx_file.HALF)) as engine:
        assert engine.name.endswith("on Fake GPU, fp16")
        assert engine.inputs[0].dtype == np.float32
    assert gpu.strongly_typed
    assert gpu.flags == {"TF32"}


def test_float32_is_multiplied_as_tf32_unless_that_is_forbidden(gpu):
    for precision in ("tf32", "fp32"):
        with TensorRtEngine(multiplier(onnx_file.FLOAT), TensorRtOptions(precision)) as engine:
            assert engine.name.endswith(precision)
        assert ("TF32" in gpu.flags) == (precision == "tf32")
    assert gpu.builds == 2


def test_bytes_are_taken_where_the_model_casts_them_first_and_refused_where_it_does_not(gpu):
    """TensorRT takes uint8 into a cast and nowhere else."""
    with TensorRtEngine(tripler(onnx_file.UINT8)) as engine:
        assert engine.inputs[0].dtype == np.uint8
        picture = np.full((2, 3, 4), 7, np.uint8)
        assert (engine.run({"picture": picture, "gain": GAIN})["scaled"] == 21).all()
    with pytest.raises(EngineError, match="cannot read the model: UINT8 input picture"):
        TensorRtEngine(tripler(onnx_file.UINT8, "Transpose"))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"not a model", "cannot load the model: it is not an ONNX model"),
        (tripler()[:-60], "cannot load the model: it is not an ONNX model, or is damaged"),
        (tripler(shape=("faces", "height", 4)), r"'picture' has no fixed size but \(-1, -1, 4\)"),
    ],
)
def test_a_model_that_cannot_be_built_is_refused_in_one_line(gpu, model, message):
    with pytest.raises(EngineError, match=message) as caught:
        TensorRtEngine(model)
    assert "\n" not in str(caught.value)


def test_why_a_build_fails_is_told_in_tensorrts_words(gpu):
    gpu.build_error = "[myelin]:\n  no kernel\tfits"
    with pytest.raises(EngineError, match=r"cannot build the model: \[myelin\]: no kernel fits$"):
        TensorRtEngine(tripler())


@pytest.mark.parametrize(
    ("kind", "does"), [("Builder", "build"), ("OnnxParser", "build"), ("Runtime", "load")]
)
def test_a_tensorrt_that_makes_no_object_is_told_in_its_own_words(gpu, kind, does):
    """Of such a failure Python is told no more than that a factory returned nothing."""
    gpu.fails[kind] = "cudaErrorInsufficientDriver"
    with pytest.raises(
        EngineError, match=f"cannot {does} the model: CUDA initialization failure with error: 35"
    ):
        TensorRtEngine(tripler())


# ---- Plans that are kept -----------------------------------------------------------------------------------


def test_the_second_opening_takes_the_plan_of_the_first(gpu):
    for _ in range(2):
        with TensorRtEngine(tripler()) as engine:
            np.testing.assert_allclose(run(engine, 1), pictures(1) * 3, rtol=1e-6)
    assert engine.notes == ()
    assert gpu.builds == 1


def test_another_model_precision_or_gpu_is_another_plan(gpu):
    TensorRtEngine(tripler()).__exit__(None, None, None)
    TensorRtEngine(multiplier(onnx_file.FLOAT)).__exit__(None, None, None)
    TensorRtEngine(tripler(), TensorRtOptions("fp32")).__exit__(None, None, None)
    gpu.name = "Another GPU"
    TensorRtEngine(tripler()).__exit__(None, None, None)
    assert gpu.builds == len(PlanCache().plans()) == 4


def test_a_plan_that_this_tensorrt_refuses_is_built_again(gpu):
    TensorRtEngine(tripler()).__exit__(None, None, None)
    gpu.plans_are_foreign = True
    with TensorRtEngine(tripler()) as engine:
        np.testing.assert_allclose(run(engine, 1), pictures(1) * 3, rtol=1e-6)
    assert gpu.builds == 2
    assert len(PlanCache().plans()) == 1


def test_without_a_folder_to_keep_plans_in_it_runs_and_says_so(gpu, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with TensorRtEngine(tripler(), cache=PlanCache(tmp_path / "file" / "engines")) as engine:
        np.testing.assert_allclose(run(engine, 1), pictures(1) * 3, rtol=1e-6)
        assert any("cannot be kept in" in note for note in engine.notes)


# ---- Being chosen ------------------------------------------------------------------------------------------


def test_auto_takes_a_gpu_where_there_is_one(gpu, tmp_path):
    model = tmp_path / "tripler.onnx"
    model.write_bytes(tripler())
    with load_engine(model) as engine:
        assert engine.name == f"tensorrt {engines.probe('tensorrt').detail.split()[1]} on Fake GPU, tf32"


def test_auto_is_loud_when_tensorrt_is_there_and_refuses(gpu, tmp_path):
    model = tmp_path / "tripler.onnx"
    model.write_bytes(tripler())
    gpu.build_error = "out of luck"
    with load_engine(model) as engine:
        assert not engine.name.startswith("tensorrt")
        assert "TensorRT cannot build the model: out of luck;" in engine.notes[0]
    with pytest.raises(EngineError, match="out of luck"):
        load_engine(model, "tensorrt")


@pytest.mark.parametrize("version", ["10.3.0", "8.6.1"])
def test_an_old_tensorrt_is_refused_with_what_would_be_right(gpu, monkeypatch, version):
    monkeypatch.setattr("engines.tensorrt.installed_version", lambda: version)
    answer = engines.probe("tensorrt")
    assert answer == Availability(False, f"tensorrt {version} is too old: pip install 'tensorrt>=10.12'")


def test_tensorrt_without_a_gpu_is_nothing_that_one_need_be_told(gpu, monkeypatch):
    nothing = Availability(False, "there is no NVIDIA GPU here", expected=False)
    monkeypatch.setattr("engines.cuda.probe", lambda: nothing)
    assert engines.probe("tensorrt") == nothing


def test_tensorrt_that_is_not_installed_is_nothing_that_one_need_be_told(monkeypatch):
    monkeypatch.setattr("engines.tensorrt.find_spec", lambda name: None)
    answer = engines.probe("tensorrt")
    assert not answer.available and not answer.expected
    assert "pip install 'reenact[tensorrt]'" in answer.detail


# ---- The driver --------------------------------------------------------------------------------------------


class FakeDriver:
    def __init__(self, error: int) -> None:
        self.cuInit = lambda flags: error

    def cuDeviceGet(self, device, index):
        return 0

    def cuDeviceGetName(self, name, length, device):
        name.value = b"NVIDIA Test"
        return 0


@pytest.mark.parametrize(
    ("error", "detail", "expected"),
    [(100, "there is no NVIDIA GPU here", False), (803, r"driver does not start \(CUDA error 803\)", True)],
)
def test_a_driver_without_a_gpu_is_silent_and_a_broken_one_is_not(monkeypatch, error, detail, expected):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeDriver(error))
    answer = cuda.probe()
    assert not answer.available
    assert answer.expected == expected
    assert re.search(detail, answer.detail)


def test_a_gpu_without_cuda_bindings_says_what_to_install_and_with_them_its_name(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeDriver(0))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "13.5.0")
    assert cuda.probe() == Availability(True, "cuda-bindings 13.5.0", device="NVIDIA Test")

    def missing(name):
        raise cuda.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    assert cuda.probe() == Availability(False, "cuda-bindings is not installed: pip install cuda-bindings")


def test_an_error_code_becomes_the_names_of_the_call_and_of_the_error():
    def cudaMalloc(size):
        return SimpleNamespace(value=2, name="cudaErrorMemoryAllocation"), None

    with pytest.raises(EngineError, match="cudaMalloc failed: cudaErrorMemoryAllocation; the GPU's memory"):
        cuda.call(cudaMalloc, 10)


@pytest.mark.parametrize(
    "raised", [ValueError("12345 is not a valid cudaError_t"), RuntimeError('Function "cuMalloc" not found')]
)
def test_what_the_bindings_raise_instead_of_returning_it_is_named_as_well(raised):
    """cuda-bindings does so for an error that it does not know, and for a function that the driver lacks."""

    def cudaMalloc(size):
        raise raised

    with pytest.raises(EngineError, match=f"^cudaMalloc failed: {re.escape(str(raised))}$"):
        cuda.call(cudaMalloc, 10)


@pytest.mark.skipif(
    importlib.util.find_spec("cuda") is None,
    reason="cuda-bindings is not installed: pip install cuda-bindings",
)
@pytest.mark.skipif(cuda.probe().available, reason="there is a GPU here, so nothing fails")
def test_the_real_bindings_answer_in_the_shape_that_is_expected():
    runtime = cuda.import_runtime()
    for open_it in (
        lambda: cuda.open_stream(runtime),
        lambda: cuda.open_event(runtime),
        lambda: cuda.device_memory(runtime, 16),
        lambda: cuda.pinned_array(runtime, (2, 2), np.dtype(np.float32)),
    ):
        with pytest.raises(EngineError, match=r"^cuda\w+ failed: cudaError\w+"), open_it():
            pass


# ---- A real GPU --------------------------------------------------------------------------------------------


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", [onnx_file.FLOAT, onnx_file.HALF])
def test_a_real_gpu_gives_what_onnx_runtime_gives_for_any_number_of_faces(tmp_path, dtype):
    model = tmp_path / "model.onnx"
    model.write_bytes(multiplier(dtype))
    random = np.random.default_rng(1)
    with (
        TensorRtEngine(model.read_bytes(), cache=PlanCache(tmp_path)) as engine,
        load_engine(model, "onnx") as cpu,
    ):
        assert not any("CUDA graphs" in note for note in engine.notes)
        for faces in (1, 2, 3, 4, 7, 1):
            inputs = {name: random.random((faces, 4, 4), np.float32) for name in ("left", "right")}
            expected, found = cpu.run(inputs)["product"], engine.run(inputs)["product"]
            np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.gpu
@needs_gpu
def test_a_real_gpu_takes_bytes_and_opens_a_kept_plan_without_building(tmp_path):
    model, cache = tripler(onnx_file.UINT8), PlanCache(tmp_path)
    picture = np.random.default_rng(2).integers(0, 256, (3, 3, 4), np.uint8)
    for _ in range(2):
        with TensorRtEngine(model, cache=cache) as engine:
            scaled = engine.run({"picture": picture, "gain": GAIN})["scaled"]
            np.testing.assert_allclose(scaled, picture * np.float32(3))
    assert engine.notes == ()


@pytest.mark.gpu
@needs_gpu
def test_a_real_gpu_multiplies_in_full_float32_when_asked(tmp_path):
    random = np.random.default_rng(3)
    left, right = (random.random((4, 4, 4), np.float32) for _ in range(2))
    options = TensorRtOptions("fp32")
    with TensorRtEngine(multiplier(onnx_file.FLOAT), options, cache=PlanCache(tmp_path)) as engine:
        np.testing.assert_allclose(
            engine.run({"left": left, "right": right})["product"], left @ right, atol=1e-5
        )
