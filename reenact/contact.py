"""Lips and lids touch; they do not pass through each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reenact.mesh import Opening


def keep_apart(
    landmarks: NDArray[np.float32],
    moved: NDArray[np.float32],
    openings: Sequence[Opening],
    down: NDArray[np.float32],
) -> NDArray[np.float32]:
    """`moved` (n, 3) with every opening at least closed, never inside out.

    landmarks: (n, 3) before the move. down: (2,) the face's own downward direction in the picture. Where the
    edges of an opening would cross, each gives back the overlap in proportion to how far it had moved.
    """
    settled = moved.copy()
    down = down / max(float(np.hypot(*down)), 1e-6)
    for opening in openings:
        upper, lower = np.array(opening.upper[1:-1]), np.array(opening.lower[1:-1])
        gap_before = (landmarks[lower, :2] - landmarks[upper, :2]) @ down
        gap = (moved[lower, :2] - moved[upper, :2]) @ down
        overlap = np.maximum(np.minimum(gap_before, 0) - gap, 0)
        travel_upper = np.abs((moved[upper, :2] - landmarks[upper, :2]) @ down)
        travel_lower = np.abs((moved[lower, :2] - landmarks[lower, :2]) @ down)
        share = travel_upper / np.maximum(travel_upper + travel_lower, 1e-6)
        settled[upper, :2] -= (share * overlap)[:, None] * down
        settled[lower, :2] += ((1 - share) * overlap)[:, None] * down
    return settled
