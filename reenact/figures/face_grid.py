"""Figures: a face in even steps or with the expressions of drivers, as a labelled grid or moving pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reenact.figures.captions import label
from reenact.figures.driver_folder import DriverPicture
from reenact.media.atomic import replacing
from reenact.media.image_file import Still, StillError
from reenact.media.write.slides import save_slides
from reenact.programme.sweeps import Axis, StrengthSweep
from reenact.programme.targets import Targets
from reenact.records import Face

Pixels: TypeAlias = NDArray[np.uint8]
"""(height, width, 3) RGB."""
Edit: TypeAlias = Callable[[Targets], Still]
"""A function that gives the faces of one picture these targets."""

TILE_PX = 320
"""The longer side of each picture of a grid, in pixels."""
FRAME_MS = 90
"""The time of each picture of moving pictures, in milliseconds."""
_MARGIN = 0.2
"""The margin around the face, as a share of its longer side."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture of a figure with its caption."""

    picture: Pixels
    """(height, width, 3) RGB."""
    caption: str
    """One line, which stands below the picture."""


def sweep_rows(edit: Edit, targets: Targets, axes: Sequence[Axis], face: Face | None) -> list[list[Tile]]:
    """The pictures of every step of the axes, on top of `targets`, row by row.

    axes: one axis, whose steps make a row, or two, of which the first makes the rows. face: the face to which
    the pictures are cut. None: they are not cut.
    """
    *down, along = axes
    rows = [[(axis, step)] for axis in down for step in range(len(axis))] or [[]]
    return [
        [_tile(edit, targets, [*row, (along, column)], face) for column in range(len(along))] for row in rows
    ]


def _tile(edit: Edit, targets: Targets, steps: Sequence[tuple[Axis, int]], face: Face | None) -> Tile:
    # Strength first: it multiplies `targets`, but not what the other axis adds.
    for axis, step in sorted(steps, key=lambda one: not isinstance(one[0], StrengthSweep)):
        targets = axis.varied(targets, step)
    return Tile(_cut(edit(targets).image, face), "  ".join(axis.name(step) for axis, step in steps))


def driver_rows(
    edit: Edit, targets: Targets, drivers: Sequence[DriverPicture], still: Still, face: Face | None
) -> list[list[Tile]]:
    """Two rows: the drivers, and below each the picture with the driver's expression on top of `targets`.

    The first column holds the picture as it is. face: the face to which the picture is cut. None: it is not
    cut.
    """
    above = [Tile(_squared(_cut(driver.picture, driver.face)), driver.name) for driver in drivers]
    below = [
        Tile(_squared(_cut(edit(targets.then(driver.targets)).image, face)), f"as {driver.name}")
        for driver in drivers
    ]
    source = _squared(_cut(still.image, face))
    return [[Tile(np.zeros_like(source), ""), *above], [Tile(source, "input"), *below]]


def _squared(picture: Pixels) -> Pixels:
    """The picture made square by black beside it, or above and below it."""
    height, width = picture.shape[:2]
    side = max(height, width)
    above, beside = (side - height) // 2, (side - width) // 2
    below, after = side - height - above, side - width - beside
    return cv2.copyMakeBorder(picture, above, below, beside, after, cv2.BORDER_CONSTANT)


def _cut(picture: Pixels, face: Face | None) -> Pixels:
    """The square around the face. None: the whole picture."""
    if face is None:
        return picture
    low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    half = round((0.5 + _MARGIN) * float((high - low).max()))
    x, y = np.rint((low + high) / 2 - (0, 0.08 * half)).astype(int)
    return picture[max(y - half, 0) : y + half, max(x - half, 0) : x + half]


def to_grid(rows: Sequence[Sequence[Tile]]) -> Pixels:
    """(height, width, 3) RGB: the pictures of the rows, each with its caption below."""
    return np.vstack([np.hstack([_captioned(tile) for tile in row]) for row in rows])


def _captioned(tile: Tile) -> Pixels:
    height, width = tile.picture.shape[:2]
    scale = TILE_PX / max(height, width)
    sampling = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = cv2.resize(tile.picture, size, interpolation=sampling)
    return np.vstack([picture, label("", tile.caption, size[0])])


MOVING = (".gif", ".mp4", ".mov", ".mkv", ".webm")
"""The endings of the files that `save_moving` writes."""


def save_moving(tiles: Sequence[Tile], path: Path) -> None:
    """Writes the pictures in sequence, forwards and then backwards: once into a film, repeating into a GIF.

    Raises StillError or SinkError where the file cannot be written.
    """
    pictures = [_captioned(tile) for tile in (*tiles, *tiles[-2:0:-1])]
    if path.suffix.lower() != ".gif":
        save_slides(pictures, path, Fraction(1000, FRAME_MS))
        return
    first, *others = map(Image.fromarray, pictures)
    try:
        with replacing(path) as beside:
            first.save(beside, "GIF", save_all=True, append_images=others, duration=FRAME_MS, loop=0)
    except OSError as error:
        raise StillError(f"{path} cannot be written: {error.strerror or error}") from error
