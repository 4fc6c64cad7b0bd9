"""`python -m train bench`: both ways of training, in turn."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from click.testing import CliRunner  # noqa: E402

from train.__main__ import main  # noqa: E402
from train.distributed import Ranks  # noqa: E402
from train.training_benchmark import (  # noqa: E402
    TrainingBenchmarkOptions,
    TrainingRound,
    loop_turn,
    plain_turn,
    random_batch,
    recipe_of,
    summarise,
)
from train.training_options import PRESETS  # noqa: E402

CPU = torch.device("cpu")


def test_the_ratio_is_the_median_of_paired_rounds():
    rounds = [TrainingRound(10, 5), TrainingRound(4, 1), TrainingRound(9, 3)]
    throughput = summarise(rounds)
    assert throughput.ratio == 3
    assert (throughput.least_ratio, throughput.most_ratio) == (2, 4)
    assert (throughput.images_per_s, throughput.plain_images_per_s) == (9, 3)


@pytest.mark.parametrize("preset", ["paper", "ganimation"])
def test_both_ways_train_both_networks(preset, monkeypatch):
    options = TrainingBenchmarkOptions(preset, size=32, channels=4, batch=2)
    before = recipe_of(options)
    recipes = []

    def remember(options):
        recipes.append(recipe_of(options))
        return recipes[-1]

    monkeypatch.setattr("train.training_benchmark.recipe_of", remember)
    batch, fit = random_batch(options, CPU), PRESETS[preset]
    for make in (lambda: loop_turn(options, fit, Ranks(0, 1, CPU)), lambda: plain_turn(options, fit, CPU)):
        make()(batch)
    assert len(recipes) == 2
    for recipe in recipes:
        for name in ("generator", "discriminator"):
            then, now = (getattr(each, name).state_dict() for each in (before, recipe))
            assert any(not torch.equal(then[key], now[key]) for key in then)


def test_bench_says_how_many_times_as_fast(tmp_path):
    path = tmp_path / "bench.json"
    arguments = ["bench", "--size", "32", "--channels", "4", "--batch", "2", "--rounds", "1"]
    result = CliRunner().invoke(main, [*arguments, "--device", "cpu", "--json", str(path)])
    assert result.exit_code == 0, result.output
    known = json.loads(path.read_text())
    assert known["ratio"] == pytest.approx(known["images_per_s"] / known["plain_images_per_s"])
    assert f"{known['ratio']:.2f} times as fast" in result.output


def test_bench_refuses_a_size_without_a_network():
    result = CliRunner().invoke(main, ["bench", "--size", "100"])
    assert result.exit_code == 2
    assert "size is 100; choose from 32, 64, 128, 256" in result.output
