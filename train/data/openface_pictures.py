"""Pictures with a CSV each, as OpenFace's FaceLandmarkImg leaves them."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from calib.au import AU_CODES, AUVector
from calib.pictures import PictureFolder
from train.data.items import Item, PictureFile
from train.data.tables import FILE_COLUMNS, TableError

_COLUMNS = tuple(f"{code}_r" for code in AU_CODES)
_OF_FILMS = ("frame", "timestamp")
"""Columns of OpenFace's FeatureExtraction, whose tables have a row for each frame of a film."""
_FOLDERS = ("aus", "processed", "images", "imgs")
"""Sub-folders in which the tables are looked for: GANimation's, OpenFace's own, and those of pictures."""
_LANDMARKS = 68


def find_face_landmark_img(folder: Path) -> list[Path]:
    """The tables of single pictures in a folder, or else in a sub-folder of a usual name; none: it has none.

    No table in it names files: those that do are of many pictures.
    """
    for place in (folder, *(folder / name for name in _FOLDERS)):
        tables = sorted(place.glob("*.csv"))
        if tables and all(_is_of_one_picture(table) for table in tables):
            return tables
    return []


def read_face_landmark_img(tables: Sequence[Path], folder: Path, labels: bool = True) -> list[Item]:
    """The picture of each table: NAME.jpg (or another ending) of NAME.csv, in `folder` or beside it.

    What NAME_of_details.txt calls the input comes first. A picture into which OpenFace drew its landmarks is
    never taken. labels: whether action units are read.
    """
    places = [PictureFolder(folder), *(PictureFolder(place) for place in (tables[0].parent, folder.parent))]
    items = []
    for table in tables:
        picture = _picture_of(table, places)
        name = places[0].name_of(picture)
        items.append(Item(name, name, _read_largest(table) if labels else None, PictureFile(picture)))
    return items


def _is_of_one_picture(table: Path) -> bool:
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        header = {name.strip() for name in next(csv.reader(stream), [])}
    return _COLUMNS[0] in header and not header.intersection((*FILE_COLUMNS, *_OF_FILMS))


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
    """What NAME_of_details.txt says of NAME.csv, by the words before the colon."""
    path = table.with_name(f"{table.stem}_of_details.txt")
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _read_largest(table: Path) -> AUVector | None:
    """(17,) of the largest face of a picture; None where OpenFace found none."""
    with table.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.reader(stream, skipinitialspace=True)
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in _COLUMNS if name not in header]
        if missing:
            raise TableError(f"{table} has no column {', '.join(missing)}; it needs AU01_r to AU45_r")
        rows = [dict(zip(header, row, strict=False)) for row in reader if row]
    if not rows:
        return None
    row = max(rows, key=_face_width)
    try:
        aus = np.array([float(row[name]) for name in _COLUMNS], np.float32)
    except (KeyError, ValueError) as error:
        raise TableError(f"{table}: {error}; intensities are numbers from 0 to 5") from error
    if not np.isfinite(aus).all():
        raise TableError(f"{table}: an intensity is not finite; intensities are numbers from 0 to 5")
    return aus


def _face_width(row: Mapping[str, str]) -> float:
    """Pixels; 0 where the table has no landmarks."""
    try:
        places = [float(row[f"x_{number}"]) for number in range(_LANDMARKS)]
    except (KeyError, ValueError):
        return 0.0
    width = max(places) - min(places)
    return 0.0 if math.isnan(width) else width
