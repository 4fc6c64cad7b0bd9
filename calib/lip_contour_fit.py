"""Fits the contour of the lips to faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.bounds import opening_mm
from calib.lip_contour import contour_features, contour_of
from calib.openings import MOUTH

_RIDGE = 2.0
"""The penalty on slopes, in faces of typical spread."""
_BIN_MM = 4.0
"""The width of a bin of openings; faces in full bins weigh less."""


def fit_contour(
    landmarks_mm: NDArray[np.float32], persons: NDArray[np.str_]
) -> tuple[NDArray[np.float32], str]:
    """Fits (28, 88), the weights of `contour_features`, and returns them with a report.

    landmarks_mm: pose-normalised faces (n, 478, 3). persons: (n,) names.
    """
    features = np.array([contour_features(each) for each in landmarks_mm])
    contours = np.array([contour_of(each).ravel() for each in landmarks_mm])
    steps = (np.array([opening_mm(each, MOUTH) for each in landmarks_mm]) // _BIN_MM).astype(int)
    _, inverse, counts = np.unique(steps, return_inverse=True, return_counts=True)
    shares = 1 / np.sqrt(counts[inverse])
    _, person = np.unique(persons, return_inverse=True)
    errors = np.zeros_like(contours)
    for part in range(5):
        out = person % 5 == part
        weights = _ridge(features[~out], contours[~out], shares[~out])
        errors[out] = features[out] @ weights - contours[out]
    distance = np.sqrt(np.square(errors).reshape(len(errors), -1, 2).sum(axis=2).mean(axis=1))
    report = f"Error of the lips' contour for people left out of the fit: {np.median(distance):.1f} mm"
    return _ridge(features, contours, shares).astype(np.float32), report


def _ridge(
    features: NDArray[np.float64], targets: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    shares = shares / shares.mean()
    weighted = features * shares[:, None]
    held = _RIDGE * np.eye(features.shape[1])
    held[0, 0] = 0
    return np.linalg.solve(weighted.T @ features + held, weighted.T @ targets)
