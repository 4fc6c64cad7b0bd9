"""Labelled faces: a folder of pictures with an OpenFace CSV, tracked once and kept in a cache for fits."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import OPENFACE_CODES, AUVector
from calib.picture_labels import read_picture_labels, tables_in
from calib.pictures import PictureFolder

_FORMAT = 1
"""The version of the cache files; it is part of their names."""


class DatasetError(ValueError):
    """A folder of labelled faces cannot be read."""


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A picture of a face and its labels."""

    path: Path
    """The picture's file."""
    aus: AUVector
    """(17,) intensities, 0..5."""
    person: str
    """The name of the person; the file's name where the CSV has no names."""
    collection: str
    """The folder's name."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What is kept of a picture in which a face was found."""

    landmarks: NDArray[np.float32]
    """(478, 3) pixels."""
    view: NDArray[np.uint8]
    """(n, n, 3) RGB: the aligned crop of the face, as the caller's `Look` makes it."""


class Miss(Enum):
    """Why no face was found in a picture."""

    UNREADABLE = "unreadable"
    NO_FACE = "no face found"


Look = Callable[[Sequence[Path]], Iterable[Sight | Miss]]
"""A function that looks for a face in every picture and yields the results in order."""


@dataclass(frozen=True, eq=False)
class FaceTable:
    """Labelled faces as arrays of equal length."""

    landmarks: NDArray[np.float32]
    """(n, 478, 3) pixels."""
    views: NDArray[np.uint8]
    """(n, size, size, 3) RGB: the aligned crops."""
    aus: NDArray[np.float32]
    """(n, 17) intensities, 0..5."""
    persons: NDArray[np.str_]
    """(n,) names of people."""
    collections: NDArray[np.str_]
    """(n,) names of folders."""
    paths: NDArray[np.str_]
    """(n,) the pictures' files."""

    def __len__(self) -> int:
        return len(self.aus)

    def where(self, chosen: NDArray[np.bool_]) -> FaceTable:
        """Returns the rows that `chosen` (n,) selects."""
        return FaceTable(
            self.landmarks[chosen],
            self.views[chosen],
            self.aus[chosen],
            self.persons[chosen],
            self.collections[chosen],
            self.paths[chosen],
        )


def read_labels(folder: Path) -> list[LabelledPicture]:
    """Returns the pictures for which the table in `folder` has all 17 action units.

    The table is one that `calib.au_table` reads. It names files in a column `file` and, where known, people
    in `person`. Pictures in which no face was found (success 0) or in which an action unit has no value are
    left out; of several faces in a picture the widest counts. PictureFolder finds the pictures. Raises
    DatasetError for a folder or table that cannot be used.
    """
    table = find_table(folder)
    pictures = PictureFolder(folder)
    collection = folder.resolve().name
    found = read_picture_labels(table, DatasetError, complete=True)
    if not found:
        raise DatasetError(f"{table}: no row shows a face with all action units")
    return [
        LabelledPicture(pictures.expected(each.file), each.aus, each.person or each.file, collection)
        for each in found
        if each.aus is not None
    ]


def find_table(folder: Path) -> Path:
    """Returns the folder's table: aus.csv, or else the only one. Raises DatasetError if there is no such."""
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; give one with pictures and an OpenFace CSV")
    tables = tables_in(folder)
    chosen = [table for table in tables if table.stem.lower() == "aus"] or tables
    if len(chosen) != 1:
        raise DatasetError(f"{folder} has {len(tables)} CSV files and none called aus.csv; keep one of them")
    return chosen[0]


@dataclass(frozen=True, eq=False)
class Seen:
    """The result of tracking a folder of pictures."""

    faces: FaceTable
    """The pictures in which a face was found."""
    unreadable: int
    """The number of pictures that are missing or corrupt."""
    faceless: int
    """The number of pictures in which no face was found."""


def see_faces(pictures: Sequence[LabelledPicture], look: Look, manner: str, cache: Path) -> Seen:
    """Returns the faces that `look` finds in the pictures, and the number of pictures without one.

    The result is kept in the folder `cache`, so that the next fit on the same pictures does not track again.
    Its name is made from `manner`, which identifies the way of tracking and cropping, and from the pictures'
    paths, sizes and times.
    """
    kept = cache / f"{pictures[0].collection}-{_fingerprint(pictures, manner)}.npz"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        _write_sights(kept, list(look([picture.path for picture in pictures])))
    with np.load(kept, allow_pickle=False) as data:
        seen, landmarks, views = data["seen"], data["landmarks"], data["views"]
        unreadable = int(data["unreadable"])
    faces = FaceTable(
        landmarks,
        views,
        np.array([pictures[index].aus for index in seen], np.float32).reshape(-1, len(OPENFACE_CODES)),
        np.array([pictures[index].person for index in seen], np.str_),
        np.array([pictures[index].collection for index in seen], np.str_),
        np.array([str(pictures[index].path) for index in seen], np.str_),
    )
    return Seen(faces, unreadable, len(pictures) - len(faces) - unreadable)


def _fingerprint(pictures: Sequence[LabelledPicture], manner: str) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {manner}\n".encode())
    for picture in pictures:
        status = picture.path.stat() if picture.path.is_file() else None
        known = (status.st_size, status.st_mtime_ns) if status else None
        digest.update(f"{picture.path.resolve()}|{known}\n".encode())
    return digest.hexdigest()[:16]


def _write_sights(path: Path, looks: Sequence[Sight | Miss]) -> None:
    found = [(index, sight) for index, sight in enumerate(looks) if isinstance(sight, Sight)]
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(
        unfinished,
        seen=np.array([index for index, _ in found], np.int64),
        landmarks=np.array([sight.landmarks for _, sight in found], np.float32).reshape(len(found), -1, 3),
        views=np.array([sight.view for _, sight in found], np.uint8),
        unreadable=sum(sight is Miss.UNREADABLE for sight in looks),
    )
    os.replace(unfinished, path)


def join(tables: Sequence[FaceTable]) -> FaceTable:
    """Joins the tables that have rows into one. Raises DatasetError if no table has any."""
    filled = [table for table in tables if len(table)]
    if not filled:
        raise DatasetError("no face was found in any picture; give a few hundred pictures of faces")
    return FaceTable(
        np.concatenate([table.landmarks for table in filled]),
        np.concatenate([table.views for table in filled]),
        np.concatenate([table.aus for table in filled]),
        np.concatenate([table.persons for table in filled]),
        np.concatenate([table.collections for table in filled]),
        np.concatenate([table.paths for table in filled]),
    )


def held_out(persons: NDArray[np.str_], seed: int, share: float) -> NDArray[np.bool_]:
    """Returns (n,) True for about `share` (0..1) of the people; each draw depends on seed and name alone.

    People are identified by name alone, so one who is in two collections is on the same side in both.
    """
    draws = {name: zlib.crc32(f"{seed}/{name}".encode()) / 2**32 for name in set(persons.tolist())}
    return np.array([draws[name] < share for name in persons.tolist()], np.bool_)
