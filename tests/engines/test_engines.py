import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import engines
from engines import (
    Availability,
    ChoiceError,
    Engine,
    EngineError,
    TensorSpec,
    load_engine,
    onnx_file,
    parse_choice,
)
from engines.cache import PlanCache
from engines.openvino import OpenVinoEngine, OpenVinoOptions, choose_precision, shared_core
from engines.threads import thread_count
from tests.support import fake_nvidia, fake_onnxruntime
from tests.support.marks import engine_params

FACES_3X4 = ("faces", 3, 4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scaled = picture * gain, shifted = scaled + picture."""
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(
        onnx_file.model(
            nodes=[
                onnx_file.node("Mul", ["picture", "gain"], ["scaled"]),
                onnx_file.node("Add", ["scaled", "picture"], ["shifted"]),
            ],
            inputs=[onnx_file.value_info("picture", FACES_3X4), onnx_file.value_info("gain", (1,))],
            outputs=[onnx_file.value_info("scaled", FACES_3X4), onnx_file.value_info("shifted", FACES_3X4)],
        )
    )
    return path


FAKES = {
    "tensorrt 10, fake": partial(fake_nvidia.install, version=fake_nvidia.OLD),
    "tensorrt 11, fake": partial(fake_nvidia.install, version=fake_nvidia.NEW),
    "onnx-cuda fake": fake_onnxruntime.install,
    "onnx-tensorrt-rtx fake": fake_onnxruntime.install,
}


@pytest.fixture(params=[*engine_params(engines.NAMES), *FAKES])
def engine(
    request: pytest.FixtureRequest, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Engine]:
    """Every runtime that is installed: what follows is the contract between them and the frame loop."""
    name, *fake = request.param.split()
    if fake:
        FAKES[request.param](monkeypatch, tmp_path)
    availability = engines.probe(name)
    if not availability.available:
        pytest.skip(availability.detail)
    with load_engine(model, name) as engine:
        yield engine


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Availability(False, "there is no NVIDIA GPU here", expected=False)
    monkeypatch.setattr("engines.cuda.probe_gpu", lambda: answer)
    monkeypatch.setattr("engines.tensorrt.probe", lambda: answer)


def picture(faces: int) -> np.ndarray:
    return np.random.default_rng(1).random((faces, 3, 4), np.float32)


GAIN = np.array([3], np.float32)

needs_openvino = pytest.mark.skipif(
    not engines.probe("openvino").available, reason="openvino is not installed"
)


def refuse():
    raise EngineError("OpenVINO cannot be imported: no such file")


def runtime_without_cpu():
    def core():
        raise RuntimeError("Exception from core.cpp:1:\nno plugin for CPU\n\n")

    return SimpleNamespace(Core=core)


def test_names_shapes_and_dtypes_are_those_of_the_model(engine):
    float32 = np.dtype(np.float32)
    assert engine.inputs == (
        TensorSpec("picture", (None, 3, 4), float32),
        TensorSpec("gain", (1,), float32),
    )
    assert [(spec.name, spec.shape) for spec in engine.outputs] == [
        ("scaled", (None, 3, 4)),
        ("shifted", (None, 3, 4)),
    ]


@pytest.mark.parametrize("faces", [1, 3])
def test_outputs_come_by_name_for_any_number_of_faces(engine, faces):
    outputs = engine.run({"picture": picture(faces), "gain": GAIN})
    assert set(outputs) == {"scaled", "shifted"}
    np.testing.assert_allclose(outputs["scaled"], picture(faces) * 3, rtol=1e-6)
    np.testing.assert_allclose(outputs["shifted"], picture(faces) * 4, rtol=1e-6)
    assert outputs["scaled"].dtype == np.float32


def test_inputs_may_be_views_that_are_not_contiguous(engine):
    wide = np.random.default_rng(2).random((2, 4, 3), np.float32)
    outputs = engine.run({"picture": wide.transpose(0, 2, 1), "gain": GAIN})
    np.testing.assert_allclose(outputs["scaled"], wide.transpose(0, 2, 1) * 3, rtol=1e-6)


def test_inputs_are_left_as_they_are_and_results_outlive_the_next_run(engine):
    first = picture(1)
    kept = engine.run({"picture": first, "gain": GAIN})["scaled"]
    engine.run({"picture": np.zeros_like(first), "gain": GAIN})
    np.testing.assert_array_equal(first, picture(1))
    np.testing.assert_allclose(kept, first * 3, rtol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"picture": np.zeros((1, 3, 5), np.float32)}, r"'picture' is float32 \(any, 3, 4\).*\(1, 3, 5\)"),
        ({"picture": np.zeros((3, 4), np.float32)}, r"given float32 \(3, 4\)"),
        ({"picture": np.zeros((1, 3, 4))}, r"given float64 \(1, 3, 4\)"),
        ({"surplus": GAIN}, "takes gain, picture, but was given gain, picture, surplus"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_with_both_shapes(engine, wrong, message):
    with pytest.raises(EngineError, match=message):
        engine.run({"picture": picture(1), "gain": GAIN, **wrong})


def test_a_missing_input_is_named(engine):
    with pytest.raises(EngineError, match="takes gain, picture, but was given gain"):
        engine.run({"gain": GAIN})


@needs_openvino
@pytest.mark.usefixtures("no_gpu")
def test_auto_takes_the_fastest_runtime_and_does_not_complain_that_there_is_no_gpu(model):
    with load_engine(model) as engine:
        assert engine.name.startswith("openvino")
        assert engine.notes == ()


@pytest.mark.parametrize(
    ("broken", "value", "reason"),
    [
        ("engines.openvino.probe", lambda: Availability(False, "openvino is not installed"), "not installed"),
        ("engines.openvino.import_runtime", refuse, "OpenVINO cannot be imported"),
        ("engines.openvino.import_runtime", runtime_without_cpu, "OpenVINO cannot load .*no plugin"),
    ],
)
@pytest.mark.usefixtures("no_gpu")
def test_auto_falls_back_to_the_next_runtime_and_notes_why(monkeypatch, model, broken, value, reason):
    monkeypatch.setattr(broken, value)
    monkeypatch.setattr("engines.openvino.shared_core", shared_core.__wrapped__)  # as in a fresh process
    with load_engine(model) as engine:
        assert engine.name.startswith("onnxruntime")
        (note,) = engine.notes
    assert re.search(f"{reason}.*onnx works in its place", note)
    with pytest.raises(EngineError, match=reason):
        load_engine(model, "openvino")


def test_the_right_hash_opens_the_model_and_a_wrong_one_is_refused_in_one_line(model):
    right = hashlib.sha256(model.read_bytes()).hexdigest()
    with load_engine(model, sha256=right.upper()) as engine:
        assert engine.inputs
    with pytest.raises(EngineError, match="is not the model it should be") as caught:
        load_engine(model, sha256="0" * 64)
    assert str(model) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["auto", *engines.NAMES])
@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08"])
def test_a_broken_model_is_refused_in_one_line_that_names_it(tmp_path, content, name):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    with pytest.raises(EngineError, match=r"broken\.onnx: ") as caught:
        load_engine(broken, name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["auto", *engines.NAMES])
def test_a_truncated_model_is_refused(model, tmp_path, name):
    truncated = tmp_path / "truncated.onnx"
    truncated.write_bytes(model.read_bytes()[:-30])
    with pytest.raises(EngineError, match=r"truncated\.onnx"):
        load_engine(truncated, name)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(EngineError, match=r"cannot read the model .*nowhere\.onnx: No such file"):
        load_engine(tmp_path / "nowhere.onnx")


def test_an_unknown_engine_is_refused_with_those_there_are(model):
    with pytest.raises(
        EngineError, match=r"no engine is called 'gpu'; choose from auto, tensorrt, .*openvino, onnx"
    ):
        load_engine(model, "gpu")


@pytest.mark.parametrize("name", [*engines.NAMES, "auto"])
def test_a_runtime_that_is_not_there_says_why(monkeypatch, model, name):
    monkeypatch.setattr("engines.probe", lambda name: Availability(False, f"no {name}: pip install it"))
    with pytest.raises(EngineError, match=f"no {'onnx' if name == 'auto' else name}: pip install it"):
        load_engine(model, name)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("openvino:int4", "openvino cannot be asked for 'int4': it computes in fp32 or bf16"),
        ("onnx:", "onnx cannot be asked for '': it computes in fp32"),
        ("tensorrt:fp16", "it computes in tf32 or fp32; halves are in the model itself"),
        ("auto:fp32", "names no engine for the precision; write for example openvino:fp32"),
        ("openvino:fp32:bf16", "cannot be asked for 'fp32:bf16'"),
    ],
)
def test_a_precision_that_an_engine_does_not_have_is_refused_in_one_line(model, asked, message):
    with pytest.raises(ChoiceError, match=re.escape(message)) as caught:
        load_engine(model, asked)
    assert "\n" not in str(caught.value)


@needs_openvino
@pytest.mark.parametrize("name", engine_params(engines.NAMES))
def test_every_precision_that_an_engine_offers_can_be_asked_for_by_name(model, name):
    if not engines.probe(name).available:
        pytest.skip(engines.probe(name).detail)
    for precision in engines.PRECISIONS[name]:
        assert str(parse_choice(f"{name}:{precision}")) == f"{name}:{precision}"
        try:
            opened = load_engine(model, f"{name}:{precision}")
        except EngineError as error:
            assert precision == "bf16" and "choose fp32" in str(error)
            continue
        with opened:
            assert opened.name.endswith(f", {precision}")
            scaled = opened.run({"picture": picture(1), "gain": GAIN})["scaled"]
            np.testing.assert_allclose(scaled, picture(1) * 3, rtol=1e-6 if precision == "fp32" else 0.02)


def test_more_shapes_than_are_kept_still_run(engine):
    for faces in (*range(1, 11), 1):
        outputs = engine.run({"picture": picture(faces), "gain": GAIN})
        np.testing.assert_allclose(outputs["scaled"], picture(faces) * 3, rtol=1e-6)


def test_inputs_may_be_read_only(engine):
    locked = picture(2)
    locked.flags.writeable = False
    np.testing.assert_allclose(engine.run({"picture": locked, "gain": GAIN})["scaled"], locked * 3, rtol=1e-6)


def ask_python(program: str) -> str:
    """What the program prints in a process of its own, in which nothing is imported yet."""
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_probing_imports_no_runtime():
    program = """
import sys, engines
for name in engines.NAMES:
    engines.probe(name)
print({"onnxruntime", "openvino", "tensorrt", "cuda", "torch"} & set(sys.modules))
"""
    assert ask_python(program) == "set()"


@needs_openvino
def test_opening_and_running_openvino_sends_nothing_to_anybody(model):
    program = f"""
import sys
events = []
sys.addaudithook(lambda event, arguments: events.append(event))
from pathlib import Path
import numpy, engines
with engines.load_engine(Path({str(model)!r}), "openvino") as engine:
    engine.run({{"picture": numpy.ones((1, 3, 4), numpy.float32), "gain": numpy.ones(1, numpy.float32)}})
print({{event for event in events if event.startswith(("socket.", "urllib.", "http."))}})
print([name for name in sys.modules if "telemetry" in name])
"""
    assert ask_python(program).splitlines() == ["set()", "[]"]


@needs_openvino
def test_openvino_computes_in_the_precision_that_is_asked_for(model):
    content = model.read_bytes()
    for precision in ("fp32", "bf16"):
        try:
            engine = OpenVinoEngine(content, OpenVinoOptions(precision=precision))
        except EngineError as error:
            assert precision == "bf16" and "choose fp32" in str(error)
            continue
        with engine:
            assert engine.name.endswith(f"on CPU, {precision}")
            assert engine.run({"picture": picture(1), "gain": GAIN})["scaled"].dtype == np.float32


@pytest.fixture
def kept(model, tmp_path, monkeypatch):
    """Opens the model in an OpenVINO that keeps even small ones, in a cache of its own."""
    monkeypatch.setattr("engines.openvino.LEAST_KEPT_BYTES", 0)
    cache = PlanCache(tmp_path / "cache")
    return cache, lambda **options: OpenVinoEngine(
        model.read_bytes(), OpenVinoOptions(**options), cache=cache
    )


def compiles_nothing(*_):
    raise AssertionError("compiled")


@needs_openvino
def test_what_openvino_has_compiled_is_there_the_next_time(kept, monkeypatch):
    cache, opened = kept
    with opened(precision="fp32"):
        (plan,) = cache.plans()
    assert plan.meta is not None and (plan.meta.key.builder, plan.meta.computes) == ("openvino", "fp32")
    monkeypatch.setattr(OpenVinoEngine, "_compiled", compiles_nothing)
    with opened(precision="fp32") as again:
        np.testing.assert_array_equal(
            again.run({"picture": picture(1), "gain": GAIN})["scaled"], picture(1) * 3
        )
    with pytest.raises(EngineError, match="compiled"):
        opened(precision="fp32", threads=3)  # is compiled differently


@needs_openvino
@pytest.mark.parametrize(
    "damage", [lambda content: content[:-7], lambda content: b"", lambda content: b"?" * 99]
)
@pytest.mark.parametrize("noticed", [True, False], ids=["hash does not fit", "hash fits"])
def test_openvino_compiles_anew_where_what_is_kept_is_no_good(kept, damage, noticed, tmp_path, monkeypatch):
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    cache, opened = kept
    with opened(precision="fp32"):
        (plan,) = cache.plans()
    path = plan.folder / "plan"
    content = path.read_bytes()
    path.write_bytes(damage(content))
    if not noticed:
        meta = (plan.folder / "meta.json").read_text()
        hashes = (hashlib.sha256(each).hexdigest() for each in (content, damage(content)))
        (plan.folder / "meta.json").write_text(meta.replace(*hashes))
    with opened(precision="fp32") as again:
        np.testing.assert_array_equal(
            again.run({"picture": picture(1), "gain": GAIN})["scaled"], picture(1) * 3
        )
    assert list(here.iterdir()) == []  # where OpenVINO 2024.4 leaves a file of a stream that it refuses


@needs_openvino
def test_openvino_works_where_nothing_can_be_kept(kept, tmp_path):
    (tmp_path / "cache").write_text("a file in the folder's place")
    with kept[1](precision="fp32") as engine:
        np.testing.assert_array_equal(
            engine.run({"picture": picture(1), "gain": GAIN})["scaled"], picture(1) * 3
        )


@pytest.mark.parametrize(
    ("capabilities", "default", "asked", "expected"),
    [
        (["FP32", "BF16"], "bf16", None, "bf16"),
        (["FP32", "BF16"], "f32", None, "fp32"),
        (["FP32", "FP16"], "f16", None, "fp32"),
        (["FP32", "BF16"], "bf16", "fp32", "fp32"),
        (["FP32", "BF16"], "f32", "bf16", "bf16"),
    ],
)
def test_openvino_computes_in_bf16_unasked_where_the_processor_does(capabilities, default, asked, expected):
    assert choose_precision(asked, default, capabilities) == expected


def test_bf16_is_refused_where_the_processor_has_none():
    with pytest.raises(EngineError, match="cannot compute in bf16 on this processor; choose fp32"):
        choose_precision("bf16", "f32", ["FP32"])


def test_a_runtime_beside_busy_threads_keeps_one_core_to_itself(monkeypatch):
    monkeypatch.setattr("engines.threads.sys.platform", "darwin")
    for cores, busy, expected in ((2, 0, 2), (2, 4, 1), (6, 4, 2), (32, 4, 4), (32, 0, 4)):
        monkeypatch.setattr("engines.threads.os.cpu_count", lambda cores=cores: cores)
        assert thread_count(busy) == expected


CLOSED_ELSEWHERE = """
import signal, sys, threading
from pathlib import Path
from engines import load_engine
signal.signal(signal.SIGTERM, lambda number, frame: print("answered"))
opened = [load_engine(Path(sys.argv[1]), "openvino")]
thread = threading.Thread(target=lambda: opened.pop().__exit__(None, None, None))
thread.start()
thread.join()
signal.raise_signal(signal.SIGTERM)
"""


@needs_openvino
def test_signals_are_answered_after_an_engine_was_closed_in_another_thread(model):
    """OpenVINO's CPU plugin, when it was freed there, left the main thread without a stack for signals."""
    result = subprocess.run(
        [sys.executable, "-c", CLOSED_ELSEWHERE, str(model)], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "answered\n"), result.stderr
