"""Fits the gaze estimator to portraits of people who look into the camera, and to the same with turned eyes.

Nobody has measured where the people in pictures look. In portraits it is the camera, so their heads' pose
tells the gaze relative to the head; eyes that were turned by a known angle look that much further aside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.gaze import GazeEstimator


@dataclass(frozen=True, eq=False)
class GazeExamples:
    """Eyes of known gaze, two for each picture: the person's left and right."""

    features: NDArray[np.float32]
    """(n, features) as `eye_features` returns them."""
    gaze_deg: NDArray[np.float32]
    """(n, 2) the angles outwards and up."""
    turned_deg: NDArray[np.float32]
    """(n, 2) the part of them by which the eyes were turned."""
    pictures: NDArray[np.intp]
    """(n,) the number of the portrait that each example was made from."""

    def where(self, chosen: NDArray[np.bool_]) -> GazeExamples:
        """Returns the chosen examples."""
        return GazeExamples(
            self.features[chosen], self.gaze_deg[chosen], self.turned_deg[chosen], self.pictures[chosen]
        )


@dataclass(frozen=True)
class GazeReport:
    """How well an estimator reads people who were held out of its fit, by axis: to the side and up."""

    slope: tuple[float, float]
    """The change that is read for one degree of turned eyes."""
    error_deg: tuple[float, float]
    """The mean absolute error of that change."""
    camera_deg: tuple[float, float]
    """The median absolute deviation of what is read of portraits from the direction of the camera."""


RIDGE = 0.1
"""The ridge penalty for each example, for features of unit variance."""


def fit_gaze(examples: GazeExamples, held_out: NDArray[np.bool_]) -> tuple[GazeEstimator, GazeReport]:
    """Fits the estimator to all examples but those held out (n,), and reports on the latter.

    A regression shrinks what it predicts; the slope on the people held out makes up for that.
    """
    first = _ridge(examples.where(~held_out))
    shrunk = evaluate_gaze(first, examples.where(held_out)).slope
    gain = 1 / np.clip(shrunk, 0.5, 1.0)
    mean = examples.gaze_deg.mean(axis=0)
    estimator = GazeEstimator(
        (first.weights * gain[:, None]).astype(np.float32),
        (mean + gain * (first.bias - mean)).astype(np.float32),
    )
    return estimator, evaluate_gaze(estimator, examples.where(held_out))


def _ridge(examples: GazeExamples) -> GazeEstimator:
    features = examples.features.astype(np.float64)
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    scaled, target = (features - mean) / spread, examples.gaze_deg.astype(np.float64)
    centre = target.mean(axis=0)
    gram = scaled.T @ scaled + RIDGE * len(scaled) * np.eye(scaled.shape[1])
    weights = (np.linalg.solve(gram, scaled.T @ (target - centre)) / spread[:, None]).T
    return GazeEstimator(weights.astype(np.float32), (centre - weights @ mean).astype(np.float32))


def evaluate_gaze(estimator: GazeEstimator, examples: GazeExamples) -> GazeReport:
    """Compares readings with the examples' gaze, as the mean of both eyes."""
    read = examples.features @ estimator.weights.T + estimator.bias
    both_eyes = ((read * _OUTWARDS(len(read))).reshape(-1, 2, 2)).mean(axis=1)
    gaze = (examples.gaze_deg * _OUTWARDS(len(read))).reshape(-1, 2, 2)[:, 0]
    turned = (examples.turned_deg * _OUTWARDS(len(read))).reshape(-1, 2, 2)[:, 0]
    pictures, plain = examples.pictures[::2], ~turned.any(axis=1)
    before = dict(zip(pictures[plain].tolist(), both_eyes[plain], strict=True))
    moved = np.flatnonzero(~plain & np.isin(pictures, pictures[plain]))
    change = np.array([both_eyes[index] - before[int(pictures[index])] for index in moved])
    asked = turned[moved]
    slope = (asked * change).sum(axis=0) / np.square(asked).sum(axis=0)
    off = both_eyes[plain] - gaze[plain]
    return GazeReport(
        tuple(slope.tolist()),
        tuple(np.abs(change - asked).mean(axis=0).tolist()),
        tuple(np.median(np.abs(off - np.median(off, axis=0)), axis=0).tolist()),
    )


def _OUTWARDS(count: int) -> NDArray[np.float32]:
    """(n, 2) the signs from angles outwards to angles to the person's left, for pairs of eyes."""
    return np.tile(np.array([[1, 1], [-1, 1]], np.float32), (count // 2, 1))
