"""The AU estimator's features: oriented gradients of the aligned face, and the positions of its landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.shape import LANDMARK_COUNT, load_shape
from calib.sides import landmark_sidedness, sidedness

LANDMARK_FEATURES = LANDMARK_COUNT * 3

_DIRECTIONS = 18
_HALF = _DIRECTIONS // 2
_BLOCKS = 4
_CLIP = 0.2
_TEXTURE_GAIN = 0.2357
_NOISE_FLOOR = 1e-4


@dataclass(frozen=True)
class OrientedGradients:
    """Histograms of oriented gradients, 31 per cell: 18 signed and 9 unsigned directions, 4 textures.

    Source: Felzenszwalb, Girshick, McAllester & Ramanan, IEEE PAMI 32(9), 2010, section 6, with every
    gradient counted in its nearest direction. On 112 px and cells of 8 px these are the appearance features
    behind OpenFace's AUs (Baltrusaitis, Mahmoud & Robinson, FERA 2015), which is why a linear model on them
    reads OpenFace's labels so well.
    """

    size_px: int = 112
    """Width and height of the crop in pixels, a multiple of cell_px."""
    cell_px: int = 8
    """Width and height of a cell in pixels."""

    @property
    def cells(self) -> int:
        """The cells per side that are described; the outermost ring is used for normalisation only."""
        return self.size_px // self.cell_px - 2

    @property
    def length(self) -> int:
        """The number of features."""
        return (_DIRECTIONS + _HALF + _BLOCKS) * self.cells**2

    def __call__(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describes a crop (size_px, size_px[, 3]), gray or colour, as (length,): 31 planes, row by row."""
        return self.of_each([crop])[0]

    def of_each(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Returns (crops, length) the descriptions of several crops, in less time than one by one."""
        signed = self._histograms(crops)
        unsigned = signed[:, :_HALF] + signed[:, _HALF:]
        normalisers = _normalisers((unsigned**2).sum(axis=1))
        signed = np.minimum(signed[:, None, :, 1:-1, 1:-1] * normalisers, _CLIP)
        unsigned = np.minimum(unsigned[:, None, :, 1:-1, 1:-1] * normalisers, _CLIP)
        textures = signed.sum(axis=2) * _TEXTURE_GAIN
        planes = np.concatenate([signed.sum(axis=1) / 2, unsigned.sum(axis=1) / 2, textures], axis=1)
        return planes.reshape(len(crops), -1)

    @cached_property
    def mirror(self) -> NDArray[np.intp]:
        """(length,): for every feature, its position in the description of the mirror image."""
        signed = [(_HALF - direction) % _DIRECTIONS for direction in range(_DIRECTIONS)]
        unsigned = [(_HALF - direction) % _HALF for direction in range(_HALF)]
        textures = [1, 0, 3, 2]  # Blocks on the right and left of a cell change places.
        planes = np.array(
            [*signed, *(_DIRECTIONS + k for k in unsigned), *(_DIRECTIONS + _HALF + k for k in textures)]
        )
        places = np.arange(self.length).reshape(len(planes), self.cells, self.cells)
        return places[planes][:, :, ::-1].ravel()

    def sidedness(self, width_mm: float) -> NDArray[np.float32]:
        """Returns `calib.sides.sidedness` of every feature, (length,), for a crop `width_mm` wide."""
        cell_mm = self.cell_px * width_mm / self.size_px
        x_mm = (np.arange(self.cells, dtype=np.float32) - (self.cells - 1) / 2) * np.float32(cell_mm)
        return np.tile(sidedness(x_mm), self.length // self.cells)

    def _histograms(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Returns gradient magnitudes by direction, (crops, 18, n, n), shared bilinearly between adjacent
        cells."""
        x, y = map(np.concatenate, zip(*map(_strongest_gradient, crops), strict=True))
        magnitude, angle = cv2.cartToPolar(x, y)
        direction = np.rint(angle * (_DIRECTIONS / (2 * np.pi))).astype(np.intp)
        direction[direction == _DIRECTIONS] = 0
        shape, length = (len(crops), self.size_px, self.size_px), _DIRECTIONS * self._grid**2
        bins = direction.reshape(shape) * self._grid**2 + self._nearest_above_left
        for number in range(1, len(crops)):
            bins[number] += number * length
        magnitude, bins = magnitude.reshape(shape), bins.ravel()
        histogram = np.zeros(len(crops) * length)
        for step, share in self._neighbours:
            histogram += np.bincount(bins + step, (magnitude * share).ravel(), len(histogram))
        planes = histogram.astype(np.float32).reshape(len(crops), _DIRECTIONS, self._grid, self._grid)
        return planes[:, :, 1:-1, 1:-1]

    @property
    def _grid(self) -> int:
        """The cells per side, plus one at either end for the shares of the outermost pixels."""
        return self.size_px // self.cell_px + 2

    @cached_property
    def _position(self) -> NDArray[np.float32]:
        """(size_px,): the pixels' positions on the grid, where the centres of cells are whole numbers."""
        return (np.arange(self.size_px, dtype=np.float32) + 0.5) / self.cell_px + 0.5

    @cached_property
    def _nearest_above_left(self) -> NDArray[np.intp]:
        """(size_px, size_px): the grid index of the first of the four cells that share a pixel."""
        cell = np.floor(self._position).astype(np.intp)
        return cell[:, None] * self._grid + cell

    @cached_property
    def _neighbours(self) -> list[tuple[int, NDArray[np.float32]]]:
        """The four cells that share a pixel: index offsets from the first, and shares (size_px, size_px)."""
        after = self._position - np.floor(self._position)
        before = 1 - after
        return [
            (0, np.outer(before, before)),
            (1, np.outer(before, after)),
            (self._grid, np.outer(after, before)),
            (self._grid + 1, np.outer(after, after)),
        ]


def mirrored(features: NDArray[np.float32], gradients: OrientedGradients) -> NDArray[np.float32]:
    """Returns the features of the mirror image, (..., gradients.length + LANDMARK_FEATURES)."""
    offsets = features[..., gradients.length :].reshape(*features.shape[:-1], LANDMARK_COUNT, 3)
    across = offsets[..., load_shape().mirror, :] * np.array([-1, 1, 1], np.float32)
    return np.concatenate(
        [features[..., gradients.mirror], across.reshape(*features.shape[:-1], LANDMARK_FEATURES)], axis=-1
    )


def feature_sidedness(gradients: OrientedGradients, width_mm: float) -> NDArray[np.float32]:
    """Returns the side of each feature, (gradients.length + LANDMARK_FEATURES,): 1 left, -1 right.

    width_mm: the width of the crop in canonical millimetres.
    """
    return np.concatenate([gradients.sidedness(width_mm), np.repeat(landmark_sidedness(), 3)])


def _strongest_gradient(crop: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns the x and y gradients, (height, width) each, of the channel with the strongest gradient."""
    x, y = _gradient(crop if crop.ndim == 2 else crop[:, :, 0])
    strength = x * x + y * y
    for channel in range(1, 1 if crop.ndim == 2 else crop.shape[2]):
        other_x, other_y = _gradient(crop[:, :, channel])
        other = other_x * other_x + other_y * other_y
        stronger = cv2.compare(other, strength, cv2.CMP_GT)
        cv2.copyTo(other_x, stronger, x)
        cv2.copyTo(other_y, stronger, y)
        cv2.max(other, strength, strength)
    return x, y


def _gradient(plane: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    plane = np.ascontiguousarray(plane)
    return cv2.Sobel(plane, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(plane, cv2.CV_32F, 0, 1, ksize=1)


def _normalisers(energy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (crops, 4, 1, n - 2, n - 2): the inverse norms of the four 2 x 2 blocks that hold a cell.

    energy: (crops, n, n).
    """
    above, below = energy[:, :-1], energy[:, 1:]
    blocks = above[:, :, :-1] + below[:, :, :-1] + above[:, :, 1:] + below[:, :, 1:]
    inverse = 1 / np.sqrt(blocks + np.float32(_NOISE_FLOOR))
    after, before = inverse[:, 1:], inverse[:, :-1]
    corners = [after[:, :, 1:], after[:, :, :-1], before[:, :, 1:], before[:, :, :-1]]
    return np.stack(corners, axis=1)[:, :, None]


def face_features(
    crop: NDArray[np.uint8], landmarks_mm: NDArray[np.float32], gradients: OrientedGradients
) -> NDArray[np.float32]:
    """Returns (gradients.length + LANDMARK_FEATURES,): gradients, then offsets from the mean face, mm.

    landmarks_mm: (478, 3) in the canonical pose.
    """
    offsets = landmarks_mm - load_shape().canonical
    return np.concatenate([gradients(crop), offsets.ravel()])
