"""Lists of files that tell who is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from train.data.items import PictureFile, PictureItem
from train.data.split import (
    UNTOLD,
    Split,
    SplitError,
    check_apart,
    load_splits,
    read_split,
    save_splits,
    with_split,
)


@pytest.fixture
def items(tmp_path: Path) -> list[PictureItem]:
    """Two pictures of Ann and one of Ben."""
    (tmp_path / "imgs").mkdir()
    found = []
    for name, person in (("a1.JPG", "Ann"), ("a2.JPG", "Ann"), ("b.png", "Ben")):
        (tmp_path / "imgs" / name).touch()
        found.append(PictureItem(name, person, None, PictureFile(tmp_path / "imgs" / name)))
    return found


def split(*sides: str, named: bool = True) -> Split:
    training, held_out = (frozenset(side.split()) for side in sides)
    return Split(training, held_out, training | held_out if named else frozenset())


@pytest.mark.parametrize(
    "text",
    [
        "a1.jpg\n",
        "a2\na1\n",
        '"imgs/a1.jpg"\r\n',
        ",0\n0,a1.jpg\n1,a2.jpg\n",
        "id;file\n7;a1.jpg\n",
        "a1\nz\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_are_read_as_programs_write_them(tmp_path, items, text, encoding):
    assert read_split(tmp_path, items) == UNTOLD
    (tmp_path / "train_ids.csv").write_bytes(text.encode(encoding))
    assert read_split(tmp_path, items) == split("Ann", "")
    (tmp_path / "test_ids.csv").write_text("b\n")
    assert read_split(tmp_path, items) == split("Ann", "Ben")


def test_a_person_is_never_on_both_sides(tmp_path, items):
    (tmp_path / "train_ids.csv").write_text("a1.jpg\nb.png\n")
    (tmp_path / "test_ids.csv").write_text("a2.jpg\n")
    with pytest.raises(
        SplitError, match=r"train_ids\.csv and test_ids\.csv both name pictures of 'Ann'; a pers"
    ):
        read_split(tmp_path, items)


def test_lists_of_other_pictures_are_one_line(tmp_path, items):
    (tmp_path / "test_ids.csv").write_text("x.jpg\ny.jpg\n")
    with pytest.raises(SplitError, match=r"none of the pictures in .* is there, such as 'x\.jpg'; name"):
        read_split(tmp_path, items)


def test_a_list_that_is_no_text_is_one_line(tmp_path, items):
    (tmp_path / "train_ids.csv").write_bytes(bytes(range(256)))
    with pytest.raises(SplitError, match=r"train_ids\.csv: is not a table in UTF-8 or UTF-16 text"):
        read_split(tmp_path, items)


def test_collections_may_not_disagree_about_a_person():
    check_apart({"one": split("Ann", "Ben"), "two": split("Ann Carl", "Ben")})
    with pytest.raises(SplitError, match="'Ben' is for training in two and held out in one"):
        check_apart({"one": split("Ann", "Ben"), "two": split("Ben", "")})


def test_pictures_of_one_name_are_different_people_in_two_collections():
    splits = {"one": split("1.png", "2.png", named=False), "two": split("2.png", "1.png", named=False)}
    check_apart(splits)
    persons, collections = np.array(["1.png", "2.png", "1.png"]), np.array(["one", "two", "three"])
    for drawn in (True, False):
        told = with_split(np.full(3, drawn), persons, collections, splits)
        assert told.tolist() == [False, False, drawn]


def test_who_is_called_like_a_picture_is_not_named(tmp_path, items):
    items = [*items[:2], PictureItem("b.png", "b.png", None, items[2].place)]
    (tmp_path / "train_ids.csv").write_text("a1\nb\n")
    assert read_split(tmp_path, items).named == {"Ann"}


def test_splits_survive_their_file(tmp_path):
    splits = {"one": split("Ann Ärmel", "Ben"), "none": UNTOLD}
    save_splits(tmp_path, splits)
    assert load_splits(tmp_path) == {"one": splits["one"]}
    save_splits(tmp_path, {"one": UNTOLD})
    assert load_splits(tmp_path) == {} and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"collections": {"one": {"training": [1], "held_out": []}}}', "{}"]
)
def test_a_damaged_file_is_one_line(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(SplitError, match=r"split\.json cannot be read .*; prepare into an empty folder"):
        load_splits(tmp_path)


def test_lists_go_before_what_was_drawn_in_every_collection():
    persons, collections = np.array(["Ann", "Ben", "Carl", "Dora"]), np.array(["one", "one", "two", "three"])
    drawn = np.array([True, False, True, False])
    told = with_split(drawn, persons, collections, {"one": split("Ann", ""), "two": split("", "Ben")})
    assert told.tolist() == [False, True, True, False]
    assert with_split(drawn, persons, collections, {}).tolist() == drawn.tolist()
