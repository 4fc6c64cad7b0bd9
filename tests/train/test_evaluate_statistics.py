"""Small statistics against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from train.evaluate.statistics import area_under_curve, frechet_distance, mean, ranks, slope, spearman


def test_the_slope_goes_through_the_origin():
    assert slope(np.array([1.0, 2.0, -1.0]), np.array([0.5, 1.0, -0.5])) == pytest.approx(0.5)
    assert slope(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == pytest.approx(1 / 5)
    assert np.isnan(slope(np.zeros(0), np.zeros(0)))


def test_equal_values_share_their_mean_rank():
    np.testing.assert_array_equal(ranks(np.array([3.0, 1.0, 3.0, 7.0])), [2.5, 1, 2.5, 4])


def test_spearman_sees_order_only():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert spearman(x, np.exp(x)) == pytest.approx(1)
    assert spearman(x, -(x**3)) == pytest.approx(-1)
    assert spearman(x, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(0.8)
    assert spearman(x, np.ones(4)) == 0


def test_area_under_curve_counts_ties_half():
    assert area_under_curve(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert area_under_curve(np.array([1.0]), np.array([0.0, 1.0, 2.0, 3.0])) == pytest.approx(1.5 / 4)


def test_the_mean_leaves_out_what_is_unknown():
    assert mean([1.0, float("nan"), 3.0]) == 2
    assert np.isnan(mean([]))


def test_frechet_distance_of_gaussians_that_differ_in_mean_and_spread():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((400, 3))
    assert frechet_distance(table, table) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(table, table + np.array([3, 0, 4])) == pytest.approx(25)
    # tr(C) + tr(4 C) - 2 tr(2 C) = tr(C), and the means stay apart by nothing when they are 0.
    centred = table - table.mean(axis=0)
    assert frechet_distance(centred, 2 * centred) == pytest.approx(np.trace(np.cov(table, rowvar=False)))
