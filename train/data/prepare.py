"""From sources of pictures to shards: track, align, crop, label; what is unusable is dropped and counted.

Work is cut into chunks, and a chunk becomes a shard. A shard is made again only if what it was made of, or how,
has changed: so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.estimator import load_estimator
from calib.shape import load_shape
from reenact.measure import Measurer
from reenact.track import Tracker, TrackerOptions
from reenact.track.plausibility import visible_share
from reenact.types import Face, Frame, Measured, Tracked
from train.data.shards import (
    CROP,
    FORMAT,
    Dropped,
    FaceSample,
    FolderMeta,
    PreparedFace,
    ShardError,
    ShardReport,
    read_meta,
    read_reports,
    write_meta,
    write_shard,
)
from train.data.sources import ClipFrame, Item, Source, SourceError, load_pictures, read_content
from train.data.workers import Workers, map_chunks

LABELS = ("given", "estimator")
_GREY_LEVELS = 2.0
"""Mean difference between colour channels below which a picture is grey; JPEG's rounding makes up to 1."""
_WORKERS, _META = Workers(), FolderMeta()


@dataclass(frozen=True)
class PrepareOptions:
    """What becomes a sample; any change makes every shard anew."""

    labels: str = "given"
    """"given": those that come with a picture, our estimator's where none do; "estimator": always ours."""
    min_face_px: float = 64.0
    """Width of the face in its picture."""
    min_confidence: float = 0.5
    """Of the tracker; a hand over the mouth or a face half outside of the picture lowers it."""
    max_yaw_deg: float = 50.0
    min_visible: float = 0.85
    """Share of the landmarks that lie inside the picture."""
    shard_size: int = 512
    """Pictures that a shard is made of."""


class Reason(Enum):
    """Why a picture becomes no sample."""

    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"
    NO_FACE = "no face"
    TOO_SMALL = "too small"
    UNSURE = "unsure fit"
    TURNED = "turned away"
    CUT_OFF = "cut off"


@dataclass(frozen=True, eq=False)
class Chunk:
    """What one shard is made of."""

    name: str
    collection: str
    items: tuple[Item, ...]
    digests: tuple[str, ...]
    """One for each item; empty where its content could not be read."""
    duplicates: tuple[str, ...] = ()
    """Names of items that were left out because their content is in an earlier chunk or item."""

    @property
    def pictures(self) -> int:
        """Left out or not."""
        return len(self.items) + len(self.duplicates)

    def fingerprint(self, options: PrepareOptions) -> str:
        digest = hashlib.sha256(f"{self.name} {FORMAT} {CROP} {options} {self.duplicates}\n".encode())
        for item, content in zip(self.items, self.digests, strict=True):
            digest.update(f"{item.name}|{item.person}|{content}|".encode())
            digest.update(b"" if item.aus is None else item.aus.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Report:
    """What a folder of shards was made of."""

    counts: dict[str, dict[str, int]]
    """By collection: pictures, samples, and how many were dropped by reason."""
    dropped: tuple[tuple[str, Dropped], ...]
    """(collection, what) for every picture that is no sample."""


def prepare(
    sources: Sequence[Source],
    out: Path,
    options: PrepareOptions = PrepareOptions(),
    workers: Workers = _WORKERS,
    meta: FolderMeta = _META,
    advance: Callable[[int], None] = lambda pictures: None,
) -> Report:
    """Shards of all usable pictures of `sources` in `out`, which may have some of them already.

    advance: called with the number of pictures that have been done since it was called last.
    """
    _check_names(sources)
    _open_folder(out, meta)
    known = read_reports(out)
    cut = [chunk for source in sources for chunk in _cut(source, options.shard_size)]
    chunks = _without_known_content(cut, known, workers)
    _remove_stale(out, known, chunks)
    finished = {report.fingerprint for report in known}
    todo = [chunk for chunk in chunks if chunk.fingerprint(options) not in finished]
    advance(sum(chunk.pictures for chunk in chunks) - sum(chunk.pictures for chunk in todo))
    for pictures in map_chunks(partial(make_shard, out=out, options=options), todo, workers):
        advance(pictures)
    return to_report(read_reports(out))


def _check_names(sources: Sequence[Source]) -> None:
    for name, count in Counter(source.collection for source in sources).items():
        if count > 1:
            raise SourceError(f"{count} sources are called {name!r}; rename one, for a name tells them apart")


def _open_folder(out: Path, meta: FolderMeta) -> None:
    out.mkdir(parents=True, exist_ok=True)
    known = read_meta(out)
    if known is None:
        write_meta(out, meta)
    elif known != meta:
        raise ShardError(
            f"{out} holds out {known.share:g} of the people with seed {known.seed}, "
            f"not {meta.share:g} with seed {meta.seed}; keep to that, or prepare into another folder"
        )


def _cut(source: Source, size: int) -> Iterator[Chunk]:
    for number, start in enumerate(range(0, len(source.items), size)):
        items = source.items[start : start + size]
        yield Chunk(f"{source.collection}-{number:05d}", source.collection, items, ("",) * len(items))


def digest_content(chunk: Chunk) -> Chunk:
    """The chunk with its digests."""
    return replace(chunk, digests=tuple(_digests(chunk.items)))


def _digests(items: Sequence[Item]) -> Iterator[str]:
    clips: dict[Path, str] = {}
    for item in items:
        place = item.place
        if not isinstance(place, ClipFrame):
            yield _digest(item)
            continue
        if place.path not in clips:
            clips[place.path] = _digest(item)
        yield clips[place.path] and f"{clips[place.path]}#{place.index}"


def _digest(item: Item) -> str:
    try:
        return hashlib.blake2b(read_content(item.place), digest_size=16).hexdigest()
    except OSError:
        return ""


def _without_known_content(
    cut: Sequence[Chunk], known: Sequence[ShardReport], workers: Workers
) -> list[Chunk]:
    names = {chunk.collection for chunk in cut}
    digested = {chunk.name: chunk for chunk in map_chunks(digest_content, cut, workers)}
    return without_duplicates(
        [digested[chunk.name] for chunk in cut],
        [report for report in known if report.collection not in names],
    )


def without_duplicates(chunks: Sequence[Chunk], elsewhere: Sequence[ShardReport] = ()) -> list[Chunk]:
    """The chunks less the items whose content came before, in them or in shards made elsewhere."""
    seen = {digest for report in elsewhere for digest in report.digests}
    return [_without_seen(chunk, seen) for chunk in chunks]


def _without_seen(chunk: Chunk, seen: set[str]) -> Chunk:
    """Adds the chunk's digests to `seen`."""
    new = []
    for index, digest in enumerate(chunk.digests):
        if not digest or digest not in seen:
            new.append(index)
        seen.add(digest)
    kept = set(new)
    return replace(
        chunk,
        items=tuple(chunk.items[index] for index in new),
        digests=tuple(chunk.digests[index] for index in new),
        duplicates=tuple(item.name for index, item in enumerate(chunk.items) if index not in kept),
    )


def _remove_stale(out: Path, known: Sequence[ShardReport], chunks: Sequence[Chunk]) -> None:
    """Removes the shards of a source that now has fewer pictures."""
    collections, names = {chunk.collection for chunk in chunks}, {chunk.name for chunk in chunks}
    for report in known:
        if report.collection in collections and report.name not in names:
            (out / f"{report.name}.npz").unlink()
            (out / f"{report.name}.tar").unlink(missing_ok=True)


def make_shard(chunk: Chunk, out: Path, options: PrepareOptions) -> int:
    """Writes the shard of a chunk; how many pictures went into the work."""
    # As many processes as cores do this at once.
    cv2.setNumThreads(1)
    dropped = [Dropped(name, Reason.DUPLICATE.value) for name in chunk.duplicates]
    faces = []
    measure = Measurer(load_estimator())
    digests = {id(item): digest for item, digest in zip(chunk.items, chunk.digests, strict=True)}
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as track:
        for item, image in load_pictures(chunk.items):
            seen = see(image, track, options)
            if isinstance(seen, Reason):
                dropped.append(Dropped(item.name, seen.value))
            else:
                faces.append(to_sample(item, seen, measure, chunk.collection, options, digests[id(item)]))
    write_shard(out, chunk.name, faces, dropped, chunk.fingerprint(options))
    return chunk.pictures


def see(
    image: NDArray[np.uint8] | None, track: Callable[[Frame], Tracked], options: PrepareOptions
) -> Tracked | Reason:
    """The picture with the one face that it is about, or why that cannot be used."""
    if image is None:
        return Reason.UNREADABLE
    tracked = track(Frame(image))
    if not tracked.faces:
        return Reason.NO_FACE
    face = max(tracked.faces, key=lambda face: prominence(face, tracked.frame.size))
    return unfit(face, tracked.frame.size, options) or replace(tracked, faces=(face,))


def prominence(face: Face, size: tuple[int, int]) -> float:
    """How much a picture of `size` (height, width) is about a face: its size, halved in a corner."""
    height, width = size
    x, y = face.landmarks[:, :2].mean(axis=0)
    off_centre = np.hypot(2 * x / width - 1, 2 * y / height - 1) / np.sqrt(2)
    return face.pose.scale * (1 - 0.5 * min(float(off_centre), 1.0))


def unfit(face: Face, size: tuple[int, int], options: PrepareOptions) -> Reason | None:
    """Why a face in a picture of `size` (height, width) makes no sample; None if it does."""
    if face_width_px(face) < options.min_face_px:
        return Reason.TOO_SMALL
    if visible_share(face.landmarks, size) < options.min_visible:
        return Reason.CUT_OFF
    if abs(face.pose.angles[1]) > np.radians(options.max_yaw_deg):
        return Reason.TURNED
    return Reason.UNSURE if face.confidence < options.min_confidence else None


def face_width_px(face: Face) -> float:
    """Of the face as it would be if it were not turned."""
    return face.pose.scale * float(np.ptp(load_shape().canonical[:, 0]))


def to_sample(
    item: Item,
    tracked: Tracked,
    measure: Callable[[Tracked], Measured],
    collection: str,
    options: PrepareOptions,
    digest: str,
) -> PreparedFace:
    """The crop of the picture's one face, and what is known of it."""
    (face,) = tracked.faces
    alignment = CROP.align(face)
    image = alignment.crop(tracked.frame.image)
    labelled = options.labels == "given" and item.aus is not None
    aus = item.aus if labelled else measure(tracked).aus[0]
    assert aus is not None
    landmarks = alignment.points(face.landmarks)
    return PreparedFace(
        FaceSample(image, landmarks, aus, item.person, collection, item.name),
        labelled=labelled,
        yaw=face.pose.angles[1],
        zoom=alignment.scale,
        sharpness=sharpness(image),
        grey=is_grey(image),
        digest=digest,
    )


def sharpness(image: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian over that of the grey levels, of the middle of a crop."""
    quarter = image.shape[0] // 4
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[quarter:-quarter, quarter:-quarter]
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.var()), 1.0))


def is_grey(image: NDArray[np.uint8]) -> bool:
    """Whether colour channels differ by less than JPEG's rounding makes them."""
    channels = image.reshape(-1, 3).astype(np.int16)
    return bool(np.ptp(channels, axis=1).mean() < _GREY_LEVELS)


def to_report(reports: Sequence[ShardReport]) -> Report:
    counts: dict[str, Counter[str]] = {}
    for report in reports:
        count = counts.setdefault(report.collection, Counter())
        count["samples"] += len(report.digests)
        count.update(each.reason for each in report.dropped)
    dropped = tuple((report.collection, each) for report in reports for each in report.dropped)
    return Report({name: dict(count) for name, count in counts.items()}, dropped)
