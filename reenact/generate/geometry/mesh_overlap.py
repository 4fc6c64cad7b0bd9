"""Prevents overlap: reduces a displacement where it would turn triangles of the mesh over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.shape import LANDMARK_COUNT, load_shape

LEAST_SHARE = 0.1
"""Share of a triangle's projected area below which it counts as turned over."""
OVERLAP_SHARE = 0.01
"""Share of the area of half a face that may turn over: the corners of mouth and eyes always do a little."""
BORDER_MM = (-6.0, 6.0)
"""Canonical y, in millimetres, between which the face's upper half blends into the lower one, on the nose."""


@dataclass(frozen=True, eq=False)
class _Halves:
    """The mesh, with weights of the upper and the lower half of the face."""

    triangles: NDArray[np.intp]
    """(n, 3) landmark indices."""
    halves: NDArray[np.float32]
    """(2, 478) the weights of upper and lower half at each landmark, which sum to 1."""
    of_half: NDArray[np.float32]
    """(2, n) the mean of these weights in each triangle."""


def prevent_overlap(landmarks: NDArray[np.float32], displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """`displacement` (478, 3), scaled down where it would turn over the mesh of `landmarks` (478, 3).

    A triangle's area is a quadratic function of the share of the displacement that is applied; its first root
    is the limit of the triangle. Each half of the face is limited so that nearly all of its visible area is:
    scaling single vertices would only move the overlap to their neighbours. The result is continuous in the
    displacement, so that nothing jumps from frame to frame.
    """
    mesh = _halves()
    a, b = _edges(landmarks, mesh.triangles)
    da, db = _edges(displacement, mesh.triangles)
    area = _cross(a, b)
    quadratic, linear, constant = _cross(da, db), _cross(a, db) + _cross(da, b), (1 - LEAST_SHARE) * area
    # Without a root up to 1 the parabola is above 0 at 1, and its lowest point there or not in between.
    limited = (quadratic + linear + constant <= 0) | ((quadratic > 0) & (linear < 0))
    limited = np.flatnonzero(limited & (area > 0))
    allowed = np.ones_like(area)
    allowed[limited] = _first_root(quadratic[limited], linear[limited], constant[limited])
    if allowed.min() >= 1:
        return displacement
    visible = np.flatnonzero(area > 0)
    order = visible[np.argsort(allowed[visible])]
    share = np.zeros(LANDMARK_COUNT, np.float32)
    for half, of_half in zip(mesh.halves, mesh.of_half, strict=True):
        turned = np.cumsum((area * of_half)[order])
        share += half * np.interp(OVERLAP_SHARE * turned[-1], turned, allowed[order])
    return displacement * share[:, None]


def _first_root(
    quadratic: NDArray[np.float32], linear: NDArray[np.float32], constant: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The least root in (0, 1] of quadratic x^2 + linear x + constant, constant > 0; else 1."""
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
    """(2, n) two sides of each triangle."""
    first, second, third = points.T[:2].take(triangles.T, axis=1).transpose(1, 0, 2)
    return second - first, third - first


def _cross(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) the cross products of vectors (2, n)."""
    return a[0] * b[1] - a[1] * b[0]


@lru_cache(maxsize=1)
def _halves() -> _Halves:
    shape = load_shape()
    triangles = shape.triangles.astype(np.intp)
    along = np.clip((shape.canonical[:, 1] - BORDER_MM[0]) / (BORDER_MM[1] - BORDER_MM[0]), 0, 1)
    halves = np.stack([1 - along, along]).astype(np.float32)
    return _Halves(triangles, halves, halves[:, triangles].mean(axis=2))
