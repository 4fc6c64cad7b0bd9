from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import calib
from calib.au import AU_INDEX, OPENFACE_COUNT
from calib.estimator import CROP, AUEstimator, load_estimator, read_estimator, write_estimator
from calib.estimator_fit import Design, EstimatorFitOptions, censored_ridge, evaluate_estimator, fit_estimator
from calib.features import LANDMARK_FEATURES, OrientedGradients
from calib.shape import load_shape

LENGTH = OrientedGradients().length + LANDMARK_FEATURES


def constant(value: float) -> AUEstimator:
    return AUEstimator(
        np.zeros((OPENFACE_COUNT, LENGTH), np.float32), np.full(OPENFACE_COUNT, value, np.float32)
    )


def some_crop() -> np.ndarray:
    noise = np.random.default_rng(2).integers(0, 256, (CROP.size_px, CROP.size_px, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


@pytest.mark.parametrize(("said", "read"), [(-1, 0), (2.5, 2.5), (7, 5)])
def test_readings_stay_between_0_and_5(said, read):
    aus = constant(said)(some_crop(), load_shape().canonical)
    assert aus.shape == (OPENFACE_COUNT,) and aus.dtype == np.float32
    assert (aus == read).all()


def test_a_gray_crop_reads_as_the_same_gray_in_colour():
    estimator, landmarks = load_estimator(), load_shape().canonical
    gray = some_crop()[..., 1]
    np.testing.assert_allclose(
        estimator(gray, landmarks), estimator(np.dstack([gray] * 3), landmarks), atol=1e-4
    )


def test_a_file_gives_back_what_was_written(tmp_path):
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.01, (OPENFACE_COUNT, LENGTH)).astype(np.float32)
    weights *= np.logspace(-3, 3, OPENFACE_COUNT, dtype=np.float32)[:, None]
    write_estimator(AUEstimator(weights, np.arange(17, dtype=np.float32)), tmp_path / "estimator.npz")
    found = read_estimator(tmp_path / "estimator.npz")
    step = np.abs(weights).max(axis=1, keepdims=True) * 2**-11
    assert (np.abs(found.weights - weights) <= step).all()
    np.testing.assert_array_equal(found.bias, np.arange(17))


def test_the_shipped_file_is_small_and_complete():
    estimator = load_estimator()
    assert estimator.weights.shape == (OPENFACE_COUNT, LENGTH)
    assert np.isfinite(estimator.weights).all()
    assert (Path(calib.__file__).parent / "data" / "estimator.npz").stat().st_size < 2e6


def test_a_reading_takes_about_a_millisecond():
    estimator, crop, landmarks = load_estimator(), some_crop(), load_shape().canonical
    times = []
    for _ in range(60):
        start = time.perf_counter()
        estimator(crop, landmarks)
        times.append(time.perf_counter() - start)
    # The fastest, since other work on the machine only ever adds. Ten times what it takes when idle.
    assert min(times) < 4e-3


def censored_world(count: int = 3000, length: int = 6, noise: float = 0.3) -> tuple[np.ndarray, ...]:
    """Features, AU labels cut off at 0, and the weights behind them; the constant is -0.8."""
    rng = np.random.default_rng(5)
    features = rng.normal(0, 1, (count, length)).astype(np.float32)
    features -= features.mean(axis=0)
    weights = rng.normal(0, 1, (length, OPENFACE_COUNT)).astype(np.float32)
    said = features @ weights - 0.8 + rng.normal(0, noise, (count, OPENFACE_COUNT))
    return features, np.maximum(said, 0).astype(np.float32), weights


def test_weights_are_found_behind_labels_that_are_cut_off_at_0():
    features, aus, weights = censored_world(noise=0.0)
    found, constants = censored_ridge(features, aus, EstimatorFitOptions(ridge=1e-6, rounds=300))
    np.testing.assert_allclose(found, weights, atol=0.02)
    np.testing.assert_allclose(constants, -0.8, atol=0.02)


def test_one_round_is_plain_ridge_regression_whose_slopes_are_too_flat():
    features, aus, _ = censored_world()
    plain, constants = censored_ridge(features, aus, EstimatorFitOptions(ridge=1e-6, rounds=1))
    with_ones = np.hstack([features, np.ones((len(features), 1), np.float32)])
    wanted = np.linalg.lstsq(with_ones, aus, rcond=None)[0]
    np.testing.assert_allclose(np.vstack([plain, constants]), wanted, atol=1e-3)
    many, _ = censored_ridge(features, aus, EstimatorFitOptions(ridge=1e-6, rounds=30))
    assert np.abs(plain).sum() < 0.8 * np.abs(many).sum()


def test_fewer_faces_than_features_are_solved_alike():
    features, aus, _ = censored_world(count=12, length=30)
    options = EstimatorFitOptions(ridge=0.1, rounds=1)
    found, _ = censored_ridge(features, aus, options)
    wanted = np.linalg.solve(features.T @ features + 0.1 * 12 * np.eye(30), features.T @ aus)
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_the_error_falls_in_every_round():
    features, aus, _ = censored_world()

    def error(rounds: int) -> float:
        weights, constants = censored_ridge(features, aus, EstimatorFitOptions(ridge=1e-6, rounds=rounds))
        read = features @ weights + constants
        return float((np.where(aus > 0, read - aus, np.maximum(read, 0)) ** 2).mean())

    errors = [error(rounds) for rounds in (1, 2, 4, 8, 16)]
    assert errors == sorted(errors, reverse=True)


def small_world(count: int, seed: int) -> Design:
    """Faces whose AU12 is a landmark's offset and AU04 a gradient; the other features say nothing."""
    rng = np.random.default_rng(seed)
    features = np.zeros((count, 40 + LANDMARK_FEATURES), np.float32)
    features[:, :40] = rng.normal(0.2, 0.1, (count, 40))
    features[:, 40:60] = rng.normal(0, 2, (count, 20))
    aus = np.zeros((count, OPENFACE_COUNT), np.float32)
    aus[:, AU_INDEX[12]] = np.clip(features[:, 45], 0, 5)
    aus[:, AU_INDEX[4]] = np.clip(10 * (features[:, 3] - 0.2), 0, 5)
    return Design(features, aus, rng.random(count) < 0.3)


def test_a_fitted_estimator_reads_strangers():
    estimator = fit_estimator(small_world(800, 0), EstimatorFitOptions(ridge=1e-4))
    unseen = small_world(300, 1)
    collections = np.where(np.arange(300) < 100, "first", "second")
    report = evaluate_estimator(estimator, unseen, collections)
    assert report.pooled.r[AU_INDEX[12]] > 0.97 and report.pooled.r[AU_INDEX[4]] > 0.97
    assert np.isnan(report.pooled.r[AU_INDEX[1]])
    assert {name: part.count for name, part in report.parts.items()} == {
        "first": 100,
        "second": 200,
        "yaw over 20 degrees": int(unseen.turned.sum()),
        "yaw below": 300 - int(unseen.turned.sum()),
    }


def test_fitting_twice_gives_the_same_weights():
    first, second = (fit_estimator(small_world(300, 0)) for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)
