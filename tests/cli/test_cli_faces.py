"""`--face` and `--programme` from the outside, on the portrait beside somebody made from it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from reenact.cli import main
from reenact.media.image_file import load_still
from reenact.run.demo import PORTRAIT
from tests.recognise.test_recogniser import other_person

WARP = ("--generator", "warp")
HALF = 384
"""Width of one person's half of the picture, pixels."""
FRAMES = 8


def reenact(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of two: on the left somebody else, on the right the woman of the portrait, mirrored."""
    portrait = load_still(PORTRAIT).image[:320, 40 : 40 + HALF]
    stranger = other_person(load_still(PORTRAIT).image)[:320, 40 : 40 + HALF]
    path = tmp_path_factory.mktemp("people") / "people.png"
    Image.fromarray(np.hstack([stranger, portrait[:, ::-1]])).save(path)
    return path


@pytest.fixture(scope="module")
def film(people: Path) -> Path:
    """The same for a quarter of a second."""
    path = people.with_name("people.mkv")
    picture = np.asarray(Image.open(people))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width = picture.shape[:2]
        stream.time_base = Fraction(1, 30)
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def changes(before: np.ndarray, after: np.ndarray) -> tuple[bool, bool]:
    """Whether the (left, right) person has changed."""
    changed = np.abs(before - after).max(axis=-1) > 12
    return bool(changed[..., :HALF].any()), bool(changed[..., HALF:].any())


def left_and_right(people: Path) -> tuple[int, int]:
    """The ids of both, as `reenact aus` lists them."""
    rows = [line.split(",") for line in reenact("aus", people).stdout.splitlines()]
    names = [name.strip() for name in rows[0]]
    ids = [int(row[names.index("face_id")]) for row in rows[1:]]
    turns = [float(row[names.index("pose_Tx")]) for row in rows[1:]]
    first, second = (each for _, each in sorted(zip(turns, ids, strict=True)))
    return first, second


def made(people: Path, tmp_path: Path, *arguments: object) -> tuple[np.ndarray, Result]:
    result = reenact("image", people, tmp_path / "out.png", *WARP, *arguments)
    assert result.exit_code == 0, result.output
    return pixels(tmp_path / "out.png"), result


def test_each_face_gets_its_own_and_the_rest_stays(people: Path, tmp_path: Path) -> None:
    left, right = left_and_right(people)
    smile = "AU06=+2,AU12=+3"
    both, _ = made(people, tmp_path, "--face", f"{left}:{smile}", "--face", f"{right}:AU04=+4")
    one, _ = made(people, tmp_path, "--face", f"{left}:{smile}")
    all_smile, _ = made(people, tmp_path, "--target-aus", smile, "--faces", "all")
    assert changes(pixels(people), both) == (True, True)
    assert changes(pixels(people), one) == (True, False)
    assert np.array_equal(both[:, :HALF], all_smile[:, :HALF])
    assert not np.array_equal(both[:, HALF:], all_smile[:, HALF:])


def test_what_is_common_to_all_comes_first_and_faces_says_who_else_gets_it(
    people: Path, tmp_path: Path
) -> None:
    left, right = left_and_right(people)
    common = ("--target-aus", "AU12=+3", "--face", f"{left}:AU12=0,AU04=+3")
    named, _ = made(people, tmp_path, *common)
    everybody, _ = made(people, tmp_path, *common, "--faces", "all")
    own, _ = made(people, tmp_path, "--face", f"{left}:AU12=0,AU04=+3", "--face", f"{right}:AU12=+3")
    assert changes(pixels(people), named) == (True, False)
    assert np.array_equal(everybody, own), "the face's own AU12=0 takes the common smile away again"


def test_a_face_is_picked_by_a_picture_of_the_person(people: Path, tmp_path: Path) -> None:
    picked, result = made(people, tmp_path, "--face", f"{PORTRAIT}:smile")
    assert changes(pixels(people), picked) == (False, True)
    assert "Warning" not in result.stderr


def test_who_is_not_in_the_picture_is_said_and_nobody_taken(people: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "somebody.png"
    Image.fromarray(other_person(load_still(PORTRAIT).image)).save(stranger)
    picked, result = made(
        PORTRAIT, tmp_path, "--face", f"{stranger}:smile", "--face", "4:smile", "--json", "-"
    )
    assert np.array_equal(picked, pixels(PORTRAIT))
    notes = json.loads(result.stdout)["notes"]
    assert notes[0] == "there was no face 4; `reenact aus` lists the ids"
    assert notes[1].startswith("no face matched somebody.png: the most similar face has ")
    assert all(f"Warning: {note}" in result.stderr for note in notes)


def test_a_programme_does_what_the_options_do(people: Path, tmp_path: Path) -> None:
    left, right = left_and_right(people)
    table = "timestamp,success,AU04_r\n0.0,1,4\n"
    (tmp_path / "frown.csv").write_text(table)
    Image.open(PORTRAIT).save(tmp_path / "anna.png")
    faces = {
        "anna.png": {"targets": "AU06=+2,AU12=+3", "strength": 0.5},
        "*": {"driver": "frown.csv", "gain": 0.5},
    }
    programme = tmp_path / "programme.json"
    programme.write_text(json.dumps({"version": 1, "faces": faces}))
    asked, _ = made(people, tmp_path, "--programme", programme)
    same, _ = made(people, tmp_path, "--face", f"{right}:AU06=+1,AU12=+1.5", "--face", f"{left}:AU04=2")
    assert np.array_equal(asked, same)


def frames(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(int)


def test_a_film_has_the_change_from_its_first_frame_on_and_says_what_was_asked(
    film: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    result = reenact("video", film, output, *WARP, "--face", f"{PORTRAIT}:AU12=+3", "--crf", 0)
    assert result.exit_code == 0, result.output
    before, after = frames(film), frames(output)
    assert len(after) == FRAMES
    assert all(changes(*each) == (False, True) for each in zip(before, after, strict=True))
    with av.open(str(output)) as container:
        comments = [value for key, value in container.metadata.items() if key.lower() == "comment"]
    assert comments and "face portrait.jpg: AU12=+3" in comments[0]


def test_every_pass_over_a_film_changes_it_from_the_first_frame_on(film: Path, tmp_path: Path) -> None:
    """The second pass once waited for the ids of the first one's end."""
    output = tmp_path / "out.mkv"
    who = ("--face", f"{PORTRAIT}:AU12=+3", "--faces", "largest", "--target-aus", "AU04=+3")
    result = reenact("video", film, output, *WARP, *who, "--passes", 2, "--crf", 0)
    assert result.exit_code == 0, result.output
    before, after = frames(film), frames(output)
    assert len(after) == FRAMES
    assert all(changes(*each)[1] for each in zip(before, after, strict=True))


def test_a_camera_picks_faces_too(film: Path, tmp_path: Path) -> None:
    record = tmp_path / "out.mkv"
    result = reenact(
        *("webcam", "--camera", film, "--no-preview", "--no-virtual-camera", "--duration", 4, *WARP),
        *(
            "--face",
            f"{PORTRAIT}:AU12=+3",
            "--face",
            "9:smile",
            "--record",
            record,
            "--no-audio",
            "--json",
            "-",
        ),
    )
    assert result.exit_code == 0, result.output
    asked = [row.split(",") for row in record.with_suffix(".csv").read_text().splitlines()]
    column = [name.strip() for name in asked[0]].index("AU12_asked")
    assert {float(row[column]) > 0 for row in asked[-2:]} == {True, False}
    assert "there was no face 9; `reenact aus` lists the ids" in json.loads(result.stdout)["notes"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--face", "smile"), "write 0:AU12=+2"),
        (("--face", "0:smile", "--face", "0:sad"), "face 0 is named twice"),
        (("--face", "nowhere.png:smile"), "nowhere.png: no such file"),
        (("--programme", "nowhere.json"), "programme 'nowhere.json': cannot be read: No such file"),
        (
            ("--face", "0:smile", "--sweep", "AU12=0:1:2"),
            "--sweep and --driver-folder go with neither --face nor --programme",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(
    people: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = reenact("image", people, tmp_path / "out.png", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert not (tmp_path / "out.png").exists()


CROWD = 6


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of six."""
    head = load_still(PORTRAIT).image[30:230, 124:324]
    rows = [np.hstack([head, head[:, ::-1], (0.8 * head).astype(np.uint8)])] * 2
    path = tmp_path_factory.mktemp("crowd") / "crowd.png"
    Image.fromarray(np.vstack(rows)).save(path)
    return path


@pytest.fixture(scope="module")
def crowd_film(crowd: Path) -> Path:
    path = crowd.with_name("crowd.mkv")
    picture = np.ascontiguousarray(np.asarray(Image.open(crowd)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width = picture.shape[:2]
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def heads_changed(before: np.ndarray, after: np.ndarray) -> int:
    changed = np.abs(before - after).max(axis=-1) > 12
    return sum(
        bool(changed[y : y + 200, x : x + 200].any()) for y in range(0, 400, 200) for x in range(0, 600, 200)
    )


def test_all_faces_of_a_picture_change(crowd: Path, tmp_path: Path) -> None:
    changed, result = made(crowd, tmp_path, "--target-aus", "AU12=+3", "--faces", "all")
    assert heads_changed(pixels(crowd), changed) == CROWD
    assert "6 faces" in result.stderr
    assert "Warning" not in result.stderr


def test_faces_over_the_limit_are_told_of(crowd: Path, crowd_film: Path, tmp_path: Path) -> None:
    words = "6 faces were found and {} of them left out; give --max-faces 6 to take all"
    smile = ("--target-aus", "AU12=+3", *WARP, "--json", "-")
    few, film = ("--max-faces", 3), tmp_path / "out.mkv"
    runs = [
        (3, reenact("image", crowd, tmp_path / "out.png", *smile, *few, "--faces", "all")),
        (2, reenact("video", crowd_film, film, *smile, "--faces", "all")),
        (2, reenact("aus", crowd_film, tmp_path / "out.csv", "--json", "-")),
        (3, reenact("aus", crowd, tmp_path / "out.csv", "--json", "-", *few)),
    ]
    for left_out, result in runs:
        assert result.exit_code == 0, result.output
        assert f"Warning: {words.format(left_out)}" in result.stderr
        document = json.loads(result.stdout)
        assert document["faces_left_out"] == left_out
        assert words.format(left_out) in document["notes"]
    every = reenact("video", crowd_film, film, *smile, "--faces", "all", "--max-faces", CROWD)
    assert "left out" not in every.stderr
    largest = reenact("video", crowd_film, film, *smile)
    assert "left out" not in largest.stderr
    assert json.loads(largest.stdout)["faces_left_out"] == 2
