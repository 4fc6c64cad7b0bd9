"""Reading action units: from an aligned crop and landmarks to 17 intensities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, AUVector
from calib.features import OrientedGradients, face_features

_PATH = Path(__file__).with_name("data") / "estimator.npz"


@dataclass(frozen=True)
class CropSpec:
    """The aligned crop that an estimator wants to see."""

    size_px: int
    width_mm: float
    """On the face; the crop is square, upright to the head."""
    centre_mm: tuple[float, float, float]
    """Canonical point in the middle of the crop."""


CROP = CropSpec(112, 152.0, (0.0, 16.4, 11.9))
"""Close to OpenFace's own crop, around the mean of its 68 landmarks: gradients fall into its cells."""


@dataclass(frozen=True, eq=False)
class AUEstimator:
    """A linear model on gradients and landmarks, cut off at 0 and 5 as its labels are."""

    weights: NDArray[np.float32]
    """(17, 4464 + 1434): intensity per unit of feature; landmarks count in mm off the canonical face."""
    bias: NDArray[np.float32]
    """(17,)."""
    crop: CropSpec = CROP

    @cached_property
    def gradients(self) -> OrientedGradients:
        return OrientedGradients(self.crop.size_px)

    def __call__(self, crop: NDArray[np.uint8], landmarks_mm: NDArray[np.float32]) -> AUVector:
        """Intensities 0..5 of one face.

        `crop` is cut as `self.crop` says, RGB or gray; `landmarks_mm` are (478, 3) in the canonical pose:
        `pose.to_canonical(face.landmarks)`.
        """
        features = face_features(crop, landmarks_mm, self.gradients)
        return np.clip(self.weights @ features + self.bias, 0, MAX_INTENSITY)


@lru_cache(maxsize=1)
def load_estimator() -> AUEstimator:
    """The estimator that ships with the project (see calib/data/MODEL_CARD.md)."""
    return read_estimator(_PATH)


def read_estimator(path: Path) -> AUEstimator:
    with np.load(path, allow_pickle=False) as data:
        weights = data["weights"].astype(np.float32) * data["gain"][:, None]
        return AUEstimator(weights, data["bias"].astype(np.float32))


def write_estimator(estimator: AUEstimator, path: Path) -> None:
    """Weights are kept in half precision, each action unit's on its own scale."""
    gain = np.abs(estimator.weights).max(axis=1)
    weights = (estimator.weights / gain[:, None]).astype(np.float16)
    np.savez_compressed(path, weights=weights, gain=gain, bias=estimator.bias)
