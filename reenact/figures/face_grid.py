"""Figures: a face in even steps, or with the expressions of others, as a labelled grid or moving pictures."""

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
from reenact.figures.expression_folder import Actor
from reenact.media.atomic import replacing
from reenact.media.image_file import Still, StillError
from reenact.media.write.slides import save_slides
from reenact.programme.sweeps import Axis, StrengthSweep
from reenact.programme.targets import Targets
from reenact.records import Face

Pixels: TypeAlias = NDArray[np.uint8]
Edit: TypeAlias = Callable[[Targets], Still]

TILE_PX = 320
"""Of the longer side of a grid's pictures."""
FRAME_MS = 90
_MARGIN = 0.2
"""Around the face, of its height."""


@dataclass(frozen=True, eq=False)
class Tile:
    picture: Pixels
    caption: str


def sweep_rows(edit: Edit, targets: Targets, axes: Sequence[Axis], face: Face | None) -> list[list[Tile]]:
    """A picture for every step, on top of `targets`: one axis makes a row, of two the first makes the rows.

    The pictures are cut to the face, if there is one.
    """
    *down, along = axes
    rows = [[(axis, step)] for axis in down for step in range(len(axis))] or [[]]
    return [
        [_tile(edit, targets, [*row, (along, column)], face) for column in range(len(along))] for row in rows
    ]


def _tile(edit: Edit, targets: Targets, steps: Sequence[tuple[Axis, int]], face: Face | None) -> Tile:
    # Strength is that of what is asked for anyway: what other axes add is as strong as they say.
    for axis, step in sorted(steps, key=lambda one: not isinstance(one[0], StrengthSweep)):
        targets = axis.varied(targets, step)
    return Tile(_cut(edit(targets).image, face), "  ".join(axis.name(step) for axis, step in steps))


def gallery_rows(
    edit: Edit, targets: Targets, actors: Sequence[Actor], still: Still, face: Face | None
) -> list[list[Tile]]:
    """The actors, and below each what his expression makes of the picture; first the picture as it is."""
    above = [Tile(_squared(_cut(actor.picture, actor.face)), actor.name) for actor in actors]
    below = [
        Tile(_squared(_cut(edit(targets.then(actor.targets)).image, face)), f"as {actor.name}")
        for actor in actors
    ]
    source = _squared(_cut(still.image, face))
    return [[Tile(np.zeros_like(source), ""), *above], [Tile(source, "input"), *below]]


def _squared(picture: Pixels) -> Pixels:
    """With black beside it, or above and below."""
    height, width = picture.shape[:2]
    side = max(height, width)
    above, beside = (side - height) // 2, (side - width) // 2
    below, after = side - height - above, side - width - beside
    return cv2.copyMakeBorder(picture, above, below, beside, after, cv2.BORDER_CONSTANT)


def _cut(picture: Pixels, face: Face | None) -> Pixels:
    """A square around the face, or the whole picture."""
    if face is None:
        return picture
    low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    half = round((0.5 + _MARGIN) * float((high - low).max()))
    x, y = np.rint((low + high) / 2 - (0, 0.08 * half)).astype(int)
    return picture[max(y - half, 0) : y + half, max(x - half, 0) : x + half]


def to_grid(rows: Sequence[Sequence[Tile]]) -> Pixels:
    """(height, width, 3): the pictures, each with its caption below."""
    return np.vstack([np.hstack([_captioned(tile) for tile in row]) for row in rows])


def _captioned(tile: Tile) -> Pixels:
    height, width = tile.picture.shape[:2]
    scale = TILE_PX / max(height, width)
    sampling = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = cv2.resize(tile.picture, size, interpolation=sampling)
    return np.vstack([picture, label("", tile.caption, size[0])])


MOVING = (".gif", ".mp4", ".mov", ".mkv", ".webm")
"""Endings of the files that `save_moving` writes."""


def save_moving(tiles: Sequence[Tile], path: Path) -> None:
    """The pictures one after the other and back: as a GIF for ever, as a film once.

    Raises StillError or SinkError.
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
