"""The triangle mesh of a warp: MediaPipe's face mesh, with strips across the mouth and the eyes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.openings import OPENINGS
from calib.shape import LANDMARK_COUNT, load_shape
from reenact.generate.geometry.flow import Scan, scan

CROP_CELL_PX = 4
"""Cell size, in pixels, of the grid on which smooth fields over a crop are drawn."""


@lru_cache(maxsize=1)
def strip_count() -> int:
    """The number of triangles at the end of `warp_triangles()` that lie in openings rather than on skin."""
    return sum(len(opening.strips) for opening in OPENINGS)


@lru_cache(maxsize=1)
def warp_triangles() -> NDArray[np.intp]:
    """(n, 3) landmark indices: the skin and the strips that close mouth and eyes, without holes."""
    strips = [triangle for opening in OPENINGS for triangle in opening.strips]
    return np.concatenate([load_shape().triangles, np.array(strips)]).astype(np.intp)


def over_crop(places: NDArray[np.float32], size: int) -> Scan:
    """The Scan of `warp_triangles()` over the cells of a square crop.

    places: (478, 3) the landmarks in the crop, in pixels. size: the side of the crop in pixels. The cells
    have CROP_CELL_PX; those of the last row and column reach beyond a crop whose size is no multiple of that.
    """
    return _scan(places.tobytes(), size)


@lru_cache(maxsize=8)
def _scan(places: bytes, size: int) -> Scan:
    """The Scan of the landmarks in a crop.

    It is cached because paint is recalled and filtered over time in the same crop, and it takes three times
    as long as filling in values.
    """
    points = np.frombuffer(places, np.float32).reshape(LANDMARK_COUNT, 3)
    cells = (points + 0.5) / CROP_CELL_PX - 0.5
    count = cell_count(size)
    return scan(cells[:, :2], warp_triangles(), cells[:, 2], (count, count))


def cell_count(size: int) -> int:
    """The number of cells of CROP_CELL_PX that cover `size` pixels."""
    return -(-size // CROP_CELL_PX)


def links(triangles: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The edges (n, 2) as pairs of landmarks, each once, and the number (n,) of triangles at each, 1 or 2."""
    edges = np.sort(triangles[:, [(0, 1), (1, 2), (2, 0)]].reshape(-1, 2), axis=1)
    return np.unique(edges, axis=0, return_counts=True)


def border(triangles: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n,) the landmarks on the border of the mesh, including its holes."""
    pairs, shared = links(triangles)
    return np.unique(pairs[shared == 1])
