"""Lips and lids touch; they do not pass through each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_INDEX, AUVector
from calib.basis import AUBasis
from calib.openings import LEFT_EYE, OPENINGS, RIGHT_EYE
from calib.shape import load_shape
from reenact.types import Face

BLINK = AU_INDEX[45]

SPREAD_MM = 9.0
"""How far around an edge the skin goes along when the edge is held back: about the height of a lip."""


@dataclass(frozen=True, eq=False)
class _Edges:
    """The inner vertices of all openings, each upper one with the lower one across from it."""

    upper: NDArray[np.intp]
    lower: NDArray[np.intp]
    follows: NDArray[np.intp]
    """(478,) for every vertex the pair whose correction it takes on."""
    upper_share: NDArray[np.float32]
    """(478, 1) how much of the correction of the pair's upper vertex: 0..1."""
    lower_share: NDArray[np.float32]
    """(478, 1) the same for its lower vertex."""


def keep_apart(
    landmarks: NDArray[np.float32], moved: NDArray[np.float32], down: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`moved` (478, 3) with every opening at least closed, never inside out.

    landmarks: (478, 3) before the move. down: (2,) the face's own downward direction in the picture, unit
    length. Where the edges of an opening would cross, each gives back the overlap in proportion to how far it
    had moved, and the skin around it goes along, so that a pressed lip does not fold.
    """
    edges = _edges()
    upper, lower = edges.upper, edges.lower
    vertical = landmarks[:, :2] @ down
    height = moved[:, :2] @ down
    gap_before = vertical[lower] - vertical[upper]
    overlap = np.maximum(np.minimum(gap_before, 0) - (height[lower] - height[upper]), 0)
    if not overlap.any():
        return moved
    travel = np.abs(height - vertical)
    share = travel[upper] / np.maximum(travel[upper] + travel[lower], 1e-6)
    back = (1 - share) * overlap, share * overlap
    correction = (
        edges.lower_share * back[0][edges.follows, None] - edges.upper_share * back[1][edges.follows, None]
    )
    settled = moved.copy()
    settled[:, :2] += correction * down
    return settled


def limit_blink(face: Face, amounts: AUVector, basis: AUBasis) -> AUVector:
    """`amounts` with no more of AU45 than shuts the eyes: beyond that lids would only crease."""
    if amounts[BLINK] <= 0:
        return amounts
    upper, lower = np.array([(eye.upper[4], eye.lower[4]) for eye in (LEFT_EYE, RIGHT_EYE)]).T
    gap_mm = (face.landmarks[lower, :2] - face.landmarks[upper, :2]) @ face.pose.down / face.pose.scale
    per_unit = basis.displacements[BLINK]
    closing_mm = per_unit[upper, 1] - per_unit[lower, 1]
    limited = amounts.copy()
    limited[BLINK] = min(float(amounts[BLINK]), max(float((gap_mm / closing_mm).max()), 0.0))
    return limited


@lru_cache(maxsize=1)
def _edges() -> _Edges:
    canonical = load_shape().canonical[:, :2]
    upper = np.concatenate([opening.upper[1:-1] for opening in OPENINGS])
    lower = np.concatenate([opening.lower[1:-1] for opening in OPENINGS])
    to_upper = np.linalg.norm(canonical[:, None] - canonical[upper], axis=2)
    to_lower = np.linalg.norm(canonical[:, None] - canonical[lower], axis=2)
    follows = np.minimum(to_upper, to_lower).argmin(axis=1)
    every = np.arange(len(canonical))
    middle = (canonical[upper, 1] + canonical[lower, 1]) / 2
    above = canonical[:, 1] < middle[follows]
    above[upper], above[lower] = True, False
    distance = np.where(above, to_upper[every, follows], to_lower[every, follows])
    fade = np.clip(1 - distance / SPREAD_MM, 0, 1)
    share = (fade * fade * (3 - 2 * fade)).astype(np.float32)[:, None]
    return _Edges(upper, lower, follows, share * above[:, None], share * ~above[:, None])
