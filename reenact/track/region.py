"""A square of a picture with a face in it, turned as the face is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reenact.alignment import Alignment

RIGHT_EYE, LEFT_EYE = 33, 263
"""Landmarks at the outer corners of the person's eyes: the line between them is level in an upright face."""
MARGIN = 1.5
"""Width of the square that is read, in face widths; the face mesh was trained with it."""


@dataclass(frozen=True)
class Region:
    """A square of a picture, turned by `roll`; it may reach beyond the picture."""

    x: float
    y: float
    """Centre in pixels."""
    width: float
    """Side in pixels."""
    roll: float = 0.0
    """Radians, clockwise in the picture: the angle of the face that the square holds upright."""

    def turned(self, quarters: int) -> Region:
        """The same square for a face that is rolled by so many quarter turns more."""
        return replace(self, roll=self.roll + quarters * np.pi / 2)

    def onward(self, velocity: tuple[float, float], passed_s: float) -> Region:
        """Where the square is after this time if it moves on at `velocity`, pixels per second in x and y."""
        return replace(self, x=self.x + velocity[0] * passed_s, y=self.y + velocity[1] * passed_s)

    def alignment(self, size: int) -> Alignment:
        """Maps the picture to a crop of `size` pixels that holds exactly this square."""
        zoom = size / self.width
        cos, sin = zoom * np.cos(self.roll), zoom * np.sin(self.roll)
        linear = np.array([[cos, sin], [-sin, cos]])
        shift = (size - 1) / 2 - linear @ (self.x, self.y)
        return Alignment(np.column_stack([linear, shift]).astype(np.float32), size)


def region_around(landmarks: NDArray[np.float32]) -> Region:
    """The square in which to look for a face whose landmarks were here a moment ago."""
    across = landmarks[LEFT_EYE, :2] - landmarks[RIGHT_EYE, :2]
    roll = float(np.arctan2(across[1], across[0]))
    cos, sin = np.cos(roll), np.sin(roll)
    axes = np.array([[cos, -sin], [sin, cos]], np.float32)
    upright = landmarks[:, :2] @ axes
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = axes @ ((low + high) / 2)
    return Region(float(x), float(y), MARGIN * float((high - low).max()), roll)
