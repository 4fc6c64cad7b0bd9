"""Drivers from a folder of pictures: the expression of the largest face in each of them."""

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

MOST_PICTURES = 12
"""The largest number of pictures; more would be too small to be seen in one row."""


class DriverFolderError(ValueError):
    """A folder holds no picture with a face, or too many pictures; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class DriverPicture:
    """A picture of a face whose expression others take over."""

    name: str
    """The name of the picture's file without its ending."""
    picture: NDArray[np.uint8]
    """(height, width, 3) RGB."""
    face: Face
    """The largest face of the picture."""
    targets: Targets
    """The targets that give other faces this face's expression."""


def read_driver_folder(
    folder: Path,
    how: DriverOptions,
    options: TrackerOptions,
    left_out: Callable[[str], None] = lambda reason: None,
) -> list[DriverPicture]:
    """The pictures of a folder that show a face, in the order of their names.

    how: how the faces' expressions become targets. left_out: called with the reason for each picture that
    cannot be read or shows no face.

    Raises DriverFolderError where there is no picture with a face, or more than MOST_PICTURES.
    """
    if not folder.is_dir():
        raise DriverFolderError(f"{folder} is not a folder; give a folder of pictures")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not 0 < len(paths) <= MOST_PICTURES:
        raise DriverFolderError(
            f"{folder} holds {len(paths)} pictures; give a folder of 1 to {MOST_PICTURES}"
        )
    drivers = []
    for path in paths:
        try:
            drivers.append(_read_driver(path, how, options))
        except (StillError, DriverFolderError) as error:
            left_out(str(error))
    if not drivers:
        raise DriverFolderError(f"no face was found in any picture of {folder}")
    return drivers


def _read_driver(path: Path, how: DriverOptions, options: TrackerOptions) -> DriverPicture:
    still = load_still(path)
    measured = read_still(still, options)
    if (largest := measured.largest) is None:
        raise DriverFolderError(f"{path}: no face was found in it")
    targets = Driver(au_recording_of([(0.0, measured.aus[largest])]), how)(Fraction(0), 0)
    return DriverPicture(path.stem, still.image, measured.faces[largest], targets)
