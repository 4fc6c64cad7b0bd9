"""The AU estimator: 17 intensities from an aligned crop and landmarks."""

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
    """The aligned square crop that an estimator reads, upright to the head."""

    size_px: int
    """The width and height in pixels."""
    width_mm: float
    """The width on the face in canonical millimetres."""
    centre_mm: tuple[float, float, float]
    """The canonical point in the middle of the crop."""

    def without_background(
        self, crop: NDArray[np.uint8], landmarks_px: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Returns `crop` with black below and beside the face, as OpenFace does; above the temples it stays.

        landmarks_px: (478, 2 or 3) in the crop's pixels.
        """
        edge = landmarks_px[list(JAW), :2]
        above = np.column_stack([edge[[0, -1], 0], [-self.size_px, -self.size_px]])
        outline = cv2.convexHull(np.rint(np.vstack([edge, above])).astype(np.int32))
        inside = cv2.fillConvexPoly(np.zeros((self.size_px, self.size_px), np.uint8), outline, 255)
        return np.asarray(cv2.bitwise_and(crop, crop, mask=inside), np.uint8)


CROP = CropSpec(112, 152.0, (0.0, 16.4, 11.9))
"""A crop close to OpenFace's own, around the mean of its 68 landmarks, so that gradients share its cells."""


@dataclass(frozen=True, eq=False)
class AUEstimator:
    """A linear model on gradients and landmarks whose result is cut off at 0 and 5, as its labels are."""

    weights: NDArray[np.float32]
    """(17, 4464 + 1434) intensity per unit of feature; landmark features are mm off the canonical face."""
    bias: NDArray[np.float32]
    """(17,) intensity at features of 0."""
    crop: CropSpec = CROP
    """The crop that it reads."""

    @cached_property
    def gradients(self) -> OrientedGradients:
        """The descriptor of the crop."""
        return OrientedGradients(self.crop.size_px)

    def __call__(self, crop: NDArray[np.uint8], landmarks_mm: NDArray[np.float32]) -> AUVector:
        """Returns the intensities (17,), 0..5, of one face.

        `crop` is cut as `self.crop` says, without background, RGB or gray; `landmarks_mm` are (478, 3) in the
        canonical pose: `pose.to_canonical(face.landmarks)`. `reenact.measure.measurer` makes both.
        """
        return np.clip(self.evidence(crop, landmarks_mm), 0, MAX_INTENSITY)

    def read(self, crop: NDArray[np.uint8], landmarks_mm: NDArray[np.float32]) -> tuple[AUVector, AUVector]:
        """Returns (17,) intensities, 0..5, and (17,) their asymmetry as `calib.au.lean` has it."""
        features = face_features(crop, landmarks_mm, self.gradients)
        return np.clip(self.weights @ features + self.bias, 0, MAX_INTENSITY), self.lean_weights @ features

    @cached_property
    def lean_weights(self) -> NDArray[np.float32]:
        """(17, 4464 + 1434): the weights from features to the asymmetry `calib.au.lean`.

        The asymmetry is half the difference between two readings: of the face's left half joined with its
        mirror image, and of the right half joined with its own. The halves are joined in the features, so no
        faces with separate labels for each side are needed.
        """
        symmetric = (self.weights + mirrored(self.weights, self.gradients)) / 2
        return symmetric * feature_sidedness(self.gradients, self.crop.width_mm)

    def evidence(self, crop: NDArray[np.uint8], landmarks_mm: NDArray[np.float32]) -> AUVector:
        """Returns the reading (17,) before the cut-off; the further below 0, the surer the AU is absent."""
        return self.weights @ face_features(crop, landmarks_mm, self.gradients) + self.bias


@lru_cache(maxsize=1)
def load_estimator() -> AUEstimator:
    """Loads the estimator that ships with the project (see calib/data/MODEL_CARD.md)."""
    return read_estimator(_PATH)


def read_estimator(path: Path) -> AUEstimator:
    """Reads what `write_estimator` wrote."""
    with np.load(path, allow_pickle=False) as data:
        weights = data["weights"].astype(np.float32) * data["gain"][:, None]
        return AUEstimator(weights, data["bias"].astype(np.float32))


def write_estimator(estimator: AUEstimator, path: Path) -> None:
    """Writes the weights in half precision, each action unit's on its own scale."""
    gain = np.abs(estimator.weights).max(axis=1)
    weights = (estimator.weights / gain[:, None]).astype(np.float16)
    np.savez_compressed(path, weights=weights, gain=gain, bias=estimator.bias)
