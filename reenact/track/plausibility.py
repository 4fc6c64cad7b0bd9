"""The confidence in a fit: from the model, the shape of the landmarks and their visibility."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.pose import Pose
from calib.shape import load_shape
from reenact.track.fit import Fit


def confidence(fit: Fit, pose: Pose, size: tuple[int, int]) -> float:
    """The confidence in a fit, 0..1, in a picture of `size` (height, width).

    It is the product of the model's presence, `face_likeness` and `visible_share`; 0 where one is NaN.
    """
    product = fit.presence * face_likeness(fit.landmarks, pose) * visible_share(fit.landmarks, size)
    return product if np.isfinite(product) else 0.0


def face_likeness(landmarks: NDArray[np.float32], pose: Pose) -> float:
    """How much the landmarks (478, 3) are like a face: 1 up to a residual of 6 mm, falling to 0 at 12 mm."""
    return min(max((12 - residual_mm(landmarks, pose)) / 6, 0.0), 1.0)


def residual_mm(landmarks: NDArray[np.float32], pose: Pose) -> float:
    """The weighted root mean square distance of the landmarks to the canonical face, in millimetres."""
    shape = load_shape()
    residual = pose.to_canonical(landmarks) - shape.canonical
    return float(np.sqrt(shape.weights @ np.square(residual).sum(axis=1)))


def visible_share(landmarks: NDArray[np.float32], size: tuple[int, int]) -> float:
    """The share of the landmarks, 0..1, that lie in a picture of `size` (height, width)."""
    x, y = landmarks[:, 0], landmarks[:, 1]
    if x.min() >= 0 and y.min() >= 0 and x.max() <= size[1] - 1 and y.max() <= size[0] - 1:
        return 1.0
    return float(np.mean((x >= 0) & (y >= 0) & (x <= size[1] - 1) & (y <= size[0] - 1)))
