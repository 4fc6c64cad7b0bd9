"""Chunks of a source's items; each becomes one shard."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from train.data.items import ClipFrame, PictureItem, read_content
from train.data.picture import PrepareOptions
from train.data.shards import CROP, FORMAT, ShardReport
from train.data.sources import PictureSource

_AS_FILES_ARE = ("utf-8", "surrogateescape")
"""The encoding of names, which may come from a file system that does not use UTF-8."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """The items of one shard."""

    name: str
    """The shard's name."""
    collection: str
    """The collection's name."""
    items: tuple[PictureItem, ...]
    """The items that become samples, if they can be used."""
    digests: tuple[str, ...] = ()
    """A hash of each item's content; empty where the content cannot be read."""
    duplicates: tuple[str, ...] = ()
    """The names of items that were left out because an earlier one has the same content."""

    @property
    def pictures(self) -> int:
        """The number of pictures, with those that were left out."""
        return len(self.items) + len(self.duplicates)

    def fingerprint(self, options: PrepareOptions) -> str:
        """Returns a hash of everything that the shard depends on, except where the files are."""
        parts = [f"{self.name} {FORMAT} {CROP} {options} {self.duplicates}\n".encode(*_AS_FILES_ARE)]
        for item, content in zip(self.items, self.digests, strict=True):
            parts.append(f"{item.name}|{item.person}|{content}|".encode(*_AS_FILES_ARE))
            parts.append(b"" if item.aus is None else item.aus.tobytes())
        return hashlib.sha256(b"".join(parts)).hexdigest()


def cut(source: PictureSource, size: int) -> Iterator[Chunk]:
    """Yields chunks of at most `size` items of a source, in order."""
    for number, start in enumerate(range(0, len(source.items), size)):
        items = source.items[start : start + size]
        yield Chunk(f"{source.collection}-{number:05d}", source.collection, items)


def digest_content(chunk: Chunk) -> Chunk:
    """Returns the chunk with its digests."""
    clips: dict[Path, str] = {}
    return replace(chunk, digests=tuple(_digest(item, clips) for item in chunk.items))


def without_duplicates(chunks: Sequence[Chunk], elsewhere: Sequence[ShardReport] = ()) -> list[Chunk]:
    """Returns the chunks without items whose content came before, in them or in the shards made elsewhere."""
    seen = {digest for report in elsewhere for digest in report.digests}
    return [_without_seen(chunk, seen) for chunk in chunks]


def _digest(item: PictureItem, clips: dict[Path, str]) -> str:
    """Returns the hash of an item's content. clips: a cache of the hashes of whole clips."""
    if not isinstance(item.place, ClipFrame):
        return _digest_place(item)
    clip = item.place.path
    if clip not in clips:
        clips[clip] = _digest_place(item)
    return clips[clip] and f"{clips[clip]}#{item.place.index}"


def _digest_place(item: PictureItem) -> str:
    try:
        return hashlib.blake2b(read_content(item.place), digest_size=16).hexdigest()
    except OSError:
        return ""


def _without_seen(chunk: Chunk, seen: set[str]) -> Chunk:
    """Returns the chunk without contents in `seen`, and adds its digests to `seen`."""
    kept: list[tuple[PictureItem, str]] = []
    duplicates = []
    for item, digest in zip(chunk.items, chunk.digests, strict=True):
        if digest and digest in seen:
            duplicates.append(item.name)
        else:
            kept.append((item, digest))
            seen.add(digest)
    items, digests = tuple(item for item, _ in kept), tuple(digest for _, digest in kept)
    return replace(chunk, items=items, digests=digests, duplicates=tuple(duplicates))
