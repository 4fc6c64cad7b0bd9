"""Pictures with a CSV each, as OpenFace's FaceLandmarkImg writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from calib.au_table import open_au_table
from calib.picture_labels import FILE_COLUMNS, read_widest_face, tables_in
from calib.pictures import PictureFolder
from train.data.items import PictureFile, PictureItem
from train.data.table_folder import TableError

_FIRST = "au01_r"
"""A column that every OpenFace table has."""
_OF_FILMS = ("frame", "timestamp")
"""Columns of OpenFace's FeatureExtraction, whose tables have a row for each frame of a film."""
_FOLDERS = ("aus", "processed", "images", "imgs")
"""Sub-folders that are searched for tables: GANimation's, OpenFace's own, and those of pictures."""


def find_face_landmark_img(folder: Path) -> list[Path]:
    """Returns the tables of single pictures in a folder, or else in a sub-folder of a usual name.

    The list is empty where the folder has a table that names files, which is one of many pictures.
    """
    for place in (folder, *(folder / name for name in _FOLDERS)):
        tables = tables_in(place)
        if tables and all(_is_of_one_picture(table) for table in tables):
            return tables
    return []


def read_face_landmark_img(tables: Sequence[Path], folder: Path, labels: bool = True) -> list[PictureItem]:
    """Returns the picture of each table: NAME.jpg (or another ending) of NAME.csv, in `folder` or beside it.

    The input by NAME_of_details.txt comes first. A picture into which OpenFace drew its landmarks is never
    taken. labels: whether action units are read.
    """
    places = [PictureFolder(folder), *(PictureFolder(place) for place in (tables[0].parent, folder.parent))]
    items = []
    for table in tables:
        picture = _picture_of(table, places)
        name = places[0].name_of(picture)
        items.append(
            PictureItem(
                name, name, read_widest_face(table, TableError) if labels else None, PictureFile(picture)
            )
        )
    return items


def _is_of_one_picture(table: Path) -> bool:
    try:
        with open_au_table(table, TableError) as opened:
            return opened.find(_FIRST) is not None and opened.find(*FILE_COLUMNS, *_OF_FILMS) is None
    except TableError:
        return False


def _picture_of(table: Path, places: Sequence[PictureFolder]) -> Path:
    details = _details(table)
    drawn = details.get("Output image", "")
    for named in filter(None, (details.get("Input"), table.stem)):
        for place in places:
            found = place.find(named)
            if found is not None and not (drawn and found.parent == table.parent and drawn == found.name):
                return found
    return places[0].expected(details.get("Input") or table.stem)


def _details(table: Path) -> Mapping[str, str]:
    """Returns the entries of NAME_of_details.txt for NAME.csv, by the words before the colon."""
    path = table.with_name(f"{table.stem}_of_details.txt")
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
