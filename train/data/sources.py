"""What pictures there are and what is known of them: folders, tables, archives and clips as one list."""

from __future__ import annotations

import csv
import json
import math
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, AU_COUNT, MAX_INTENSITY, AUVector, au_index, neutral_aus
from calib.dataset import read_labels
from reenact.capture.file import CaptureError, open_capture
from reenact.stills import load_still
from train.data.unpickle import load_plain

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEOS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".m4v"})
PATH_COLUMNS = ("file", "file_path", "path", "input", "image")
"""Names under which tables keep a picture's file; py-feat's is `input`."""
CLIP_RATE_HZ = 3.0
"""Frames taken from a second of a clip: neighbours that are closer look alike."""


class SourceError(ValueError):
    """A source of pictures that cannot be read; the message is one line for the user."""


@dataclass(frozen=True)
class PictureFile:
    path: Path


@dataclass(frozen=True)
class TarMember:
    path: Path
    """The archive."""
    offset: int
    size: int
    """Bytes."""


@dataclass(frozen=True)
class ClipFrame:
    path: Path
    """The video."""
    index: int
    """From 0."""


Place = PictureFile | TarMember | ClipFrame


@dataclass(frozen=True, eq=False)
class Item:
    """One picture that might become a sample."""

    name: str
    """Unique in its source."""
    person: str
    """Who is shown; the same as the name where nobody tells."""
    aus: AUVector | None
    """(17,) 0..5; None where nobody tells."""
    place: Place


@dataclass(frozen=True, eq=False)
class Source:
    collection: str
    items: tuple[Item, ...]


def open_source(path: Path) -> Source:
    """What lies at `path`, which is one of

    - a folder with aus.csv (or one other CSV) by OpenFace or py-feat, pictures beside it or in images/,
    - a folder of pictures, at any depth, without labels: every picture counts as a person of its own,
    - a folder of videos, with OpenFace's table of NAME.* in labels/NAME.csv: every clip is one person,
    - `aus_dataset.pkl`, or another pickle of records with `file_path` (or `path`) and `aus`,
    - a tar, or a folder of tars, of pictures KEY.jpg with KEY.json: {"aus": ..., "person": ...}.

    Raises SourceError (or calib.dataset.DatasetError) where there is nothing to read.
    """
    if path.is_dir():
        return Source(path.absolute().name, tuple(_read_folder(path)))
    if not path.is_file():
        raise SourceError(f"no source at {path}; give a folder, a .pkl or a .tar")
    readers = {".pkl": _read_pickle, ".pickle": _read_pickle, ".tar": _read_tar}
    if path.suffix.lower() not in readers:
        raise SourceError(f"{path} is no source; give a folder, a .pkl or a .tar")
    return Source(path.stem, tuple(readers[path.suffix.lower()](path)))


def load_pictures(items: Iterable[Item]) -> Iterator[tuple[Item, NDArray[np.uint8] | None]]:
    """Each item with its picture, (height, width, 3) RGB upright; None where it cannot be read."""
    for (kind, path), group in groupby(items, key=lambda item: (type(item.place), item.place.path)):
        if kind is ClipFrame:
            yield from _load_frames(path, list(group))
        else:
            yield from ((item, _load_picture(item.place)) for item in group)


def _load_picture(place: Place) -> NDArray[np.uint8] | None:
    # Decoders raise whatever comes to their authors' minds, and one bad picture must not stop a run.
    try:
        if isinstance(place, PictureFile):
            return load_still(place.path).image
        # By way of a file, so that all pictures are read by one reader.
        with tempfile.NamedTemporaryFile() as file:
            file.write(read_content(place))
            file.flush()
            return load_still(file.name).image
    except Exception:
        return None


def _load_frames(clip: Path, items: Sequence[Item]) -> Iterator[tuple[Item, NDArray[np.uint8] | None]]:
    """Items of one clip, in the order of its frames."""
    wanted = {item.place.index: item for item in items if isinstance(item.place, ClipFrame)}
    try:
        with open_capture(clip) as capture:
            for frame in capture:
                if frame.index in wanted:
                    yield wanted.pop(frame.index), frame.image
                if not wanted:
                    break
    except CaptureError:
        pass
    yield from ((item, None) for item in wanted.values())


def read_content(place: Place) -> bytes:
    """The bytes of the file or archive member at a place; raises OSError."""
    with place.path.open("rb") as stream:
        if not isinstance(place, TarMember):
            return stream.read()
        stream.seek(place.offset)
        return stream.read(place.size)


def _read_folder(folder: Path) -> list[Item]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    suffixes = {path.suffix.lower() for path in files}
    if ".csv" in suffixes:
        return _read_table(folder)
    if suffixes & VIDEOS:
        return _read_clips([path for path in files if path.suffix.lower() in VIDEOS], folder / "labels")
    if ".tar" in suffixes:
        return [item for path in files if path.suffix.lower() == ".tar" for item in _read_tar(path)]
    return _read_pictures(folder)


def _read_pictures(folder: Path) -> list[Item]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file())
    if not paths:
        raise SourceError(f"{folder} has no pictures, videos, tars or CSV in it")
    names = [path.relative_to(folder).as_posix() for path in paths]
    return [Item(name, name, None, PictureFile(path)) for name, path in zip(names, paths, strict=True)]


def _read_table(folder: Path) -> list[Item]:
    """Pictures with a CSV. OpenFace's has AU01_r to AU45_r, 0..5.

    py-feat's has AU01 to AU43, 0..1, which are scaled by 5; its AU43 (eyes closed) stands for AU45, and what
    it does not measure is 0. A picture in which it found no face has no labels.
    """
    tables = [folder / "aus.csv"] if (folder / "aus.csv").is_file() else sorted(folder.glob("*.csv"))
    base = _pictures_of(folder)
    with tables[0].open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream, skipinitialspace=True)
        columns = {name.strip() for name in reader.fieldnames or ()}
        if len(tables) > 1 or f"{AU_CODES[0]}_r" in columns or AU_CODES[0] not in columns:
            return [
                Item(_name(each.path, base), each.person, each.aus, PictureFile(each.path))
                for each in read_labels(folder)
            ]
        file_column = _one_of(PATH_COLUMNS, columns, tables[0])
        rows = _largest_faces(reader, file_column)
        return [_from_py_feat(row, file_column, base, tables[0]) for row in rows]


def _largest_faces(rows: Iterable[dict[str, Any]], file_column: str) -> list[dict[str, Any]]:
    """One row for each file: py-feat writes one for each face."""
    largest: dict[str, tuple[float, dict[str, Any]]] = {}
    for row in rows:
        size = _number(row.get("FaceRectWidth"))
        size = 0.0 if math.isnan(size) else size
        if row[file_column] not in largest or size > largest[row[file_column]][0]:
            largest[row[file_column]] = size, row
    return [row for _, row in largest.values()]


def _from_py_feat(row: dict[str, Any], file_column: str, base: Path, table: Path) -> Item:
    aus = np.array([_number(row.get(code)) for code in AU_CODES], np.float32)
    if math.isnan(aus[-1]):
        aus[-1] = _number(row.get("AU43"))
    if (aus > 1).any() or (aus < 0).any():
        raise SourceError(
            f"{table}: {row[file_column]} has an intensity outside of 0..1; "
            "columns AU01, AU02 ... are py-feat's; intensities from 0 to 5 are called AU01_r, AU02_r ..."
        )
    known = bool(np.isfinite(aus).any())
    path = _find(row[file_column], base)
    name = _name(path, base)
    labels = np.nan_to_num(aus) * np.float32(MAX_INTENSITY) if known else None
    return Item(name, row.get("person") or name, labels, PictureFile(path))


def _number(text: str | None) -> float:
    """NaN where there is none."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan


def _one_of(names: Sequence[str], present: Iterable[str], where: Path) -> str:
    present = set(present)
    found = [name for name in names if name in present]
    if not found:
        raise SourceError(f"{where} names no files; it needs one of {', '.join(names)}")
    return found[0]


def _pictures_of(folder: Path) -> Path:
    return folder / "images" if (folder / "images").is_dir() else folder


def _find(file: str, base: Path) -> Path:
    """A picture that a table names: relative to `base`, or, where that is no file, in `base` by its name."""
    path = base / file.strip()
    return path if path.is_file() or not (base / path.name).is_file() else base / path.name


def _name(path: Path, base: Path) -> str:
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def _read_pickle(path: Path) -> list[Item]:
    """Records of the paper's `aus_dataset.pkl`, or a dict of them; AUs are OpenFace's, 0..5."""
    content = load_plain(path)
    records = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(records, list | tuple) or not all(isinstance(record, dict) for record in records):
        raise SourceError(f"{path} holds no list of records; each needs file_path (or path) and aus")
    return [_from_record(record, path) for record in records]


def _from_record(record: dict[str, Any], source: Path) -> Item:
    base = _pictures_of(source.parent)
    key = _one_of(PATH_COLUMNS, (str(name) for name in record), source)
    picture = _find(str(record[key]), base)
    name = _name(picture, base)
    aus = _to_aus(record.get("aus"), f"{source}, {name}")
    return Item(name, str(record.get("person", name)), aus, PictureFile(picture))


def _to_aus(value: Any, where: str) -> AUVector | None:
    """17 intensities in a row, or some of them by name; None stays None."""
    if value is None:
        return None
    try:
        if isinstance(value, dict):
            aus = neutral_aus()
            for name, intensity in value.items():
                aus[au_index(name)] = intensity
        else:
            aus = np.array(value, np.float32).reshape(-1)
    except (TypeError, ValueError) as error:
        raise SourceError(
            f"{where}: aus is {value!r:.60}; {AU_COUNT} numbers from 0 to 5 are needed"
        ) from error
    if aus.shape != (AU_COUNT,) or not (np.isfinite(aus) & (aus >= 0) & (aus <= MAX_INTENSITY)).all():
        raise SourceError(f"{where}: aus is {value!r:.60}; {AU_COUNT} numbers from 0 to 5 are needed")
    return aus


def _read_tar(path: Path) -> list[Item]:
    pictures: dict[str, TarMember] = {}
    labels: dict[str, Any] = {}
    try:
        # "r:" refuses compressed archives, in which members have no place of their own.
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                stem, dot, suffix = member.name.rpartition(".")
                if dot and member.isfile() and f".{suffix.lower()}" in PICTURES:
                    pictures[stem] = TarMember(path, member.offset_data, member.size)
                elif suffix.lower() == "json" and (content := tar.extractfile(member)):
                    labels[stem] = json.load(content)
    except (tarfile.TarError, ValueError) as error:
        raise SourceError(f"{path} is no plain tar of pictures and JSON: {error}") from error
    return [_from_tar(stem, place, labels.get(stem, {})) for stem, place in pictures.items()]


def _from_tar(stem: str, place: TarMember, label: Any) -> Item:
    name = f"{place.path.name}/{stem}"
    known = label if isinstance(label, dict) else {}
    return Item(name, str(known.get("person", name)), _to_aus(known.get("aus"), name), place)


def _read_clips(videos: Sequence[Path], labels: Path) -> list[Item]:
    return [item for video in videos for item in _read_clip(video, labels / f"{video.stem}.csv")]


def _read_clip(video: Path, table: Path) -> list[Item]:
    """Every so many frames of a clip; with a table only those in which OpenFace saw a face."""
    try:
        with open_capture(video) as capture:
            step = max(1, round(float(capture.rate or 30) / CLIP_RATE_HZ))
            count = capture.frame_count or 0
    except CaptureError as error:
        raise SourceError(str(error)) from error
    labels: dict[int, AUVector | None]
    labels = dict(_frame_labels(table)) if table.is_file() else dict.fromkeys(range(count))
    return [
        Item(f"{video.name}#{index:06d}", video.stem, aus, ClipFrame(video, index))
        for index, aus in sorted(labels.items())
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
        raise SourceError(f"{table} is no table of frames by OpenFace: {error}") from error
