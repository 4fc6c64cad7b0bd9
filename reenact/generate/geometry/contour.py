"""Gives lips that open wide, or that no longer smile, the natural contour of a mouth of their new size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.bounds import load_bounds, measure_mouth
from calib.lip_contour import EDGES, contour_of, lopsided, natural_contour
from calib.ramp import ramp_of
from calib.shape import LANDMARK_COUNT, load_shape
from reenact.records import Face

NARROWED = (0.02, 0.1)
"""Shares of its width by which a mouth narrows where the natural contour fades in, and where it is
complete."""
OPENED_MM = (4.0, 12.0)
"""Opening motion, in millimetres, where the natural contour fades in, and where it is complete."""
LOPSIDED_SHARE = 0.7
"""Share of a smile's asymmetry that is removed with the smile."""
LOPSIDED_RAD = 0.2
"""Yaw in radians from which on less asymmetry is removed; from twice this value on none is."""
WIDE = (0.12, 0.22)
"""Excess of a mouth's width over its width at rest, as shares of it, where a smile is first and fully
assumed."""
SPREAD_MM = 10.0
"""Distance, in millimetres, around the lips within which skin follows."""


def smiles(face: Face) -> float:
    """The degree, 0..1, to which a mouth is so much wider than at rest that it must smile."""
    return _smiles(face.pose.to_canonical(face.landmarks))


def _smiles(shape_mm: NDArray[np.float32]) -> float:
    rest, own = load_bounds().at_rest(shape_mm).width, measure_mouth(shape_mm).width
    return ramp_of(1 - rest / max(own, 1.0), WIDE)


def natural_lips(face: Face, motion_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """(478, 3) the correction, in canonical millimetres, of a motion (478, 3) of the landmarks of `face`.

    A smile draws the lips tight. When motions of action units narrow such a mouth, its corners stay pointed
    and the lips get kinks; lips that open wide get straight edges. A change that is asked of one side stays
    asymmetric. Most of a smile's own asymmetry is removed with it, unless the head is turned, because the
    view then causes it.
    """
    shape_mm = face.pose.to_canonical(face.landmarks)
    moved_mm = shape_mm + motion_mm
    own, after = measure_mouth(shape_mm), measure_mouth(moved_mm)
    left = ramp_of(1 - after.width / max(own.width, 1.0), NARROWED)
    left *= _smiles(shape_mm) if left > 0 else 0
    share = max(left, ramp_of(after.opening - own.opening, OPENED_MM))
    correction = np.zeros_like(shape_mm)
    if share > 0:
        edges = natural_contour(moved_mm) - contour_of(moved_mm)
        yaw = abs(float(face.pose.angles[1])) / LOPSIDED_RAD
        edges -= left / share * LOPSIDED_SHARE * (1 - ramp_of(yaw, (1, 2))) * lopsided(shape_mm)
        correction[:, :2] = _spread() @ (share * edges).reshape(-1, 2)
    return correction


@lru_cache(maxsize=1)
def _spread() -> NDArray[np.float64]:
    """(478, 44) the share of the motion of each place of the lips' EDGES that every landmark follows."""
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
