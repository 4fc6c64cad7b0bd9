"""Descriptors of the upper half of a face, which tells people apart and moves little in speech."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.features import OrientedGradients
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.records import Face

UPPER_CROP = FaceCrop(size=96, width_mm=120.0, centre_mm=(0.0, -8.0, 0.0))
"""The crop of brows, eyes, nose and cheeks."""

_CELLS = 6
_PATTERNS = 59


@dataclass(frozen=True)
class UpperFace:
    """Oriented gradients and local binary patterns of the upper half of the face."""

    crop: FaceCrop = UPPER_CROP
    """The crop that is described."""

    def __call__(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """(length,) the descriptor of a face in an RGB picture (height, width, 3)."""
        return self.of_crop(gray(self.crop.align(face).crop(image)))

    def either_way(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """(length,) the mean over the crop and its mirror image, which reduces the effect of side light."""
        crop = gray(self.crop.align(face).crop(image))
        return (self.of_crop(crop) + self.of_crop(cv2.flip(crop, 1))) / 2

    @property
    def length(self) -> int:
        """The length of a descriptor."""
        return oriented_gradients(self.crop.size).length + _CELLS**2 * _PATTERNS

    def of_crop(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(length,) the descriptor of a gray crop (size, size)."""
        patterns = np.sqrt(binary_patterns(crop))
        return np.concatenate([oriented_gradients(self.crop.size)(crop), patterns.ravel()])


def gray(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width) the gray levels of an RGB picture (height, width, 3)."""
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)


@lru_cache(maxsize=4)
def oriented_gradients(size_px: int) -> OrientedGradients:
    """The descriptor of oriented gradients of a square crop, cached."""
    return OrientedGradients(size_px)


def binary_patterns(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(36, 59) the shares of the uniform local binary patterns in 6 x 6 cells of a gray crop.

    Source: Ahonen, Hadid & Pietikainen, IEEE PAMI 28(12), 2006; neighbours are those of the 3 x 3 square.
    """
    centre = gray[1:-1, 1:-1]
    code = np.zeros(centre.shape, np.uint8)
    for bit, (row, column) in enumerate(_NEIGHBOURS):
        neighbour = gray[1 + row : gray.shape[0] - 1 + row, 1 + column : gray.shape[1] - 1 + column]
        code += np.where(neighbour >= centre, np.uint8(1 << bit), np.uint8(0))
    labels = _uniform_labels()[code]
    rows = np.array_split(labels, _CELLS)
    cells = [cell for row in rows for cell in np.array_split(row, _CELLS, axis=1)]
    return np.array(
        [np.bincount(cell.ravel(), minlength=_PATTERNS) / cell.size for cell in cells], np.float32
    )


_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
"""(row, column) of the neighbours, clockwise, so that adjacent neighbours are adjacent bits of the code."""


@lru_cache(maxsize=1)
def _uniform_labels() -> NDArray[np.intp]:
    """(256,) a label for each code with at most two changes along the circle; 58 for all others."""
    labels = np.full(256, 58, np.intp)
    uniform = [code for code in range(256) if (code ^ ((code << 1 | code >> 7) & 255)).bit_count() <= 2]
    labels[uniform] = np.arange(len(uniform))
    return labels
