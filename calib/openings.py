"""The openings in the face's mesh: mouth and eyes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Opening:
    """An opening in the skin: two edges with the same number of landmarks that meet at both corners."""

    upper: tuple[int, ...]
    """Landmarks of the upper edge, from corner to corner."""
    lower: tuple[int, ...]
    """Landmarks of the lower edge, from corner to corner."""

    @cached_property
    def outline(self) -> tuple[int, ...]:
        """The closed polygon around the opening."""
        return self.upper + self.lower[-2:0:-1]

    @cached_property
    def strips(self) -> list[tuple[int, int, int]]:
        """Triangles that close the opening, wound like the skin's."""
        triangles = []
        for i in range(len(self.upper) - 1):
            u0, u1, l0, l1 = self.upper[i], self.upper[i + 1], self.lower[i], self.lower[i + 1]
            triangles += [(u0, u1, l1), (u0, l1, l0)]
        return [t for t in triangles if len(set(t)) == 3]

    def gaps(self, landmarks: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns (n,) distances of the edges in pixels, from corner to corner; below 0 where they cross.

        landmarks: (478, 2 or more) pixels. down: (2,) the face's own downward direction, unit length.
        """
        upper, lower = self._edges
        return (landmarks[lower, :2] - landmarks[upper, :2]) @ down

    def height(self, landmarks: NDArray[np.floating]) -> float:
        """Returns the mean y from the upper to the lower edge over the three pairs in the middle.

        landmarks: (478, 2 or more), in any unit."""
        centre = len(self.upper) // 2
        upper, lower = self._edges[:, centre - 1 : centre + 2]
        return float((landmarks[lower, 1] - landmarks[upper, 1]).sum() / 3)

    @cached_property
    def _edges(self) -> NDArray[np.intp]:
        """(2, n) the landmarks of the upper and of the lower edge."""
        return np.array([self.upper, self.lower], np.intp)


# Landmark numbers of MediaPipe's face mesh. "Left" and "right" are the picture's; edges run left to right.
MOUTH = Opening(
    upper=(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    lower=(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)
LEFT_EYE = Opening(
    upper=(33, 246, 161, 160, 159, 158, 157, 173, 133),
    lower=(33, 7, 163, 144, 145, 153, 154, 155, 133),
)
RIGHT_EYE = Opening(
    upper=(362, 398, 384, 385, 386, 387, 388, 466, 263),
    lower=(362, 382, 381, 380, 374, 373, 390, 249, 263),
)
OPENINGS = (MOUTH, LEFT_EYE, RIGHT_EYE)

OUTER_EDGE = {
    MOUTH.upper: (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    MOUTH.lower: (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
}
"""The outer edge of each lip; its landmarks are opposite those of the inner edge."""

OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""The closed polygon around both lips."""
