"""The direction of gaze, without the head's pose, from the landmarks of the irises.

An eye is a sphere that turns about its centre, and the middle of the iris lies on it. The centre is found
from the corners of the eye, so the place of the iris in the picture tells the direction (Wood & Bulling, EyeTab, ETRA 2014). The landmarks' depth of an iris is not used, because MediaPipe
only copies it from the lids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.openings import LEFT_EYE, RIGHT_EYE, Opening
from calib.pose import Pose

ROTATION_MM = 11.0
"""The distance from the centre of rotation of an eye to the middle of its iris, in canonical millimetres. The
plane of the iris lies 10.2 mm in front of that centre; gaze estimators model the eye as a sphere of 12 mm."""
MOST_DEG = 60.0
"""The largest angle that is read; an iris further from the centre is no iris."""


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

_FROM_CORNERS_MM = np.array([1.1, -1.7, 3.4], np.float32)
"""The centre of rotation relative to the middle between the corners: outwards, down and back. Fitted to 860
portraits, robustly, on the assumption that people look into the camera: then the iris lies on the line from
the centre to the camera, however far the head is turned."""


def gaze_deg(landmarks: NDArray[np.float32], pose: Pose) -> NDArray[np.float32]:
    """Returns (2, 2): for the person's left and right eye, the angles to the person's left and up, degrees.

    Both are 0 where an eye looks straight ahead of the head. landmarks: (478, 3) pixels of the frame.
    """
    landmarks_mm = pose.to_canonical(landmarks)
    directions = [_direction(eye, landmarks, landmarks_mm, pose) for eye in EYES]
    return np.array([angles_deg(direction) for direction in directions], np.float32)


def _direction(
    eye: EyeLandmarks, landmarks: NDArray[np.float32], landmarks_mm: NDArray[np.float32], pose: Pose
) -> NDArray[np.float64]:
    """(3,) the unit vector in which an eye looks, in canonical coordinates."""
    centre = pose.to_frame(eye.centre_mm(landmarks_mm))
    across, down = (landmarks[eye.iris, :2] - centre[:2]).astype(np.float64) / (pose.scale * ROTATION_MM)
    far = np.hypot(across, down)
    most = np.sin(np.radians(MOST_DEG))
    if far > most:
        across, down = across * most / far, down * most / far
    towards = -np.sqrt(max(1 - across**2 - down**2, 0.0))
    return np.array([across, down, towards]) @ pose.rotation


def angles_deg(direction: NDArray[np.floating]) -> tuple[float, float]:
    """Returns the angles to the person's left and up, degrees, of a canonical direction (3,)."""
    x, y, z = direction.tolist()
    return float(np.degrees(np.arctan2(x, -z))), float(np.degrees(np.arctan2(-y, np.hypot(x, z))))


def direction_of(left_deg: float, up_deg: float) -> NDArray[np.float64]:
    """Returns the canonical unit vector (3,) at these angles to the person's left and up, degrees."""
    left, up = np.radians(left_deg), np.radians(up_deg)
    return np.array([np.cos(up) * np.sin(left), -np.sin(up), -np.cos(up) * np.cos(left)])
