"""`reenact image` from the outside."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from reenact.cli import main
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.run.demo import PORTRAIT
from tests.support import tiny_models

SURPRISE = ("--preset", "surprise")


def reenact(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


def assert_refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    for word in words:
        assert word in lines[0]


def test_the_face_changes_and_not_a_pixel_of_the_rest(tmp_path: Path) -> None:
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *SURPRISE)
    assert result.exit_code == 0, result.output
    changed = np.abs(pixels(tmp_path / "out.png") - pixels(PORTRAIT)).max(axis=2) > 0
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 2000
    assert rows.min() > 20 and rows.max() < 260 and columns.min() > 120 and columns.max() < 330
    assert result.stderr == f"{tmp_path / 'out.png'}: 1 face\n"


def test_a_target_that_changes_nothing_returns_the_same_pixels(tmp_path: Path) -> None:
    reenact("image", PORTRAIT, tmp_path / "out.png", "--target-aus", "none")
    assert np.array_equal(pixels(tmp_path / "out.png"), pixels(PORTRAIT))


def test_strength_zero_returns_the_same_pixels(tmp_path: Path) -> None:
    reenact("image", PORTRAIT, tmp_path / "out.png", *SURPRISE, "--strength", "0")
    assert np.array_equal(pixels(tmp_path / "out.png"), pixels(PORTRAIT))


def test_compare_stands_beside_the_input_with_its_transparency(tmp_path: Path) -> None:
    picture = Image.open(PORTRAIT).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(tmp_path / "in.png")
    reenact("image", tmp_path / "in.png", tmp_path / "out.png", *SURPRISE, "--compare")
    both = pixels(tmp_path / "out.png")
    assert both.shape == (512, 1024, 4)
    assert np.array_equal(both[:, :512], pixels(tmp_path / "in.png"))
    assert np.array_equal(both[:, 512:, 3], both[:, :512, 3])


def test_without_a_face_it_warns_and_the_picture_passes_through(tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "teal").save(tmp_path / "in.png")
    result = reenact("image", tmp_path / "in.png", tmp_path / "out.png", *SURPRISE, "--json", "-")
    assert result.exit_code == 0
    assert np.array_equal(pixels(tmp_path / "out.png"), pixels(tmp_path / "in.png"))
    assert result.stderr.splitlines()[0] == "Warning: no face was found: the picture is unchanged"
    assert json.loads(result.stdout) == {
        "input": str(tmp_path / "in.png"),
        "output": str(tmp_path / "out.png"),
        "faces": 0,
        "notes": ["no face was found: the picture is unchanged"],
        "faces_left_out": 0,
    }


def test_a_face_that_was_not_chosen_stays_as_it_is(tmp_path: Path) -> None:
    both = Image.new("RGB", (1024, 512))
    both.paste(Image.open(PORTRAIT), (0, 0))
    both.paste(Image.open(PORTRAIT).resize((256, 256)), (600, 100))
    both.save(tmp_path / "in.png")

    def changed(which: str) -> list[bool]:
        reenact("image", tmp_path / "in.png", tmp_path / "out.png", *SURPRISE, "--faces", which)
        difference = pixels(tmp_path / "out.png") != pixels(tmp_path / "in.png")
        return [bool(difference[:, :512].any()), bool(difference[:, 512:].any())]

    assert changed("largest") == [True, False]
    assert changed("all") == [True, True]
    assert changed("7") == [False, False]
    assert sorted([changed("0"), changed("1")]) == [[False, True], [True, False]]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("out.gif", [".gif", ".png"]),
        ("no/out.png", ["out.png", "cannot be written"]),
        ("in.png", ["is the input itself"]),
    ],
)
def test_output_that_cannot_be_written_is_refused_in_one_line(
    tmp_path: Path, output: str, words: list[str]
) -> None:
    Image.open(PORTRAIT).save(tmp_path / "in.png")
    before = (tmp_path / "in.png").read_bytes()
    assert_refused(reenact("image", tmp_path / "in.png", tmp_path / output, *SURPRISE), *words)
    assert (tmp_path / "in.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_input_that_is_no_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    for name, words in [
        ("none.png", ["no such file"]),
        ("text.png", ["not a picture"]),
        ("empty.png", ["empty.png"]),
        (".", ["is a folder"]),
    ]:
        assert_refused(reenact("image", tmp_path / name, tmp_path / "out.png", *SURPRISE), *words)
    assert not (tmp_path / "out.png").exists()


def test_targets_are_needed(tmp_path: Path) -> None:
    assert_refused(reenact("image", PORTRAIT, tmp_path / "out.png"), "nothing to change")


@pytest.fixture(scope="module")
def blackener(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that paints the inside of the mouth black."""
    path = tmp_path_factory.mktemp("models") / "blackener.onnx"
    path.write_bytes(tiny_models.described(tiny_models.blackener(), "live"))
    return path


def test_live_paints_with_the_model_that_is_given(tmp_path: Path, blackener: Path) -> None:
    live = ("--generator", "live", "--model", blackener, "--engine", "onnx")
    warp = ("--generator", "warp")
    assert reenact("image", PORTRAIT, tmp_path / "warp.png", *SURPRISE, *warp).exit_code == 0
    result = reenact("image", PORTRAIT, tmp_path / "live.png", *SURPRISE, *live)
    assert result.exit_code == 0, result.output
    warped, painted = pixels(tmp_path / "warp.png"), pixels(tmp_path / "live.png")
    differ = (warped != painted).any(axis=2)
    assert (painted[differ] <= warped[differ]).all()
    assert (painted[differ] < 0.5 * warped[differ]).mean() > 0.4  # dark, but for the soft edges
    assert differ.sum() > 200


@pytest.mark.parametrize("content", [b"not a model", b"", None])
def test_a_model_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "bad.onnx").write_bytes(content)
    live = ("--generator", "live", "--model", tmp_path / "bad.onnx")
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *SURPRISE, *live)
    assert result.exit_code in (1, 2)
    assert result.stderr.count("\n") == 1 and "bad.onnx" in result.stderr
    assert not (tmp_path / "out.png").exists()


def test_another_landmarker_can_be_given(shared: Path, tmp_path: Path) -> None:
    task = shared / "models" / "face_landmarker.task"
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *SURPRISE, "--landmarker", task)
    assert result.exit_code == 0, result.output
    assert (pixels(tmp_path / "out.png") != pixels(PORTRAIT)).any()


def test_a_landmarker_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = reenact(
        "image", PORTRAIT, tmp_path / "out.png", *SURPRISE, "--landmarker", tmp_path / "absent.task"
    )
    assert result.exit_code in (1, 2)
    assert result.stderr.count("\n") == 1 and "absent.task" in result.stderr


def test_paper_repaints_the_face_with_the_model_that_is_given(tmp_path: Path) -> None:
    model = tmp_path / "paper.onnx"
    model.write_bytes(tiny_models.described(tiny_models.inverter(64), "paper", FaceCrop(size=64)))
    paper = ("--generator", "paper", "--model", model)
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *SURPRISE, *paper)
    assert result.exit_code == 0, result.output
    before, after = pixels(PORTRAIT).astype(int), pixels(tmp_path / "out.png").astype(int)
    touched = (before != after).any(axis=2)
    assert 0.05 < touched.mean() < 0.6
    forehead = np.s_[70:90, 215:235]
    assert np.abs(255 - before[forehead] - after[forehead]).mean() < 20


@pytest.mark.parametrize(
    ("generator", "words"),
    [("paper", ["--model paper.onnx"]), ("live", ["is a model for --generator paper, not live"])],
)
def test_a_model_that_is_missing_or_anothers_is_refused(
    tmp_path: Path, generator: str, words: list[str]
) -> None:
    model = tmp_path / "own.onnx"
    model.write_bytes(tiny_models.described(tiny_models.inverter(64), "paper", FaceCrop(size=64)))
    given = ("--model", model) if generator == "live" else ()
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *SURPRISE, "--generator", generator, *given)
    assert_refused(result, *words)


def test_a_change_of_nothing_gives_the_very_same_pixels_whatever_the_generator(tmp_path: Path) -> None:
    model = tmp_path / "paper.onnx"
    model.write_bytes(tiny_models.described(tiny_models.inverter(64), "paper", FaceCrop(size=64)))
    paper = ("--generator", "paper", "--model", model)
    result = reenact("image", PORTRAIT, tmp_path / "out.png", "--target-aus", "AU12=+0", *paper)
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), pixels(PORTRAIT))


def test_a_painting_is_changed_as_a_photograph_is(tmp_path: Path) -> None:
    portrait = cv2.imread(str(PORTRAIT))
    painting = cv2.stylization(portrait, sigma_s=60, sigma_r=0.45)
    cv2.imwrite(str(tmp_path / "painting.png"), painting)
    result = reenact("image", tmp_path / "painting.png", tmp_path / "out.png", *SURPRISE, "--json", "-")
    assert json.loads(result.stdout)["faces"] == 1, result.output
    change = np.abs(cv2.imread(str(tmp_path / "out.png")).astype(int) - painting).max(axis=2)
    assert change.max() > 60
    assert (change > 0).mean() < 0.2, "the face, nothing else"
