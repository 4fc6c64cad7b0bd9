"""Faces in a folder of pictures, whose expressions others may take over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.measure.read_aus import PICTURES, read_still
from reenact.media.image_file import StillError, load_still
from reenact.programme.au_recording import au_recording_of
from reenact.programme.driver import Driver, DriverOptions
from reenact.programme.targets import Targets
from reenact.records import Face
from reenact.track import TrackerOptions

MOST_ACTORS = 12
"""More would not be seen in a row."""


class GalleryError(ValueError):
    """A folder without a face to take an expression from; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class Actor:
    """A face whose expression others take over."""

    name: str
    picture: NDArray[np.uint8]
    """(height, width, 3) RGB."""
    face: Face
    targets: Targets
    """What it asks of other faces."""


def read_gallery(
    folder: Path,
    how: DriverOptions,
    options: TrackerOptions,
    passed_over: Callable[[str], None] = lambda reason: None,
) -> list[Actor]:
    """The largest face of each picture in the folder, by name; `passed_over` is told of those without one.

    Raises GalleryError where none is left, or too many are.
    """
    if not folder.is_dir():
        raise GalleryError(f"{folder} is no folder; a gallery is a folder of pictures")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not 0 < len(paths) <= MOST_ACTORS:
        raise GalleryError(f"{folder} holds {len(paths)} pictures; a gallery shows 1 to {MOST_ACTORS}")
    actors = []
    for path in paths:
        try:
            actors.append(_read_actor(path, how, options))
        except (StillError, GalleryError) as error:
            passed_over(str(error))
    if not actors:
        raise GalleryError(f"no face was found in any picture of {folder}")
    return actors


def _read_actor(path: Path, how: DriverOptions, options: TrackerOptions) -> Actor:
    still = load_still(path)
    measured = read_still(still, options)
    if (largest := measured.largest) is None:
        raise GalleryError(f"{path}: no face was found in it")
    targets = Driver(au_recording_of([(0.0, measured.aus[largest])]), how)(Fraction(0), 0)
    return Actor(path.stem, still.image, measured.faces[largest], targets)
