"""Figures: sweeps over action units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import reenact as package
from calib.au import au_index
from reenact.cli import main
from reenact.figures.captions import label
from reenact.figures.face_grid import TILE_PX
from reenact.media.read import open_capture
from reenact.programme.sweeps import SweepError, parse_sweep
from reenact.programme.target_syntax import parse_targets
from reenact.programme.targets import no_targets
from tests.support.faces import change

PORTRAIT = Path(package.__file__).with_name("data") / "portrait.jpg"
CAPTION_PX = label("", "AU12+1", TILE_PX).shape[0]


def reenact(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def figure(tmp_path: Path, *arguments: object) -> np.ndarray:
    result = reenact("image", PORTRAIT, tmp_path / "out.png", "--generator", "warp", *arguments)
    assert result.exit_code == 0, result.output
    return np.asarray(Image.open(tmp_path / "out.png")).astype(int)


def test_a_sweep_goes_in_even_steps_from_the_first_to_the_last():
    sweep = parse_sweep("AU12=-1:3:5")
    assert sweep.index == au_index("AU12")
    assert sweep.values == (-1, 0, 1, 2, 3)
    assert [sweep.name(step) for step in (0, 1, 4)] == ["AU12-1", "AU12+0", "AU12+3"]
    last = sweep.varied(no_targets(), 4)
    assert last.value[:, sweep.index].tolist() == [3, 3] and not last.hold.any()


def test_a_sweep_may_be_of_one_side():
    sweep = parse_sweep("AU45L=0:5:3")
    assert sweep.varied(no_targets(), 2).value[:, sweep.index].tolist() == [5, 0]
    assert sweep.name(2) == "AU45L+5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AU12", "'AU12' is not a sweep; write AU12=-1:3:5"),
        ("AU12=0:3", "is not a sweep"),
        ("AU99=0:3:4", "unknown action unit 'AU99'"),
        ("AU12=a:3:4", "has a part that is not a number"),
        ("AU12=0:3:4.5", "has a part that is not a number"),
        ("AU12=0:9:4", "out of range"),
        ("AU12=nan:3:4", "out of range"),
        ("AU12=0:3:1", "has 1 steps; choose 2 to 25"),
        ("strength=0:4:3", "out of range: strength runs from 0 to 3"),
        ("strength=-1:1:3", "out of range"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(text, message):
    with pytest.raises(SweepError) as caught:
        parse_sweep(text)
    assert message in str(caught.value)


def test_one_sweep_is_a_row_and_the_face_changes_along_it(tmp_path):
    row = figure(tmp_path, "--sweep", "AU12=0:3:3")
    assert row.shape == (TILE_PX + CAPTION_PX, 3 * TILE_PX, 3)
    first, second, third = (row[:TILE_PX, start : start + TILE_PX] for start in (0, TILE_PX, 2 * TILE_PX))
    assert 0 < np.abs(second - first).mean() < np.abs(third - first).mean()


def test_two_sweeps_are_a_grid_whose_first_column_is_the_first_sweep(tmp_path):
    grid = figure(tmp_path, "--sweep", "AU12=0:3:2", "--sweep", "AU45=0:4:3")
    height = TILE_PX + CAPTION_PX
    assert grid.shape == (2 * height, 3 * TILE_PX, 3)
    column = figure(tmp_path, "--sweep", "AU12=0:3:2")
    assert np.array_equal(grid[height : height + TILE_PX, :TILE_PX], column[:TILE_PX, TILE_PX:])


def test_a_sweep_goes_on_top_of_what_else_is_asked_for(tmp_path):
    plain, blinking = (
        figure(tmp_path, "--sweep", "AU12=0:3:2", *more) for more in ((), ("--preset", "blink"))
    )
    difference = np.abs(plain - blinking)[:TILE_PX, :TILE_PX].sum(axis=(1, 2))
    eyes, mouth = difference[: TILE_PX // 2].sum(), difference[TILE_PX * 2 // 3 :].sum()
    assert eyes > 10 * mouth


def test_strength_goes_from_nothing_to_more_than_was_asked_for():
    sweep = parse_sweep("strength=0:1.5:4")
    asked = parse_targets("AU12=+2,AU25=3")
    assert [sweep.name(step) for step in range(4)] == ["0 times", "0.5 times", "1 times", "1.5 times"]
    half = sweep.varied(asked, 1)
    assert half.value[0, au_index("AU12")] == 1 and half.hold[0, au_index("AU25")] == 0.5
    assert not sweep.varied(asked, 0).change(change(AU25=1)).any()


def test_what_a_sweep_adds_is_as_strong_as_it_says_whatever_the_strength(tmp_path):
    arguments = "--preset", "blink", "--sweep", "AU12=0:3:2"
    plain = figure(tmp_path, *arguments)[:TILE_PX]
    grid = figure(tmp_path, *arguments, "--sweep", "strength=0:1:2")
    last = grid[TILE_PX + CAPTION_PX : 2 * TILE_PX + CAPTION_PX, TILE_PX:]
    assert np.array_equal(last, plain[:, TILE_PX:])


def test_a_sweep_as_a_film_goes_there_and_back(tmp_path):
    result = reenact("image", PORTRAIT, tmp_path / "o.mp4", "--generator", "warp", "--sweep", "AU12=0:3:3")
    assert result.exit_code == 0, result.output
    with open_capture(tmp_path / "o.mp4") as capture:
        frames = [frame.image.astype(int) for frame in capture]
    assert len(frames) == 4
    assert np.abs(frames[1] - frames[3]).mean() < 1 < np.abs(frames[0] - frames[2])[:TILE_PX].mean()


def test_a_folder_of_pictures_drives_a_face(tmp_path):
    (tmp_path / "drivers").mkdir()
    smiling = Image.open(PORTRAIT)
    smiling.save(tmp_path / "drivers" / "a smile.png")
    smiling.crop((60, 0, 420, 400)).save(tmp_path / "drivers" / "b.jpg")
    Image.new("RGB", (64, 32), "grey").save(tmp_path / "drivers" / "nobody.png")
    (tmp_path / "drivers" / "notes.txt").write_text("no picture")
    arguments = "--generator", "warp", "--neutralise", 1, "--driver-folder", tmp_path / "drivers"
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *arguments)
    assert result.exit_code == 0, result.output
    assert "nobody.png: no face was found in it" in result.stderr
    grid = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    height = TILE_PX + CAPTION_PX
    assert grid.shape == (2 * height, 3 * TILE_PX, 3)
    source, same = (grid[height : height + TILE_PX, x : x + TILE_PX] for x in (0, TILE_PX))
    assert np.abs(source - same).mean() < 2, "her own expression, taken away and put back"
    none = figure(tmp_path, "--driver-folder", tmp_path / "drivers", "--neutralise", 1, "--gain", 0)
    blank = none[height : height + TILE_PX, TILE_PX : 2 * TILE_PX]
    assert np.abs(source - blank).mean() > 2 * np.abs(source - same).mean()


@pytest.mark.parametrize(
    ("pictures", "message"),
    [(0, "holds 0 pictures; give a folder of 1 to 12"), (1, "no face was found in any picture of")],
)
def test_a_driver_folder_without_faces_is_refused_in_one_line(tmp_path, pictures, message):
    (tmp_path / "drivers").mkdir()
    for index in range(pictures):
        Image.new("RGB", (64, 32), "grey").save(tmp_path / "drivers" / f"{index}.png")
    result = reenact("image", PORTRAIT, tmp_path / "out.png", "--driver-folder", tmp_path / "drivers")
    assert result.exit_code == 2
    assert message in result.stderr.splitlines()[-1]
    missing = reenact("image", PORTRAIT, tmp_path / "out.png", "--driver-folder", tmp_path / "nowhere")
    assert missing.exit_code == 2 and "nowhere" in missing.stderr


def test_a_gif_moves_there_and_back(tmp_path):
    result = reenact("image", PORTRAIT, tmp_path / "o.gif", "--generator", "warp", "--sweep", "AU12=0:3:3")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "o.gif") as film:
        assert film.n_frames == 4
        assert film.size == (TILE_PX, TILE_PX + CAPTION_PX)
        assert film.info["loop"] == 0


def test_a_picture_without_a_face_is_shown_whole_with_a_warning(tmp_path):
    Image.new("RGB", (64, 32), "grey").save(tmp_path / "grey.png")
    result = reenact("image", tmp_path / "grey.png", tmp_path / "out.png", "--sweep", "AU12=0:3:2")
    assert result.exit_code == 0
    assert "no face was found" in result.stderr
    assert Image.open(tmp_path / "out.png").size == (2 * TILE_PX, TILE_PX // 2 + CAPTION_PX)


@pytest.mark.parametrize(
    ("output", "sweeps", "message"),
    [
        ("out.png", ["AU12=0:3:2"] * 3, "give one for a row, or two for a grid"),
        ("out.gif", ["AU12=0:3:2"] * 2, "only one --sweep can be animated"),
        ("out.png", ["AU12=3"], "'AU12=3' is not a sweep"),
        ("out.mp4", [], "only one --sweep can be animated"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(tmp_path, output, sweeps, message):
    arguments = [argument for sweep in sweeps for argument in ("--sweep", sweep)]
    result = reenact("image", PORTRAIT, tmp_path / output, "--preset", "smile", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / output).exists()
