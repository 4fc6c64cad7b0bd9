"""Numbers that describe a picture of a face, by name, for judges that are no networks of ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.features import OrientedGradients
from reenact.generate.appearance import FaceCrop
from reenact.types import Face

Vector = NDArray[np.float32]

JUDGE_CROP = FaceCrop(size=112, width_mm=152.0, centre_mm=(0.0, 16.4, 11.9))
"""Forehead to chin. The background stays in: no landmark of the face itself touches what the judge sees."""
UPPER_CROP = FaceCrop(size=96, width_mm=120.0, centre_mm=(0.0, -8.0, 0.0))
"""Brows, eyes, nose and cheeks: what tells people apart and speaks least."""
DETAIL_CROP = FaceCrop(size=192, width_mm=142.5)
"""The face at the scale of the run-time's crop."""

_LBP_CELLS = 6
_BANDS = 4
_DETAIL_CELLS = 8


@dataclass(frozen=True)
class Hog:
    """Oriented gradients of a gray crop (calib.features.OrientedGradients)."""

    crop: FaceCrop = JUDGE_CROP

    def __call__(self, image: NDArray[np.uint8], face: Face) -> Vector:
        """`face` tells only where to cut; give the input's, so that what an output moved shows."""
        return _gradients(self.crop.size)(_gray(self.crop.align(face).crop(image)))


@dataclass(frozen=True)
class UpperFace:
    """Oriented gradients and local binary patterns of the upper half of the face."""

    crop: FaceCrop = UPPER_CROP

    def __call__(self, image: NDArray[np.uint8], face: Face) -> Vector:
        gray = _gray(self.crop.align(face).crop(image))
        patterns = np.sqrt(_binary_patterns(gray))
        gradients = _gradients(self.crop.size)(gray)
        return np.concatenate([gradients, patterns.ravel()])


@dataclass(frozen=True)
class Detail:
    """How much there is of each fineness, where: log energy of four octaves of the crop in 8 x 8 cells.

    Blur, stripes and seams change these; oriented gradients of a small crop hardly see them.
    """

    crop: FaceCrop = DETAIL_CROP

    def __call__(self, image: NDArray[np.uint8], face: Face) -> Vector:
        level = _gray(self.crop.align(face).crop(image)).astype(np.float32)
        bands = []
        for _ in range(_BANDS):
            lower = cv2.pyrDown(level)
            band = level - cv2.pyrUp(lower, dstsize=level.shape[::-1])
            energy = cv2.resize(band * band, (_DETAIL_CELLS, _DETAIL_CELLS), interpolation=cv2.INTER_AREA)
            bands.append(np.log(energy + 1).ravel())
            level = lower
        return np.concatenate(bands)


def _gray(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)


@lru_cache(maxsize=4)
def _gradients(size_px: int) -> OrientedGradients:
    return OrientedGradients(size_px)


def _binary_patterns(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(36, 59) shares of the uniform local binary patterns in 6 x 6 cells.

    Source: Ahonen, Hadid & Pietikainen, IEEE PAMI 28(12), 2006; neighbours are those of the 3 x 3 square.
    """
    centre = gray[1:-1, 1:-1]
    code = np.zeros(centre.shape, np.uint8)
    for bit, (row, column) in enumerate(_NEIGHBOURS):
        neighbour = gray[1 + row : gray.shape[0] - 1 + row, 1 + column : gray.shape[1] - 1 + column]
        code += np.where(neighbour >= centre, np.uint8(1 << bit), np.uint8(0))
    labels = _uniform_labels()[code]
    rows = np.array_split(labels, _LBP_CELLS)
    cells = [cell for row in rows for cell in np.array_split(row, _LBP_CELLS, axis=1)]
    return np.array([np.bincount(cell.ravel(), minlength=59) / cell.size for cell in cells], np.float32)


_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
"""(row, column) clockwise, so that a pattern's neighbours are its code's neighbouring bits."""


@lru_cache(maxsize=1)
def _uniform_labels() -> NDArray[np.intp]:
    """(256,) a number for each code with at most two changes along the circle, 58 for all others."""
    labels = np.full(256, 58, np.intp)
    uniform = [code for code in range(256) if (code ^ ((code << 1 | code >> 7) & 255)).bit_count() <= 2]
    labels[uniform] = np.arange(len(uniform))
    return labels
