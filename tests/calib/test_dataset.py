from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.au import OPENFACE_CODES
from calib.dataset import (
    DatasetError,
    Miss,
    Sight,
    held_out,
    join,
    read_labels,
    see_faces,
)

HEADER = ["file", "person", *(f"{code}_r" for code in OPENFACE_CODES)]


def write_folder(folder: Path, rows: Sequence[Sequence[object]], header: Sequence[str] = HEADER) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(header), *(", ".join(str(field) for field in row) for row in rows)]
    (folder / "aus.csv").write_text("\n".join(lines) + "\n")
    return folder


def row(file: str, person: str, first: float = 0.5) -> list[object]:
    return [file, person, first, *[0.25] * 16]


class Looker:
    """Sees a face whose every landmark is the mean gray of the picture, unless that is black."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, paths: Sequence[Path]) -> Iterator[Sight | Miss]:
        for path in paths:
            self.asked.append(path.name)
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if image is None:
                yield Miss.UNREADABLE
            elif not image.any():
                yield Miss.NO_FACE
            else:
                yield Sight(np.full((478, 3), image.mean(), np.float32), image)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three faces of two people, a picture without a face, a broken one and a missing one."""
    found = write_folder(
        tmp_path / "faces",
        [
            row("a.png", "Ann", 1.0),
            row("broken.png", "Ann"),
            row("b.png", "Ben", 2.0),
            row("dark.png", "Ben"),
            row("c.png", "Ann", 3.0),
            row("missing.png", "Ben"),
        ],
    )
    (found / "images").mkdir()
    for name, gray in (("a", 10), ("b", 20), ("dark", 0), ("c", 30)):
        cv2.imwrite(str(found / "images" / f"{name}.png"), np.full((8, 8), gray, np.uint8))
    (found / "images" / "broken.png").write_bytes(b"\x89PNG but no more")
    return found


def test_labels_are_read_with_openfaces_blanks(folder):
    pictures = read_labels(folder)
    assert [picture.path for picture in pictures][:2] == [
        folder / "images" / n for n in ("a.png", "broken.png")
    ]
    assert [picture.person for picture in pictures] == ["Ann", "Ann", "Ben", "Ben", "Ann", "Ben"]
    assert pictures[2].collection == "faces"
    np.testing.assert_allclose(pictures[2].aus, [2.0, *[0.25] * 16])


def test_columns_may_come_in_any_order_and_without_persons(tmp_path):
    header = ["confidence", *reversed(HEADER[2:]), "file"]
    found = read_labels(write_folder(tmp_path, [[0.9, *(np.arange(17) / 4), "x.jpg"]], header))
    np.testing.assert_array_equal(found[0].aus, np.arange(17)[::-1] / 4)
    assert found[0].person == "x.jpg" and found[0].path == tmp_path / "x.jpg"


def test_rows_where_openface_failed_are_left_out(tmp_path):
    header = [*HEADER, "success"]
    rows = [[*row("a.jpg", "Ann"), 0], [*row("b.jpg", "Ann"), 1]]
    assert [picture.path.name for picture in read_labels(write_folder(tmp_path, rows, header))] == ["b.jpg"]


def test_pictures_of_which_an_action_unit_is_not_known_are_left_out(tmp_path):
    rows = [row("a.jpg", "Ann"), ["b.jpg", "Ann", "-nan(ind)", *[0.25] * 16], ["c.jpg", "Ann", *[""] * 17]]
    assert [picture.path.name for picture in read_labels(write_folder(tmp_path, rows))] == ["a.jpg"]


@pytest.mark.parametrize(("column", "widest"), [("FaceRectWidth", 90), ("pose_Tz", 30)])
def test_the_widest_of_several_faces_in_a_picture_counts(tmp_path, column, widest):
    rows = [[*row("a.jpg", "Ann", value / 100), value] for value in (60, 30, 90)]
    (found,) = read_labels(write_folder(tmp_path, rows, [*HEADER, column]))
    assert found.aus[0] == np.float32(widest / 100)


def test_a_csv_of_any_name_is_taken_if_it_is_the_only_one(tmp_path):
    (write_folder(tmp_path, [row("a.jpg", "Ann")]) / "aus.csv").rename(tmp_path / "openface.csv")
    assert len(read_labels(tmp_path)) == 1
    (tmp_path / "second.csv").write_text("file\n")
    with pytest.raises(DatasetError, match="2 CSV files"):
        read_labels(tmp_path)


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([], HEADER[:-2], "line 1: no column holds AU26, AU45; a fit needs labels of all 17"),
        (
            [],
            HEADER[1:],
            "line 1: no column names the pictures' files; name one of its columns file",
        ),
        ([["a.jpg", "Ann", "high", *[0] * 16]], HEADER, "line 2, column AU01_r: 'high' is not a number"),
        ([["a.jpg", "Ann", "80", *[0] * 16]], HEADER, "line 2, column AU01_r: 80 is out of range"),
        ([["", "Ann", *[0] * 17]], HEADER, "line 2, column file: there is no file"),
        ([["a.jpg", "Ann", *[0] * 17, 3]], HEADER, "line 2 has 20 cells, and the header 19"),
        (
            [row("a.jpg", "Ann", 1), row("a.jpg", "Ann", 2)],
            HEADER,
            "lines 2 and 3 are of one picture 'a.jpg'",
        ),
        ([["a.jpg", "Ann", "nan", *[0] * 16]], HEADER, "no row shows a face with all action units"),
        ([["a.jpg", "Ann"]], HEADER, "no row shows a face with all action units"),
    ],
)
def test_a_bad_csv_is_named_with_its_line(tmp_path, rows, header, message):
    with pytest.raises(DatasetError, match=message) as caught:
        read_labels(write_folder(tmp_path, rows, header))
    assert str(tmp_path / "aus.csv") in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere is not a folder"):
        read_labels(tmp_path / "nowhere")


def test_labels_stay_with_their_faces_when_pictures_are_missed(folder, tmp_path):
    seen = see_faces(read_labels(folder), Looker(), "plain", tmp_path / "cache")
    assert (seen.unreadable, seen.faceless) == (2, 1)
    np.testing.assert_array_equal(seen.faces.landmarks[:, 0, 0], [10, 20, 30])
    np.testing.assert_array_equal(seen.faces.views[:, 0, 0], [10, 20, 30])
    np.testing.assert_array_equal(seen.faces.aus[:, 0], [1, 2, 3])
    assert seen.faces.persons.tolist() == ["Ann", "Ben", "Ann"]


def test_pictures_are_looked_at_once(folder, tmp_path):
    look, pictures = Looker(), read_labels(folder)
    first = see_faces(pictures, look, "plain", tmp_path / "cache")
    again = see_faces(pictures, look, "plain", tmp_path / "cache")
    assert len(look.asked) == 6
    np.testing.assert_array_equal(first.faces.landmarks, again.faces.landmarks)
    assert (again.unreadable, again.faceless) == (2, 1)


def test_they_are_looked_at_anew_when_one_has_changed_or_the_manner_has(folder, tmp_path):
    look, pictures = Looker(), read_labels(folder)
    see_faces(pictures, look, "plain", tmp_path / "cache")
    see_faces(pictures, look, "other", tmp_path / "cache")
    assert len(look.asked) == 12
    cv2.imwrite(str(folder / "images" / "dark.png"), np.full((8, 8), 99, np.uint8))
    seen = see_faces(pictures, look, "plain", tmp_path / "cache")
    assert len(look.asked) == 18 and len(seen.faces) == 4


def test_an_interrupted_look_leaves_no_cache(folder, tmp_path):
    def interrupted(paths: Sequence[Path]) -> Iterator[Sight | Miss]:
        yield Miss.NO_FACE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        see_faces(read_labels(folder), interrupted, "plain", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_tables_join_in_order_and_empty_ones_do_not_matter(folder, tmp_path):
    faces = see_faces(read_labels(folder), Looker(), "plain", tmp_path / "cache").faces
    none = faces.where(np.zeros(3, bool))
    joined = join([none, faces, faces.where(faces.persons == "Ben")])
    np.testing.assert_array_equal(joined.aus[:, 0], [1, 2, 3, 2])
    with pytest.raises(DatasetError, match="no face was found"):
        join([none])


def test_no_person_is_on_both_sides_of_the_split():
    persons = np.array([f"person {index % 400}" for index in range(2000)])
    chosen = held_out(persons, seed=1, share=0.2)
    assert not set(persons[chosen]) & set(persons[~chosen])
    assert 0.14 < chosen.mean() < 0.26


def test_the_split_depends_on_the_seed_and_on_nothing_else():
    persons = np.array([f"person {index}" for index in range(500)])
    chosen = held_out(persons, seed=1, share=0.2)
    np.testing.assert_array_equal(held_out(persons[::2], seed=1, share=0.2), chosen[::2])
    assert (held_out(persons, seed=2, share=0.2) != chosen).any()
