"""Contact: lips and lids may touch, but must not pass through each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_INDEX, Change
from calib.basis import AUBasis
from calib.openings import LEFT_EYE, MOUTH, OPENINGS, RIGHT_EYE, Opening
from calib.ramp import smoothstep
from calib.shape import IRIS_START, load_shape
from reenact.records import Face

LIP_PARTERS = [AU_INDEX[number] for number in (10, 25, 26)]
"""Indices of the action units that part the lips."""
LID_MOVERS = [AU_INDEX[number] for number in (5, 45)]
"""Indices of the action units that move the upper lids."""

SPREAD_MM = 9.0
"""Distance, in millimetres, around an edge within which skin follows a correction: about the height of a
lip."""


@dataclass(frozen=True, eq=False)
class _Edges:
    """The inner vertices of all openings, in pairs of an upper and a lower one."""

    upper: NDArray[np.intp]
    """(n,) the upper vertices."""
    lower: NDArray[np.intp]
    """(n,) the lower vertices."""
    follows: NDArray[np.intp]
    """(478,) the index of the pair whose correction each landmark follows."""
    upper_share: NDArray[np.float32]
    """(478, 1) the share of the upper vertex's correction that it follows, 0..1."""
    lower_share: NDArray[np.float32]
    """(478, 1) the share of the lower vertex's correction that it follows, 0..1."""


def keep_apart(
    landmarks: NDArray[np.float32], moved: NDArray[np.float32], down: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`moved` (478, 3), corrected so that the edges of no opening cross.

    landmarks: (478, 3) the landmarks before the move, in pixels. down: (2,) the unit vector downwards in the
    face. Where edges would cross, each moves back by a part of the overlap in proportion to its motion, and
    the skin around it follows, so that a pressed lip does not fold over.
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


def limit_closing(face: Face, amounts: Change, basis: AUBasis) -> Change:
    """`amounts` (2, units), reduced so that mouth and eyes close no further than shut.

    Each eye has its own limit. Where both sides close, both use the larger limit, so that what is asked
    equally of both sides stays equal.
    """
    for closers, openings in _CLOSING:
        amounts = _limited(face, amounts, basis, closers, openings)
    return amounts


_CLOSING = ((LIP_PARTERS, (MOUTH, MOUTH)), (LID_MOVERS, (RIGHT_EYE, LEFT_EYE)))
"""Action units that close, with the openings on the person's left and right side."""


def _limited(
    face: Face, amounts: Change, basis: AUBasis, closers: list[int], openings: Sequence[Opening]
) -> Change:
    upper, lower = _middles(tuple(openings))
    gap_mm = (face.landmarks[lower, :2] - face.landmarks[upper, :2]) @ face.pose.down / face.pose.scale
    per_unit = _widening(basis, tuple(openings))
    widening = per_unit * amounts.T[..., None]
    closing = np.zeros(widening.shape[:2], bool)
    closing[closers] = widening[closers].mean(axis=2) < 0
    if not closing.any():
        return amounts
    room = gap_mm + np.where(closing[..., None], 0, widening).sum(axis=0)
    needed = -np.where(closing[..., None], widening, 0).sum(axis=0)
    share = np.clip(np.divide(room, needed, out=np.zeros_like(room), where=needed > _NOTHING_MM), 0, 1).max(
        axis=1
    )
    limited = np.where(closing.T, share[:, None].astype(np.float32) * amounts, amounts)
    # Each side uses the larger of the two limits in the direction that is asked of it.
    direction = np.sign(amounts)
    furthest = (direction[:, None] * limited).max(axis=1)
    return direction * np.minimum(np.abs(amounts), furthest)


@lru_cache(maxsize=8)
def _middles(openings: tuple[Opening, ...]) -> NDArray[np.intp]:
    """(2, openings, 3) the upper and the lower vertices across the middle of each opening."""
    return np.array([_middle(opening) for opening in openings]).transpose(2, 0, 1)


@lru_cache(maxsize=8)
def _widening(basis: AUBasis, openings: tuple[Opening, ...]) -> NDArray[np.float32]:
    """(units, openings, 3) the millimetres by which one unit of each action unit parts these vertices."""
    upper, lower = _middles(openings)
    return basis.displacements[:, lower, 1] - basis.displacements[:, upper, 1]


_NOTHING_MM = 1e-6
"""Closing motion, in millimetres, below which nothing counts as closing."""


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
