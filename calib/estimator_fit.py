"""Fits the AU estimator: ridge regression on labels that are cut off at zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY
from calib.dataset import FaceTable
from calib.estimator import AUEstimator
from calib.features import LANDMARK_FEATURES, OrientedGradients, face_features
from calib.metrics import MetricsReport, agreement
from calib.pose import fit_pose
from calib.shape import load_shape

TURNED_DEG = 20.0
"""Yaw in degrees above which heads are also evaluated separately."""


@dataclass(frozen=True)
class EstimatorFitOptions:
    """The options of the censored ridge regression."""

    ridge: float = 1.5e-4
    """Penalty on squared weights, for blocks of features whose total variance is one each."""
    rounds: int = 20
    """How often labels of zero are replaced. The error falls in every round, but little after the tenth."""


@dataclass(frozen=True, eq=False)
class Design:
    """Faces as features and labels."""

    features: NDArray[np.float32]
    """(n, k) features, unscaled."""
    aus: NDArray[np.float32]
    """(n, 17) labels, 0..5."""
    turned: NDArray[np.bool_]
    """(n,) whether the head's yaw exceeds TURNED_DEG."""

    def where(self, chosen: NDArray[np.bool_]) -> Design:
        """Returns the rows that `chosen` (n,) selects."""
        return Design(self.features[chosen], self.aus[chosen], self.turned[chosen])


def to_design(faces: FaceTable) -> Design:
    """Computes the features of all faces."""
    shape, gradients = load_shape(), OrientedGradients(faces.views.shape[1])
    poses = [fit_pose(landmarks, shape) for landmarks in faces.landmarks]
    features = [
        face_features(view, pose.to_canonical(landmarks), gradients)
        for view, pose, landmarks in zip(faces.views, poses, faces.landmarks, strict=True)
    ]
    yaw = np.array([pose.angles[1] for pose in poses])
    return Design(np.array(features, np.float32), faces.aus, np.abs(yaw) > np.radians(TURNED_DEG))


def fit_estimator(design: Design, options: EstimatorFitOptions = EstimatorFitOptions()) -> AUEstimator:
    """Fits the estimator that predicts the labels of `design` from its features."""
    mean = design.features.mean(axis=0)
    scale = _block_scales(design.features)
    scaled = (design.features - mean) * scale
    solution, constant = censored_ridge(scaled, design.aus, options)
    weights = (solution * scale[:, None]).T
    return AUEstimator(np.ascontiguousarray(weights), constant - weights @ mean)


def _block_scales(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns factors (k,) that weigh both blocks alike and keep the proportions within each block."""
    scales = np.empty(features.shape[1], np.float32)
    start = features.shape[1] - LANDMARK_FEATURES
    for block in (slice(None, start), slice(start, None)):
        part = features[:, block]
        scales[block] = 1 / (part.std(axis=0).mean() * np.sqrt(part.shape[1]))
    return scales


def censored_ridge(
    features: NDArray[np.float32], aus: NDArray[np.float32], options: EstimatorFitOptions
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns weights (k, 17) and constants (17,) of least squared error; below a label of 0 is no error.

    Features must have a mean of 0. A label of 0 means "0 or less". Each round replaces such a label by the
    present prediction if that is negative, and solves the ridge again, which can only lower the error (Tobin,
    Econometrica 26(1), 1958, with a hinge in place of the likelihood).
    """
    solve = _ridge_solver(features, options.ridge * len(features))
    targets = aus
    for _ in range(options.rounds):
        weights, constants = solve(targets), targets.mean(axis=0)
        targets = np.where(aus > 0, aus, np.minimum(features @ weights + constants, 0))
    return weights, constants


def _ridge_solver(
    features: NDArray[np.float32], penalty: float
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Returns a function from targets (n, 17) to weights (k, 17); it inverts once, of size min(n, k)."""
    count, length = features.shape
    if count < length:
        inverse = np.linalg.inv(features @ features.T + np.float32(penalty) * np.eye(count, dtype=np.float32))
        return lambda targets: features.T @ (inverse @ targets)
    inverse = np.linalg.inv(features.T @ features + np.float32(penalty) * np.eye(length, dtype=np.float32))
    return lambda targets: inverse @ (features.T @ targets)


def evaluate_estimator(
    estimator: AUEstimator, design: Design, collections: NDArray[np.str_]
) -> MetricsReport:
    """Measures how well readings agree with the labels of `design`, for all faces and by collection (n,)."""
    readings = np.clip(design.features @ estimator.weights.T + estimator.bias, 0, MAX_INTENSITY)
    parts = {str(name): collections == name for name in np.unique(collections)}
    parts[f"yaw over {TURNED_DEG:g} degrees"] = design.turned
    parts["yaw below"] = ~design.turned
    return MetricsReport(
        agreement(readings, design.aus),
        {name: agreement(readings[part], design.aus[part]) for name, part in parts.items()},
    )
