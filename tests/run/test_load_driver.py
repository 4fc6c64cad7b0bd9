"""Drivers as other programs load them."""

from __future__ import annotations

import logging
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import reenact
from calib.au import AU_COUNT, au_index
from calib.profile import Profile
from reenact import errors
from reenact.programme.au_recording import AURecording
from reenact.programme.driver import Driver, DriverOptions
from reenact.run.demo import PORTRAIT, make_clip
from tests.cli.test_cli_video import SIZE, decode
from tests.pipeline.test_pipeline import leaked

SMILE, BROW = au_index("AU12"), au_index("AU04")
FRAMES = 9


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "in.mp4"
    make_clip(path, SIZE, seconds=FRAMES / 30)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A face that smiles more and more for a second."""
    rows = "".join(f"{step / 10},{step / 4},1\n" for step in range(11))
    path = tmp_path / "aus.csv"
    path.write_text(f"timestamp,AU12_r,AU04_r\n{rows}")
    return path


def value(driver: Driver, time_s: float, index: int = SMILE) -> float:
    return float(driver(Fraction(time_s), 0).value[0, index])


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_table_drives_as_the_command_line_has_it(table: Path, as_path: type):
    driver = reenact.load_driver(as_path(table))
    assert driver.options == DriverOptions()
    assert value(driver, 0.5) == pytest.approx(1.25) and value(driver, 0.5, BROW) == pytest.approx(1)


def test_what_is_chosen_of_a_driver_is_what_the_options_of_the_command_line_choose(table: Path):
    driver = reenact.load_driver(table, transfer="relative", regions="mouth", gain=2, start_s=0.2, loop=True)
    assert driver.options == DriverOptions("relative", frozenset({"mouth"}), 2, 0.2, True)
    assert value(driver, 0.3) == pytest.approx(2.5) and value(driver, 0.3, BROW) == 0
    assert reenact.load_driver(table, regions=["mouth", "eyes"]).options.regions == {"mouth", "eyes"}


def test_profiles_give_the_neutral_and_the_ratio_of_the_ranges(table: Path, tmp_path: Path):
    path = tmp_path / "actor.json"
    path.write_text('{"version": 1, "neutral": {"AU12": 0.5}, "range": {"AU12": 2}}')
    assert value(reenact.load_driver(table, profile=path), 0.5) == pytest.approx(0.75)
    wide = Profile(range=np.full(AU_COUNT, 3, np.float32))
    driver = reenact.load_driver(table, profile=str(path), driven_profile=wide)
    assert value(driver, 0.5) == pytest.approx(1.5 * 0.75)


def test_a_film_is_read_and_drives_a_film(film: Path, tmp_path: Path):
    calls: list[tuple[int, int | None]] = []
    threads = set()

    def progress(done: int, total: int | None) -> None:
        calls.append((done, total))
        threads.add(threading.current_thread())

    driver = reenact.load_driver(film, gain=3, transfer="relative", progress=progress)
    assert isinstance(driver.source, AURecording) and len(driver.source.times_s) == FRAMES
    assert calls == [(done, FRAMES) for done in range(1, FRAMES + 1)]
    assert threads == {threading.current_thread()}
    report = reenact.edit_video(film, tmp_path / "out.mp4", driver, generator="warp")
    assert report.frames == FRAMES
    before, after = np.stack(decode(film)).astype(int), np.stack(decode(tmp_path / "out.mp4"))
    assert np.abs(after - before).max() > 40


def test_a_picture_drives_a_picture():
    driver = reenact.load_driver(PORTRAIT, regions="mouth", gain=3, transfer="relative")
    image = np.asarray(Image.open(PORTRAIT).convert("RGB"))
    edited = reenact.edit_image(image, driver, generator="warp")
    assert np.abs(edited.astype(int) - image).max() > 40


def test_false_stops_the_reading_of_a_film(film: Path):
    with pytest.raises(errors.Stopped, match="after 3 frames"):
        reenact.load_driver(film, progress=lambda done, total: done < 3)
    assert leaked() == []


def test_remarks_on_a_table_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "aus.csv"
    path.write_text("timestamp,face_id,AU12_r\n0,0,1\n1,1,1\n")
    with caplog.at_level(logging.INFO):
        reenact.load_driver(path)
    (record,) = caplog.records
    assert record.name == "reenact.run.load_driver" and str(path) in record.getMessage()


@pytest.mark.parametrize(
    ("source", "arguments", "error", "words"),
    [
        ("nowhere.csv", {}, errors.AURecordingError, "No such file"),
        ("nowhere.jpg", {}, errors.StillError, "nowhere.jpg"),
        ("nowhere.mp4", {}, errors.CaptureError, "nowhere.mp4"),
        ("line.csv", {}, errors.AURecordingError, "line.csv"),
        ("grey.png", {}, errors.AURecordingError, "no face was found in it"),
        (PORTRAIT, {"face": 5}, errors.AURecordingError, "there is no face 5; it has 1"),
        (PORTRAIT, {"face": "anna"}, errors.AURecordingError, "'anna' is not a number"),
        (PORTRAIT, {"regions": "nose"}, errors.RegionError, "unknown region 'nose'"),
        (PORTRAIT, {"gain": 4}, errors.ControlError, "gain 4 is out of range: choose 0 to 3"),
        (PORTRAIT, {"gain": float("nan")}, errors.ControlError, "gain nan is out of range"),
        (PORTRAIT, {"start_s": -1}, errors.ControlError, "start_s -1 is out of range"),
        (PORTRAIT, {"transfer": "half"}, errors.ControlError, "choose absolute or relative"),
        (PORTRAIT, {"profile": "nowhere.json"}, errors.ProfileError, "nowhere.json"),
    ],
)
def test_what_cannot_drive_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, arguments: dict, error: type, words: str
):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64), "grey").save("grey.png")
    Path("line.csv").write_text("time,au,value\n0,AU12,+2\n")
    with pytest.raises(error) as refused:
        reenact.load_driver(source, **arguments)
    assert words in str(refused.value) and "\n" not in str(refused.value)
