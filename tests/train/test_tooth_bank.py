"""The bank of teeth is cut out of portraits."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from reenact.generate.painters.mouth.arch import SHAPE
from reenact.run.demo import PORTRAIT
from tests.support.mouths import TEETH, drawn, open_face
from train.__main__ import main
from train.data.tooth_bank import CHOICE, TeethError, cut, cut_bank, read_choice


def choice(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("set", "file"), *rows])
    return path


@pytest.fixture
def portraits(tmp_path):
    folder = tmp_path / "astronauts"
    (folder / "images").mkdir(parents=True)
    Image.open(PORTRAIT).save(folder / "images" / "collins.png")
    Image.new("RGB", (64, 64)).save(folder / "images" / "nobody.png")
    return folder


def test_a_row_is_cut_in_its_own_colour_and_without_the_lips():
    face = open_face(above_mm=5, below_mm=4)
    picture = cut(drawn(face, teeth_mm=6), face).arch.picture
    solid = picture[..., 3] > 250
    assert solid.sum() > 2000
    teeth = picture[24:34, 70:110, :3]
    assert np.abs(teeth.astype(int) - 128).max() < 12
    assert (TEETH[0] - TEETH[2]) > 12  # whose tint is gone


def test_a_mouth_without_teeth_gives_no_row():
    face = open_face(above_mm=5, below_mm=4)
    assert cut(drawn(face), face) is None


def test_the_command_writes_what_the_run_time_reads(tmp_path, portraits):
    chosen = choice(tmp_path / "choice.csv", ("astronauts", "collins.png"))
    out, picture = tmp_path / "teeth.npz", tmp_path / "sheet.png"
    arguments = portraits, out, "--choice", chosen, "--sheet", picture
    result = CliRunner().invoke(main, ["teeth", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    with np.load(out, allow_pickle=False) as bank:
        assert bank["upper"].shape == (1, *SHAPE, 4)
        assert 40 < bank["widths_mm"][0] < 75
        assert (bank["upper"][0, ..., 3] > 200).sum() > 2000
    assert Image.open(picture).size[1] == 2 * SHAPE[0]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (("others", "collins.png"), "no folder is called 'others'"),
        (("astronauts", "gone.png"), "there is no picture 'gone.png'"),
        (("astronauts", "nobody.png"), "shows no upper teeth"),
    ],
)
def test_a_source_that_gives_no_teeth_is_named(portraits, tmp_path, row, complaint):
    with pytest.raises(TeethError, match=complaint):
        cut_bank([portraits], read_choice(choice(tmp_path / "choice.csv", row)))


def test_a_choice_has_columns_of_its_own(tmp_path):
    path = tmp_path / "choice.csv"
    path.write_text("name\ncollins.png\n")
    with pytest.raises(TeethError, match="the columns of a choice are set and file"):
        read_choice(path)


def test_the_choice_that_ships_names_the_rows_that_ship():
    with np.load(CHOICE.parents[2] / "reenact/generate/painters/mouth/teeth.npz", allow_pickle=False) as bank:
        assert len(read_choice()) == len(bank["upper"]) == len(bank["widths_mm"])
        assert bank["upper"].shape[1:] == (*SHAPE, 4)
