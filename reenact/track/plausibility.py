"""How far to trust a fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.pose import Pose
from calib.shape import load_shape
from reenact.track.fit import Fit


def confidence(fit: Fit, pose: Pose, size: tuple[int, int]) -> float:
    """0..1: the model's belief, less what speaks against the fit in a picture of `size` (height, width).

    A figure that is no number speaks for nothing.
    """
    sure = fit.presence * face_likeness(fit.landmarks, pose) * visible_share(fit.landmarks, size)
    return sure if np.isfinite(sure) else 0.0


def face_likeness(landmarks: NDArray[np.float32], pose: Pose) -> float:
    """1 where the landmarks form a face, 0 where they do not: from their distance to the canonical face."""
    return float(np.clip((12 - residual_mm(landmarks, pose)) / 6, 0, 1))


def residual_mm(landmarks: NDArray[np.float32], pose: Pose) -> float:
    shape = load_shape()
    residual = pose.to_canonical(landmarks) - shape.canonical
    return float(np.sqrt(shape.weights @ np.square(residual).sum(axis=1)))


def visible_share(landmarks: NDArray[np.float32], size: tuple[int, int]) -> float:
    """The share of the landmarks that lie in a picture of `size` (height, width)."""
    x, y = landmarks[:, 0], landmarks[:, 1]
    return float(np.mean((x >= 0) & (y >= 0) & (x <= size[1] - 1) & (y <= size[0] - 1)))
