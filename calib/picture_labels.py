"""Reads the action units of pictures from a table, one face for each picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calib.au import AUVector, openface
from calib.au_table import AUTable, Column, find_column, open_au_table
from calib.columns import column_key
from calib.table_file import Row, Table, open_table

FILE_COLUMNS = ("file", "file_path", "path", "input", "image")
"""Names of the column, or of a record's key, that holds the picture's file."""
_WIDTH = "facerectwidth"
"""py-feat's column of the widths of faces."""
_LANDMARKS_X = tuple(f"x_{number}" for number in range(68))
_DISTANCE = "pose_tz"
"""OpenFace's columns from which the width of a face is computed."""
_TABLES = frozenset({".csv", ".tsv"})
_LISTS = frozenset({"train_ids", "test_ids"})
"""Lists of files beside the pictures in GANimation's folders; they hold no labels."""


@dataclass(frozen=True, eq=False)
class PictureLabels:
    """The labels of one picture."""

    file: str
    """The file's name as the table writes it."""
    person: str
    """The person's name; "" where the table has none."""
    aus: AUVector | None
    """(17,) intensities, 0..5, of the widest face; NaN where there is no value. None: no face was found, or
    only names were read."""


def tables_in(folder: Path) -> list[Path]:
    """Returns the tables in a folder, by the endings of their names."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _TABLES and path.stem.lower() not in _LISTS and path.is_file()
    )


def read_picture_labels(path: Path, refusal: type[ValueError], complete: bool = False) -> list[PictureLabels]:
    """Returns the labels of each picture that a table of action units names, in the table's order.

    complete: whether all 17 action units are required; pictures in which one has no value are then left out.
    Raises `refusal` with file, line and column.
    """
    with open_au_table(path, refusal) as table:
        if complete:
            table.check_complete()
        file, person = _file_column(table.table, refusal), table.find("person")
        rows: dict[str, list[_Face]] = {}
        people: dict[str, str] = {}
        for row, face in _faces(table):
            named = _file_of(row, file)
            people.setdefault(named, "" if person is None else person.text(row))
            rows.setdefault(named, [])
            if face is not None:
                rows[named] = _widest([*rows[named], face], f"picture {named!r:.60}", refusal)
    found = [
        PictureLabels(named, people[named], faces[0].aus if faces else None) for named, faces in rows.items()
    ]
    if not complete:
        return found
    return [each for each in found if each.aus is not None and not np.isnan(each.aus).any()]


def read_picture_names(path: Path, refusal: type[ValueError]) -> list[PictureLabels]:
    """Returns each picture that a table names, once, without labels; the table needs no action units."""
    try:
        with open_table(path, refusal, _names_files) as table:
            file, person = _file_column(table, refusal), find_column(table, ("person",), refusal)
            people = {_file_of(row, file): "" if person is None else person.text(row) for row in table.rows}
    except refusal as error:
        raise refusal(f"{path}: {error}") from error
    return [PictureLabels(named, who, None) for named, who in people.items()]


def read_widest_face(path: Path, refusal: type[ValueError]) -> AUVector | None:
    """Returns (17,), 0..5, from a table whose rows are the faces of one picture. None: no row shows a
    face."""
    with open_au_table(path, refusal) as table:
        widest: list[_Face] = []
        for _, face in _faces(table):
            if face is not None:
                widest = _widest([*widest, face], "picture", refusal)
    return widest[0].aus if widest else None


@dataclass(frozen=True, eq=False)
class _Face:
    line: int
    width: float
    """The width in a unit of the table's own; 0 where the table has none."""
    aus: AUVector


def _faces(table: AUTable) -> Iterator[tuple[Row, _Face | None]]:
    """Yields the rows and their faces. None: the row shows no face."""
    width_of = _widths(table)
    for row, all_aus in table.faces():
        aus = None if all_aus is None else openface(all_aus)
        yield row, None if aus is None else _Face(row.line, width_of(row), aus)


def _widths(table: AUTable) -> Callable[[Row], float]:
    """Returns a function from a row to the width of its face, for comparison within one picture."""
    width, distance = table.find(_WIDTH), table.find(_DISTANCE)
    landmarks = [column for key in _LANDMARKS_X if (column := table.find(key)) is not None]
    if width is not None:
        return lambda row: _known(width.number(row))
    if landmarks:
        return lambda row: _known(float(np.ptp([column.number(row) for column in landmarks])))
    if distance is not None:
        # Of faces of equal size, the nearer one is wider.
        return lambda row: 1 / far if (far := _known(distance.number(row))) else 0.0
    return lambda row: 0.0


def _known(number: float) -> float:
    return number if number > 0 else 0.0


def _widest(faces: Sequence[_Face], of: str, refusal: type[ValueError]) -> list[_Face]:
    """Returns the widest face alone. Equally wide faces must not differ, so that row order never matters."""
    first, *others = sorted(faces, key=lambda face: (-face.width, face.line))
    for other in others:
        if other.width == first.width and not np.array_equal(first.aus, other.aus, equal_nan=True):
            raise refusal(
                f"lines {first.line} and {other.line} are of one {of} and differ; "
                "keep one row for each picture, or give the widths of faces in a column FaceRectWidth"
            )
    return [first]


def _names_files(names: Iterable[str]) -> bool:
    return any(column_key(name) in FILE_COLUMNS for name in names)


def _file_column(table: Table, refusal: type[ValueError]) -> Column:
    column = find_column(table, FILE_COLUMNS, refusal)
    if column is None:
        raise refusal(
            f"line {table.header_line}: no column names the pictures' files; name one of its columns "
            + ", ".join(FILE_COLUMNS)
        )
    return column


def _file_of(row: Row, column: Column) -> str:
    named = column.text(row)
    if not named:
        raise column.refusal(f"line {row.line}, column {column.name}: there is no file")
    return named
