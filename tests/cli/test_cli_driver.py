"""`--driver`, `--neutralise` and `--scale` from the outside."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import reenact as package
from calib.au import LIP_GAP
from reenact.cli import main
from reenact.measure.read_aus import read_still
from reenact.media.image_file import Still
from reenact.run.demo import make_clip
from reenact.track import TrackerOptions

PORTRAIT = Path(package.__file__).with_name("data") / "portrait.jpg"
WARP = ("--generator", "warp")


def reenact(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, (240, 320), seconds=0.5)
    return path


@pytest.fixture
def serious(tmp_path: Path) -> Path:
    """A table of a face that does not smile, and of which nothing else was measured."""
    path = tmp_path / "serious.csv"
    path.write_text("timestamp,success,AU06_r,AU12_r\n0.0,1,0,0\n")
    return path


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def frames(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(int)


def made(tmp_path: Path, *arguments: object) -> np.ndarray:
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *WARP, *arguments)
    assert result.exit_code == 0, result.output
    return picture(tmp_path / "out.png")


def test_a_driver_that_does_not_smile_takes_the_smile_away(tmp_path: Path, serious: Path) -> None:
    driven = made(tmp_path, "--driver", serious)
    assert np.array_equal(driven, made(tmp_path, "--target-aus", "AU06=0,AU12=0"))
    assert np.abs(driven - picture(PORTRAIT)).max() > 60


def test_regions_and_gain_limit_it(tmp_path: Path, serious: Path) -> None:
    mouth = made(tmp_path, "--driver", serious, "--regions", "mouth")
    assert np.array_equal(mouth, made(tmp_path, "--target-aus", "AU12=0"))
    assert np.array_equal(made(tmp_path, "--driver", serious, "--regions", "brows"), picture(PORTRAIT))


def test_a_face_driven_by_itself_stays_as_it_is(tmp_path: Path) -> None:
    driven = made(tmp_path, "--driver", PORTRAIT)
    assert np.abs(driven - picture(PORTRAIT)).max() <= 2


def test_neutralise_shuts_the_mouth_and_scale_does_what_the_same_target_does(tmp_path: Path) -> None:
    after = made(tmp_path, "--neutralise", "1").astype(np.uint8)
    before, after = (
        read_still(Still(np.ascontiguousarray(image)), TrackerOptions()).aus[0][LIP_GAP]
        for image in (picture(PORTRAIT).astype(np.uint8), after)
    )
    assert before > 8 and after < 1, "the mouth is shut"
    assert np.array_equal(made(tmp_path, "--scale", "AU12=0"), made(tmp_path, "--target-aus", "AU12=0"))


@pytest.mark.slow
def test_a_film_and_the_table_of_it_drive_alike(tmp_path: Path, face_clip: Path) -> None:
    assert reenact("aus", face_clip, tmp_path / "aus.csv").exit_code == 0
    made = []
    for driver in (face_clip, tmp_path / "aus.csv"):
        arguments = ("--driver", driver, "--gain", 2, "--crf", 0, *WARP)
        result = reenact("video", face_clip, tmp_path / "out.mp4", *arguments)
        assert result.exit_code == 0, result.output
        made.append(frames(tmp_path / "out.mp4"))
    film, table = made
    assert np.abs(film - frames(face_clip)).max() > 20, "it does something"
    assert np.abs(film - table).mean() < 0.1  # the table has two decimals


def test_a_time_line_asks_for_different_things_at_different_times(tmp_path: Path, face_clip: Path) -> None:
    line = tmp_path / "line.csv"
    line.write_text("time,au,value,easing\n0.0,AU12,+0\n0.3,AU12,+3,hold\n")
    result = reenact("video", face_clip, tmp_path / "out.mp4", "--timeline", line, "--crf", 0, *WARP)
    assert result.exit_code == 0, result.output
    differs = np.abs(frames(tmp_path / "out.mp4") - frames(face_clip)).reshape(15, -1).max(axis=1)
    assert differs[:9].max() < 20 < 40 < differs[9:].min()


def test_a_table_of_measured_action_units_is_a_time_line(tmp_path: Path, serious: Path) -> None:
    assert np.array_equal(made(tmp_path, "--timeline", serious), made(tmp_path, "--driver", serious))


def test_a_driver_is_enough_to_ask_for_a_change_and_nothing_is_not(tmp_path: Path) -> None:
    result = reenact("image", PORTRAIT, tmp_path / "out.png")
    assert result.exit_code == 2
    assert "nothing to change" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--driver", "nowhere.csv"), ("nowhere.csv", "No such file")),
        (("--driver", "nowhere.jpg"), ("nowhere.jpg",)),
        (("--driver", "nowhere.mp4"), ("nowhere.mp4",)),
        (("--driver", PORTRAIT, "--driver-face", "5"), ("there is no face 5; it has 1",)),
        (("--driver", PORTRAIT, "--driver-face", "anna"), ("'anna' is not a number",)),
        (("--driver", PORTRAIT, "--regions", "nose"), ("unknown region 'nose'",)),
        (("--scale", "AU12"), ("write AU12=1.5",)),
        (("--timeline", "nowhere.csv"), ("nowhere.csv", "No such file")),
        (("--neutralise", "2"), ("2",)),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, arguments: tuple, words: tuple) -> None:
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *WARP, *arguments)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: ")
    assert all(word in lines[0] for word in words)
    assert not (tmp_path / "out.png").exists()


def test_a_picture_without_a_face_cannot_drive(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "grey.png")
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *WARP, "--driver", tmp_path / "grey.png")
    assert result.exit_code == 2
    assert "grey.png: no face was found in it to drive another" in result.stderr


def test_a_lock_goes_before_all_else_that_is_asked(tmp_path: Path) -> None:
    asked = "--target-aus", "AU06=+1,AU12=+2", "--scale", "AU12=2"
    locked = made(tmp_path, "--lock", "AU12=0,AU06=0", *asked)
    assert np.array_equal(locked, made(tmp_path, "--lock", "AU12=0,AU06=0"))


def test_an_inverted_smile_is_no_smile(tmp_path: Path) -> None:
    inverted = made(tmp_path, "--invert", "AU12")
    assert np.abs(inverted - picture(PORTRAIT)).max() > 60
    assert "inverted" in Image.open(tmp_path / "out.png").info["Comment"]


def test_only_the_unsafe_get_what_no_face_shows(tmp_path: Path) -> None:
    asked = "--target-aus", "AU12=5,AU15=5"
    assert np.abs(made(tmp_path, *asked) - made(tmp_path, *asked, "--unsafe")).max() > 60
    calm = "--target-aus", "AU04=+2"
    assert np.array_equal(made(tmp_path, *calm), made(tmp_path, *calm, "--unsafe"))


@pytest.mark.parametrize(
    ("arguments", "word"), [(("--lock", "AU12=+2"), "unsigned"), (("--invert", "AU99"), "AU99")]
)
def test_what_cannot_be_locked_or_inverted_is_refused(tmp_path: Path, arguments: tuple, word: str) -> None:
    result = reenact("image", PORTRAIT, tmp_path / "out.png", *arguments)
    assert result.exit_code == 2 and word in result.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("row.csv", "AU06,AU12\n0,0\n"),
        ("row.tsv", "frame\tAU06_r\tAU12_r\n3\t0,00\t0,00\n"),
        ("row.txt", "frame_idx;au_6_intensity;au_12_intensity\n0;0;0\n"),
    ],
)
def test_one_row_of_a_table_drives_a_picture(tmp_path: Path, serious: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert np.array_equal(made(tmp_path, "--driver", tmp_path / name), made(tmp_path, "--driver", serious))


def test_names_that_are_taken_for_one_face_are_said(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("timestamp,face_id,AU12_r\n0,0,0\n0.1,3,0\n")
    arguments = ("image", PORTRAIT, tmp_path / "out.png", *WARP)
    for option in ("--driver", "--timeline"):
        result = reenact(*arguments, option, tmp_path / "ids.csv")
        assert result.exit_code == 0
        assert "Note: " in result.stderr and "the faces '0', '3' are never in one frame" in result.stderr
        assert "Note: " not in reenact(*arguments, option, tmp_path / "ids.csv", "--driver-face", "3").stderr


@pytest.mark.parametrize("option", ["--driver", "--timeline"])
def test_a_table_says_what_it_needs_and_gets_it(tmp_path: Path, option: str) -> None:
    (tmp_path / "two.csv").write_text("frame,Identity,AU12\n0,ann,0\n0,bob,1\n1,ann,0\n1,bob,1\n")
    arguments = ["image", PORTRAIT, tmp_path / "out.png", *WARP, option, tmp_path / "two.csv"]
    for missing, given in (("--driver-face", "ann"), ("--driver-fps", 30)):
        result = reenact(*arguments)
        assert result.exit_code == 2
        assert missing in result.stderr and len(result.stderr.splitlines()) == 1
        assert not (tmp_path / "out.png").exists()
        arguments += [missing, given]
    assert reenact(*arguments).exit_code == 0


def test_a_report_needs_no_times_of_a_table_that_names_no_moments(tmp_path: Path) -> None:
    (tmp_path / "numbered.csv").write_text("frame,AU12_r\n0,0\n1,0\n")
    arguments = ("image", PORTRAIT, tmp_path / "out.png", *WARP, "--verify", "--driver-fps", 30)
    result = reenact(*arguments, "--timeline", tmp_path / "numbered.csv")
    assert result.exit_code == 0, result.output
