"""Lips and lids touch; they do not pass through each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_INDEX, AUVector
from calib.basis import AUBasis
from calib.openings import LEFT_EYE, MOUTH, OPENINGS, RIGHT_EYE, Opening
from calib.ramp import smoothstep
from calib.shape import IRIS_START, load_shape
from reenact.types import Face

LIP_PARTERS = [AU_INDEX[number] for number in (10, 25, 26)]
LID_MOVERS = [AU_INDEX[number] for number in (5, 45)]

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


def limit_closing(face: Face, amounts: AUVector, basis: AUBasis) -> AUVector:
    """`amounts` (17,) with no more closing than shuts mouth and eyes: skin would only crease."""
    for closers, openings in ((LIP_PARTERS, (MOUTH,)), (LID_MOVERS, (LEFT_EYE, RIGHT_EYE))):
        upper, lower = np.array([pair for opening in openings for pair in _middle(opening)]).T
        gap_mm = (face.landmarks[lower, :2] - face.landmarks[upper, :2]) @ face.pose.down / face.pose.scale
        widening = (basis.displacements[:, lower, 1] - basis.displacements[:, upper, 1]) * amounts[:, None]
        closing = np.zeros(len(amounts), bool)
        closing[closers] = widening[closers].mean(axis=1) < 0
        if not closing.any():
            continue
        room = gap_mm + widening[~closing].sum(axis=0)
        share = float(np.clip(room / -widening[closing].sum(axis=0), 0, 1).max())
        amounts = np.where(closing, share * amounts, amounts).astype(np.float32)
    return amounts


def _middle(opening: Opening) -> list[tuple[int, int]]:
    """The three pairs of vertices across the middle of an opening."""
    centre = len(opening.upper) // 2
    return list(zip(opening.upper, opening.lower, strict=True))[centre - 1 : centre + 2]


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
    fade = smoothstep(1 - distance / SPREAD_MM)
    fade[IRIS_START:] = 0
    share = fade.astype(np.float32)[:, None]
    return _Edges(upper, lower, follows, share * above[:, None], share * ~above[:, None])
