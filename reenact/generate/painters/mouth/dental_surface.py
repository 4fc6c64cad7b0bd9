"""The surfaces of teeth and tongue behind the lips, one fixed to the skull and one to the jaw.

All places are canonical (reenact.records.Face.pose): x to the right of the picture, y down, z away from the
camera, in millimetres of an average face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.pose import Pose
from reenact.records import Face

DEPTH_MM = -1.0
"""The z of the front teeth: lips are about 3 mm thick, and their inner edges lie at z = -4."""
ARCH_MM = 34.0
"""Parameter of the dental arch, the parabola z = x^2 / ARCH_MM: its canines, 17 mm aside, lie 8.5 mm behind
the incisors (arch forms: Ferrario et al., J. Dent. Res. 73(11), 1994)."""
HINGE_MM = (25.0, 62.0)
"""(y, z) of the axis around which the jaw rotates. The condyles, at y = -3, slide forward as the jaw drops,
so that the axis of the whole motion lies lower, in the ramus (Lindauer et al., Am. J. Orthod. 107(6),
1995)."""
CHIN = (152, 148, 377, 175)
"""Landmarks on the chin, which moves with the jaw."""
BRIDGE = (168, 6, 197, 195)
"""Landmarks on the bridge of the nose."""
CHIN_DEPTH_MM = 13.0
"""The z of the chin."""


def on_arch(x_mm: NDArray[np.float32], y_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 3) the places on the dental arch at these x and y of the front view."""
    return np.stack([x_mm, y_mm, DEPTH_MM + x_mm * x_mm / ARCH_MM], axis=-1).astype(np.float32)


@dataclass(frozen=True)
class Jaw:
    """The rotation of the jaw."""

    angle: float = 0.0
    """The angle in radians, positive when the jaw drops."""

    def turn(self, places: NDArray[np.float32]) -> NDArray[np.float32]:
        """The places (..., 3) of the jaw after its rotation."""
        y, z = places[..., 1] - HINGE_MM[0], places[..., 2] - HINGE_MM[1]
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turned = np.stack([places[..., 0], cos * y - sin * z, sin * y + cos * z], axis=-1)
        turned[..., 1:] += HINGE_MM
        return turned.astype(np.float32)


def bridge_mm(face: Face) -> float:
    """The canonical y of the bridge of the nose, the reference for places on the skull.

    No expression moves it, whereas the pose as a whole varies by a millimetre or two.
    """
    return float(face.pose.to_canonical(face.landmarks[list(BRIDGE)])[:, 1].mean())


def chin_mm(face: Face) -> float:
    """The canonical y of the chin."""
    return float(face.pose.to_canonical(face.landmarks[list(CHIN)])[:, 1].mean())


def jaw_from_chin(before_mm: float, after_mm: float) -> Jaw:
    """The rotation of the jaw when the chin moves from one canonical y to another; negative when it rises."""
    lever_mm = HINGE_MM[1] - CHIN_DEPTH_MM
    return Jaw(float(np.arcsin(np.clip((after_mm - before_mm) / lever_mm, -0.7, 0.7))))


def jaw_between(pose: Pose, before: NDArray[np.float32], after: NDArray[np.float32]) -> Jaw:
    """The rotation of the jaw when the landmarks (478, 3), in pixels, move from `before` to `after`."""
    chin = list(CHIN)
    start, end = (float(pose.to_canonical(places[chin])[:, 1].mean()) for places in (before, after))
    return jaw_from_chin(start, end)
