"""The cheapest line through a picture from left to right: how edges are found that are smooth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cheapest_path(cost: NDArray[np.float32], stiffness: float) -> NDArray[np.intp]:
    """(columns,) the row in each column of `cost` (rows, columns) that makes the sum of the costs and of
    stiffness * step^2 least, where a step is the difference of rows between neighbours.

    Viterbi's algorithm (IEEE Trans. Inf. Theory 13(2), 1967): the best of all paths, not a greedy one.
    """
    rows = np.arange(len(cost))
    steps = stiffness * (rows[:, None] - rows) ** 2
    best = cost[:, 0]
    came_from = np.empty(cost.shape, np.intp)
    for column in range(1, cost.shape[1]):
        through = best + steps
        came_from[:, column] = through.argmin(axis=1)
        best = through[rows, came_from[:, column]] + cost[:, column]
    path = np.empty(cost.shape[1], np.intp)
    path[-1] = best.argmin()
    for column in range(cost.shape[1] - 1, 0, -1):
        path[column - 1] = came_from[path[column], column]
    return path
