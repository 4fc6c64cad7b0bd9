"""What the AU estimator looks at: oriented gradients of the aligned face, and where its landmarks lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.shape import LANDMARK_COUNT, load_shape

_DIRECTIONS = 18
_CLIP = 0.2
_TEXTURE_GAIN = 0.2357
_NOISE_FLOOR = 1e-4
_BLOCKS = 4

LANDMARK_FEATURES = LANDMARK_COUNT * 3


@dataclass(frozen=True)
class OrientedGradients:
    """Histograms of oriented gradients, 31 to a cell: 18 signed and 9 unsigned directions, 4 textures.

    Source: Felzenszwalb, Girshick, McAllester & Ramanan, IEEE PAMI 32(9), 2010, section 6, with every
    gradient counted in its nearest direction. On 112 px and cells of 8 px these are the appearance features
    behind OpenFace's AUs (Baltrusaitis, Mahmoud & Robinson, FERA 2015), which is why a linear model on them
    reads OpenFace's labels so well.
    """

    size_px: int = 112
    """Width and height of the crop, a multiple of cell_px."""
    cell_px: int = 8

    @property
    def cells(self) -> int:
        """Cells along a side that are described; the outermost ring only lends its energy to normalise."""
        return self.size_px // self.cell_px - 2

    @property
    def length(self) -> int:
        return (_DIRECTIONS + _DIRECTIONS // 2 + _BLOCKS) * self.cells**2

    def __call__(self, gray: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(length,): for a (size_px, size_px) picture, cells row by row inside each of 31 planes."""
        histogram = self._histogram(gray)
        unsigned = histogram[: _DIRECTIONS // 2] + histogram[_DIRECTIONS // 2 :]
        normalisers = self._normalisers((unsigned**2).sum(axis=0))
        signed = np.minimum(histogram[:, 1:-1, 1:-1] * normalisers, _CLIP)
        unsigned = np.minimum(unsigned[:, 1:-1, 1:-1] * normalisers, _CLIP)
        textures = signed.sum(axis=1) * _TEXTURE_GAIN
        return np.concatenate([signed.sum(axis=0) / 2, unsigned.sum(axis=0) / 2, textures], axis=0).ravel()

    def _histogram(self, gray: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(18, n, n): gradient magnitude by direction, shared bilinearly between neighbouring cells."""
        gradient_x = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=1)
        gradient_y = cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=1)
        magnitude, angle = cv2.cartToPolar(gradient_x, gradient_y)
        direction = np.rint(angle * (_DIRECTIONS / (2 * np.pi))).astype(np.intp) % _DIRECTIONS
        planes = np.zeros((_DIRECTIONS, self.size_px**2), np.float32)
        planes[direction.ravel(), self._pixels] = magnitude.ravel()
        rows = planes.reshape(-1, self.size_px) @ self._sharing
        return self._sharing.T @ rows.reshape(_DIRECTIONS, self.size_px, -1)

    @staticmethod
    def _normalisers(energy: NDArray[np.float32]) -> NDArray[np.float32]:
        """(4, 1, n - 2, n - 2): one over the norm of each of the four 2 x 2 blocks that hold a cell."""
        blocks = energy[:-1, :-1] + energy[1:, :-1] + energy[:-1, 1:] + energy[1:, 1:]
        inverse = 1 / np.sqrt(blocks + np.float32(_NOISE_FLOOR))
        corners = [inverse[1:, 1:], inverse[1:, :-1], inverse[:-1, 1:], inverse[:-1, :-1]]
        return np.stack(corners)[:, None]

    @cached_property
    def _pixels(self) -> NDArray[np.intp]:
        return np.arange(self.size_px**2)

    @cached_property
    def _sharing(self) -> NDArray[np.float32]:
        """(size_px, n): how much of a pixel each cell along one axis gets."""
        position = (np.arange(self.size_px) + 0.5) / self.cell_px - 0.5
        distance = np.abs(position[:, None] - np.arange(self.size_px // self.cell_px))
        return np.maximum(0, 1 - distance).astype(np.float32)


def to_gray(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width) from RGB (height, width, 3); a gray crop is returned as it is."""
    return crop if crop.ndim == 2 else np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)


def face_features(
    gray: NDArray[np.uint8], landmarks_mm: NDArray[np.float32], gradients: OrientedGradients
) -> NDArray[np.float32]:
    """(gradients.length + LANDMARK_FEATURES,): gradients, then how many mm landmarks are off the mean face.

    `landmarks_mm` are (478, 3) in the canonical pose.
    """
    offsets = landmarks_mm - load_shape().canonical
    return np.concatenate([gradients(gray), offsets.ravel()])
