"""The command line of `python -m train`, and what decides a run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from train.__main__ import COMMANDS, main
from train.commands.fit import Duration
from train.recipes import flat_options, with_options
from train.training_options import (
    PRESETS,
    OptionsError,
    TrainingOptions,
    agreeing,
    learning_rate_factor,
    load_options,
    preset_options,
    total_images,
    with_given,
    write_options,
)

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments], prog_name="python -m train")


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments):
    program = (
        "import sys; from click.testing import CliRunner; from train.__main__ import main;"
        f"assert CliRunner().invoke(main, {arguments!r}).exit_code == 0;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'cv2', 'mediapipe', 'onnx', 'ray')))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_help_names_every_command_and_what_each_preset_takes_for_granted():
    overview, details = run("--help").output, run("fit", "--help").output
    assert all(name in overview for name in COMMANDS)
    assert "--critic-per-generator INTEGER" in details and "--amp / --no-amp" in details
    assert "paper 4, paper-film 4" in " ".join(details.split())


def test_an_unknown_command_is_answered_with_the_one_meant():
    answer = run("fti")
    assert answer.exit_code == 2
    assert (
        answer.output.strip() == "Error: no command 'fti'; did you mean 'fit'? (see 'python -m train --help')"
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("1h30m", 5400), ("45s", 45), ("2h", 7200), ("1h0m1s", 3601)]
)
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "90", "m", "1m1h", "-5m"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(click.BadParameter, match="give one like 90m, 1h30m or 45s"):
        Duration().convert(text, None, None)


def test_given_options_replace_those_of_the_preset():
    options = preset_options("paper", {"batch": 8, "amp": True})
    assert (options.batch, options.amp) == (8, True)
    assert (options.critic_per_generator, options.epochs) == (4, 50)


def test_images_take_the_place_of_epochs_and_the_other_way_round():
    assert total_images(preset_options("paper", {}), samples=1000) == 50_000
    assert total_images(preset_options("paper", {"images": 7}), samples=1000) == 7
    assert total_images(preset_options("live", {"epochs": 1.5}), samples=1000) == 1500
    with pytest.raises(OptionsError, match="give one of them"):
        preset_options("live", {"epochs": 1.0, "images": 5})


def test_an_unknown_preset_is_one_clear_line():
    with pytest.raises(
        OptionsError, match="no preset 'papr'; choose from live, paper, paper-film, ganimation"
    ):
        preset_options("papr", {})


def test_the_published_schedule_is_constant_for_30_epochs_and_falls_for_20():
    paper = PRESETS["paper"]
    factors = [
        learning_rate_factor(images, 50_000, paper.decay_from) for images in (0, 29_999, 40_000, 50_000)
    ]
    assert factors == pytest.approx([1, 1, 0.5, 0])
    assert learning_rate_factor(50_000, 50_000, 1.0) == 1


def test_options_survive_their_file(tmp_path):
    options = replace(PRESETS["paper"], recipe={"size": 64, "au": 150.0, "generator": "paper", "flip": True})
    write_options(options, tmp_path / "options.json")
    assert load_options(tmp_path / "options.json") == options


@pytest.mark.parametrize("text", ["{", "[]", '{"preset": "live", "wings": 2}'])
def test_options_that_are_damaged_are_one_clear_line(tmp_path, text):
    path = tmp_path / "options.json"
    path.write_text(text)
    with pytest.raises(OptionsError, match=r"options\.json is damaged or of another version"):
        load_options(path)


def test_a_run_goes_on_only_with_the_options_it_was_begun_with():
    begun = TrainingOptions(preset="live", images=100, recipe={"keep": 2.0})
    longer = with_given(begun, {"epochs": 3.0})
    assert agreeing(begun, longer) == longer
    with pytest.raises(
        OptionsError, match="begun with batch 16, not 8; keep to it, or train into another folder"
    ):
        agreeing(begun, replace(begun, batch=8))
    with pytest.raises(OptionsError, match=r"begun with recipe option keep 2\.0, not 1\.0"):
        agreeing(begun, replace(begun, recipe={"keep": 1.0}))


@dataclass(frozen=True)
class Shape:
    channels: tuple[int, int] = (48, 96)
    blocks: int = 2


@dataclass(frozen=True)
class RecipeOptions:
    keep: float = 2.0
    flip: bool = True
    shape: Shape = field(default=Shape())


def test_recipe_options_have_flat_names_and_return_from_them():
    flat = flat_options(RecipeOptions())
    assert flat == {"keep": 2.0, "flip": True, "shape.channels": "48,96", "shape.blocks": 2}
    typed = {"keep": "1", "flip": "false", "shape.channels": "8,16", "shape.blocks": "3"}
    assert with_options(RecipeOptions(), typed) == RecipeOptions(1.0, False, Shape((8, 16), 3))
    assert with_options(RecipeOptions(), flat) == RecipeOptions()


def test_recipe_options_that_do_not_exist_or_make_no_sense_are_one_clear_line():
    with pytest.raises(
        OptionsError, match=r"no recipe option 'kep'; choose from keep, flip, shape\.channels"
    ):
        with_options(RecipeOptions(), {"kep": 1})
    with pytest.raises(OptionsError, match="recipe option keep is 'much'; give a value such as 2"):
        with_options(RecipeOptions(), {"keep": "much"})


def test_a_run_without_its_options_or_a_preset_is_one_clear_line(tmp_path):
    pytest.importorskip("torch")
    answer = run("fit", "--data", tmp_path, "--out", tmp_path / "run")
    assert answer.exit_code == 2
    assert (
        answer.output == "Error: a new run needs --preset; choose from live, paper, paper-film, ganimation\n"
    )
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    answer = run("fit", "--data", tmp_path, "--out", tmp_path)
    assert "has a checkpoint but no options.json; train into another folder" in answer.output


def test_recipe_flags_are_names_and_values():
    answer = run("fit", "--data", ".", "--out", "run", "--preset", "live", "--recipe", "keep")
    assert answer.exit_code == 2 and "'keep' is not NAME=VALUE" in answer.output
