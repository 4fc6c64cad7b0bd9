"""Reading action units: from an aligned crop and landmarks to 17 intensities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, AUVector
from calib.features import OrientedGradients, face_features, feature_sidedness, mirrored

_PATH = Path(__file__).with_name("data") / "estimator.npz"


JAW = (127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356)
"""Landmarks along the edge of the face, from temple to temple around the chin."""


@dataclass(frozen=True)
class CropSpec:
    """The aligned crop that an estimator wants to see."""

    size_px: int
    width_mm: float
    """On the face; the crop is square, upright to the head."""
    centre_mm: tuple[float, float, float]
    """Canonical point in the middle of the crop."""

    def without_background(
        self, crop: NDArray[np.uint8], landmarks_px: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """`crop` with black below and beside the face; `landmarks_px` are (478, 2 or 3) in the crop's pixels.

        OpenFace does so, too. What lies above the temples stays.
        """
        edge = landmarks_px[list(JAW), :2]
        above = np.column_stack([edge[[0, -1], 0], [-self.size_px, -self.size_px]])
        outline = cv2.convexHull(np.rint(np.vstack([edge, above])).astype(np.int32))
        inside = cv2.fillConvexPoly(np.zeros((self.size_px, self.size_px), np.uint8), outline, 255)
        return np.asarray(cv2.bitwise_and(crop, crop, mask=inside), np.uint8)


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

        `crop` is cut as `self.crop` says, without background, RGB or gray; `landmarks_mm` are (478, 3) in the
        canonical pose: `pose.to_canonical(face.landmarks)`. `reenact.measure.measurer` brings both.
        """
        return np.clip(self.evidence(crop, landmarks_mm), 0, MAX_INTENSITY)

    def read(self, crop: NDArray[np.uint8], landmarks_mm: NDArray[np.float32]) -> tuple[AUVector, AUVector]:
        """((17,) the same, (17,) how much more the person's left shows, and the right less)."""
        features = face_features(crop, landmarks_mm, self.gradients)
        return np.clip(self.weights @ features + self.bias, 0, MAX_INTENSITY), self.lean_weights @ features

    @cached_property
    def lean_weights(self) -> NDArray[np.float32]:
        """(17, 4464 + 1434): from features to `calib.au.lean`.

        Half of what the estimator reads more in the face's left half with its mirror image than in the right
        half with its own, put together in the features: so nothing has to be fitted to faces of which each
        side is labelled.
        """
        symmetric = (self.weights + mirrored(self.weights, self.gradients)) / 2
        return symmetric * feature_sidedness(self.gradients, self.crop.width_mm)

    def evidence(self, crop: NDArray[np.uint8], landmarks_mm: NDArray[np.float32]) -> AUVector:
        """The reading before it is cut off: below 0, the further below the surer that nothing shows."""
        return self.weights @ face_features(crop, landmarks_mm, self.gradients) + self.bias


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
