"""The bank of teeth is cut out of portraits."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from reenact.demo import PORTRAIT
from reenact.generate.mouth.arch import SHAPE
from tests.mouths import TEETH, drawn, open_face
from train.__main__ import main
from train.data.teeth import CHOICE, TeethError, cut, cut_bank, read_choice


def choice(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("row", "set", "file"), *rows])
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
    picture = cut(drawn(face, teeth_mm=6), face, "upper").arch.picture
    solid = picture[..., 3] > 250
    assert solid.sum() > 2000
    teeth = picture[24:34, 70:110, :3]
    assert np.abs(teeth.astype(int) - 128).max() < 12
    assert (TEETH[0] - TEETH[2]) > 12  # whose tint is gone


def test_a_mouth_without_lower_teeth_gives_no_lower_row():
    face = open_face(above_mm=5, below_mm=4)
    assert cut(drawn(face, teeth_mm=4), face, "lower") is None


def test_a_bank_without_lower_teeth_is_refused_and_nothing_written(tmp_path, portraits):
    chosen = choice(tmp_path / "choice.csv", ("upper", "astronauts", "collins.png"))
    out = tmp_path / "teeth.npz"
    arguments = portraits, out, "--choice", chosen, "--sheet", tmp_path / "sheet.png"
    result = CliRunner().invoke(main, ["teeth", *map(str, arguments)])
    assert result.exit_code == 2 and "lower" in result.output  # a bank has both
    assert not out.exists()


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (("upper", "others", "collins.png"), "no folder is called 'others'"),
        (("upper", "astronauts", "gone.png"), "there is no picture 'gone.png'"),
        (("upper", "astronauts", "nobody.png"), "shows no upper teeth"),
    ],
)
def test_a_source_that_gives_no_teeth_is_named(portraits, tmp_path, row, complaint):
    with pytest.raises(TeethError, match=complaint):
        cut_bank([portraits], read_choice(choice(tmp_path / "choice.csv", row)))


def test_rows_are_upper_or_lower(tmp_path):
    with pytest.raises(TeethError, match="row is 'middle'; write upper or lower"):
        read_choice(choice(tmp_path / "choice.csv", ("middle", "a", "b.png")))


def test_the_choice_that_ships_names_the_rows_that_ship():
    with np.load(CHOICE.parents[2] / "reenact/generate/mouth/teeth.npz", allow_pickle=False) as bank:
        rows = [source.row for source in read_choice()]
        assert (rows.count("upper"), rows.count("lower")) == (len(bank["upper"]), len(bank["lower"]))
        assert bank["upper"].shape[1:] == (*SHAPE, 4)
