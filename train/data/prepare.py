"""Makes shards of pictures: track, align, crop, label. Unusable pictures are dropped and counted.

A shard is made again only if its contents or options have changed, so an interrupted run continues with the
first missing shard. Shards of sources that a run does not name stay; delete their files to remove them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from calib.estimator import load_estimator
from reenact.measure.measurer import Measurer
from reenact.track import Tracker, TrackerOptions
from train.data.chunks import Chunk, cut, digest_content, without_duplicates
from train.data.items import load_pictures
from train.data.picture import PrepareOptions, Reason, see, to_sample
from train.data.shards import (
    Dropped,
    FolderMeta,
    PreparedFace,
    ShardError,
    ShardReport,
    read_meta,
    read_reports,
    remove_shard,
    write_meta,
    write_shard,
)
from train.data.sources import PictureSource, SourceError
from train.data.split import check_apart, load_splits, save_splits
from train.data.workers import Workers, cluster, map_chunks

_OPTIONS, _WORKERS, _META = PrepareOptions(), Workers(), FolderMeta()


@dataclass(frozen=True)
class PrepareReport:
    """The contents of a folder of shards."""

    counts: dict[str, dict[str, int]]
    """By collection: the number of "samples", and the numbers of dropped pictures by reason."""
    dropped: tuple[tuple[str, Dropped], ...]
    """(collection, dropped picture) for every picture that is not a sample."""


def prepare(
    sources: Sequence[PictureSource],
    out: Path,
    options: PrepareOptions = _OPTIONS,
    workers: Workers = _WORKERS,
    meta: FolderMeta = _META,
    advance: Callable[[int], None] = lambda pictures: None,
) -> PrepareReport:
    """Makes shards in `out` of all usable pictures of `sources`; existing shards are kept if unchanged.

    advance: receives the number of pictures done since its last call.
    Raises SourceError, SplitError, ShardError or train.data.workers.WorkerError.
    """
    _check_names(sources)
    splits = {**load_splits(out), **{source.collection: source.split for source in sources}}
    check_apart(splits)
    _open_folder(out, meta)
    save_splits(out, splits)
    known = read_reports(out)
    with cluster(workers):
        chunks = _cut_all(sources, options.shard_size, known, workers)
        _remove_stale(out, known, chunks)
        finished = {report.fingerprint for report in known}
        todo = [chunk for chunk in chunks if chunk.fingerprint(options) not in finished]
        advance(sum(chunk.pictures for chunk in chunks) - sum(chunk.pictures for chunk in todo))
        for pictures in map_chunks(partial(make_shard, out=out, options=options), todo, workers):
            advance(pictures)
    return _to_report(read_reports(out))


def make_shard(chunk: Chunk, out: Path, options: PrepareOptions) -> int:
    """Writes the shard of a chunk and returns the number of its pictures."""
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as tracker:
        write_shard(out, chunk.name, _outcomes(chunk, tracker, options), chunk.fingerprint(options))
    return chunk.pictures


def _outcomes(chunk: Chunk, tracker: Tracker, options: PrepareOptions) -> Iterator[PreparedFace | Dropped]:
    """Yields the sample of each of the chunk's pictures, or why there is none."""
    measure = Measurer(load_estimator())
    for name in chunk.duplicates:
        yield Dropped(name, Reason.DUPLICATE.value)
    for item, digest, image in zip(chunk.items, chunk.digests, load_pictures(chunk.items), strict=True):
        seen = Reason.MISSING if image is None and item.is_missing else see(image, tracker, options)
        if isinstance(seen, Reason):
            yield Dropped(item.name, seen.value)
        else:
            yield to_sample(item, digest, chunk.collection, seen, measure, options)


def _check_names(sources: Sequence[PictureSource]) -> None:
    for name, count in Counter(source.collection for source in sources).items():
        if count > 1:
            raise SourceError(f"{count} sources are called {name!r}; rename one of them")


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


def _cut_all(
    sources: Sequence[PictureSource], size: int, known: Sequence[ShardReport], workers: Workers
) -> list[Chunk]:
    """Returns the chunks of all sources, in order, without repeated contents."""
    chunks = [chunk for source in sources for chunk in cut(source, size)]
    digested = {chunk.name: chunk for chunk in map_chunks(digest_content, chunks, workers)}
    names = {source.collection for source in sources}
    return without_duplicates(
        [digested[chunk.name] for chunk in chunks],
        [report for report in known if report.collection not in names],
    )


def _remove_stale(out: Path, known: Sequence[ShardReport], chunks: Sequence[Chunk]) -> None:
    """Removes shards of a source that now has fewer pictures."""
    collections, names = {chunk.collection for chunk in chunks}, {chunk.name for chunk in chunks}
    for report in known:
        if report.collection in collections and report.name not in names:
            remove_shard(out, report.name)


def _to_report(reports: Sequence[ShardReport]) -> PrepareReport:
    counts: dict[str, Counter[str]] = {}
    for report in reports:
        count = counts.setdefault(report.collection, Counter())
        count["samples"] += len(report.digests)
        count.update(each.reason for each in report.dropped)
    dropped = tuple((report.collection, each) for report in reports for each in report.dropped)
    return PrepareReport({name: dict(count) for name, count in counts.items()}, dropped)
