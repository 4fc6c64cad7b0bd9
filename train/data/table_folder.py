"""A folder of pictures with a table of action units, by OpenFace, py-feat or another program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from calib.dataset import find_table
from calib.picture_labels import FILE_COLUMNS, read_picture_labels, read_picture_names
from calib.pictures import PictureFolder
from train.data.items import PictureFile, PictureItem


class TableError(ValueError):
    """A table, or a record of one, that cannot be used; the message is one line for the user."""


def read_table(folder: Path, labels: bool = True) -> list[PictureItem]:
    """The pictures that the folder's one table (or its aus.csv) names; PictureFolder says where they lie.

    `calib.au_table` tells which tables are read. A picture in which no face was found has no labels; of
    several faces the widest one's labels count.
    labels: whether action units are read; without, a table needs nothing but the names of files.
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
    """The file of a row or record; py-feat calls it `input`, the paper's pickle `file_path` or `path`."""
    for column in FILE_COLUMNS:
        if record.get(column):
            return str(record[column])
    raise TableError(f"{where} names no file; it needs one of {', '.join(FILE_COLUMNS)}")
