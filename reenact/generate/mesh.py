"""The triangle mesh that carries a warp: MediaPipe's skin, with strips across the mouth and the eyes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.openings import OPENINGS
from calib.shape import load_shape


@lru_cache(maxsize=1)
def strip_count() -> int:
    """How many triangles at the end of `warp_triangles()` lie in openings rather than on skin."""
    return sum(len(opening.strips) for opening in OPENINGS)


@lru_cache(maxsize=1)
def warp_triangles() -> NDArray[np.intp]:
    """(n, 3) landmark indices: the skin and the strips that close mouth and eyes, without holes."""
    strips = [triangle for opening in OPENINGS for triangle in opening.strips]
    return np.concatenate([load_shape().triangles, np.array(strips)]).astype(np.intp)
