"""Pictures that may become samples: their labels, their places in files, and how to read them."""

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
    """A picture in a file of its own."""

    path: Path


@dataclass(frozen=True)
class TarMember:
    """A picture in a tar archive."""

    path: Path
    """The archive."""
    offset: int
    """The position of the content in bytes."""
    size: int
    """The size of the content in bytes."""


@dataclass(frozen=True)
class ClipFrame:
    """A frame of a video."""

    path: Path
    """The video."""
    index: int
    """The number of the frame, from 0."""


Place = PictureFile | TarMember | ClipFrame


@dataclass(frozen=True, eq=False)
class PictureItem:
    """A picture that may become a sample."""

    name: str
    """The name, unique in its source."""
    person: str
    """The name of the person; the item's name where it is unknown."""
    aus: AUVector | None
    """(17,) intensities, 0..5; NaN where an action unit was not measured. None: there are no labels."""
    place: Place
    """Where the picture is."""

    @property
    def is_missing(self) -> bool:
        """Whether the picture's file does not exist."""
        return not self.place.path.is_file()


def load_pictures(items: Iterable[PictureItem]) -> Iterator[NDArray[np.uint8] | None]:
    """Yields the picture of each item, (height, width, 3) RGB upright. None: it cannot be read.

    Frames of one clip must be adjacent and in order, so that the clip is decoded once.
    """
    for clip, group in groupby((item.place for item in items), key=_clip_of):
        if clip is None:
            yield from map(_load_picture, group)
        else:
            yield from _load_frames(clip, [place.index for place in group if isinstance(place, ClipFrame)])


def read_content(place: Place) -> bytes:
    """Returns the bytes of the file or archive member at a place. Raises OSError."""
    with place.path.open("rb") as stream:
        if not isinstance(place, TarMember):
            return stream.read()
        stream.seek(place.offset)
        return stream.read(place.size)


def _clip_of(place: Place) -> Path | None:
    return place.path if isinstance(place, ClipFrame) else None


def _load_picture(place: Place) -> NDArray[np.uint8] | None:
    # Decoders may raise any exception, and one bad picture must not stop a run.
    try:
        if isinstance(place, PictureFile):
            return load_still(place.path).image
        # It goes through a file, so that all pictures have the same reader.
        with tempfile.NamedTemporaryFile() as file:
            file.write(read_content(place))
            file.flush()
            return load_still(file.name).image
    except Exception:
        return None


def _load_frames(clip: Path, indices: list[int]) -> Iterator[NDArray[np.uint8] | None]:
    """Yields one result for each index; indices increase."""
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
    except CaptureError:  # The clip ends early, or is not a clip.
        pass
    while index is not None:
        yield None
        index = next(wanted, None)
