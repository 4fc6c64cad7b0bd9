"""Where pictures come from: folders, tables, archives and clips, each as one list of items."""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calib.au import AU_CODES, AU_COUNT, MAX_INTENSITY, AUVector, au_index, neutral_aus
from calib.json_file import parse_json
from calib.text_file import text_of
from reenact.capture.file import CaptureError, open_capture
from train.data.items import ClipFrame, Item, PictureFile, TarMember
from train.data.tables import TableError, file_of, find_picture, name_of, pictures_beside, read_table
from train.data.unpickle import load_plain

_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_VIDEOS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".m4v"})
_CLIP_RATE_HZ = 3
"""Frames taken from a second of a clip: neighbours that are closer look alike."""


class SourceError(ValueError):
    """A source of pictures that cannot be read; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class Source:
    collection: str
    """Its name."""
    items: tuple[Item, ...]


def open_source(path: Path, people_by_folder: bool = False) -> Source:
    """What lies at `path`, which is one of

    - a folder with aus.csv (or one other CSV) by OpenFace or py-feat, pictures beside it or in images/,
    - a folder of pictures, at any depth, without labels: every picture, or with `people_by_folder` every
      folder in it, is a person of its own,
    - a folder of videos; labels/NAME.csv, if any, is OpenFace's table of NAME.*; every clip is one person,
    - `aus_dataset.pkl`, or another pickle of records with `file_path` (or `path`) and `aus`,
    - a tar, or a folder of tars, of pictures KEY.jpg and labels KEY.json: {"aus": ..., "person": ...}.

    Raises SourceError, TableError, UnpickleError or calib.dataset.DatasetError for what cannot be read.
    """
    if path.is_dir():
        return Source(path.absolute().name, tuple(_read_folder(path, people_by_folder)))
    if not path.is_file():
        raise SourceError(f"there is nothing at {path}; give a folder, a .pkl or a .tar")
    if path.suffix.lower() in (".pkl", ".pickle"):
        return Source(path.stem, tuple(_read_pickle(path)))
    if path.suffix.lower() == ".tar":
        return Source(path.stem, tuple(_read_tar(path)))
    raise SourceError(f"{path} is not a source of pictures; give a folder, a .pkl or a .tar")


def _read_folder(folder: Path, people_by_folder: bool) -> list[Item]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    videos = [path for path in files if path.suffix.lower() in _VIDEOS]
    tars = [path for path in files if path.suffix.lower() == ".tar"]
    if videos:
        return [item for video in videos for item in _read_clip(video, folder / "labels")]
    if tars:
        return [item for tar in tars for item in _read_tar(tar)]
    if any(path.suffix.lower() == ".csv" for path in files):
        return read_table(folder)
    return _read_pictures(folder, people_by_folder)


def _read_pictures(folder: Path, people_by_folder: bool) -> list[Item]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES and path.is_file())
    if not paths:
        raise SourceError(f"{folder} has no pictures, videos, tars or CSV in it")
    names = [path.relative_to(folder) for path in paths]
    people = [name.parent if people_by_folder and name.parent.name else name for name in names]
    return [
        Item(name.as_posix(), person.as_posix(), None, PictureFile(path))
        for name, person, path in zip(names, people, paths, strict=True)
    ]


def _read_pickle(path: Path) -> list[Item]:
    """Records of the paper's `aus_dataset.pkl`, or a dict of them."""
    content = load_plain(path)
    records = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(records, list | tuple) or not all(isinstance(record, dict) for record in records):
        raise SourceError(f"{path} is no list of records with file_path (or path) and aus")
    return [_from_record(record, path) for record in records]


def _from_record(record: Mapping[str, Any], source: Path) -> Item:
    base = pictures_beside(source)
    picture = find_picture(file_of(record, str(source)), base)
    name = name_of(picture, base)
    return Item(name, str(record.get("person", name)), _to_aus(record, name), PictureFile(picture))


def _to_aus(record: Mapping[str, Any], where: str) -> AUVector | None:
    """`aus` of a record: 17 intensities, 0..5, or some by name, {"AU12": 2.0}; None where there is none."""
    value = record.get("aus")
    if value is None:
        return None
    try:
        aus = _by_name(value) if isinstance(value, dict) else np.array(value, np.float32).reshape(AU_COUNT)
        if not (aus >= 0).all() or not (aus <= MAX_INTENSITY).all():
            raise ValueError("out of range")
    except (TypeError, ValueError) as error:
        shown = " ".join(repr(value).split())
        raise SourceError(
            f"{where}: aus is {shown:.60}; {AU_COUNT} numbers from 0 to 5 are needed"
        ) from error
    return aus


def _by_name(intensities: Mapping[str, float]) -> AUVector:
    aus = neutral_aus()
    for name, intensity in intensities.items():
        aus[au_index(name)] = intensity
    return aus


def _read_tar(path: Path) -> list[Item]:
    places: dict[str, TarMember] = {}
    labels: dict[str, Any] = {}
    try:
        # "r:" refuses compressed archives: their members cannot be read from where they lie.
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                key = member.name.removesuffix(Path(member.name).suffix)
                suffix = Path(member.name).suffix.lower()
                if member.isfile() and suffix in _PICTURES:
                    places[key] = TarMember(path, member.offset_data, member.size)
                elif suffix == ".csv":
                    raise SourceError(
                        f"{path} has a table in it ({member.name}); unpack it and give its folder"
                    )
                elif suffix == ".json" and (content := tar.extractfile(member)):
                    labels[key] = _label(content.read(), f"{path}, {member.name}")
    except SourceError:
        raise
    except (tarfile.TarError, ValueError) as error:
        raise SourceError(f"{path} is no plain tar of pictures and JSON: {error}") from error
    return [_from_tar(f"{path.name}/{key}", place, labels.get(key)) for key, place in places.items()]


def _label(data: bytes, where: str) -> Any:
    try:
        return parse_json(text_of(data, SourceError), SourceError)
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error


def _from_tar(name: str, place: TarMember, label: Any) -> Item:
    record = label if isinstance(label, dict) else {}
    return Item(name, str(record.get("person", name)), _to_aus(record, name), place)


def _read_clip(video: Path, labels: Path) -> list[Item]:
    """Three frames a second of a clip; where there is a table, of those in which OpenFace saw a face."""
    try:
        with open_capture(video) as capture:
            step = max(1, round((capture.rate or 30) / _CLIP_RATE_HZ))
            # At least one: a clip that nobody can read is to be counted.
            count = capture.frame_count or 1
    except CaptureError:
        step, count = 1, 1
    table = labels / f"{video.stem}.csv"
    known: Mapping[int, AUVector | None] = (
        _frame_labels(table) if table.is_file() else dict.fromkeys(range(count))
    )
    return [
        Item(f"{video.name}#{index:06d}", video.stem, known[index], ClipFrame(video, index))
        for index in sorted(known)
        if index % step == 0
    ]


def _frame_labels(table: Path) -> dict[int, AUVector]:
    """By frame, from 0 (OpenFace: from 1). AU01_rs, not normalised per person, is preferred to AU01_r."""
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream, skipinitialspace=True))
    ending = "_rs" if rows and f"{AU_CODES[0]}_rs" in rows[0] else "_r"
    try:
        return {
            int(row["frame"]) - 1: np.array([float(row[code + ending]) for code in AU_CODES], np.float32)
            for row in rows
            if float(row.get("success") or 1) != 0 and int(row.get("face_id") or 0) == 0
        }
    except (KeyError, ValueError, TypeError) as error:
        raise TableError(f"{table} is no table of frames by OpenFace: {error}") from error
