"""`reenact aus` from the outside."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from reenact.cli import main
from reenact.run.demo import PORTRAIT, make_clip


def reenact(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "two.mp4"
    make_clip(path, (240, 480), seconds=0.5, faces=2)
    return path


def test_a_video_becomes_a_table_with_a_row_for_each_face_of_each_frame(clip: Path, tmp_path: Path) -> None:
    result = reenact("aus", clip, tmp_path / "aus.csv", "--json", "-")
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "aus.csv")
    assert table.groupby("frame").size().tolist() == [2] * 15
    assert sorted(table["face_id"].unique()) == [0, 1]
    np.testing.assert_allclose(table["timestamp"].unique(), np.arange(15) / 30, atol=1e-4)
    assert table["AU12_r"].between(1, 5).all(), "the portrait smiles"
    assert table["AU04_r"].max() < 1, "and does not frown"
    assert json.loads(result.stdout)["frames_with_face"] == 15
    assert result.stderr == f"{tmp_path / 'aus.csv'}: 15 frames, 15 with a face\n"


def test_without_a_second_argument_the_table_goes_to_standard_output() -> None:
    result = reenact("aus", PORTRAIT)
    assert len(pd.read_csv(io.StringIO(result.stdout))) == 1
    assert result.stderr == ""


def test_what_each_side_shows_is_written_on_demand() -> None:
    row = pd.read_csv(io.StringIO(reenact("aus", PORTRAIT, "--sides").stdout)).iloc[0]
    assert row["AU12R"] > row["AU12L"] + 0.3, "the portrait's smile is a little crooked"
    assert (row["AU12R"] + row["AU12L"]) / 2 == pytest.approx(row["AU12_r"], abs=0.011)


def test_landmarks_lie_on_the_face() -> None:
    row = pd.read_csv(io.StringIO(reenact("aus", PORTRAIT, "--landmarks").stdout)).iloc[0]
    eyes = [np.mean([row[f"x_{i}"] for i in points]) for points in (range(36, 42), range(42, 48))]
    assert eyes[0] == pytest.approx(204, abs=5)
    assert eyes[1] == pytest.approx(248, abs=5)
    assert row["y_8"] == pytest.approx(178, abs=6), "chin"


def test_a_head_that_is_level_and_faces_the_camera_has_small_angles() -> None:
    row = pd.read_csv(io.StringIO(reenact("aus", PORTRAIT).stdout)).iloc[0]
    assert abs(row[["pose_Rx", "pose_Ry", "pose_Rz"]].astype(float)).max() < 0.2
    assert row["pose_Tz"] == pytest.approx(700, rel=0.15)


def test_a_folder_becomes_one_table_with_the_names_of_its_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    shutil.copy(PORTRAIT, folder / "b.jpg")
    Image.new("RGB", (200, 200), "teal").save(folder / "a.png")
    (folder / "c.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("not one either")
    result = reenact("aus", folder, tmp_path / "aus.csv")
    assert result.exit_code == 0
    table = pd.read_csv(tmp_path / "aus.csv")
    assert table[["file", "frame", "success"]].to_numpy().tolist() == [["a.png", 1, 0], ["b.jpg", 2, 1]]
    warning, summary = result.stderr.splitlines()
    assert warning.startswith("Warning: ") and "c.jpg" in warning
    assert summary == f"{tmp_path / 'aus.csv'}: 2 pictures, 1 with a face"


def test_no_face_at_all_warns_and_writes_rows_without_success(tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "teal").save(tmp_path / "plain.png")
    result = reenact("aus", tmp_path / "plain.png")
    assert result.exit_code == 0
    assert pd.read_csv(io.StringIO(result.stdout))["success"].tolist() == [0]
    assert result.stderr == "Warning: no face was found\n"


def assert_refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    for word in words:
        assert word in lines[0]


def test_bad_input_and_output_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "text.mp4").write_text("no film\n" * 100)
    assert_refused(reenact("aus", tmp_path / "none.mp4"), "none.mp4", "no such file")
    assert_refused(reenact("aus", tmp_path / "none.png"), "none.png", "no such file")
    assert_refused(reenact("aus", tmp_path / "empty"), "empty", "no pictures")
    assert_refused(reenact("aus", tmp_path / "text.png"), "text.png", "not a picture")
    assert_refused(reenact("aus", tmp_path / "text.mp4"), "text.mp4", "not a video")
    assert_refused(reenact("aus", PORTRAIT, tmp_path / "aus.txt"), "aus.txt", ".csv")
    assert_refused(reenact("aus", PORTRAIT, tmp_path / "no" / "aus.csv"), "aus.csv", "cannot be written")
    assert_refused(reenact("aus", PORTRAIT, "--json", "-"), "standard output")
    assert not list(tmp_path.glob("**/*.csv"))


def test_a_film_that_breaks_off_leaves_no_table(tmp_path: Path, clip: Path) -> None:
    broken = tmp_path / "broken.mp4"
    whole = clip.read_bytes()
    broken.write_bytes(whole[: len(whole) * 8 // 10])
    result = reenact("aus", broken, tmp_path / "aus.csv")
    assert result.exit_code == 1
    assert "breaks off" in result.stderr
    assert list(tmp_path.iterdir()) == [broken]
