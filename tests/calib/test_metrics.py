from __future__ import annotations

import json

import numpy as np
import pytest

from calib.au import OPENFACE_COUNT
from calib.metrics import MetricsReport, agreement, to_json, to_markdown


def labels(count: int = 200) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 3, (count, OPENFACE_COUNT))


def test_perfect_readings_agree_perfectly():
    found = agreement(labels(), labels())
    np.testing.assert_allclose(found.r, 1)
    np.testing.assert_allclose(found.icc, 1)
    np.testing.assert_allclose(found.mae, 0)
    assert found.count == 200


def test_icc_falls_with_half_the_slope_and_r_does_not():
    found = agreement(labels() / 2 + 0.7, labels())
    np.testing.assert_allclose(found.r, 1)
    np.testing.assert_allclose(found.icc, 2 * 0.5 / (1 + 0.25))


def test_icc_forgives_a_constant_offset():
    found = agreement(labels() + 1, labels())
    np.testing.assert_allclose(found.icc, 1)
    np.testing.assert_allclose(found.mae, 1)


def test_icc_is_the_one_of_the_analysis_of_variance():
    rng = np.random.default_rng(1)
    wanted = labels(50)
    readings = wanted * 0.6 + rng.normal(0, 0.5, wanted.shape)
    pair = np.stack([readings[:, 0], wanted[:, 0]], axis=1)
    between = 2 * ((pair.mean(axis=1) - pair.mean()) ** 2).sum() / 49
    residual = pair - pair.mean(axis=1, keepdims=True) - pair.mean(axis=0) + pair.mean()
    error = (residual**2).sum() / 49
    assert agreement(readings, wanted).icc[0] == pytest.approx((between - error) / (between + error))


def test_an_au_that_hardly_shows_has_no_correlation_and_is_left_out_of_the_mean():
    wanted = labels()
    wanted[:, 3] = 0
    found = agreement(labels(), wanted)
    assert np.isnan(found.r[3]) and np.isnan(found.icc[3])
    assert found.mean_r == pytest.approx(1)


def test_a_reading_that_never_moves_agrees_with_nothing():
    readings = labels()
    readings[:, 5] = 1
    assert agreement(readings, labels()).r[5] == 0


def test_too_few_faces_tell_nothing():
    found = agreement(labels(2), labels(2))
    assert np.isnan(found.mean_r) and found.count == 2


def test_reports_are_valid_json_and_have_a_row_for_every_part():
    wanted = labels()
    wanted[:, 3] = 0
    found = agreement(labels(), wanted)
    report = MetricsReport(found, {"turned": found})
    data = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert data["pooled"]["aus"]["AU05"]["r"] is None
    assert data["parts"]["turned"]["mean"]["r"] == 1.0
    assert "| turned | 200 | 1.00 | 1.00 |" in report.to_markdown()
    assert to_markdown(found).count("\n") == 1 + OPENFACE_COUNT + 1
    assert to_json(found)["count"] == 200
