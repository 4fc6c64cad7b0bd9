"""`--profile`, `--driver-profile` and `--save-profile` from the outside."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import reenact as package
from calib.au import AU_INDEX
from calib.profile import load_profile
from reenact.cli import main
from reenact.measure.profiles import mouth_of
from reenact.programme import parse_targets
from reenact.retarget.options import RetargetOptions
from reenact.run.demo import PORTRAIT, make_clip
from reenact.run.files import EditOptions
from reenact.run.live import LiveOptions, open_live

WARP = ("--generator", "warp")
AU12 = AU_INDEX[12]


def reenact(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def profile(path: Path, text: str) -> Path:
    path.write_text(f'{{"version": 1, {text}}}')
    return path


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, (240, 320), seconds=0.5)
    return path


@pytest.fixture(scope="module")
def smiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The woman of the portrait, had she always the smile that she has there."""
    folder = tmp_path_factory.mktemp("people")
    assert CliRunner().invoke(main, ["aus", str(PORTRAIT), str(folder / "aus.csv")]).exit_code == 0
    row = pd.read_csv(folder / "aus.csv").iloc[0]
    neutral = ", ".join(f'"{name[:4]}": {row[name]}' for name in row.index if name.endswith("_r"))
    return profile(folder / "smiler.json", f'"neutral": {{{neutral}}}, "range": {{"AU12": 1}}')


def made(folder: Path, *arguments: object) -> np.ndarray:
    result = reenact("image", PORTRAIT, folder / "out.png", *WARP, *arguments)
    assert result.exit_code == 0, result.output
    return np.asarray(Image.open(folder / "out.png").convert("RGB")).astype(int)


def test_the_action_units_of_somebody_at_rest_are_written_as_0(tmp_path: Path, smiler: Path) -> None:
    assert reenact("aus", PORTRAIT, tmp_path / "aus.csv", "--profile", smiler).exit_code == 0
    table = pd.read_csv(tmp_path / "aus.csv")
    assert table.filter(regex="_r$").to_numpy().max() <= 0.01
    assert (table.filter(regex="_c$") == 0).all(axis=None)


def test_films_are_read_beyond_the_neutral_too(tmp_path: Path, face: Path, smiler: Path) -> None:
    assert reenact("aus", face, tmp_path / "plain.csv").exit_code == 0
    assert reenact("aus", face, tmp_path / "calibrated.csv", "--profile", smiler).exit_code == 0
    plain, calibrated = (pd.read_csv(tmp_path / f"{name}.csv")["AU12_r"] for name in ("plain", "calibrated"))
    expected = np.clip(plain - load_profile(smiler).neutral[AU12], 0, 5)
    np.testing.assert_allclose(calibrated, expected, atol=0.011)
    assert plain.min() > 1 > calibrated.max()


def test_a_smile_that_is_the_neutral_is_not_taken_away(tmp_path: Path, smiler: Path) -> None:
    serious = "AU06=0,AU12=0,AU25=0"
    untouched = np.asarray(Image.open(PORTRAIT).convert("RGB")).astype(int)
    assert np.abs(made(tmp_path, "--target-aus", serious) - untouched).max() > 60
    # The table, which the neutral comes from, has two decimals.
    assert np.abs(made(tmp_path, "--target-aus", serious, "--profile", smiler) - untouched).max() < 20


def test_nobody_is_asked_for_more_than_the_range(tmp_path: Path, smiler: Path) -> None:
    limited = made(tmp_path, "--target-aus", "AU12=+2", "--profile", smiler)
    off = [np.abs(limited - made(tmp_path, "--target-aus", f"AU12=+{value}")).max() for value in (1, 2)]
    assert off[0] < 10 and off[1] > 60


def test_a_driver_counts_from_its_own_neutral_and_is_scaled_to_the_range_of_the_face(
    tmp_path: Path, smiler: Path
) -> None:
    table = tmp_path / "driver.csv"
    table.write_text("timestamp,success,AU12_r\n0.0,1,2\n")
    driver = profile(tmp_path / "driver.json", '"neutral": {"AU12": 1}, "range": {"AU12": 2}')
    options = "--driver", table, "--transfer", "relative"
    plain = made(tmp_path, *options, "--driver-profile", driver)
    assert np.array_equal(plain, made(tmp_path, "--target-aus", "AU12=+1"))
    scaled = made(tmp_path, *options, "--driver-profile", driver, "--profile", smiler)
    assert np.array_equal(scaled, made(tmp_path, "--target-aus", "AU12=+0.5"))


def test_a_profile_that_is_wrong_or_has_no_driver_is_refused_in_one_line(tmp_path: Path, face: Path) -> None:
    wrong = profile(tmp_path / "wrong.json", '"gain": {"AU12": 9}')
    for command in (["video", face, tmp_path / "out.mp4", "--preset", "smile"], ["aus", face]):
        refused = reenact(*command, "--profile", wrong)
        assert refused.exit_code == 2 and refused.output.count("\n") == 1
        assert "'AU12' in \"gain\" is 9; write numbers from 0 to 4" in refused.output
    right = profile(tmp_path / "right.json", '"gain": {"AU12": 2}')
    refused = reenact("image", PORTRAIT, tmp_path / "out.png", "--preset", "smile", "--driver-profile", right)
    assert refused.exit_code == 2 and "--driver-profile needs --driver" in refused.output


def live(**options: object) -> LiveOptions:
    known = options.pop("profile", None)
    edit = EditOptions(generator="warp", retarget=RetargetOptions(profile=known))
    return LiveOptions(edit=edit, virtual_camera=False, preview=False, **options)


def test_a_live_run_begins_with_the_neutral_of_the_profile_and_the_key_takes_another(
    tmp_path: Path, face: Path
) -> None:
    path = profile(tmp_path / "ana.json", '"name": "Ana", "neutral": {"AU04": 4}, "gain": {"AU12": 1.5}')
    options = live(profile=load_profile(path), save_profile=path)
    with package.open(face, "AU12=0", options=options) as session:
        assert session.settings.neutral is not None and session.settings.neutral[AU_INDEX[4]] == 4
        frames = iter(session)
        while not next(frames).faces:
            pass
        assert session.take_neutral()
    saved = load_profile(path)
    assert saved.neutral[AU12] > 1 and saved.neutral[AU_INDEX[4]] < 0.5
    assert (saved.name, saved.gain[AU12], saved.how) == ("Ana", 1.5, "neutral taken in a live run")


def test_the_key_says_what_came_of_it(tmp_path: Path, face: Path) -> None:
    path = tmp_path / "people" / "ana.json"
    path.parent.mkdir()
    with open_live(str(face), parse_targets("none"), live(save_profile=path)) as run:
        assert run.neutral_key() == "no face: the neutral stays as it was"
        records = run.records()
        while (record := next(records)) is None or not record.faces:
            pass
        assert run.neutral_key() == "this is the neutral face now, saved as ana.json"
        path.unlink()
        path.parent.rmdir()
        assert "this is the neutral face now; profile" in run.neutral_key()
        assert run.controls.now.neutral is not None
        records.close()


def test_a_run_in_which_nobody_pressed_the_key_writes_nothing_and_says_so(tmp_path: Path, face: Path) -> None:
    options = "--no-virtual-camera", "--no-preview", "--record", tmp_path / "out.mp4", "--no-audio"
    saved = "--save-profile", tmp_path / "ana.json"
    result = reenact("webcam", "--camera", face, *WARP, *options, *saved, "--duration", 0.5)
    assert result.exit_code == 0, result.output
    assert f"Note: {tmp_path / 'ana.json'} was not written: n was not pressed" in result.stderr
    assert not (tmp_path / "ana.json").exists()


def test_a_place_that_cannot_be_saved_to_is_refused_at_the_start(tmp_path: Path, face: Path) -> None:
    result = reenact("webcam", "--camera", face, "--no-preview", "--save-profile", tmp_path / "ana.txt")
    assert result.exit_code == 2 and "ends in .json" in result.output


def test_pictures_of_the_mouth_go_into_the_profile_only_when_that_is_asked_for(
    tmp_path: Path, face: Path
) -> None:
    run = "webcam", "--camera", face, "--no-virtual-camera", "--no-preview", "--no-audio", *WARP
    for name, asked in (("with.json", ["--with-mouth"]), ("without.json", [])):
        path = tmp_path / name
        record = "--record", tmp_path / f"{name}.mp4"
        result = reenact(*run, *record, "--save-profile", path, *asked, "--duration", 3)
        assert result.exit_code == 0, result.output
        assert path.exists() == bool(asked)
        # How many differ enough depends on the frames that a busy machine drops.
        note = rf"Note: {re.escape(str(path))} holds [1-3] pictures? of the inside of your mouth"
        assert (re.search(note, result.stderr) is not None) == bool(asked)
    assert mouth_of(load_profile(tmp_path / "with.json")).upper is not None


def test_pictures_of_the_mouth_without_a_profile_to_keep_them_are_refused(tmp_path: Path, face: Path) -> None:
    result = reenact("webcam", "--camera", face, "--with-mouth")
    assert result.exit_code == 2 and "--with-mouth needs --save-profile" in result.output
