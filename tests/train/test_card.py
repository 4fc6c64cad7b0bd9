"""What a model card says of a run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from train.card import CardError, command_of, read_data_card, read_history
from train.training_options import PRESETS


def write_stats(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_hours_are_those_of_the_steps(tmp_path):
    rows = [
        {"images": 3600, "images_per_s": 1.0},
        {"images": 3600, "validation": 1.0},
        {"images": 10800, "images_per_s": 4.0},
    ]
    history = read_history(write_stats(tmp_path / "stats.jsonl", rows))
    assert history.images == 10800
    assert history.hours == pytest.approx(1.5)


def test_the_best_validation_is_the_lowest_and_has_its_parts(tmp_path):
    rows = []
    for images, parts in ((10, (3.0, 1.0)), (20, (1.0, 0.5)), (30, (1.5, 0.5))):
        rows.append({"images": images, "validation/a": parts[0], "validation/b": parts[1]})
        rows.append({"images": images, "validation": sum(parts)})
    best = read_history(write_stats(tmp_path / "stats.jsonl", rows)).best
    assert best is not None
    assert (best.images, best.error, best.parts) == (20, 1.5, {"a": 1.0, "b": 0.5})


def test_a_run_without_statistics_has_an_empty_history(tmp_path):
    history = read_history(tmp_path / "none.jsonl")
    assert (history.images, history.hours, history.best) == (0, 0, None)


def test_the_command_names_what_differs_from_the_preset():
    options = replace(
        PRESETS["live"], seed=7, amp=True, epochs=2.0, images=None, recipe={"aus": 3.0, "r1": 2.0}
    )
    assert command_of(options, {"aus": 4.0, "r1": 2.0}) == (
        "python -m train fit --preset live --data SHARDS --out RUN --seed 7"
        " --epochs 2.0 --amp --recipe aus=3.0"
    )


def test_data_described_in_words_is_taken_as_it_is(tmp_path):
    (tmp_path / "data.md").write_text("\nFaces of *nobody*.\n\n")
    assert read_data_card(tmp_path / "data.md") == "Faces of *nobody*."


@pytest.mark.parametrize("content", ["{", '[{"name": "x"}]', "[1]", '[{"name": "x", "pictures": "many"}]'])
def test_a_description_of_data_that_cannot_be_read_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(
        CardError, match=r"data\.json is not a list of objects with name, pictures, what"
    ) as caught:
        read_data_card(tmp_path / "data.json")
    assert "\n" not in str(caught.value)
