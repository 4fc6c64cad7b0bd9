"""Geometry: move the face's own pixels, at their own resolution, where the action units would move them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from calib.basis import AUBasis
from calib.openings import OPENINGS
from reenact.contact import keep_apart, limit_blink
from reenact.flow import Flow, extend, rasterise, to_pixels
from reenact.fold import hold_back
from reenact.mesh import strip_count, warp_triangles
from reenact.types import Face, Frame


@dataclass(frozen=True)
class WarpOptions:
    cell_mm: float = 1.6
    """Grid of the flow on the face. Finer than the mesh's triangles, which are 3 to 15 mm wide."""
    reach_mm: float = 28.0
    """How far outside the face the flow fades to nothing."""
    sharp: bool = False
    """Cubic sampling, for stills: seven times the time of linear."""
    still_px: float = 1 / 64
    """Flow below this moves nothing: cv2.remap's own resolution is 1/32 pixel."""


@dataclass(frozen=True, eq=False)
class Warp:
    """A face's new geometry and the pixels that it moves."""

    moved: NDArray[np.float32]
    """(478, 3) the landmarks after the move, pixels."""
    image: NDArray[np.uint8]
    """(height, width, 3) the moved pixels of the region."""
    region: tuple[int, int, int, int]
    """(x0, y0, x1, y1) in the frame. Its border pixels are the frame's own."""


def move_landmarks(face: Face, change: AUVector, basis: AUBasis) -> NDArray[np.float32]:
    """Where the landmarks (478, 3) go for relative action units `change`. Lips and lids do not cross."""
    displacement = face.pose.vectors_to_frame(basis.displace(limit_blink(face, change, basis)))
    displacement = hold_back(face.landmarks, displacement)
    return keep_apart(face.landmarks, face.landmarks + displacement, face.pose.down)


def corner_flow(face: Face, moved: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 3, 2) backward flow, pixels, at the corners of `warp_triangles()`.

    Skin moves with its landmarks. What lies behind a closing lid or lip does not: eyeball and teeth keep
    their place and are covered. Behind an opening one they are stretched: there is nothing else to show.
    """
    flow = (face.landmarks - moved)[:, :2]
    corners = flow[warp_triangles()]
    down = face.pose.down
    behind = flow.copy()
    for opening in OPENINGS:
        for edge, closing in ((opening.upper, -1), (opening.lower, 1)):
            inner = np.array(edge[1:-1])
            travel = flow[inner] @ down
            behind[inner] -= np.where(travel * closing > 0, travel, 0)[:, None] * down
    corners[-strip_count() :] = behind[warp_triangles()[-strip_count() :]]
    return corners


def warp(
    frame: Frame, face: Face, change: AUVector, basis: AUBasis, options: WarpOptions = WarpOptions()
) -> Warp | None:
    """The face with relative action units `change` written into it, or None where no pixel moves."""
    moved = move_landmarks(face, change, basis)
    cell_px = max(1.0, options.cell_mm * face.pose.scale)
    reach_px = options.reach_mm * face.pose.scale
    low = np.floor(moved[:, :2].min(axis=0) - reach_px).astype(int)
    high = np.ceil(moved[:, :2].max(axis=0) + reach_px).astype(int)
    grid = np.maximum(np.ceil((high - low) / cell_px), 2).astype(int)
    cell = (high - low) / grid
    places = ((moved[:, :2] - low + 0.5) / cell - 0.5).astype(np.float32)
    field, covered = rasterise(
        places,
        warp_triangles(),
        corner_flow(face, moved),
        moved[:, 2],
        (int(grid[1]), int(grid[0])),
    )
    field = extend(field, covered, reach_px / float(cell.max()))
    return _remap(frame, field, low, high, moved, options)


def _remap(
    frame: Frame,
    field: Flow,
    low: NDArray[np.int_],
    high: NDArray[np.int_],
    moved: NDArray[np.float32],
    options: WarpOptions,
) -> Warp | None:
    """Sample the frame along the flow, in the part of the grid that moves and lies inside the picture."""
    height, width = frame.size
    rows, columns = field.shape[:2]
    cell = (high - low) / np.array([columns, rows])
    still = np.abs(field).max(axis=2) < options.still_px
    field[still] = 0
    moving_rows, moving_columns = np.flatnonzero(~still.all(axis=1)), np.flatnonzero(~still.all(axis=0))
    if not len(moving_rows):
        return None
    margin = 2  # cells of zero flow around, so that the region's border is the frame's own pixels
    x0, x1 = low[0] + (np.array([moving_columns[0] - margin, moving_columns[-1] + 1 + margin]) * cell[0])
    y0, y1 = low[1] + (np.array([moving_rows[0] - margin, moving_rows[-1] + 1 + margin]) * cell[1])
    x0, y0 = max(int(x0), 0), max(int(y0), 0)
    x1, y1 = min(int(np.ceil(x1)), width), min(int(np.ceil(y1)), height)
    if x0 >= x1 or y0 >= y1:
        return None
    region = (x0, y0, x1, y1)
    maps = to_pixels(field, low, cell, region)
    maps[..., 0] += np.arange(x0, x1, dtype=np.float32)
    maps[..., 1] += np.arange(y0, y1, dtype=np.float32)[:, None]
    sampling = cv2.INTER_CUBIC if options.sharp else cv2.INTER_LINEAR
    image = cv2.remap(frame.image, maps, None, sampling, borderMode=cv2.BORDER_REPLICATE)
    return Warp(moved, image, region)
