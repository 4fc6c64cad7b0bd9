"""Figures: a face with one action unit, or two, in even steps, as a labelled grid or as moving pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reenact.atomic import replacing
from reenact.captions import label
from reenact.retarget.sweeps import Sweep
from reenact.retarget.targets import Targets
from reenact.stills import Still, StillError
from reenact.types import Face

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


def sweep_rows(edit: Edit, targets: Targets, sweeps: Sequence[Sweep], face: Face | None) -> list[list[Tile]]:
    """A picture for every step, on top of `targets`: one sweep makes a row, of two the first makes the rows.

    The pictures are cut to the face, if there is one.
    """
    down, along = (sweeps[0], sweeps[1]) if len(sweeps) == 2 else (None, sweeps[0])
    rows = range(len(down.values)) if down is not None else (None,)
    return [
        [_tile(edit, targets, _steps(down, row, along, column), face) for column in range(len(along.values))]
        for row in rows
    ]


_Step: TypeAlias = tuple[Sweep, int]


def _steps(down: Sweep | None, row: int | None, along: Sweep, column: int) -> list[_Step]:
    return [(along, column)] if down is None or row is None else [(down, row), (along, column)]


def _tile(edit: Edit, targets: Targets, steps: Sequence[_Step], face: Face | None) -> Tile:
    for sweep, step in steps:
        targets = targets.then(sweep.targets(step))
    picture = edit(targets).image
    return Tile(_cut(picture, face), "  ".join(sweep.name(step) for sweep, step in steps))


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


def save_moving(tiles: Sequence[Tile], path: Path) -> None:
    """The pictures one after the other and back, for ever, as a GIF. Raises StillError."""
    pictures = [Image.fromarray(_captioned(tile)) for tile in (*tiles, *tiles[-2:0:-1])]
    try:
        with replacing(path) as beside:
            pictures[0].save(
                beside,
                "GIF",
                save_all=True,
                append_images=pictures[1:],
                duration=FRAME_MS,
                loop=0,
            )
    except OSError as error:
        raise StillError(f"{path} cannot be written: {error.strerror or error}") from error
