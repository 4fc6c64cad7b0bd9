"""The one mapping between a frame and an aligned square crop of a face."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.pose import Pose

CV2_SIDE_PX = 32_766
"""cv2 samples no picture with a longer side."""


class SizeError(ValueError):
    """A face or a crop has a size that nothing can be made of; the message is one line."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """A similarity (no shear, no mirror) from frame pixels to the pixels of a square crop."""

    matrix: NDArray[np.float32]
    """(2, 3): crop = matrix @ (x, y, 1). Pixel centres lie on whole numbers, as in cv2."""
    size: int
    """Width and height of the crop in pixels."""

    @property
    def scale(self) -> float:
        """Crop pixels per frame pixel."""
        return float(np.hypot(self.matrix[0, 0], self.matrix[0, 1]))

    def points(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frame points (n, 2 or 3) to crop pixels; a third coordinate (depth) is scaled alike."""
        mapped = np.empty_like(points)
        mapped[:, :2] = points[:, :2] @ self.matrix[:, :2].T + self.matrix[:, 2]
        mapped[:, 2:] = points[:, 2:] * self.scale
        return mapped

    def shifted(self, origin: tuple[int, int]) -> Alignment:
        """The same crop, taken from a part of the frame whose top left pixel is at `origin` (x, y)."""
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ np.asarray(origin, np.float32)
        return Alignment(matrix, self.size)

    def crop(self, image: NDArray[np.uint8], border: int = cv2.BORDER_REPLICATE) -> NDArray[np.uint8]:
        """The aligned crop, (size, size[, 3]); beyond the picture its border pixels are repeated.

        border: another of cv2's border modes.
        """
        matrix = self.matrix
        if self.scale < 0.5:
            image, matrix = self._shrunk(image)
        elif max(image.shape[:2]) > CV2_SIDE_PX:
            x0, y0, x1, y1 = self.bounds((image.shape[0], image.shape[1]))
            image, matrix = image[y0:y1, x0:x1], self.shifted((x0, y0)).matrix
        return cv2.warpAffine(
            image, matrix, (self.size, self.size), flags=cv2.INTER_LINEAR, borderMode=border
        )

    def _shrunk(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The needed part of `image`, area-averaged so that bilinear sampling does not alias."""
        factor = int(1 / self.scale)
        x0, y0, x1, y1 = self.bounds((image.shape[0], image.shape[1]))
        # No smaller than one pixel: of a picture that is hardly there, less is averaged.
        factor = max(1, min(factor, x1 - x0, y1 - y0))
        width, height = (x1 - x0) // factor, (y1 - y0) // factor
        part = image[y0 : y0 + height * factor, x0 : x0 + width * factor]
        small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        shift = np.array([x0, y0], np.float32) + (factor - 1) / 2
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ shift
        matrix[:, :2] *= factor
        return small, matrix

    def bounds(
        self, shape: tuple[int, int], part: tuple[float, float, float, float] | None = None
    ) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1): the smallest upright box around the crop in a frame of `shape` (height, width).

        Lies inside the frame and is never empty: at least one pixel at the nearest border.
        part: (x0, y0, x1, y1) in crop pixels; bounds the places between these in place of the whole crop.
        """
        x0, y0, x1, y1 = part or (0, 0, self.size - 1, self.size - 1)
        corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]], np.float32)
        # A similarity's inverse: its transpose over its squared scale. np.linalg.inv would wake BLAS threads.
        frame = (corners - self.matrix[:, 2]) @ (self.matrix[:, :2] / self.scale**2)
        limit = np.array([shape[1], shape[0]])
        low = np.clip(np.floor(frame.min(axis=0)).astype(int) - 1, 0, limit - 1)
        high = np.clip(np.ceil(frame.max(axis=0)).astype(int) + 2, low + 1, limit)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def align(
    pose: Pose, size: int, width_mm: float, centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Alignment:
    """A crop of `size` pixels that is `width_mm` wide on the face, upright to the head, around `centre_mm`.

    Roll is taken out; yaw and pitch stay. The width does not shrink when the head turns.
    """
    if size < 1:
        raise SizeError(f"a crop of {size} px cannot be made; its side must be 1 px or more")
    if not (np.isfinite(pose.scale) and pose.scale > 0 and np.isfinite(pose.translation).all()):
        raise SizeError(f"a face of {pose.scale:g} px per mm has no crop; its scale must be above 0")
    r = pose.rotation
    roll = np.arctan2(r[1, 0] - r[0, 1], r[0, 0] + r[1, 1])
    zoom = size / (width_mm * pose.scale)
    cos, sin = zoom * np.cos(roll), zoom * np.sin(roll)
    linear = np.array([[cos, sin], [-sin, cos]])
    centre = pose.to_frame(np.asarray(centre_mm, np.float32))[:2]
    shift = (size - 1) / 2 - linear @ centre
    return Alignment(np.column_stack([linear, shift]).astype(np.float32), size)
