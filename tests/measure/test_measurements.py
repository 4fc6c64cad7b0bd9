"""Action units as arrays."""

from __future__ import annotations

import builtins
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import reenact
from calib.au import OPENFACE_CODES, UnknownAUError, bilateral
from reenact import errors
from reenact.cli import main
from reenact.measure.measurements import measurements
from reenact.media.image_file import Still, load_still, save_still
from reenact.records import Frame, Measured
from reenact.run.demo import PORTRAIT, make_clip
from tests.support.faces import posed_face, shows

FRAMES = 6


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return load_still(PORTRAIT).image[20:260, 100:350].copy()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "in.mp4"
    make_clip(path, (240, 320), seconds=FRAMES / 30)
    return path


def three_frames() -> list[Measured]:
    """Two faces, none, one."""
    image = np.full((480, 640, 3), 7, np.uint8)
    left, right = posed_face(1.0, (200, 240)), posed_face(1.0, (400, 240), track_id=4)
    return [
        Measured(Frame(image), (left, right), aus=(shows(AU12=2), shows(AU4=1))),
        Measured(Frame(image, Fraction(1, 30), 1), ()),
        Measured(Frame(image, Fraction(2, 30), 2), (right,), aus=(shows(AU12=3),)),
    ]


def test_rows_are_the_faces_of_the_frames_in_order():
    table = measurements(three_frames())
    assert len(table) == 3 and table.frame_count == 3
    assert list(table.face_ids) == [0, 4, 4] and list(table.frame_numbers) == [1, 1, 3]
    np.testing.assert_allclose(table.times_s, [0, 0, 2 / 30])
    assert list(table["AU12"]) == list(table["AU12_r"]) == [2, 0, 3] and list(table["AU4"]) == [0, 1, 0]
    assert table.names == tuple(f"{code}_r" for code in OPENFACE_CODES)
    np.testing.assert_array_equal(table.sides, [bilateral(row) for row in table.values])
    assert table.landmarks.shape == (3, 478, 3) and table.files is None
    assert (table.boxes[0] < table.boxes[1])[[0, 2]].all()
    assert repr(table) == "<AUMeasurements: 3 rows of 3 frames, faces 0, 4>"


def test_pixels_are_left_behind():
    frames = three_frames()
    table = measurements(frames)
    assert table.frames[0].frame.size == (480, 640) and not table.frames[0].frame.image.any()
    assert frames[0].frame.image.any()


def test_nothing_found_is_no_rows():
    table = measurements(three_frames()[1:2])
    assert len(table) == 0 and table.frame_count == 1
    assert table.values.shape == (0, 17) and table.sides.shape == (0, 2, 17)
    assert "faces none" in repr(table)
    assert table.boxes.shape == (0, 4) and table.landmarks.shape == (0, 478, 3)


def test_an_unknown_action_unit_is_named():
    with pytest.raises(UnknownAUError, match="AU99"):
        measurements([])["AU99"]


def test_a_film_is_read_as_the_command_line_reads_it(film: Path, tmp_path: Path):
    table = reenact.read_aus(film)
    assert table.frame_count == len(table) == FRAMES
    table.to_csv(tmp_path / "ours.csv", landmarks=True, sides=True)
    options = ["--landmarks", "--sides"]
    done = CliRunner().invoke(main, ["aus", str(film), str(tmp_path / "aus.csv"), *options])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "ours.csv").read_text() == (tmp_path / "aus.csv").read_text()


def test_a_folder_is_read_as_the_command_line_reads_it(portrait: np.ndarray, tmp_path: Path):
    folder = tmp_path / "faces"
    folder.mkdir()
    save_still(Still(portrait), folder / "anna.png")
    save_still(Still(np.zeros((40, 40, 3), np.uint8)), folder / "black.png")
    (folder / "broken.png").write_bytes(b"no picture")
    table = reenact.read_aus(folder)
    assert table.files == ("anna.png",) and table.frame_files == ("anna.png", "black.png")
    table.to_csv(tmp_path / "ours.csv")
    done = CliRunner().invoke(main, ["aus", str(folder), str(tmp_path / "aus.csv")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "ours.csv").read_text() == (tmp_path / "aus.csv").read_text()
    frame = table.to_pandas()
    assert list(frame["file"]) == ["anna.png"]


def test_arrays_paths_and_editors_read_the_same(portrait: np.ndarray, tmp_path: Path):
    save_still(Still(portrait), tmp_path / "anna.png")
    before = portrait.copy()
    by_array, by_path = reenact.read_aus(portrait), reenact.read_aus(str(tmp_path / "anna.png"))
    with reenact.ImageEditor(generator="warp") as editor:
        by_editor = editor.read(portrait)
    for other in (by_path, by_editor):
        np.testing.assert_array_equal(by_array.values, other.values)
        np.testing.assert_array_equal(by_array.landmarks, other.landmarks)
    np.testing.assert_array_equal(portrait, before)


def test_pandas_gets_the_columns_by_name(film: Path):
    frame = reenact.read_aus(film).to_pandas()
    assert list(frame.columns[:4]) == ["frame", "face_id", "timestamp", "confidence"]
    assert list(frame.columns[4:]) == [f"{code}_r" for code in OPENFACE_CODES]
    assert list(frame["frame"]) == list(range(1, FRAMES + 1))


def test_without_pandas_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def no_pandas(name: str, *arguments: object, **more: object) -> object:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", no_pandas)
    with pytest.raises(ImportError, match=r"^to_pandas needs pandas: pip install pandas$"):
        measurements([]).to_pandas()


def test_progress_counts_and_stops(film: Path, tmp_path: Path, portrait: np.ndarray):
    calls: list[tuple[int, int | None]] = []
    reenact.read_aus(film, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, FRAMES) for done in range(1, FRAMES + 1)]
    with pytest.raises(errors.Stopped):
        reenact.read_aus(film, progress=lambda done, total: done < 2)
    save_still(Still(portrait), tmp_path / "anna.png")
    reenact.read_aus(tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (1, 1)


def test_sources_that_cannot_be_read_are_oserrors(tmp_path: Path):
    with pytest.raises(errors.CaptureError):
        reenact.read_aus(tmp_path / "none.mp4")
    with pytest.raises(errors.StillError, match="no such file"):
        reenact.read_aus(tmp_path / "none.png")
    with pytest.raises(errors.StillError, match="no pictures"):
        reenact.read_aus(tmp_path)


def test_an_array_without_a_face_warns():
    with pytest.warns(errors.ImageWarning, match="nothing to read") as told:
        assert len(reenact.read_aus(np.zeros((60, 60, 3), np.uint8))) == 0
    assert told[0].filename == __file__
