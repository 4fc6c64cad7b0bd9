"""`reenact engines bench`: what is timed, what is compared, and what is made of it."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import engines
from engines import Choice, EngineError, TensorSpec
from engines.ceiling import convolutions
from engines.engine_benchmark import (
    EXACT,
    SHORT,
    BenchOptions,
    Contest,
    Gate,
    Parity,
    Refused,
    Tools,
    Turn,
    Workload,
    compare,
    every_choice,
    gate_for,
    psnr_db,
    summarise,
)
from engines.onnx_file import HALF, model, node, value_info
from engines.work import Work, read_work
from reenact.cli import main
from reenact.generate.network.example_inputs import RANGES, compose, example
from reenact.generate.network.network_regions import PLANES, REGIONS
from tests.support.tiny_models import blackener, described, info, inverter

needs_openvino = pytest.mark.skipif(
    not engines.probe("openvino").available, reason="openvino is not installed"
)


# ---- Parity ------------------------------------------------------------------------------------------------


def workload(**changed) -> Workload:
    """Two batches of one face of one pixel; alpha is a share, colour 0..255."""
    batches = [{"image": np.full((1, 1, 1, 3), value, np.uint8)} for value in (10, 20)]
    known = Workload(b"model", batches, RANGES["live"], lambda given, made: made["colour"].astype(np.uint8))
    return replace(known, **changed)


def outputs(alpha: float, colour: float) -> dict[str, np.ndarray]:
    return {
        "alpha": np.full((1, 1, 1, 1), alpha, np.float32),
        "colour": np.full((1, 1, 1, 3), colour, np.float32),
    }


def test_differences_are_shares_of_the_range_and_those_of_the_worst_output():
    found, expected = [outputs(0.5, 100), outputs(0.5, 100)], [outputs(0.5, 151), outputs(0.51, 100)]
    parity = compare(workload(), found, expected)
    assert parity.mean == pytest.approx(0.1)  # colour: 51 of 255 in one batch of two
    assert parity.most == pytest.approx(0.2)
    assert parity.psnr_db == pytest.approx(10 * np.log10(255**2 / (51**2 / 2)))


def test_pictures_that_are_the_same_have_no_ratio_of_signal_to_noise():
    picture = np.zeros((1, 2, 2, 3), np.uint8)
    assert psnr_db(picture, picture) is None
    assert psnr_db(picture + np.uint8(1), picture) == pytest.approx(48.13, abs=0.01)


@pytest.mark.parametrize(
    ("precision", "work", "gate"),
    [
        ("fp32", None, EXACT),
        ("fp32", Work(1, halves=False), EXACT),
        ("fp32", Work(1, halves=True), SHORT),
        ("bf16", None, SHORT),
        ("tf32", None, SHORT),
        (None, None, SHORT),
    ],
)
def test_float32_must_agree_exactly_and_shorter_numbers_roughly(precision, work, gate):
    assert gate_for(Choice("any", precision), work) == gate
    assert gate.passes(Parity(gate.mean, gate.most, None))
    assert not gate.passes(Parity(gate.mean, gate.most * 1.01, None))
    assert not gate.passes(Parity(gate.mean * 1.01, gate.most, None))


# ---- Speed -------------------------------------------------------------------------------------------------


def test_the_ratio_to_the_floor_is_taken_in_each_round_and_then_the_median():
    quiet = Turn(model_ms=(8, 10, 12), ceiling_ms=(100, 50, 200))
    busy = Turn(model_ms=(80, 100, 120), ceiling_ms=(1000, 500, 2000))  # all of it ten times as slow
    speed = summarise([quiet, busy, quiet], Work(10**9, halves=False), ceiling_macs=5 * 10**9)
    assert speed.ceiling_gflops == pytest.approx(100)
    assert speed.times_floor == pytest.approx(0.5)  # 2 GFLOP at 100 GFLOP/s are 20 ms
    assert speed.p50_ms == 12
    assert speed.p95_ms == pytest.approx(np.percentile([8, 10, 12, 80, 100, 120, 8, 10, 12], 95))


def test_without_the_models_work_there_is_no_floor():
    assert summarise([Turn((1,), (1,))], work=None, ceiling_macs=1).times_floor is None


# ---- The contest -------------------------------------------------------------------------------------------


class Clock:
    """Seconds that pass only when an engine works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ran: list[str] = []

    def __call__(self) -> float:
        return self.now


class StubEngine:
    """Adds `error` to what is right, and takes `run_s` for the model, ten times that for the convolutions."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs = ()
    notes = ("made of cardboard",)

    def __init__(self, clock: Clock, name: str, run_s: float, error: float) -> None:
        self.name, self._clock, self._run_s, self._error = name, clock, run_s, error

    def run(self, inputs):
        self._clock.ran.append(self.name)
        if "x0" in inputs:
            self._clock.now += 10 * self._run_s
            return {}
        self._clock.now += self._run_s
        return outputs(0.5 + self._error, 100)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._clock.ran.append(f"{self.name} closed")


SPEEDS = {"onnx:fp32": (0.010, 0.0), "openvino:fp32": (0.008, 5e-5), "openvino:bf16": (0.005, 0.1)}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    def open_engine(content, choice):
        if str(choice) not in SPEEDS:
            raise EngineError("there is no NVIDIA GPU here")
        return StubEngine(clock, str(choice), *SPEEDS[str(choice)])

    monkeypatch.setattr("engines.engine_benchmark.open_engine", open_engine)
    return clock


def contest(clock: Clock, *names: str, **changed):
    memory = itertools.count(100, 7)
    tools = Tools(clock=clock, memory_mb=lambda: next(memory))
    options = BenchOptions(rounds=2, runs=3, ceiling_runs=1)
    run = Contest(
        workload(work=Work(10**9, halves=False), **changed), options, tools, convolutions((1, 1), 4)
    )
    return run([engines.parse_choice(name) for name in names])


def test_every_engine_is_timed_and_compared_and_one_that_refuses_is_told_with_its_reason(clock):
    bench = contest(clock, "openvino:fp32", "openvino:bf16", "tensorrt", "onnx:fp32")
    assert bench.refused == (Refused(Choice("tensorrt"), "there is no NVIDIA GPU here"),)
    exact, short, reference = bench.measured
    assert [each.speed.p50_ms for each in bench.measured] == pytest.approx([8, 5, 10])
    assert exact.passes and not short.passes and reference.passes
    assert short.parity.most == pytest.approx(0.1)
    assert reference.parity == Parity(0, 0, None)
    assert exact.open_s == pytest.approx(0.008)
    assert exact.growth_mb == 7
    assert exact.engine == "openvino:fp32" and exact.notes == ("made of cardboard",)


def test_engines_take_turns_beginning_with_another_in_each_round_and_are_closed(clock):
    contest(clock, "openvino:fp32", "onnx:fp32")
    a, b, turn = "openvino:fp32", "onnx:fp32", 4 + 2  # each with one run to warm up
    closed = [f"{name} closed" for name in (b, b, a, a)]  # both models of both
    assert clock.ran[-len(closed) :] == closed
    timed = clock.ran[-4 * turn - len(closed) : -len(closed)]
    assert timed == [a] * turn + [b] * turn + [b] * turn + [a] * turn


def test_an_engine_that_opens_the_model_and_not_the_convolutions_is_closed_and_refused(clock, monkeypatch):
    def no_memory(self, inputs):
        if "x0" in inputs:
            raise EngineError("the GPU's memory is full")
        return outputs(0.5, 100)

    monkeypatch.setattr(StubEngine, "run", no_memory)
    bench = contest(clock, "openvino:fp32")
    assert bench.measured == ()
    assert bench.refused[0].reason == "the GPU's memory is full"
    assert clock.ran.count("openvino:fp32 closed") == 2


def test_an_engine_that_is_here_is_measured_in_all_its_precisions_and_another_is_listed_once(monkeypatch):
    here = engines.Availability(True, "here")
    monkeypatch.setattr("engines.openvino.probe", lambda: here)
    monkeypatch.setattr("engines.tensorrt.probe", lambda: replace(here, available=False))
    choices = list(map(str, every_choice(["tensorrt", "openvino"])))
    assert choices == ["tensorrt", "openvino:fp32", "openvino:bf16"]


# ---- Work --------------------------------------------------------------------------------------------------


def test_the_convolutions_are_a_model_of_the_work_that_is_said_and_keep_the_size_of_numbers():
    ceiling = convolutions((4, 32, 32, 8), side=16)
    assert ceiling.macs == 9 * (4 * 32 + 32 * 32 + 32 * 8) * 16 * 16
    with engines.open_engine(ceiling.model, Choice("onnx")) as engine:
        (made,) = engine.run(ceiling.inputs).values()
    assert made.shape == (1, 8, 16, 16)
    assert 0.5 < made.std() < 1.5


@needs_openvino
def test_the_work_of_the_convolutions_is_counted_as_it_was_made():
    ceiling = convolutions((4, 32, 32, 8), side=16)
    assert read_work(ceiling.model, ceiling.inputs) == Work(ceiling.macs, halves=False)


@needs_openvino
@pytest.mark.parametrize(
    ("operator", "given", "weights", "attributes", "macs"),
    [
        ("MatMul", (2, 3, 5), (5, 7), {}, 2 * 3 * 5 * 7),
        ("Gemm", (5, 3), (5, 7), {"transA": 1}, 3 * 5 * 7),
        ("Conv", (1, 4, 8, 8), (6, 2, 3, 3), {"group": 2}, 6 * 6 * 6 * 2 * 9),
        ("ConvTranspose", (1, 4, 8, 8), (4, 6, 3, 3), {}, 4 * 8 * 8 * 6 * 9),
        ("ConvTranspose", (1, 4, 8, 8), (4, 6, 3, 3), {"group": 2}, 4 * 8 * 8 * 6 * 9),
    ],
)
def test_products_and_convolutions_of_every_kind_are_counted(operator, given, weights, attributes, macs):
    content = model(
        nodes=[node(operator, ["x", "w"], ["y"], **attributes)],
        inputs=[value_info("x", given), value_info("w", weights)],
        outputs=[value_info("y", ())],
    )
    inputs = {"x": np.zeros(given, np.float32), "w": np.zeros(weights, np.float32)}
    assert read_work(content, inputs) == Work(macs, halves=False)


@needs_openvino
def test_products_of_halves_are_known_as_such():
    content = model(
        nodes=[node("MatMul", ["x", "w"], ["y"])],
        inputs=[value_info("x", (2, 3), HALF), value_info("w", (3, 4), HALF)],
        outputs=[value_info("y", (2, 4), HALF)],
    )
    inputs = {"x": np.zeros((2, 3), np.float16), "w": np.zeros((3, 4), np.float16)}
    assert read_work(content, inputs) == Work(24, halves=True)


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_what_cannot_be_read_has_no_known_work(content):
    assert read_work(content, {}) is None


def test_a_model_without_products_has_no_known_work():
    assert read_work(blackener(), example(info("live"), 1)) is None


# ---- What it is run on -------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", ["live", "paper", "ganimation"])
def test_examples_are_of_the_contract_the_same_each_time_and_of_different_faces(contract):
    first, again, other = (example(info(contract), 2, seed) for seed in (0, 0, 1))
    picture = first["warped" if contract == "live" else "image"]
    if contract != "live":
        aus = first["aus" if contract == "ganimation" else "relative_aus"]
        assert (aus.shape, aus.dtype) == ((2, 17), np.float32)
        assert np.abs(aus).max() <= 1 and aus.any() and (contract != "ganimation" or aus.min() >= 0)
    size = (96, 128) if contract == "live" else (256, 256)
    assert (picture.shape, picture.dtype) == ((2, *size, 3), np.uint8)
    assert 20 < picture.std() < 110 and not np.array_equal(picture[0], picture[1])
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert any(not np.array_equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("region", REGIONS.values(), ids=lambda region: region.name)
def test_an_example_of_a_region_is_an_opening_of_it(region):
    known = replace(info("live", region.crop), region=region.name)
    seen = example(known, 1)
    shape = (1, region.height_px, region.width_px)
    assert seen["mask"].shape == (*shape, 2) and seen["mask"].dtype == np.uint8
    assert seen["geometry"].shape == (*shape, PLANES) and seen["geometry"].dtype == np.float32
    inside, allowed = seen["mask"][0, ..., 0], seen["mask"][0, ..., 1]
    assert 0.05 < (inside > 0).mean() < 0.3
    assert np.median(allowed[inside == 255]) > 200 and allowed[[0, -1]].max() == 0


def test_paint_is_composed_as_alpha_says_and_a_whole_picture_as_it_is():
    seen = np.full((1, 2, 2, 3), 100, np.uint8)
    np.testing.assert_array_equal(compose({"warped": seen}, outputs(0.25, 200)), np.full((1, 2, 2, 3), 125))
    edited = np.full((1, 2, 2, 3), 300.2, np.float32)
    assert compose({"image": seen}, {"edited": edited}).max() == 255


# ---- The command -------------------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path: Path) -> Path:
    path = tmp_path / "black.onnx"
    path.write_bytes(described(blackener(), "live"))
    return path


def ask(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["engines", "bench", *map(str, arguments)], prog_name="reenact")


@pytest.mark.slow
def test_the_command_tells_every_engine_and_why_one_is_not_here(live, monkeypatch):
    missing = engines.Availability(False, "there is no NVIDIA GPU here", expected=False)
    monkeypatch.setattr("engines.tensorrt.probe", lambda: missing)
    result = ask(live, "--rounds", "1", "--faces", "2", "--json", "-")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["faces"], told["rounds"]) == (2, 1)
    rows = {(row["name"], row["precision"]): row for row in told["engines"]}
    assert rows["tensorrt", None] == {"name": "tensorrt", "precision": None, "refused": missing.detail}
    row = rows["onnx", "fp32"]
    assert row["passes"] and row["parity"] == {"mean": 0, "most": 0, "psnr_db": None}
    assert 0 < row["speed"]["p50_ms"] <= row["speed"]["p95_ms"]
    assert row["speed"]["ceiling_gflops"] > 0


@pytest.mark.slow
def test_only_the_engines_that_are_asked_for_are_measured(live):
    result = ask(live, "--rounds", "1", "--engine", "onnx", "--json", "-")
    assert [row["name"] for row in json.loads(result.stdout)["engines"]] == ["onnx"]
    shown = ask(live, "--rounds", "1", "--engine", "onnx:fp32").stdout
    assert "black.onnx, live (mouth) at 128 px, 1 face a run\n" in shown
    assert "same" in next(line for line in shown.splitlines() if line.startswith("onnx:fp32"))
    assert max(map(len, shown.splitlines())) <= 80


def test_a_missed_gate_ends_with_1_and_is_told_with_what_was_allowed(live, monkeypatch):
    monkeypatch.setattr("engines.engine_benchmark.gate_for", lambda choice, work: Gate(-1, -1))
    result = ask(live, "--rounds", "1", "--engine", "onnx")
    assert result.exit_code == 1
    assert "onnx:fp32: differs too much: by 0 in the mean, where -1 is allowed" in result.stdout


def test_a_model_of_another_contract_is_measured_too(tmp_path):
    path = tmp_path / "negative.onnx"
    path.write_bytes(described(inverter(256), "paper"))
    result = ask(path, "--rounds", "1", "--engine", "onnx")
    assert result.exit_code == 0, result.output
    assert "negative.onnx, paper at 256 px" in result.stdout


def test_without_a_model_the_one_that_ships_is_measured_or_asked_for(live, monkeypatch, tmp_path):
    monkeypatch.setattr("reenact.generate.generator.SHIPPED", tmp_path)
    live.rename(tmp_path / "mouth.onnx")
    assert "mouth.onnx" in ask("--rounds", "1", "--engine", "onnx").stdout
    (tmp_path / "mouth.onnx").unlink()
    result = ask()
    assert result.exit_code == 2
    assert result.stderr == "Error: this release ships no model; name one: reenact engines bench MODEL.onnx\n"


def test_a_file_that_is_no_model_ends_with_2_in_one_line(tmp_path):
    (tmp_path / "empty.onnx").write_bytes(b"")
    result = ask(tmp_path / "empty.onnx")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1 and "empty.onnx is not an ONNX model" in result.stderr
