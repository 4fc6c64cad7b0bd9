"""Judging the reading of left and right."""

from __future__ import annotations

import numpy as np
import pytest

from calib.au import AU_INDEX, OPENFACE_CODES
from calib.estimator import AUEstimator
from calib.features import LANDMARK_FEATURES, OrientedGradients
from calib.half_faces import measure_asymmetry_reading

GRADIENTS, SMILE = OrientedGradients(), AU_INDEX[12]
CORNERS = [GRADIENTS.length + 3 * landmark + 1 for landmark in (61, 291)]
"""The heights of the corners of the mouth among the features."""
LENGTH = GRADIENTS.length + LANDMARK_FEATURES


def smiling(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Frames of a face whose corners of the mouth go up by 2 mm for a unit of AU12; features and labels."""
    smiles = np.random.default_rng(0).uniform(0, 5, count)
    features, labels = np.zeros((count, LENGTH), np.float32), np.zeros((count, 17))
    features[:, CORNERS] = -2 * smiles[:, None]
    labels[:, SMILE] = smiles
    return features, labels


def reading(*places: int) -> AUEstimator:
    """Of AU12 from these features."""
    weights = np.zeros((17, LENGTH), np.float32)
    weights[SMILE, list(places)] = -0.5 / len(places)
    return AUEstimator(weights, np.zeros(17, np.float32))


@pytest.mark.parametrize("places", [CORNERS, CORNERS[:1]])
def test_a_reading_of_the_corners_tells_left_from_right_also_if_it_looks_at_one_only(places):
    found = measure_asymmetry_reading(reading(*places), *smiling(), np.zeros((60, 3)))
    assert found.r[SMILE] == pytest.approx(1, abs=1e-6)
    assert found.mae[SMILE] == pytest.approx(0, abs=1e-5)
    assert np.isnan(np.delete(found.r, SMILE)).all(), "nothing else varies"


def test_a_reading_of_something_else_tells_nothing():
    features, labels = smiling()
    elsewhere = GRADIENTS.length + 3 * 234 + 1
    features[:, elsewhere] = np.random.default_rng(1).normal(0, 1, len(features))
    assert (
        abs(measure_asymmetry_reading(reading(elsewhere), features, labels, np.zeros((60, 3))).r[SMILE]) < 0.3
    )


def test_heads_that_are_turned_differently_are_not_put_together():
    angles = np.zeros((60, 3))
    angles[::2, 1] = 0.5
    everybody = measure_asymmetry_reading(reading(*CORNERS), *smiling(), np.zeros((60, 3)))
    half = measure_asymmetry_reading(reading(*CORNERS), *smiling(), angles)
    assert everybody.count == 1000
    assert 400 < half.count < 600
    assert len(OPENFACE_CODES) == len(half.r)
