"""The held-out split by lists of files, as GANimation keeps them beside its pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.au_table import find_column
from calib.json_file import read_json
from calib.picture_labels import FILE_COLUMNS
from calib.pictures import PictureFolder
from calib.table_file import Table, open_table
from reenact.media.atomic import replacing
from train.data.items import PictureItem

TRAINING_LIST, HELD_OUT_LIST = "train_ids.csv", "test_ids.csv"
_FILE = "split.json"
_LARGEST_BYTES = 500_000_000


class SplitError(ValueError):
    """Lists cannot be used; the message is one line for the user."""


@dataclass(frozen=True)
class Split:
    """The people of a collection whom lists assign to a split; for others the name and the seed decide."""

    training: frozenset[str] = frozenset()
    """People in the training split."""
    held_out: frozenset[str] = frozenset()
    """People in the held-out split."""
    named: frozenset[str] = frozenset()
    """Those whose names come from labels, so that they are the same people in other collections. The others
    are named by their pictures, and pictures of other people may have the same names."""


UNTOLD = Split()
"""A split without lists."""


def read_split(folder: Path, items: Sequence[PictureItem]) -> Split:
    """Reads the split of a folder's people from its train_ids.csv and test_ids.csv, if they exist.

    Each has the name of a picture on each line, or is a table with one of FILE_COLUMNS; names are found like
    those in tables of labels. Raises SplitError where a person is in both lists, or where the lists name
    pictures but none of them is among `items`.
    """
    lists = [_read_names(folder / name) for name in (TRAINING_LIST, HELD_OUT_LIST)]
    if not any(lists):
        return UNTOLD
    people = {item.place.path: item.person for item in items}
    pictures = PictureFolder(folder)
    training, held_out = (
        frozenset(people[place] for name in names if (place := pictures.expected(name)) in people)
        for names in lists
    )
    if not training and not held_out:
        raise SplitError(
            f"{folder}: none of the pictures in {TRAINING_LIST} and {HELD_OUT_LIST} is there, such as "
            f"{(lists[0] or lists[1])[0]!r:.60}; name these pictures' files, one a line, or remove the lists"
        )
    both = sorted(training & held_out)
    if both:
        raise SplitError(
            f"{folder}: {TRAINING_LIST} and {HELD_OUT_LIST} both name pictures of {both[0]!r:.60}"
            f"{_and_more(len(both) - 1)}; a person's pictures belong in one of them"
        )
    named = {item.person for item in items if item.person != item.name}
    return Split(training, held_out, frozenset(named & (training | held_out)))


def check_apart(splits: Mapping[str, Split]) -> None:
    """Raises SplitError where two collections assign one person to different splits."""
    for first, one in splits.items():
        for second, other in splits.items():
            both = sorted(one.training & one.named & other.held_out & other.named)
            if both:
                raise SplitError(
                    f"{both[0]!r:.60}{_and_more(len(both) - 1)} is for training in {first} and held out in "
                    f"{second}; a person must be on one side, so change the lists of one of them"
                )


def load_splits(folder: Path) -> dict[str, Split]:
    """Reads the splits by collection in a folder of shards. Raises SplitError."""
    path = folder / _FILE
    if not path.is_file():
        return {}
    try:
        document = read_json(path, SplitError, _LARGEST_BYTES)
        return {name: _from_json(each) for name, each in document["collections"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SplitError(f"{path} cannot be read ({error}); prepare into an empty folder") from error


def save_splits(folder: Path, splits: Mapping[str, Split]) -> None:
    """Writes the splits by collection."""
    told = {name: split for name, split in splits.items() if split.training or split.held_out}
    path = folder / _FILE
    if not told:
        path.unlink(missing_ok=True)
        return
    sides = {
        name: {
            "training": sorted(split.training),
            "held_out": sorted(split.held_out),
            "named": sorted(split.named),
        }
        for name, split in told.items()
    }
    with replacing(path) as beside:
        beside.write_text(json.dumps({"collections": sides}, indent=1) + "\n", encoding="utf-8")


def with_split(
    held_out: NDArray[np.bool_],
    persons: NDArray[np.str_],
    collections: NDArray[np.str_],
    splits: Mapping[str, Split],
) -> NDArray[np.bool_]:
    """Returns (n,) whether each sample is held out; `held_out` (n,) holds for people in no list.

    A collection's own lists come first, then other collections' lists of people with the same name.
    """
    if not splits:
        return held_out
    everywhere = {
        name: side for split in splits.values() for name, side in _sides(split).items() if name in split.named
    }
    own = {name: everywhere | _sides(split) for name, split in splits.items()}
    people = zip(persons.tolist(), collections.tolist(), held_out.tolist(), strict=True)
    return np.array(
        [own.get(collection, everywhere).get(person, drawn) for person, collection, drawn in people], np.bool_
    )


def _sides(split: Split) -> dict[str, bool]:
    """Returns whether each listed person is held out."""
    return dict.fromkeys(split.training, False) | dict.fromkeys(split.held_out, True)


def _read_names(path: Path) -> list[str]:
    """Returns the files that a list names; none where there is no list."""
    if not path.is_file():
        return []
    try:
        with open_table(path, SplitError) as table:
            return _names(table)
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from error


def _names(table: Table) -> list[str]:
    """Returns the names of files. In a list without a header, the first line is a name, too."""
    column = find_column(table, FILE_COLUMNS, SplitError)
    if column is not None:
        return [name for row in table.rows if (name := column.text(row))]
    # pandas writes an unnamed index as the first column.
    place = next((place for place, name in enumerate(table.header) if name), 0)
    names = [*table.header[place : place + 1], *(row.text(place) for row in table.rows)]
    return [name for name in names if name]


def _and_more(count: int) -> str:
    return f" and {count} more" if count else ""


def _from_json(document: Any) -> Split:
    sides = document["training"], document["held_out"], document["named"]
    if not all(isinstance(name, str) for side in sides for name in side):
        raise SplitError("a person is not a name")
    return Split(*(frozenset(side) for side in sides))
