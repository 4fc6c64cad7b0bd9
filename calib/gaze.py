"""The direction of gaze, without the head's pose, from pictures of both eyes and from landmarks.

The landmarks of irises, lids and corners all follow the gaze a little, and the lids follow it most when it is
vertical, so that their distances tell only a part of it. A small network on oriented gradients of an eye
reads the rest. An eye is a sphere that turns about its centre, and the middle of the iris lies on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.features import OrientedGradients
from calib.openings import LEFT_EYE, RIGHT_EYE, Opening
from calib.ramp import within
from calib.shape import load_shape

_PATH = Path(__file__).with_name("data") / "gaze.npz"
ROTATION_MM = 11.0
"""The distance from the centre of rotation of an eye to the middle of its iris, in canonical millimetres. The
plane of the iris lies 10.2 mm in front of that centre; gaze estimators model the eye as a sphere of 12 mm."""
MOST_DEG = 45.0
"""The largest angle that is read."""
EYE_PX = 64
"""The width and height of the picture of an eye that is read, in pixels."""
EYE_MM = 44.0
"""Its width and height on the face, in canonical millimetres."""


@dataclass(frozen=True)
class EyeLandmarks:
    """The landmarks of one eye."""

    opening: Opening
    """Its lids."""
    iris: int
    """The middle of its iris; the next four landmarks lie on the iris's rim."""
    outwards: int
    """The sign of x from the nose to the eye: 1 for the person's left eye."""

    def centre_mm(self, landmarks_mm: NDArray[np.floating]) -> NDArray[np.float32]:
        """Returns (3,) the centre of the eye's rotation, from pose-normalised landmarks (478, 3) in mm."""
        corners = landmarks_mm[[self.opening.upper[0], self.opening.upper[-1]]]
        return (corners.mean(axis=0) + _FROM_CORNERS_MM * (self.outwards, 1, 1)).astype(np.float32)


EYES = (EyeLandmarks(RIGHT_EYE, 473, 1), EyeLandmarks(LEFT_EYE, 468, -1))
"""The person's left and right eye. The person's left is on the right of the picture."""
_OUTWARDS = np.array([(eye.outwards, 1) for eye in EYES], np.float32)

_FROM_CORNERS_MM = np.array([1.1, -1.7, 3.4], np.float32)
"""The centre of rotation relative to the middle between the corners: outwards, down and back, fitted to 860
portraits of people who look into the camera."""
_AROUND = (*RIGHT_EYE.outline, 473, 359, 463, 257, 253, 334, 300, 276, 168, 6, 4)
"""The landmarks that tell the gaze of the person's left eye."""


@dataclass(frozen=True, eq=False)
class GazeEstimator:
    """A network of one hidden layer that reads one eye; the right eye is read in its mirror image."""

    hidden: NDArray[np.float32]
    """(units, features) the weights of the hidden units, which are cut off at 0."""
    hidden_bias: NDArray[np.float32]
    """(units,) their biases."""
    weights: NDArray[np.float32]
    """(2, units) degrees outwards and up for one unit of each hidden unit."""
    bias: NDArray[np.float32]
    """(2,) degrees where all hidden units are 0."""

    def __call__(
        self, pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]], landmarks_mm: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Returns (2, 2) degrees: for the person's left and right eye, the angles to the left and up.

        Both are 0 where an eye looks straight ahead of the head. pictures: (EYE_PX, EYE_PX, 3) of each of
        EYES, around its `centre_mm`, upright to the head and not mirrored. landmarks_mm: (478, 3)
        pose-normalised.
        """
        turned = self.read(eye_features(pictures, landmarks_mm, self.gradients)) * _OUTWARDS
        return within(turned, -MOST_DEG, MOST_DEG)

    def read(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns (..., 2) the angles outwards and up, degrees, of eyes with features (..., features)."""
        units = np.maximum(features @ self.hidden.T + self.hidden_bias, 0)
        return units @ self.weights.T + self.bias

    @cached_property
    def gradients(self) -> OrientedGradients:
        """The descriptor of the pictures."""
        return OrientedGradients(EYE_PX)


def eye_features(
    pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    landmarks_mm: NDArray[np.float32],
    gradients: OrientedGradients,
) -> NDArray[np.float32]:
    """Returns (2, features): gradients and landmarks of each of EYES, mirrored for the person's right eye.

    pictures, landmarks_mm: as a GazeEstimator takes them.
    """
    left, right = pictures
    described = gradients.of_each((left, cv2.flip(right, 1)))
    around = landmarks_mm[_around_each(), :2] * _OUTWARDS[:, None]
    return np.concatenate([described, around.reshape(len(described), -1)], axis=1)


@lru_cache(maxsize=1)
def _around_each() -> NDArray[np.intp]:
    """(2, n) the landmarks that tell the gaze of each of EYES."""
    return np.stack([np.array(_AROUND), load_shape().mirror[list(_AROUND)]])


@lru_cache(maxsize=1)
def load_gaze_estimator() -> GazeEstimator:
    """Loads the estimator that ships with the project (see calib/data/MODEL_CARD.md)."""
    return read_gaze_estimator(_PATH)


def read_gaze_estimator(path: Path) -> GazeEstimator:
    """Reads what `write_gaze_estimator` wrote."""
    with np.load(path, allow_pickle=False) as data:
        scale = data["scale"][:, None]
        hidden = data["hidden"].astype(np.float32) * scale
        return GazeEstimator(hidden, data["hidden_bias"], data["weights"], data["bias"])


def write_gaze_estimator(estimator: GazeEstimator, path: Path) -> None:
    """Writes the weights of the hidden units in half precision, each unit's on its own scale."""
    scale = np.maximum(np.abs(estimator.hidden).max(axis=1), 1e-12)
    np.savez_compressed(
        path,
        hidden=(estimator.hidden / scale[:, None]).astype(np.float16),
        scale=scale.astype(np.float32),
        hidden_bias=estimator.hidden_bias,
        weights=estimator.weights,
        bias=estimator.bias,
    )


def angles_deg(direction: NDArray[np.floating]) -> tuple[float, float]:
    """Returns the angles to the person's left and up, degrees, of a canonical direction (3,)."""
    x, y, z = direction.tolist()
    return float(np.degrees(np.arctan2(x, -z))), float(np.degrees(np.arctan2(-y, np.hypot(x, z))))


def camera_deg(rotation: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns (2,) the angles to the person's left and up, degrees, of the camera for a head's `rotation`
    (3, 3) (calib.pose)."""
    return np.array(angles_deg(_TO_CAMERA @ rotation))


_TO_CAMERA = np.array([0.0, 0.0, -1.0])


def gaze_error(
    gaze_deg: NDArray[np.floating], camera: NDArray[np.floating], lids_mm: NDArray[np.floating]
) -> tuple[float, float] | None:
    """Returns what is read of the gaze of somebody who looks into the camera beyond where they look: to their
    left and up, degrees. None: the eyes moved too much, so that they looked elsewhere too.

    gaze_deg, camera: (n, 2) the readings and `camera_deg` over time. lids_mm: (n,) the lid gaps; readings of
    blinks do not count.
    """
    beyond = (gaze_deg - camera)[lids_mm >= _OPEN_SHARE * np.median(lids_mm)]
    error = np.median(beyond, axis=0)
    if np.median(np.hypot(*(beyond - error).T)) > _STEADY_DEG:
        return None
    left, up = error.tolist()
    return float(left), float(up)


_OPEN_SHARE = 0.6
"""The share of the usual lid gap below which an eye blinks."""
_STEADY_DEG = 3.0
"""The median distance from the middle of the readings up to which eyes rest on one place; that of a reader is
5 degrees."""


def direction_of(left_deg: float, up_deg: float) -> NDArray[np.float64]:
    """Returns the canonical unit vector (3,) at these angles to the person's left and up, degrees."""
    left, up = np.radians(left_deg), np.radians(up_deg)
    return np.array([np.cos(up) * np.sin(left), -np.sin(up), -np.cos(up) * np.cos(left)])
