"""A rotated square region of interest around a face."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reenact.alignment import Alignment

RIGHT_EYE, LEFT_EYE = 33, 263
"""Indices of the landmarks at the outer eye corners; the line between them is level in an upright face."""
MARGIN = 1.5
"""Side of the square, in face widths; the face mesh was trained with it."""


@dataclass(frozen=True)
class Region:
    """A square of a picture, rotated by `roll`; it may extend beyond the picture."""

    x: float
    """The x coordinate of the centre, in pixels."""
    y: float
    """The y coordinate of the centre, in pixels."""
    width: float
    """The side of the square, in pixels."""
    roll: float = 0.0
    """The roll of the face that is upright in the square, in radians, clockwise in the picture."""

    def turned(self, quarters: int) -> Region:
        """The same square, rotated further by `quarters` quarter turns."""
        return replace(self, roll=self.roll + quarters * np.pi / 2)

    def moved(self, velocity: tuple[float, float], passed_s: float) -> Region:
        """The square after `passed_s` seconds at `velocity`, in pixels per second in x and y."""
        return replace(self, x=self.x + velocity[0] * passed_s, y=self.y + velocity[1] * passed_s)

    def alignment(self, size: int) -> Alignment:
        """The map from the picture to a crop of `size` x `size` pixels that shows exactly this square."""
        zoom = size / self.width
        cos, sin = zoom * np.cos(self.roll), zoom * np.sin(self.roll)
        linear = np.array([[cos, sin], [-sin, cos]])
        shift = (size - 1) / 2 - linear @ (self.x, self.y)
        return Alignment(np.column_stack([linear, shift]).astype(np.float32), size)


def region_around(landmarks: NDArray[np.float32]) -> Region:
    """The square in which to fit a face whose landmarks (478, 3) were here in the frame before."""
    across = landmarks[LEFT_EYE, :2] - landmarks[RIGHT_EYE, :2]
    roll = float(np.arctan2(across[1], across[0]))
    cos, sin = np.cos(roll), np.sin(roll)
    axes = np.array([[cos, -sin], [sin, cos]], np.float32)
    upright = landmarks[:, :2] @ axes
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = axes @ ((low + high) / 2)
    return Region(float(x), float(y), MARGIN * float((high - low).max()), roll)
