"""A folder of pictures with a table of action units, by OpenFace, py-feat or another program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from calib.dataset import find_table
from calib.picture_labels import FILE_COLUMNS, read_picture_labels, read_picture_names
from calib.pictures import PictureFolder
from train.data.items import PictureFile, PictureItem


class TableError(ValueError):
    """A table, or a record of one, cannot be used; the message is one line for the user."""


def read_table(folder: Path, labels: bool = True) -> list[PictureItem]:
    """Returns the pictures that the folder's only table (or its aus.csv) names; PictureFolder finds them.

    `calib.au_table` reads the table. A picture in which no face was found has no labels; of several faces the
    widest one's labels count.
    labels: whether action units are read; if not, the table only needs the names of files.
    """
    table = find_table(folder)
    pictures = PictureFolder(folder)
    found = read_picture_labels(table, TableError) if labels else read_picture_names(table, TableError)
    items = []
    for each in found:
        picture = pictures.expected(each.file)
        name = pictures.name_of(picture)
        items.append(PictureItem(name, each.person or name, each.aus, PictureFile(picture)))
    return items


def file_of(record: Mapping[str, object], where: str) -> str:
    """Returns the file of a row or record; py-feat's key is `input`, the paper's is `file_path` or `path`."""
    for column in FILE_COLUMNS:
        if record.get(column):
            return str(record[column])
    raise TableError(f"{where} names no file; give one under {', '.join(FILE_COLUMNS)}")
