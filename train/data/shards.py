"""Aligned faces in shards: a tar of pictures and a table of their data.

A folder of shards holds meta.json and, for each shard, NAME.tar with JPEGs and NAME.npz with a row for each
of them. The npz is written last; a shard without one is unfinished and is not read. If lists of files define
the held-out split, the folder also has split.json.
"""

from __future__ import annotations

import glob
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib import dataset
from calib.au import OPENFACE_COUNT, AUVector
from calib.json_file import read_json
from calib.shape import LANDMARK_COUNT
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.media.atomic import replacing
from train.data.mapped import map_npz
from train.data.split import load_splits, with_split

CROP = FaceCrop(size=320, width_mm=237.5)
"""The run-time's crop of 256 pixels on 190 mm with 32 more pixels on each side, at the same scale and
centre."""

FORMAT = 1
"""The version of the shards' contents."""
_META = "meta.json"
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
"""JPEG's options, with full colour resolution; half of it makes colours bleed over lips and teeth."""
_COLUMNS: dict[str, tuple[type, tuple[int, ...]]] = {
    "landmarks": (np.float32, (LANDMARK_COUNT, 3)),
    "aus": (np.float32, (OPENFACE_COUNT,)),
    "persons": (np.str_, ()),
    "collections": (np.str_, ()),
    "names": (np.str_, ()),
    "labelled": (np.bool_, ()),
    "yaws": (np.float32, ()),
    "zooms": (np.float32, ()),
    "sharpness": (np.float32, ()),
    "grey": (np.bool_, ()),
    "digests": (np.str_, ()),
    "offsets": (np.int64, ()),
    "sizes": (np.int64, ()),
}
"""The columns of a table: type and shape of one value. Offsets and sizes of JPEGs are in bytes."""

_MAPPED = frozenset(_COLUMNS) - {"digests"}
"""The columns from which samples are made."""

_UNREADABLE = (OSError, ValueError, KeyError, zipfile.BadZipFile)
"""The errors that numpy raises for a damaged table."""


class ShardError(ValueError):
    """A folder of shards cannot be used; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class FaceSample:
    """One aligned face."""

    image: NDArray[np.uint8]
    """(320, 320, 3) RGB."""
    landmarks: NDArray[np.float32]
    """(478, 3) in the image's pixels."""
    aus: AUVector
    """(17,) the intensities that the face shows, 0..5."""
    person: str
    """The person's name."""
    collection: str
    """The data set's name."""
    name: str
    """The sample's origin, unique in its collection: a file, or a clip and its frame."""


@dataclass(frozen=True, eq=False)
class PreparedFace:
    """A sample before it is written into a shard, with figures for choosing among samples."""

    sample: FaceSample
    labelled: bool
    """Whether its action units came with the picture; otherwise our estimator read them."""
    yaw: float
    """The head's yaw in radians, positive to the picture's left."""
    zoom: float
    """Pixels of the crop per pixel of the picture; above 1 the face was smaller than the crop."""
    sharpness: float
    """Variance of the Laplacian divided by that of the grey levels (after Pech-Pacheco et al., ICPR 2000)."""
    grey: bool
    """Whether the picture has no colour."""
    digest: str
    """A hash of the content of its file."""


@dataclass(frozen=True)
class Dropped:
    """A picture that did not become a sample."""

    name: str
    """The name of the picture that is not a sample."""
    reason: str
    """Why it is not."""


@dataclass(frozen=True)
class FolderMeta:
    """The properties that all shards of a folder share."""

    seed: int = 0
    """The seed that selects the held-out people."""
    share: float = 0.1
    """The share of people that are held out, 0..1."""
    crop: FaceCrop = CROP
    """The crop of the samples."""
    format: int = FORMAT
    """The version of the shards' contents."""


def write_meta(folder: Path, meta: FolderMeta) -> None:
    """Writes the folder's meta.json."""
    with replacing(folder / _META) as beside:
        beside.write_text(json.dumps(asdict(meta), indent=2) + "\n")


def read_meta(folder: Path) -> FolderMeta | None:
    """Reads the folder's meta.json. None: there is none. Raises ShardError for one of another version."""
    path = folder / _META
    if not path.is_file():
        return None
    try:
        known = read_json(path, ShardError)
        crop = known["crop"] | {"centre_mm": tuple(known["crop"]["centre_mm"])}
        meta = FolderMeta(known["seed"], known["share"], FaceCrop(**crop), known["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise ShardError(f"{path} cannot be read ({error}); prepare into an empty folder") from error
    if (meta.format, meta.crop) != (FORMAT, CROP):
        raise ShardError(f"{path} is of another format or crop; prepare its pictures again, elsewhere")
    return meta


def write_shard(
    folder: Path, name: str, outcomes: Iterable[PreparedFace | Dropped], fingerprint: str
) -> None:
    """Writes NAME.tar and NAME.npz, completely or not at all; pictures are written as they come.

    fingerprint: a hash by which it is later decided whether the shard is still up to date.
    """
    table = folder / f"{name}.npz"
    # The table is removed first, so that an old table never points into a new tar.
    table.unlink(missing_ok=True)
    _remove_leftovers(folder, name)
    rows: list[dict[str, Any]] = []
    dropped: list[Dropped] = []
    with (
        replacing(folder / f"{name}.tar") as beside,
        beside.open("wb") as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for outcome in outcomes:
            if isinstance(outcome, Dropped):
                dropped.append(outcome)
            else:
                offset, size = _add_picture(tar, f"{len(rows):05d}.jpg", outcome.sample.image)
                rows.append(_row(outcome) | {"offsets": offset, "sizes": size})
    with replacing(table) as beside:
        np.savez(
            beside,
            **{
                column: np.array([row[column] for row in rows], kind).reshape(-1, *shape)
                for column, (kind, shape) in _COLUMNS.items()
            },
            dropped_names=np.array([each.name for each in dropped], np.str_),
            dropped_reasons=np.array([each.reason for each in dropped], np.str_),
            fingerprint=np.str_(fingerprint),
        )


def _remove_leftovers(folder: Path, name: str) -> None:
    """Removes the unfinished files of a shard by a process that was killed."""
    for path in folder.glob(f".{glob.escape(name)}.????????.*"):
        path.unlink(missing_ok=True)


def _add_picture(tar: tarfile.TarFile, name: str, image: NDArray[np.uint8]) -> tuple[int, int]:
    """Adds the picture's JPEG and returns its (offset, size) in the tar, in bytes."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _JPEG)
    member = tarfile.TarInfo(name)
    member.size = len(encoded)
    tar.addfile(member, io.BytesIO(encoded.tobytes()))
    padded = -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    return tar.offset - padded, member.size


def _row(face: PreparedFace) -> dict[str, Any]:
    return {
        "landmarks": face.sample.landmarks,
        "aus": face.sample.aus,
        "persons": face.sample.person,
        "collections": face.sample.collection,
        "names": face.sample.name,
        "labelled": face.labelled,
        "yaws": face.yaw,
        "zooms": face.zoom,
        "sharpness": face.sharpness,
        "grey": face.grey,
        "digests": face.digest,
    }


def remove_shard(folder: Path, name: str) -> None:
    """Removes the files of a shard."""
    (folder / f"{name}.npz").unlink()
    (folder / f"{name}.tar").unlink(missing_ok=True)


@dataclass(frozen=True)
class ShardReport:
    """The contents of one shard."""

    name: str
    fingerprint: str
    digests: tuple[str, ...]
    """Hashes of the pictures in it."""
    dropped: tuple[Dropped, ...]
    """The pictures that were dropped."""

    @property
    def collection(self) -> str:
        """The collection's name, which is part of the shard's name."""
        return self.name.rpartition("-")[0]


def read_reports(folder: Path) -> list[ShardReport]:
    """Returns the reports of all finished shards; a shard whose table cannot be read is not finished."""
    reports = []
    for table in _tables(folder):
        try:
            with np.load(table, allow_pickle=False) as data:
                dropped = zip(data["dropped_names"].tolist(), data["dropped_reasons"].tolist(), strict=True)
                reports.append(
                    ShardReport(
                        table.stem,
                        str(data["fingerprint"]),
                        tuple(data["digests"].tolist()),
                        tuple(Dropped(name, reason) for name, reason in dropped),
                    )
                )
        except _UNREADABLE:
            continue
    return reports


class ShardTable:
    """The columns of one shard, memory-mapped from its file: only columns in use are in memory, and processes
    share them. When it is sent to another process, that process maps the file again."""

    def __init__(self, path: Path, fingerprint: str | None = None) -> None:
        """fingerprint: the expected one; None: any. Raises ShardError."""
        try:
            self._columns = map_npz(path)
            missing = sorted({"fingerprint", *_MAPPED} - self._columns.keys())
            if missing:
                raise ValueError(f"it has no column {', '.join(missing)}")
        except _UNREADABLE as error:
            raise ShardError(f"{path} cannot be read ({error}); delete it and prepare again") from error
        self.path = path
        self.fingerprint = str(self._columns["fingerprint"])
        if fingerprint is not None and fingerprint != self.fingerprint:
            raise ShardError(f"{path} was made again while it was in use; start again")

    def __reduce__(self) -> tuple[type[ShardTable], tuple[Path, str]]:
        return ShardTable, (self.path, self.fingerprint)

    def __len__(self) -> int:
        return len(self._columns["aus"])

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self._columns[column]

    @property
    def tar(self) -> Path:
        """The tar with the pictures."""
        return self.path.with_suffix(".tar")


@dataclass(frozen=True, eq=False)
class Landmarks(Sequence[NDArray[np.float32]]):
    """(n, 478, 3) in the images' pixels, read from the mapped files, since they are most of a sample's
    data."""

    shards: Shards

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the whole array, (n, 478, 3)."""
        return (len(self.shards), LANDMARK_COUNT, 3)

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, index: int) -> NDArray[np.float32]:  # type: ignore[override]  # one at a time
        return np.array(self.shards.value("landmarks", index))


@dataclass(frozen=True, eq=False)
class Shards(Sequence[FaceSample]):
    """Samples by number. Pictures and landmarks are read on access; a column is loaded when it is used as a
    whole.

    It may be sent to another process, at 12 bytes a sample, and holds no open file.
    """

    tables: tuple[ShardTable, ...]
    table_index: NDArray[np.int32]
    """(n,) indices into `tables`."""
    rows: NDArray[np.int64]
    """(n,) rows in that table."""

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out loaded columns."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def files(self) -> tuple[Path, ...]:
        """The tars with the pictures."""
        return tuple(table.tar for table in self.tables)

    @property
    def landmarks(self) -> Landmarks:
        """(n, 478, 3) landmarks in the images' pixels, read on access."""
        return Landmarks(self)

    @cached_property
    def aus(self) -> NDArray[np.float32]:
        """(n, 17) intensities, 0..5."""
        return self._column("aus")

    @cached_property
    def persons(self) -> NDArray[np.str_]:
        """(n,) names of people."""
        return self._column("persons")

    @cached_property
    def collections(self) -> NDArray[np.str_]:
        """(n,) names of collections."""
        return self._column("collections")

    @cached_property
    def names(self) -> NDArray[np.str_]:
        """(n,) names of samples."""
        return self._column("names")

    @cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """(n,) whether the action units came with the picture; otherwise our estimator read them."""
        return self._column("labelled")

    @cached_property
    def yaws(self) -> NDArray[np.float32]:
        """(n,) yaw in radians, positive to the picture's left."""
        return self._column("yaws")

    @cached_property
    def zooms(self) -> NDArray[np.float32]:
        """(n,) pixels of the crop per pixel of the picture; above 1 the crop lacks detail."""
        return self._column("zooms")

    @cached_property
    def sharpness(self) -> NDArray[np.float32]:
        """(n,) sharpness as in PreparedFace."""
        return self._column("sharpness")

    @cached_property
    def grey(self) -> NDArray[np.bool_]:
        """(n,) whether the picture has no colour."""
        return self._column("grey")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> FaceSample:  # type: ignore[override]  # one at a time, no slices
        return FaceSample(
            self._image(index),
            self.landmarks[index],
            np.array(self.value("aus", index)),
            *(str(self.value(column, index)) for column in ("persons", "collections", "names")),
        )

    def value(self, column: str, index: int) -> Any:
        """Returns one sample's value without loading the column."""
        return self.tables[self.table_index[index]][column][self.rows[index]]

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Shards:
        """Returns the samples where the mask is True, or those with these numbers, in this order."""
        return replace(self, table_index=self.table_index[chosen], rows=self.rows[chosen])

    def _column(self, name: str) -> NDArray[Any]:
        """Returns a column of all samples, in memory."""
        parts = [table[name] for table in self.tables]
        starts = np.cumsum([0, *map(len, parts)])[:-1]
        return np.concatenate(parts)[starts[self.table_index] + self.rows]

    def _image(self, index: int) -> NDArray[np.uint8]:
        tar, size = self.tables[self.table_index[index]].tar, int(self.value("sizes", index))
        # It is opened each time: 0.02 ms, against 0.4 ms for the JPEG, and no open file between processes.
        with tar.open("rb") as stream:
            stream.seek(int(self.value("offsets", index)))
            encoded = np.frombuffer(stream.read(size), np.uint8)
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) == size else None
        if image is None:
            raise ShardError(f"{tar} is damaged; delete it and prepare again")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def open_shards(folder: Path, held_out: bool | None = None) -> Shards:
    """Opens the samples in `folder`. held_out: True for the held-out split, False for the rest, None for all.

    A person's name and the folder's seed decide who is held out (calib.dataset.held_out), unless lists of
    files do (train.data.split). Raises ShardError where there are no samples, or SplitError.
    """
    meta = read_meta(folder)
    if meta is None:
        raise ShardError(f"{folder} has no {_META}; make shards with `python -m train prepare`")
    shards = _join([ShardTable(table) for table in _tables(folder)])
    if shards is None:
        raise ShardError(f"{folder} has no finished shard; make some with `python -m train prepare`")
    if held_out is None:
        return shards
    drawn = dataset.held_out(shards.persons, meta.seed, meta.share)
    told = with_split(drawn, shards.persons, shards.collections, load_splits(folder))
    return shards.where(told == held_out)


def _tables(folder: Path) -> list[Path]:
    """Returns the tables of all finished shards."""
    # Hidden files are excluded, as they are being written.
    tables = sorted(folder.glob("[!.]*.npz"))
    return [table for table in tables if table.with_suffix(".tar").is_file()]


def _join(parts: Sequence[ShardTable]) -> Shards | None:
    filled = tuple(part for part in parts if len(part))
    if not filled:
        return None
    return Shards(
        tables=filled,
        table_index=np.repeat(np.arange(len(filled), dtype=np.int32), [len(part) for part in filled]),
        rows=np.concatenate([np.arange(len(part), dtype=np.int64) for part in filled]),
    )
