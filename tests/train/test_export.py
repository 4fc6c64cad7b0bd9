"""A run becomes files that the frame loop opens, and they do what the network does."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
safetensors_torch = pytest.importorskip("safetensors.torch")

from calib.au import OPENFACE_CODES  # noqa: E402
from engines import load_engine  # noqa: E402
from engines.description import describe  # noqa: E402
from reenact import __version__  # noqa: E402
from reenact.generate import open_generator  # noqa: E402
from reenact.generate.network.contract import ModelError, model_info  # noqa: E402
from reenact.generate.network.network_regions import REGIONS  # noqa: E402
from tests.generate.test_whole_face import asked  # noqa: E402
from tests.support import fake_nvidia  # noqa: E402
from tests.support.faces import change, posed_face, textured_frame  # noqa: E402
from train.__main__ import main  # noqa: E402
from train.checkpoint import save_weights  # noqa: E402
from train.export import (  # noqa: E402
    PRECISIONS,
    TOLERANCE,
    ExportError,
    example,
    largest_difference,
    load_run,
    write_model,
)
from train.graphs import GRAPHS  # noqa: E402
from train.recipes import flat_options, open_recipe  # noqa: E402
from train.torch2trt_plan import build_plan  # noqa: E402
from train.training_options import preset_options, write_options  # noqa: E402

TINY_LIVE = {"shape.channels": "8,8,16", "shape.blocks": 1}
TINY_PAPER = {"size": 32, "ngf": 4, "ndf": 4}
TINY = {"live": TINY_LIVE, "paper": TINY_PAPER, "paper-film": TINY_PAPER, "ganimation": TINY_PAPER}
CONTRACTS = {"live": "live", "paper": "paper", "paper-film": "paper", "ganimation": "ganimation"}


def make_run(folder: Path, preset: str = "live", weights: str = "best.safetensors", seed: int = 0) -> Path:
    """What `fit` leaves behind, with weights that no training made."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(seed)
    recipe = open_recipe(preset, TINY[preset])
    with torch.no_grad():
        for parameter in recipe.generator.parameters():  # first weights may be zeros, which hide much
            parameter += 0.1 * torch.randn_like(parameter)
    options = replace(preset_options(preset, {"seed": 3, "batch": 8}), recipe=flat_options(recipe.options))
    write_options(options, folder / "options.json")
    save_weights(recipe.generator, folder / weights, {"preset": preset, "images": str(1000 * (seed + 1))})
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """More would only wait for each other: the networks are tiny."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=list(TINY))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / request.param, request.param)


@pytest.fixture(scope="module")
def live_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "live")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16-weights"])
def test_onnx_and_torch_agree_for_every_preset(run, tmp_path, precision):
    trained, _ = load_run(run)
    exported = write_model(trained, tmp_path / "out.onnx", precision)
    assert exported.difference <= TOLERANCE
    same = trained if precision == "fp32" else trained.rounded()
    for faces in (1, 3, 8):
        assert largest_difference(same, tmp_path / "out.onnx", faces) <= TOLERANCE


def test_a_graph_that_computes_in_halves_is_near_too(run, tmp_path):
    trained, _ = load_run(run)
    write_model(trained, tmp_path / "out.onnx", "fp16")
    assert largest_difference(trained.rounded(), tmp_path / "out.onnx") < 0.03
    types = {tensor.data_type for tensor in onnx.load(tmp_path / "out.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT not in types


def test_another_networks_model_is_told_apart(tmp_path):
    trained, _ = load_run(make_run(tmp_path / "one", seed=1))
    other, _ = load_run(make_run(tmp_path / "two", seed=2))
    write_model(trained, tmp_path / "out.onnx")
    assert largest_difference(other, tmp_path / "out.onnx") > 100 * TOLERANCE


@pytest.mark.parametrize("precision", PRECISIONS)
def test_both_files_say_what_they_are_and_hold_the_same_weights(live_run, tmp_path, precision):
    trained, _ = load_run(live_run)
    exported = write_model(trained, tmp_path / "out.onnx", precision, licence="for nothing")
    info = model_info(tmp_path / "out.onnx", "live")
    assert info == exported.info
    assert (info.crop, info.preset, info.region) == (REGIONS["mouth"].crop, "live", "mouth")
    assert (info.licence, info.made_by) == ("for nothing", __version__)
    with pytest.importorskip("safetensors").safe_open(tmp_path / "out.safetensors", "pt") as content:
        metadata = content.metadata()
    assert metadata == dict(describe((tmp_path / "out.onnx").read_bytes()).metadata)
    assert metadata["action_units"].split() == list(OPENFACE_CODES)

    weights = safetensors_torch.load_file(tmp_path / "out.safetensors")
    trained.network.load_state_dict(weights)
    if precision != "fp16":
        assert largest_difference(trained, tmp_path / "out.onnx") <= TOLERANCE


def test_halves_take_half_the_room(live_run, tmp_path):
    trained, _ = load_run(live_run)
    sizes = {
        precision: sum(write_model(trained, tmp_path / f"{precision}.onnx", precision).files.values())
        for precision in PRECISIONS
    }
    weights = sum(tensor.numel() for tensor in trained.network.state_dict().values())
    for precision in ("fp16-weights", "fp16"):
        assert sizes["fp32"] - sizes[precision] > 0.9 * 4 * weights


def test_exporting_leaves_the_network_as_it_was(live_run, tmp_path):
    trained, _ = load_run(live_run)
    before = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    write_model(trained, tmp_path / "out.onnx", "fp16")
    for name, tensor in trained.network.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, before[name])


def test_the_graph_is_of_the_opset_and_tells_nothing_of_where_it_was_made(live_run, tmp_path):
    trained, _ = load_run(live_run)
    write_model(trained, tmp_path / "out.onnx")
    model = onnx.load(tmp_path / "out.onnx")
    assert [entry.version for entry in model.opset_import if not entry.domain] == [18]
    assert b"/site-packages" not in (tmp_path / "out.onnx").read_bytes()
    with load_engine(tmp_path / "out.onnx", "onnx") as engine:
        shapes = {spec.name: spec.shape for spec in (*engine.inputs, *engine.outputs)}
    assert shapes == {
        "warped": (None, 96, 128, 3),
        "mask": (None, 96, 128, 2),
        "geometry": (None, 96, 128, 4),
        "alpha": (None, 96, 128, 1),
        "colour": (None, 96, 128, 3),
    }


def test_alpha_is_nothing_where_no_paint_is_allowed(live_run, tmp_path):
    trained, _ = load_run(live_run)
    write_model(trained, tmp_path / "out.onnx")
    mask = np.full((1, 96, 128, 2), 255, np.uint8)
    mask[:, :48, :, 1] = 0
    with load_engine(tmp_path / "out.onnx", "onnx") as engine:
        alpha = engine.run(
            {
                "warped": np.full((1, 96, 128, 3), 99, np.uint8),
                "mask": mask,
                "geometry": np.ones((1, 96, 128, 4), np.float32),
            }
        )["alpha"]
    assert (alpha[:, :48] == 0).all() and (alpha[:, 48:] > 0).all()


def test_every_preset_runs_in_the_frame_loop(run, tmp_path):
    trained, options = load_run(run)
    write_model(trained, tmp_path / "out.onnx", "fp16-weights")
    record = asked(textured_frame(), change(AU12=2, AU25=2), posed_face())
    with open_generator(CONTRACTS[options.preset], tmp_path / "out.onnx", "onnx") as generate:
        patch = generate(record).patches[0]
    x, y = patch.origin
    under = record.frame.image[y : y + patch.image.shape[0], x : x + patch.image.shape[1]]
    assert (patch.image != under).any()
    with pytest.raises(ModelError, match=f"is a model for --generator {CONTRACTS[options.preset]}"):
        open_generator("paper" if options.preset == "live" else "live", tmp_path / "out.onnx")


def test_the_best_weights_are_taken_unless_the_newest_are_asked_for(tmp_path):
    run = make_run(tmp_path / "run", seed=0)
    make_run(run, weights="generator.safetensors", seed=4)
    assert load_run(run)[0].images == 1000
    assert load_run(run, newest=True)[0].images == 5000
    (run / "best.safetensors").unlink()
    assert load_run(run)[0].images == 5000


def test_a_model_that_does_not_agree_is_not_written(live_run, tmp_path, monkeypatch):
    trained, _ = load_run(live_run)
    monkeypatch.setattr("train.export.TOLERANCE", -1.0)
    with pytest.raises(ExportError, match=r"out\.onnx would differ from torch by"):
        write_model(trained, tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run / "options.json").unlink(), "has no options.json"),
        (lambda run: (run / "best.safetensors").unlink(), "generator.safetensors does not exist"),
        (lambda run: (run / "best.safetensors").write_bytes(b"junk"), "best.safetensors is damaged"),
        (lambda run: make_run(run, "paper", "elsewhere.safetensors"), "damaged or not of this run's options"),
    ],
)
def test_a_folder_that_cannot_be_exported_is_refused_in_one_line(tmp_path, spoil, message):
    run = make_run(tmp_path / "run")
    spoil(run)
    with pytest.raises(ExportError, match=message) as caught:
        load_run(run)
    assert "\n" not in str(caught.value)


def test_the_graphs_are_those_of_the_contracts():
    assert set(GRAPHS) == set(CONTRACTS.values())


def test_the_command_writes_the_model_its_weights_and_its_card(tmp_path):
    run = make_run(tmp_path / "run")
    stats = [
        {"images": 500, "images_per_s": 10.0, "restore": 0.5},
        {"images": 1000, "images_per_s": 5.0, "restore": 0.4},
        {"images": 1000, "validation/restore": 0.25},
        {"images": 1000, "validation": 0.25},
    ]
    (run / "stats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in stats))
    sets = [{"name": "faces of nobody", "pictures": 1234, "what": "drawn", "licence": "CC0"}]
    (tmp_path / "data.json").write_text(json.dumps(sets))
    (tmp_path / "notes.md").write_text("## What it is bad at\n\nBeards.\n")
    arguments = [
        *("export", str(run), str(tmp_path / "own.onnx"), "--precision", "fp16-weights"),
        *("--data-card", str(tmp_path / "data.json"), "--notes", str(tmp_path / "notes.md")),
        *("--hardware", "an abacus"),
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert model_info(tmp_path / "own.onnx", "live").crop.size == 128
    assert (tmp_path / "own.safetensors").is_file()
    card = (tmp_path / "OWN_MODEL_CARD.md").read_text()
    for expected in (
        "| faces of nobody | 1,234 | drawn | CC0 |",
        "--preset live --data SHARDS --out RUN --seed 3 --batch 8 --recipe shape.channels=8,8,16",
        "Seed 3, 1,000 pictures seen",
        "on an abacus",
        "| best | 1,000 | 0.2500 | 0.2500 |",
        model_info(tmp_path / "own.onnx", "live").weights_sha256,
        "research and other non-commercial use",
        f"| exported | {datetime.now(tz=timezone.utc):%Y-%m-%d}, by reenact",
    ):
        assert expected in card
    assert card.endswith("## What it is bad at\n\nBeards.\n")


def test_the_command_refuses_a_folder_that_is_no_run_in_one_line(tmp_path):
    result = CliRunner().invoke(main, ["export", str(tmp_path), str(tmp_path / "out.onnx")])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1 and "has no options.json" in result.stderr


def test_the_command_refuses_a_folder_that_is_not_there_in_one_line(live_run, tmp_path):
    result = CliRunner().invoke(main, ["export", str(live_run), str(tmp_path / "nowhere" / "out.onnx")])
    assert result.exit_code == 2
    assert f"{tmp_path / 'nowhere'} is not a folder" in result.output


# ---- TensorRT, over a fake ---------------------------------------------------------------------------------


def test_tensorrt_takes_every_contract(run, tmp_path, monkeypatch):
    assert_tensorrt_agrees(run, "fp32", "tf32", tmp_path, monkeypatch)


def test_tensorrt_computes_in_halves_where_the_model_does(live_run, tmp_path, monkeypatch):
    assert_tensorrt_agrees(live_run, "fp16", "fp16", tmp_path, monkeypatch)


def assert_tensorrt_agrees(run, precision, computes, tmp_path, monkeypatch):
    fake_nvidia.install(monkeypatch, tmp_path)
    trained, _ = load_run(run)
    write_model(trained, tmp_path / "out.onnx", precision)
    inputs = example(GRAPHS[trained.contract].inputs, trained, faces=5)
    with (
        load_engine(tmp_path / "out.onnx", "tensorrt") as engine,
        load_engine(tmp_path / "out.onnx", "onnx") as cpu,
    ):
        assert engine.name.endswith(computes)
        expected, found = cpu.run(inputs), engine.run(inputs)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-3)


def test_torch2trt_turns_the_network_into_the_plan_that_the_engine_runs(live_run, tmp_path, monkeypatch):
    gpu = fake_nvidia.install(monkeypatch, tmp_path)
    fake_nvidia.install_torch2trt(monkeypatch)
    trained, _ = load_run(live_run)
    write_model(trained, tmp_path / "live.onnx")
    built = build_plan(trained, (tmp_path / "live.onnx").read_bytes(), device="cpu")
    assert built.build_s is not None and built.notes == ()
    inputs = example(GRAPHS["live"].inputs, trained, faces=3)
    with (
        load_engine(tmp_path / "live.onnx") as engine,
        load_engine(tmp_path / "live.onnx", "onnx") as cpu,
    ):
        assert engine.name.endswith("by torch2trt")
        expected, found = cpu.run(inputs), engine.run(inputs)
    assert gpu.builds == 1
    np.testing.assert_allclose(found["alpha"], expected["alpha"], atol=1e-4)
    np.testing.assert_allclose(found["colour"], expected["colour"], atol=0.03)


def test_asking_for_a_plan_where_none_can_be_built_is_refused_before_anything_is_written(
    live_run, tmp_path, monkeypatch
):
    fake_nvidia.install(monkeypatch, tmp_path, fake_nvidia.NEW)
    result = CliRunner().invoke(main, ["export", str(live_run), str(tmp_path / "live.onnx"), "--plan"])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: --plan: torch2trt cannot be imported under tensorrt 11")
    assert list(tmp_path.iterdir()) == []
