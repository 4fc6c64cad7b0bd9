"""How well a few people are told apart: the figures, and the command that fits and writes them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from reenact.recognise.resemblance import load_resemblance, unit
from tests.train.test_evaluate_command import portrait
from train.commands.resemblance import resemblance
from train.data.shards import FaceSample, FolderMeta, PreparedFace, open_shards, write_meta, write_shard
from train.evaluate.resemblance_fit import (
    DescribedFaces,
    ResemblanceError,
    ResemblanceOptions,
    fit_resemblance,
    picking,
    verification,
)


def crowd(people: int, each: int, spread: float, seed: int = 0) -> DescribedFaces:
    """People in 40 directions, their pictures scattered around each by `spread`."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    centres = unit(rng.standard_normal((people, 40)))
    scattered = centres[person] + spread * rng.standard_normal((len(person), 40)) / np.sqrt(40)
    return DescribedFaces(
        unit(scattered).astype(np.float32),
        np.array([f"p{index}" for index in person]),
        np.full(len(person), "set"),
        rng.uniform(0, 5, (len(person), 17)).astype(np.float32),
        rng.uniform(-0.5, 0.5, len(person)).astype(np.float32),
    )


def by_column(table, row: int) -> dict:
    return dict(zip(table.columns, table.rows[row], strict=True))


def test_people_who_are_far_apart_are_never_mistaken() -> None:
    described = crowd(30, 6, spread=0.2)
    pairs = by_column(verification(described, 0.7), 0)
    assert pairs["pairs"] == 30 * 15
    assert (pairs["equal error rate"], pairs["missed"], pairs["mistaken"]) == (0, 0, 0)
    picked = by_column(picking(described, ResemblanceOptions(draws=200), 0.7), 0)
    assert (picked["most similar"], picked["matched"], picked["wrong match"], picked["false match"]) == (
        1,
        1,
        0,
        0,
    )


def test_people_who_are_alike_are_and_more_pictures_and_less_company_help() -> None:
    described = crowd(60, 6, spread=2.5)
    pairs = verification(described, 0.3)
    error = by_column(pairs, 0)["equal error rate"]
    assert 0.15 < error < 0.45
    table = picking(described, ResemblanceOptions(draws=600), 0.3)
    most_similar = {(row[0], row[1]): row[2] for row in table.rows}
    assert most_similar[2, 1] > most_similar[3, 1] > most_similar[5, 1] > 0.25
    assert most_similar[5, 4] > most_similar[5, 1] + 0.05


def test_pairs_that_differ_in_expression_are_told_of_apart() -> None:
    described = crowd(40, 4, spread=0.2)
    calm = np.zeros_like(described.aus)
    calm[::4] = 5  # one picture of each is a grimace, and looks like somebody else's
    likenesses = described.likenesses.copy()
    likenesses[::4] = np.roll(likenesses[::4], 1, axis=0)
    table = verification(
        DescribedFaces(likenesses, described.persons, described.collections, calm, described.yaws), 0.7
    )
    missed = {row[0]: row[4] for row in table.rows}
    assert missed["expression: the third most alike"] == 0
    assert missed["expression: the third most different"] == 1


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty people with three pictures each, and eight with one: one portrait, distorted for each person, in
    three lights."""
    folder = tmp_path_factory.mktemp("shards")
    image, landmarks = portrait()
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:320, :320].astype(np.float32)

    def prepared(person: int, shift: np.ndarray, number: int) -> PreparedFace:
        places = columns + cv2.resize(shift[0], (320, 320)), rows + cv2.resize(shift[1], (320, 320))
        seen = cv2.remap(image, *places, cv2.INTER_LINEAR).astype(np.float32) * (0.7 + 0.2 * number)
        seen = np.clip(seen + rng.normal(0, 4, seen.shape), 0, 255).astype(np.uint8)
        aus = np.full(17, number, np.float32)
        sample = FaceSample(seen, landmarks, aus, f"p{person}", "set", f"p{person}-{number}")
        return PreparedFace(sample, True, 0.0, 1.0, 0.1, False, f"{person}-{number}")

    faces = []
    for person in range(48):
        shift = rng.normal(0, 9, (2, 6, 6)).astype(np.float32)
        faces += [prepared(person, shift, number) for number in range(3 if person < 40 else 1)]
    write_meta(folder, FolderMeta(share=0.3))
    write_shard(folder, "set-00000", faces, "test")
    return folder


@pytest.mark.slow
def test_the_command_fits_writes_and_judges_and_the_seed_repeats_it(shards: Path, tmp_path: Path) -> None:
    held_out = np.unique(open_shards(shards, held_out=True).persons)
    assert 6 < len(held_out) < 20
    arguments = ["--data", str(shards), "--report", str(tmp_path / "report")]
    for name in ("one.npz", "two.npz"):
        result = CliRunner().invoke(resemblance, [*arguments, str(tmp_path / name)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    fitted = load_resemblance(tmp_path / "one.npz")
    assert fitted.projection.shape[1] == len(fitted.centre) and -1 < fitted.threshold < 1
    report = (tmp_path / "report" / "report.md").read_text()
    several = sum(int(person[1:]) < 40 for person in held_out)
    assert f"Pictures of {several} held-out people" in report
    assert "## Picking one of several people" in report and "## The same person?" in result.output


def test_people_with_one_picture_each_are_too_few(shards: Path) -> None:
    samples = open_shards(shards)
    with pytest.raises(ResemblanceError, match="0 people have several pictures"):
        fit_resemblance(samples.where(np.arange(0, 120, 3)))


def test_what_ships_was_written_by_it() -> None:
    shipped, options = load_resemblance(), ResemblanceOptions()
    assert shipped.projection.shape == (options.kept, len(shipped.centre))
    assert 0.2 < shipped.threshold < 0.4
