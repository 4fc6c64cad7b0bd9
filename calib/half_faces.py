"""Judging the reading of left and right where nobody has labelled sides: one face from the halves of two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.estimator import AUEstimator
from calib.features import feature_sidedness
from calib.metrics import Agreement, agreement

PAIRS = 1000
TURNED_RAD = 0.14
"""Heads whose angles differ by more than this (8 degrees) do not go together."""


def measure_asymmetry_reading(
    estimator: AUEstimator,
    features: NDArray[np.float32],
    labels: NDArray[np.floating],
    angles: NDArray[np.floating],
    seed: int = 0,
) -> Agreement:
    """Agreement of how far `estimator` reads a face to lean with half the difference of its sides' labels.

    features: (n, f) of n frames of one person; labels: (n, 17); angles: (n, 3) of the head, radians. The left
    half of one frame and the right half of another, put together in the features, are a face of which each
    side is labelled.
    """
    left, right = np.random.default_rng(seed).integers(0, len(features), (2, PAIRS))
    alike = np.abs(angles[left] - angles[right]).max(axis=1) <= TURNED_RAD
    left, right = left[alike], right[alike]
    share = (1 + feature_sidedness(estimator.gradients, estimator.crop.width_mm)) / 2
    composed = share * features[left] + (1 - share) * features[right]
    return agreement(composed @ estimator.lean_weights.T, (labels[left] - labels[right]) / 2)
