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
from train.data.items import Item, PictureFile

_Row = Mapping[str, str]


class TableError(ValueError):
    """A table, or a record of one, that cannot be used; the message is one line for the user."""


def read_table(folder: Path) -> list[Item]:
    """The pictures that the folder's one CSV (or its aus.csv) names; they lie beside it or in images/.

    OpenFace's table (calib.dataset.read_labels) has AU01_r to AU45_r, py-feat's AU01 to AU43
    (calib.columns); what it does not measure is 0. A
    picture in which it found no face has no labels; of several faces the largest one's labels count.
    """
    tables = [folder / "aus.csv"] if (folder / "aus.csv").is_file() else sorted(folder.glob("*.csv"))
    with tables[0].open(newline="", encoding="utf-8-sig") as stream:
        header = [name.strip() for name in next(csv.reader(stream), [])]
        columns = au_columns(header)
        if len(tables) == 1 and columns is not None and columns.scale != 1:
            rows = csv.DictReader(stream, header, restval="", skipinitialspace=True)
            return _read_py_feat(rows, columns, tables[0])
    base = pictures_beside(tables[0])
    return [
        Item(name_of(each.path, base), each.person, each.aus, PictureFile(each.path))
        for each in read_labels(folder)
    ]


def pictures_beside(table: Path) -> Path:
    """The folder that a table's file names start from."""
    return table.parent / "images" if (table.parent / "images").is_dir() else table.parent


def find_picture(file: str, base: Path) -> Path:
    """The picture that a table names: from `base` on, or, where that is no file, in `base` by its name."""
    path = base / file.strip()
    return path if path.is_file() or not (base / path.name).is_file() else base / path.name


def name_of(path: Path, base: Path) -> str:
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def file_of(record: Mapping[str, object], where: str) -> str:
    """The file of a row or record; py-feat calls it `input`, the paper's pickle `file_path` or `path`."""
    columns = ("file", "file_path", "path", "input", "image")
    for column in columns:
        if record.get(column):
            return str(record[column])
    raise TableError(f"{where} names no file; it needs one of {', '.join(columns)}")


def _read_py_feat(rows: Iterable[_Row], columns: AUColumns, table: Path) -> list[Item]:
    base = pictures_beside(table)
    largest: dict[str, _Row] = {}
    for row in rows:
        file = file_of(row, str(table))
        if file not in largest or _face_width(row) > _face_width(largest[file]):
            largest[file] = row
    return [_to_item(row, columns, find_picture(file, base), base, table) for file, row in largest.items()]


def _face_width(row: _Row) -> float:
    """0 where there is no face."""
    width = _number(row.get("FaceRectWidth", ""))
    return 0.0 if math.isnan(width) else width


def _to_item(row: _Row, columns: AUColumns, picture: Path, base: Path, table: Path) -> Item:
    name = name_of(picture, base)
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
