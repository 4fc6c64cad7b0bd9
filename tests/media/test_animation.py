"""Pictures that move, as films; and what is said of them where a still is needed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image, features

from reenact.cli import main
from reenact.media.image_file import StillError, load_still
from reenact.media.read import CaptureError, open_capture
from reenact.media.read.animation import is_animation
from reenact.run.demo import PORTRAIT
from tests.support.media import gradient, picture_times

KINDS = ["webp", "gif", "png", *(["avif"] if features.check("avif") else [])]
DURATIONS_MS = [40, 40, 120, 40, 40]


def animation(path: Path, mode: str = "RGB") -> Path:
    """Five pictures of the moving gradient, the third of which stands longer."""
    pictures = [Image.fromarray(gradient(index * 5, (48, 64))).convert(mode) for index in range(5)]
    first, *others = pictures
    first.save(path, save_all=True, append_images=others, duration=DURATIONS_MS, lossless=True, quality=100)
    return path


def reenact(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("kind", KINDS)
def test_an_animation_is_a_film(tmp_path: Path, kind: str) -> None:
    with open_capture(animation(tmp_path / f"a.{kind}")) as capture:
        assert capture.size == (48, 64)
        assert "alpha is dropped" not in capture.notes or kind == "gif"
        frames = list(capture)
    assert [float(frame.pts) for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.2, 0.24])
    for index, frame in enumerate(frames):
        difference = np.abs(frame.image.astype(int) - gradient(index * 5, (48, 64)))
        assert difference.mean() < (1 if kind in ("webp", "png") else 12)


def test_transparency_of_an_animation_is_lost_and_that_is_said(tmp_path: Path) -> None:
    pictures = [Image.new("RGBA", (64, 48), (10 * index, 100, 50, 128)) for index in range(3)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=40)
    with open_capture(tmp_path / "a.webp") as capture:
        assert capture.notes == ("alpha is dropped",)
        assert len(list(capture)) == 3


def test_a_still_of_the_same_kind_is_none(tmp_path: Path) -> None:
    for kind in KINDS:
        Image.fromarray(gradient(0, (48, 64))).save(tmp_path / f"a.{kind}")
        assert not is_animation(tmp_path / f"a.{kind}")
        assert load_still(tmp_path / f"a.{kind}").image.shape == (48, 64, 3)
    for kind in {*KINDS} - {"gif"}:
        with pytest.raises(CaptureError, match="reenact image"):
            open_capture(tmp_path / f"a.{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_where_a_still_is_needed_the_right_command_is_named(tmp_path: Path, kind: str) -> None:
    path = animation(tmp_path / f"a.{kind}")
    with pytest.raises(StillError, match=r"animation of 5 pictures; use `reenact video`"):
        load_still(path)
    result = reenact("image", path, tmp_path / "out.png", "--preset", "smile")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1 and "reenact video" in result.stderr


@pytest.mark.parametrize("kind", ["webp", "png"])
def test_commands_take_an_animation_for_a_film_whatever_its_name(tmp_path: Path, kind: str) -> None:
    portrait = Image.open(PORTRAIT).convert("RGB")
    path = tmp_path / f"a.{kind}"
    others = [portrait.point(lambda value, by=by: min(255, value + by)) for by in (20, 40)]
    portrait.save(path, save_all=True, append_images=others, duration=100, lossless=True)
    table = pd.read_csv(io.StringIO(reenact("aus", path).stdout))
    assert table["timestamp"].tolist() == pytest.approx([0, 0.1, 0.2])
    result = reenact("video", path, tmp_path / "out.mp4", "--preset", "smile")
    assert result.exit_code == 0, result.output
    assert len(picture_times(tmp_path / "out.mp4")) == 3


def test_an_animation_that_is_cut_is_refused_in_one_line(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CaptureError, match=r"a\.webp") as caught:
        open_capture(path)
    assert "\n" not in str(caught.value)
