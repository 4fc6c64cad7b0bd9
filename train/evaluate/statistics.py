"""Statistics of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def slope(asked: NDArray[np.floating], achieved: NDArray[np.floating]) -> float:
    """Returns the least-squares slope through the origin; NaN where nothing was asked."""
    square = float(asked @ asked)
    return float(asked @ achieved) / square if square > 0 else float("nan")


def spearman(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Returns the rank correlation, where ties share their mean rank; 0 where one of the two is constant."""
    if len(first) < 3:
        return float("nan")
    x, y = ranks(first), ranks(second)
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else 0.0


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns ranks, 1 for the smallest; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def area_under_curve(same: NDArray[np.floating], different: NDArray[np.floating]) -> float:
    """Returns the probability that a score of `same` is above one of `different`; 0.5 is chance."""
    joined = ranks(np.concatenate([same, different]))
    return float((joined[: len(same)].sum() - len(same) * (len(same) + 1) / 2) / (len(same) * len(different)))


def mean(values: Sequence[float] | NDArray[np.floating]) -> float:
    """Returns the mean without NaN; NaN where there are no other values."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else float("nan")


def frechet_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Returns the distance of Gaussians fitted to the rows of tables (n, k) and (m, k), n and m above k.

    Source: Dowson & Landau, J. Multivariate Analysis 12(3), 1982; on networks' features known as FID.
    """
    means = first.mean(axis=0) - second.mean(axis=0)
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = _root(a)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ b @ root), 0, None)).sum()
    return float(means @ means + np.trace(a) + np.trace(b) - 2 * cross)


def _root(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns the symmetric square root of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
