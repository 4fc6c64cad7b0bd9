"""The mapping between a frame and an aligned square crop of a face; no other module maps between the two."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.pose import Pose

CV2_SIDE_PX = 32_766
"""The longest side, in pixels, of a picture that cv2 can sample."""


class SizeError(ValueError):
    """A face or a crop has an impossible size; the message is one line."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """A similarity (no shear, no mirror) from frame pixels to the pixels of a square crop."""

    matrix: NDArray[np.float32]
    """(2, 3) the matrix of crop = matrix @ (x, y, 1). Pixel centres lie on whole numbers, as in cv2."""
    size: int
    """The width and height of the crop in pixels."""

    @property
    def scale(self) -> float:
        """The number of crop pixels per frame pixel."""
        return math.hypot(self.matrix[0, 0], self.matrix[0, 1])

    def points(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """The crop pixels of frame points (n, 2 or 3); a third coordinate, the depth, is scaled alike."""
        mapped = np.empty_like(points)
        mapped[:, :2] = points[:, :2] @ self.matrix[:, :2].T + self.matrix[:, 2]
        mapped[:, 2:] = points[:, 2:] * self.scale
        return mapped

    def shifted(self, origin: tuple[int, int]) -> Alignment:
        """The alignment of the same crop to the part of the frame from the pixel `origin` (x, y) on."""
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ np.asarray(origin, np.float32)
        return Alignment(matrix, self.size)

    def crop(
        self,
        image: NDArray[np.uint8],
        border: int = cv2.BORDER_REPLICATE,
        part: tuple[slice, slice] | None = None,
    ) -> NDArray[np.uint8]:
        """The aligned crop (size, size[, 3]) of a picture (height, width[, 3]), or a part of it.

        border: the cv2 border mode beyond the picture; by default its border pixels are repeated. part: the
        (rows, columns) of the crop that are wanted. None: all.
        """
        matrix = self.matrix
        if self.scale < 0.5:
            image, matrix = self._shrunk(image)
        elif max(image.shape[:2]) > CV2_SIDE_PX:
            x0, y0, x1, y1 = self.bounds((image.shape[0], image.shape[1]))
            image, matrix = image[y0:y1, x0:x1], self.shifted((x0, y0)).matrix
        rows, columns = part or (slice(0, self.size), slice(0, self.size))
        if part is not None:
            matrix = matrix.copy()
            matrix[:, 2] -= (columns.start, rows.start)
        size = columns.stop - columns.start, rows.stop - rows.start
        return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)

    def _shrunk(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The needed part of `image`, area-averaged so that bilinear sampling does not alias.

        It is averaged over squares of 2^n or 3 * 2^n pixels a side, because cv2 halves a picture in a fifth
        of the time of any other mean.
        """
        x0, y0, x1, y1 = self.bounds((image.shape[0], image.shape[1]))
        # At least one pixel must remain, so a very small picture is averaged less.
        most = max(1, min(int(1 / self.scale), x1 - x0, y1 - y0))
        halvings = max(most.bit_length() - 2, 0)
        factor = most >> halvings << halvings
        height, width = (y1 - y0) // factor * factor, (x1 - x0) // factor * factor
        small, left = image[y0 : y0 + height, x0 : x0 + width], factor
        while left > 1:
            step = 2 if left % 2 == 0 else left
            size = small.shape[1] // step, small.shape[0] // step
            small, left = cv2.resize(small, size, interpolation=cv2.INTER_AREA), left // step
        shift = np.array([x0, y0], np.float32) + (factor - 1) / 2
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ shift
        matrix[:, :2] *= factor
        return small, matrix

    def bounds(
        self, shape: tuple[int, int], part: tuple[float, float, float, float] | None = None
    ) -> tuple[int, int, int, int]:
        """The smallest upright box (x0, y0, x1, y1) around the crop in a frame of `shape` (height, width).

        It lies inside the frame and is never empty: it has at least one pixel at the nearest border.
        part: (x0, y0, x1, y1) in crop pixels, the part of the crop to bound. None: the whole crop.
        """
        x0, y0, x1, y1 = part or (0, 0, self.size - 1, self.size - 1)
        # A similarity's inverse is its transpose over its squared scale. Plain numbers, because numpy takes
        # four times as long for so few.
        (a, b, left), (c, d, top) = self.matrix.tolist()
        squared = a * a + b * b
        corners = [(x - left, y - top) for x in (x0, x1) for y in (y0, y1)]
        across = [(a * x + c * y) / squared for x, y in corners]
        down = [(b * x + d * y) / squared for x, y in corners]
        height, width = shape
        low_x, low_y = _within(math.floor(min(across)) - 1, width), _within(math.floor(min(down)) - 1, height)
        high_x = min(max(math.ceil(max(across)) + 2, low_x + 1), width)
        high_y = min(max(math.ceil(max(down)) + 2, low_y + 1), height)
        return low_x, low_y, high_x, high_y


def _within(place: int, length: int) -> int:
    """The place nearest to `place` in 0..length - 1."""
    return min(max(place, 0), length - 1)


def align(
    pose: Pose, size: int, width_mm: float, centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Alignment:
    """The alignment of a square crop of `size` pixels around a place of a face.

    width_mm: the width of the crop on an average face. centre_mm: the canonical place of its middle (x, y,
    z). The crop is upright to the head: roll is removed, yaw and pitch stay. Its width does not shrink when
    the head turns. Raises SizeError.
    """
    if size < 1:
        raise SizeError(f"a crop of {size} px is impossible; its side must be 1 px or more")
    if not (np.isfinite(pose.scale) and pose.scale > 0 and np.isfinite(pose.translation).all()):
        raise SizeError(f"a face of {pose.scale:g} px per mm cannot be cropped; its scale must be above 0")
    (xx, xy, _), (yx, yy, _), _ = pose.rotation.tolist()
    roll = math.atan2(yx - xy, xx + yy)
    zoom = size / (width_mm * pose.scale)
    cos, sin = zoom * math.cos(roll), zoom * math.sin(roll)
    x, y, _ = pose.to_frame(np.asarray(centre_mm, np.float32)).tolist()
    middle = (size - 1) / 2
    rows = (cos, sin, middle - cos * x - sin * y), (-sin, cos, middle + sin * x - cos * y)
    return Alignment(np.array(rows, np.float32), size)
