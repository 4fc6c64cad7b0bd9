"""The contour of the lips that people have at a given width, opening and height of the mouth.

A sum of motions does not give it: the corners of a broad smile, drawn in as far as surprise draws them, leave
an angular mouth. `python -m calib bounds` fits it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.bounds import NOSE_BASE, measure_mouth
from calib.openings import MOUTH, OUTER_EDGE

_PATH = Path(__file__).with_name("data") / "contour.npz"
EDGES = np.array([MOUTH.upper, MOUTH.lower, OUTER_EDGE[MOUTH.upper], OUTER_EDGE[MOUTH.lower]])
"""(4, 11) landmarks along the lips' edges from corner to corner: the two inner edges, then the two outer
ones."""
_MIDDLE = EDGES.shape[1] // 2
_TYPICAL_MM = np.array([53.0, 6.0, -19.0, -14.0, 6.0, 8.0])
_SPREAD_MM = np.array([8.0, 6.0, 4.0, 3.0, 2.0, 2.5])
_ONE = np.ones(1)
_PAIRS = np.triu_indices(1 + len(_SPREAD_MM))


def contour_features(landmarks_mm: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns (28,): 1, six sizes of the mouth, scaled, and the products of each two of these.

    The sizes are width, opening, height of corners and upper lip, and thickness of both lips, from
    pose-normalised landmarks (478, 3) in millimetres.
    """
    mouth = measure_mouth(landmarks_mm)
    inner_upper, inner_lower, outer_upper, outer_lower = landmarks_mm[EDGES[:, _MIDDLE], 1].tolist()
    sizes = np.array(
        [
            mouth.width,
            mouth.opening,
            mouth.corners,
            mouth.lip,
            inner_upper - outer_upper,
            outer_lower - inner_lower,
        ]
    )
    scaled = np.concatenate([_ONE, (sizes - _TYPICAL_MM) / _SPREAD_MM])
    return scaled[_PAIRS[0]] * scaled[_PAIRS[1]]


def contour_of(landmarks_mm: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns (4, 11, 2): x and y of the lips' EDGES in canonical mm relative to the base of the nose, as the
    mean of the face and its mirror image."""
    edges = _edges(landmarks_mm)
    return (edges + _mirrored(edges)) / 2


def lopsided(landmarks_mm: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns (4, 11, 2) canonical millimetres: the difference of the lips' EDGES from `contour_of`."""
    edges = _edges(landmarks_mm)
    return (edges - _mirrored(edges)) / 2


def _edges(landmarks_mm: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(landmarks_mm[EDGES, :2] - landmarks_mm[NOSE_BASE, :2], np.float64)


def _mirrored(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return edges[:, ::-1] * (-1, 1)


def natural_contour(landmarks_mm: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns (4, 11, 2): the contour that is usual for a mouth of these sizes, in the form of
    `contour_of`."""
    return (contour_features(landmarks_mm) @ _weights()).reshape(*EDGES.shape, 2)


@lru_cache(maxsize=1)
def _weights() -> NDArray[np.float64]:
    """Loads (28, 88), the weights of `contour_features` (see calib/data/MODEL_CARD.md)."""
    with np.load(_PATH, allow_pickle=False) as data:
        return np.asarray(data["weights"], np.float64)
