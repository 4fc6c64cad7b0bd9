"""Sources of pictures: folders, tables, archives and clips, each read as one list of items."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, OPENFACE_CODES, OPENFACE_COUNT, AUVector, openface_index
from calib.film_labels import frame_labels
from calib.json_file import parse_json
from calib.picture_labels import FILE_COLUMNS, tables_in
from calib.pictures import PICTURE_ENDINGS, PictureFolder
from calib.text_file import text_of
from reenact.media.read.video_file import CaptureError, open_capture
from train.data.items import ClipFrame, PictureFile, PictureItem, TarMember
from train.data.openface_pictures import find_face_landmark_img, read_face_landmark_img
from train.data.split import UNTOLD, Split, read_split
from train.data.table_folder import TableError, file_of, read_table
from train.data.unpickle import load_plain

_VIDEOS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".m4v"})
_PICKLES = frozenset({".pkl", ".pickle"})
_USUAL_PICKLES = ("aus_openface", "aus_dataset")
_SHOWN_MISSING = 3
"""The number of missing pictures that an error names."""
_CLIP_RATE_HZ = 3
"""Frames taken from a second of a clip; closer frames are almost equal."""


class SourceError(ValueError):
    """A source of pictures cannot be read; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class PictureSource:
    """A collection of pictures."""

    collection: str
    """The collection's name."""
    items: tuple[PictureItem, ...]
    """The pictures."""
    split: Split = UNTOLD
    """The held-out split by lists of files beside the pictures."""


@dataclass(frozen=True)
class GivenLabels:
    """How the labels of pictures are read."""

    needed: bool = True
    """Whether they are read; if not, they may have any form."""
    order: tuple[int | None, ...] | None = None
    """The positions of the action units of unnamed numbers; a None in it ignores the number. None: OpenFace's
    17 in its order."""

    def __call__(self, value: Any, where: str) -> AUVector | None:
        """Returns (17,) intensities, 0..5, of a list of numbers, or of some by name, {"AU12": 2.0}.

        Unnamed action units are 0. None: there are no labels. Raises SourceError for other values; `where`
        names the place.
        """
        if value is None or not self.needed:
            return None
        try:
            aus = _by_name(value) if isinstance(value, dict) else self._in_order(np.array(value, np.float32))
            if not (aus >= 0).all() or not (aus <= MAX_INTENSITY).all():
                raise ValueError("out of range")
        except (TypeError, ValueError) as error:
            shown = " ".join(repr(value).split())
            count = OPENFACE_COUNT if self.order is None else len(self.order)
            raise SourceError(
                f"{where}: aus is {shown:.60}; give {count} numbers from 0 to 5{_advice(value, count)}"
            ) from error
        return aus

    def _in_order(self, numbers: NDArray[np.float32]) -> AUVector:
        if self.order is None:
            return numbers.reshape(OPENFACE_COUNT)
        aus = np.zeros(OPENFACE_COUNT, np.float32)
        for index, number in zip(self.order, numbers.reshape(len(self.order)), strict=True):
            if index is not None:
                aus[index] = number
        return aus


def parse_order(text: str) -> tuple[int | None, ...]:
    """Reads the action units of unnamed numbers: "1,2,4" or "AU01,AU02,AU04"; "-" ignores a number.

    Raises calib.au.UnknownAUError, or SourceError for an action unit that is named twice.
    """
    order = tuple(None if name.strip() == "-" else openface_index(name) for name in text.split(","))
    named = [index for index in order if index is not None]
    twice = [OPENFACE_CODES[index] for index in range(OPENFACE_COUNT) if named.count(index) > 1]
    if twice:
        raise SourceError(f"--aus {text} names {twice[0]} twice; name each number's action unit once, or -")
    return order


def _advice(value: Any, count: int) -> str:
    """Returns what to do with a list of another length."""
    size = (
        value.size if isinstance(value, np.ndarray) else len(value) if isinstance(value, list | tuple) else 0
    )
    if size in (0, 1, count):
        return ""
    return (
        f"; these {size} have no names: give them in their order, as --aus 1,2,4,... ({size} of them, - for "
        "one to pass over), or read the pictures instead with --labels estimator"
    )


def open_source(
    path: Path, people_by_folder: bool = False, labels: GivenLabels = GivenLabels()
) -> PictureSource:
    """Opens the source at `path`, which is one of

    - a folder with aus.csv (or one other CSV) by OpenFace or py-feat,
    - a folder with one CSV for each picture, as OpenFace's FaceLandmarkImg leaves them,
    - a folder with a pickle as below, such as GANimation's aus_openface.pkl,
    - a folder of pictures, at any depth, without labels: every picture is a person of its own, or every
    folder in it with `people_by_folder`,
    - a folder of videos; labels/NAME.csv, if any, is OpenFace's table of NAME.*; every clip is one person,
    - a pickle of records with `file_path` (or `path`) and `aus`, as the paper's aus_dataset.pkl, or of
      {name: numbers},
    - a tar, or a folder of tars, of pictures KEY.jpg and labels KEY.json: {"aus": ..., "person": ...}.

    calib.pictures.PictureFolder finds the pictures of tables and pickles. train_ids.csv and test_ids.csv in a
    folder, as in GANimation's, define the training and the held-out split.
    Raises SourceError, TableError, SplitError, UnpickleError or calib.dataset.DatasetError for a source that
    cannot be read.
    """
    if path.is_dir():
        items = tuple(_read_folder(path, people_by_folder, labels))
        return PictureSource(path.absolute().name, items, read_split(path, items))
    if not path.is_file():
        raise SourceError(f"{path} does not exist; give a folder, a .pkl or a .tar")
    if path.suffix.lower() in _PICKLES:
        items = tuple(_read_pickle(path, labels))
        return PictureSource(path.stem, items, read_split(path.parent, items))
    if path.suffix.lower() == ".tar":
        return PictureSource(path.stem, tuple(_read_tar(path, labels)))
    raise SourceError(f"{path} is not a source of pictures; give a folder, a .pkl or a .tar")


def check_pictures(source: PictureSource) -> None:
    """Raises SourceError where all pictures of a source are missing."""
    places = [item.place for item in source.items]
    if not places or any(not isinstance(place, PictureFile) or place.path.is_file() for place in places):
        return
    missing = [str(place.path) for place in places]
    shown = ", ".join(missing[:_SHOWN_MISSING]) + (" ..." if len(missing) > _SHOWN_MISSING else "")
    raise SourceError(
        f"{source.collection}: all {len(missing)} of its pictures are missing: {shown}; put them "
        "beside its table, or into images/ or imgs/ there"
    )


def _read_folder(folder: Path, people_by_folder: bool, labels: GivenLabels) -> list[PictureItem]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    videos = [path for path in files if path.suffix.lower() in _VIDEOS]
    tars = [path for path in files if path.suffix.lower() == ".tar"]
    if videos:
        tables = tables_in(folder / "labels")
        return [item for video in videos for item in _read_clip(video, tables, labels)]
    if tars:
        return [item for tar in tars for item in _read_tar(tar, labels)]
    tables = tables_in(folder)
    if any(table.stem.lower() == "aus" for table in tables):
        return read_table(folder, labels.needed)
    pickle = _pickle_of(folder, files)
    if pickle is not None:
        return _read_pickle(pickle, labels)
    by_picture = find_face_landmark_img(folder)
    if by_picture:
        return read_face_landmark_img(by_picture, folder, labels.needed)
    if tables:
        return read_table(folder, labels.needed)
    return _read_pictures(folder, people_by_folder)


def _pickle_of(folder: Path, files: Sequence[Path]) -> Path | None:
    """Returns the pickle that names a folder's pictures: one of the usual names, or the only one beside
    imgs/."""
    pickles = [path for path in files if path.suffix.lower() in _PICKLES]
    usual = [path for path in pickles if path.stem in _USUAL_PICKLES]
    if len(usual) == 1:
        return usual[0]
    has_pictures = len(PictureFolder(folder).places) > 1
    return pickles[0] if len(pickles) == 1 and has_pictures else None


def _read_pictures(folder: Path, people_by_folder: bool) -> list[PictureItem]:
    paths = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_ENDINGS and path.is_file()
    )
    if not paths:
        raise SourceError(f"{folder} has no pictures, videos, tars or CSV in it")
    names = [path.relative_to(folder) for path in paths]
    people = [name.parent if people_by_folder and name.parent.name else name for name in names]
    return [
        PictureItem(name.as_posix(), person.as_posix(), None, PictureFile(path))
        for name, person, path in zip(names, people, paths, strict=True)
    ]


def _read_pickle(path: Path, labels: GivenLabels) -> list[PictureItem]:
    """Reads records as in the paper's `aus_dataset.pkl`, a dict of them, or GANimation's {name: numbers}."""
    content = load_plain(path)
    pictures = PictureFolder(path.parent)
    if _is_by_picture(content):
        return [
            _from_record({"path": str(name), "aus": numbers}, path, pictures, labels)
            for name, numbers in content.items()
        ]
    records = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(records, list | tuple) or not all(isinstance(record, dict) for record in records):
        raise SourceError(
            f"{path} is not a list of records with file_path (or path) and aus, or a dict of numbers by name"
        )
    return [_from_record(record, path, pictures, labels) for record in records]


def _is_by_picture(content: Any) -> bool:
    """Returns whether it is {name: numbers}; {"path": "a.jpg"}, a single record, is not."""
    return (
        isinstance(content, dict)
        and len(content) > 0
        and not any(column in content for column in FILE_COLUMNS)
        and all(isinstance(name, str) for name in content)
        and all(isinstance(numbers, list | tuple | np.ndarray) for numbers in content.values())
    )


def _from_record(
    record: Mapping[str, Any], source: Path, pictures: PictureFolder, labels: GivenLabels
) -> PictureItem:
    picture = pictures.expected(file_of(record, str(source)))
    name = pictures.name_of(picture)
    return PictureItem(
        name, str(record.get("person", name)), labels(record.get("aus"), name), PictureFile(picture)
    )


def _by_name(intensities: Mapping[str, float]) -> AUVector:
    aus = np.zeros(OPENFACE_COUNT, np.float32)
    for name, intensity in intensities.items():
        aus[openface_index(name)] = intensity
    return aus


def _read_tar(path: Path, labels: GivenLabels) -> list[PictureItem]:
    places: dict[str, TarMember] = {}
    records: dict[str, Any] = {}
    try:
        # "r:" refuses compressed archives, whose members cannot be read at their offsets.
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                key = member.name.removesuffix(Path(member.name).suffix)
                suffix = Path(member.name).suffix.lower()
                if member.isfile() and suffix in PICTURE_ENDINGS:
                    places[key] = TarMember(path, member.offset_data, member.size)
                elif suffix == ".csv":
                    raise SourceError(
                        f"{path} has a table in it ({member.name}); unpack it and give its folder"
                    )
                elif suffix == ".json" and (content := tar.extractfile(member)):
                    records[key] = _label(content.read(), f"{path}, {member.name}")
    except SourceError:
        raise
    except (tarfile.TarError, ValueError) as error:
        raise SourceError(f"{path} is not a plain tar of pictures and JSON: {error}") from error
    return [_from_tar(f"{path.name}/{key}", place, records.get(key), labels) for key, place in places.items()]


def _label(data: bytes, where: str) -> Any:
    try:
        return parse_json(text_of(data, SourceError), SourceError)
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error


def _from_tar(name: str, place: TarMember, content: Any, labels: GivenLabels) -> PictureItem:
    record = content if isinstance(content, dict) else {}
    return PictureItem(name, str(record.get("person", name)), labels(record.get("aus"), name), place)


def _read_clip(video: Path, tables: Sequence[Path], labels: GivenLabels) -> list[PictureItem]:
    """Returns three frames a second of a clip; with a table, only frames in which it shows a face."""
    try:
        with open_capture(video) as capture:
            step = max(1, round((capture.rate or 30) / _CLIP_RATE_HZ))
            # There is at least one, so that an unreadable clip is counted.
            count = capture.frame_count or 1
    except CaptureError:
        step, count = 1, 1
    table = next((each for each in tables if each.stem == video.stem), None) if labels.needed else None
    known: Mapping[int, AUVector | None] = (
        frame_labels(table, TableError, plain=True) if table is not None else dict.fromkeys(range(count))
    )
    return [
        PictureItem(f"{video.name}#{index:06d}", video.stem, known[index], ClipFrame(video, index))
        for index in sorted(known)
        if index % step == 0
    ]
