"""A folder of pictures with a CSV of action units, by OpenFace or py-feat."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from calib.au import AU_COUNT
from calib.columns import AUColumns, au_columns
from calib.dataset import read_labels
from calib.pictures import PictureFolder
from train.data.items import Item, PictureFile

_Row = Mapping[str, str]
FILE_COLUMNS = ("file", "file_path", "path", "input", "image")
"""Names of the column, or of a record's key, that holds the picture's file."""


class TableError(ValueError):
    """A table, or a record of one, that cannot be used; the message is one line for the user."""


def read_table(folder: Path, labels: bool = True) -> list[Item]:
    """The pictures that the folder's one CSV (or its aus.csv) names; PictureFolder says where they lie.

    OpenFace's table (calib.dataset.read_labels) has AU01_r to AU45_r, py-feat's AU01 to AU43
    (calib.columns); what it does not measure is 0. A
    picture in which it found no face has no labels; of several faces the largest one's labels count.
    labels: whether action units are read; without, a table needs nothing but the names of files.
    """
    tables = [folder / "aus.csv"] if (folder / "aus.csv").is_file() else sorted(folder.glob("*.csv"))
    pictures = PictureFolder(folder)
    with tables[0].open(newline="", encoding="utf-8-sig") as stream:
        header = [name.strip() for name in next(csv.reader(stream), [])]
        columns = au_columns(header)
        rows = csv.DictReader(stream, header, restval="", skipinitialspace=True)
        if len(tables) == 1 and not labels:
            return _read_names(rows, pictures, tables[0])
        if len(tables) == 1 and columns is not None and columns.scale != 1:
            return _read_py_feat(rows, columns, pictures, tables[0])
    return [
        Item(pictures.name_of(each.path), each.person, each.aus, PictureFile(each.path))
        for each in read_labels(folder)
    ]


def file_of(record: Mapping[str, object], where: str) -> str:
    """The file of a row or record; py-feat calls it `input`, the paper's pickle `file_path` or `path`."""
    for column in FILE_COLUMNS:
        if record.get(column):
            return str(record[column])
    raise TableError(f"{where} names no file; it needs one of {', '.join(FILE_COLUMNS)}")


def _read_names(rows: Iterable[_Row], pictures: PictureFolder, table: Path) -> list[Item]:
    """Each picture once, without its action units."""
    people = {file_of(row, str(table)): row.get("person", "").strip() for row in rows}
    paths = {file: pictures.expected(file) for file in people}
    names = {file: pictures.name_of(path) for file, path in paths.items()}
    return [Item(names[file], people[file] or names[file], None, PictureFile(paths[file])) for file in people]


def _read_py_feat(
    rows: Iterable[_Row], columns: AUColumns, pictures: PictureFolder, table: Path
) -> list[Item]:
    largest: dict[str, _Row] = {}
    for row in rows:
        file = file_of(row, str(table))
        if file not in largest or _face_width(row) > _face_width(largest[file]):
            largest[file] = row
    return [_to_item(row, columns, pictures, file, table) for file, row in largest.items()]


def _face_width(row: _Row) -> float:
    """0 where there is no face."""
    width = _number(row.get("FaceRectWidth", ""))
    return 0.0 if math.isnan(width) else width


def _to_item(row: _Row, columns: AUColumns, pictures: PictureFolder, file: str, table: Path) -> Item:
    picture = pictures.expected(file)
    name = pictures.name_of(picture)
    aus = np.full(AU_COUNT, np.nan, np.float32)
    for index, column in columns.names.items():
        aus[index] = _number(row.get(column, ""))
    if (aus < 0).any() or (aus > 1).any():
        raise TableError(
            f"{table}: {name} has an intensity outside of 0..1, which is py-feat's scale in columns AU01, "
            "AU02 ...; call intensities from 0 to 5 AU01_r, AU02_r ..."
        )
    labels = None if np.isnan(aus).all() else np.nan_to_num(aus) * np.float32(columns.scale)
    return Item(name, row.get("person") or name, labels, PictureFile(picture))


def _number(text: str) -> float:
    """NaN where there is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
