"""Skin does not fold: a displacement is held back where it would turn triangles over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.shape import LANDMARK_COUNT, load_shape

LEAST_SHARE = 0.1
"""A triangle counts as folded when less than this share of its area is left, as the camera sees it."""
FOLDED_SHARE = 0.01
"""How much of a half's skin may fold: corners of mouth and eyes always do a little."""
BORDER_MM = (-6.0, 6.0)
"""Canonical y between which the upper half of the face passes into the lower: across the nose."""


@dataclass(frozen=True, eq=False)
class _Skin:
    triangles: NDArray[np.intp]
    """(n, 3)."""
    halves: NDArray[np.float32]
    """(2, 478) weights of upper and lower half at each vertex, summing to 1."""
    of_half: NDArray[np.float32]
    """(2, n) the same for each triangle."""


def prevent_overlap(landmarks: NDArray[np.float32], displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """`displacement` (478, 3), scaled down where it would fold the skin of `landmarks` (478, 3).

    A triangle's area is a quadratic of how much of the displacement is applied; its first root is as far as
    the triangle may go. Each half of the face goes as far as nearly all of its visible area may: scaling
    single vertices would only move the fold to their neighbours. Continuous in the displacement, so that
    nothing jumps from frame to frame.
    """
    skin = _skin()
    a, b = _edges(landmarks, skin.triangles)
    da, db = _edges(displacement, skin.triangles)
    area = _cross(a, b)
    visible = np.flatnonzero(area > 0)
    allowed = _first_root(
        _cross(da, db)[visible],
        (_cross(a, db) + _cross(da, b))[visible],
        (1 - LEAST_SHARE) * area[visible],
    )
    if allowed.min() >= 1:
        return displacement
    order = np.argsort(allowed)
    share = np.zeros(LANDMARK_COUNT, np.float32)
    for half, of_half in zip(skin.halves, skin.of_half, strict=True):
        folded = np.cumsum((area * of_half)[visible][order])
        share += half * np.interp(FOLDED_SHARE * folded[-1], folded, allowed[order])
    return displacement * share[:, None]


def _first_root(
    quadratic: NDArray[np.float32], linear: NDArray[np.float32], constant: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The least x in (0, 1], or 1, where quadratic x^2 + linear x + constant = 0, constant > 0."""
    discriminant = linear * linear - 4 * quadratic * constant
    # In this form both roots stay exact when `quadratic` vanishes.
    q = -0.5 * (linear - np.sqrt(np.maximum(discriminant, 0)))
    other = -0.5 * (linear + np.sqrt(np.maximum(discriminant, 0)))
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.stack([constant / q, constant / other])
    roots[~((roots > 0) & (discriminant >= 0))] = 1
    return np.minimum(roots.min(axis=0), 1)


def _edges(
    points: NDArray[np.float32], triangles: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    corners = points[:, :2][triangles]
    return corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]


def _cross(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


@lru_cache(maxsize=1)
def _skin() -> _Skin:
    shape = load_shape()
    triangles = shape.triangles.astype(np.intp)
    along = np.clip((shape.canonical[:, 1] - BORDER_MM[0]) / (BORDER_MM[1] - BORDER_MM[0]), 0, 1)
    halves = np.stack([1 - along, along]).astype(np.float32)
    return _Skin(triangles, halves, halves[:, triangles].mean(axis=2))
