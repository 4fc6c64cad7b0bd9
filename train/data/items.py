"""One picture that might become a sample: what is known of it, where it lies, and how to get at it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from reenact.media.image_file import load_still
from reenact.media.read.video_file import CaptureError, open_capture


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
class PictureItem:
    name: str
    """Unique in its source."""
    person: str
    """Who is shown; the same as the name where nobody tells."""
    aus: AUVector | None
    """(17,) 0..5, NaN where an action unit was not measured; None: none was."""
    place: Place

    @property
    def is_missing(self) -> bool:
        """Whether there is no file where the picture should lie."""
        return not self.place.path.is_file()


def load_pictures(items: Iterable[PictureItem]) -> Iterator[NDArray[np.uint8] | None]:
    """The picture of each item, (height, width, 3) RGB upright; None where it cannot be read.

    Frames of one clip have to follow each other in their order: the clip is then decoded once.
    """
    for clip, group in groupby((item.place for item in items), key=_clip_of):
        if clip is None:
            yield from map(_load_picture, group)
        else:
            yield from _load_frames(clip, [place.index for place in group if isinstance(place, ClipFrame)])


def read_content(place: Place) -> bytes:
    """The bytes of the file or archive member at a place; raises OSError."""
    with place.path.open("rb") as stream:
        if not isinstance(place, TarMember):
            return stream.read()
        stream.seek(place.offset)
        return stream.read(place.size)


def _clip_of(place: Place) -> Path | None:
    return place.path if isinstance(place, ClipFrame) else None


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


def _load_frames(clip: Path, indices: list[int]) -> Iterator[NDArray[np.uint8] | None]:
    """One answer for each index; they rise."""
    wanted = iter(indices)
    index = next(wanted, None)
    try:
        with open_capture(clip) as capture:
            for frame in capture:
                if frame.index == index:
                    yield frame.image
                    index = next(wanted, None)
                if index is None:
                    return
    except CaptureError:  # the clip breaks off, or is none
        pass
    while index is not None:
        yield None
        index = next(wanted, None)
