"""Lips that open wide, or that a smile has left, take the contour that mouths of their new size have."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.bounds import load_bounds, measure_mouth
from calib.lip_contour import EDGES, contour_of, lopsided, natural_contour
from calib.ramp import smoothstep
from calib.shape import LANDMARK_COUNT, load_shape
from reenact.records import Face

NARROWED = (0.02, 0.1)
"""Shares of its width by which a mouth becomes narrower: where its contour begins to be the natural one, and
where it is."""
OPENED_MM = (4.0, 12.0)
"""By how much a mouth opens where its contour begins to be the natural one, and where it is."""
LOPSIDED_SHARE = 0.7
"""How much of what is lopsided of a smile goes with it."""
LOPSIDED_RAD = 0.2
"""Yaw from which on less of it does; from twice as much nothing."""
WIDE = (0.12, 0.22)
"""Shares of its width by which a mouth is wider than it would be at rest: where it begins to count as a
smile, and where it is one."""
SPREAD_MM = 10.0
"""How far around the lips the skin goes along."""


def smiles(face: Face) -> float:
    """0..1: 1 where the mouth is so much wider than it would be at rest that it must smile."""
    return _smiles(face.pose.to_canonical(face.landmarks))


def _smiles(shape_mm: NDArray[np.float32]) -> float:
    rest, own = load_bounds().at_rest(shape_mm).width, measure_mouth(shape_mm).width
    return _share(1 - rest / max(own, 1.0), WIDE)


def natural_lips(face: Face, motion_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """(478, 3) canonical millimetres: what to add to a motion (478, 3) of the landmarks of `face`.

    A smile draws the lips tight. When motions of action units narrow such a mouth, its corners stay as
    pointed as they were, and the lips get kinks; those of one that opens wide get straight edges. What is
    asked of one side alone stays lopsided; most of what is lopsided of a smile goes with it, unless the head
    is turned, when it is the camera's view.
    """
    shape_mm = face.pose.to_canonical(face.landmarks)
    moved_mm = shape_mm + motion_mm
    own, after = measure_mouth(shape_mm), measure_mouth(moved_mm)
    left = _share(1 - after.width / max(own.width, 1.0), NARROWED)
    left *= _smiles(shape_mm) if left > 0 else 0
    share = max(left, _share(after.opening - own.opening, OPENED_MM))
    correction = np.zeros_like(shape_mm)
    if share > 0:
        edges = natural_contour(moved_mm) - contour_of(moved_mm)
        yaw = abs(float(face.pose.angles[1])) / LOPSIDED_RAD
        edges -= left / share * LOPSIDED_SHARE * (1 - _share(yaw, (1, 2))) * lopsided(shape_mm)
        correction[:, :2] = _spread() @ (share * edges).reshape(-1, 2)
    return correction


def _share(value: float, limits: tuple[float, float]) -> float:
    """0 at the first of the limits, 1 at the second."""
    return float(smoothstep(np.array((value - limits[0]) / (limits[1] - limits[0]))))


@lru_cache(maxsize=1)
def _spread() -> NDArray[np.float64]:
    """(478, 44) how much every landmark goes with each place of the lips' EDGES."""
    shape = load_shape()
    follows, share = shape.along_with(shape.canonical[EDGES[2:].ravel(), :2], SPREAD_MM)
    spread = np.zeros((LANDMARK_COUNT, EDGES.size))
    spread[np.arange(LANDMARK_COUNT), EDGES[:2].size + follows] = share
    spread[EDGES.ravel()] = 0
    for place, landmark in enumerate(EDGES.ravel().tolist()):
        spread[landmark, place] = 1
    # The corners are on two edges each.
    spread[EDGES[:, [0, -1]].ravel()] /= 2
    return spread
