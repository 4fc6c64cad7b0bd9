"""Evaluates readings of left and right without labels of sides: each face is composed of two half faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.estimator import AUEstimator
from calib.features import feature_sidedness
from calib.metrics import Agreement, agreement

PAIRS = 1000
TURNED_RAD = 0.14
"""Largest difference of head angles (8 degrees) between two frames that are composed."""


def measure_asymmetry_reading(
    estimator: AUEstimator,
    features: NDArray[np.float32],
    labels: NDArray[np.floating],
    angles: NDArray[np.floating],
    seed: int = 0,
) -> Agreement:
    """Measures how well `estimator` reads the asymmetry of composed faces, as agreement with their labels.

    The left half of one frame and the right half of another, joined in the features, are a face with a label
    for each side; its true asymmetry is half the difference of these labels.
    features: (n, f) of n frames of one person; labels: (n, 17) intensities; angles: (n, 3) of the head, rad.
    """
    left, right = np.random.default_rng(seed).integers(0, len(features), (2, PAIRS))
    alike = np.abs(angles[left] - angles[right]).max(axis=1) <= TURNED_RAD
    left, right = left[alike], right[alike]
    share = (1 + feature_sidedness(estimator.gradients, estimator.crop.width_mm)) / 2
    composed = share * features[left] + (1 - share) * features[right]
    return agreement(composed @ estimator.lean_weights.T, (labels[left] - labels[right]) / 2)
