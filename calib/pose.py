"""The pose of a head: the similarity transform from the canonical face to the landmarks of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.shape import FaceShape


@dataclass(frozen=True, eq=False)
class Pose:
    """Maps canonical millimetres to frame pixels: pixels = scale * rotation @ millimetres + translation.

    The canonical face looks at the camera: x to the right of the picture, y down, z away from the camera,
    origin at the weighted centre of its stable points, between eyes and nose.
    """

    scale: float
    """Pixels per millimetre of an average face; it does not shrink when the head turns."""
    rotation: NDArray[np.float32]
    """(3, 3) rotation matrix."""
    translation: NDArray[np.float32]
    """(3,) pixels; only x and y have a meaning."""

    def to_frame(self, points_mm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Converts canonical points (..., 3) in millimetres to frame pixels."""
        return self.vectors_to_frame(points_mm) + self.translation

    def vectors_to_frame(self, vectors_mm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Converts displacements (..., 3) in canonical millimetres to frame pixels."""
        return vectors_mm @ (self.scale * self.rotation).T

    def to_canonical(self, points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Converts frame points (..., 3) in pixels to canonical millimetres."""
        return (points_px - self.translation) @ (self.rotation / self.scale)

    @property
    def down(self) -> NDArray[np.float32]:
        """(2,) the face's own downward direction in the picture, unit length."""
        direction = self.rotation[:2, 1]
        return direction / max(float(np.hypot(*direction)), 1e-6)

    @property
    def angles(self) -> tuple[float, float, float]:
        """(pitch, yaw, roll) in radians, OpenFace's pose_Rx, pose_Ry, pose_Rz.

        Rotation is Rx @ Ry @ Rz. Positive pitch lowers the nose, positive yaw turns it to the picture's left,
        positive roll turns the head clockwise.
        """
        r = self.rotation
        pitch = np.arctan2(-r[1, 2], r[2, 2])
        yaw = np.arcsin(np.clip(r[0, 2], -1, 1))
        roll = np.arctan2(-r[0, 1], r[0, 0])
        return float(pitch), float(yaw), float(roll)


def fit_pose(landmarks: NDArray[np.float32], shape: FaceShape) -> Pose:
    """Fits the weighted least-squares similarity from the canonical face to `landmarks`, (478, 3) pixels.

    Weights prefer points that expressions do not move. Method: Umeyama, IEEE PAMI 13(4), 1991.
    """
    weights = shape.weights
    centre = weights @ landmarks
    target = landmarks - centre
    covariance = (target * weights[:, None]).T @ shape.canonical
    u, singular, vt = np.linalg.svd(covariance)
    if np.linalg.det(u @ vt) < 0:  # a reflection
        singular[2], u[:, 2] = -singular[2], -u[:, 2]
    rotation = (u @ vt).astype(np.float32)
    scale = float(singular.sum() / shape.spread)
    return Pose(scale, rotation, centre.astype(np.float32))
