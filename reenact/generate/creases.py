"""Folds of the skin, which moving pixels neither makes nor smooths: painted as how dark they are on average.

Expression ratio images (Liu, Shan & Zhang, SIGGRAPH 2001), as a mean over labelled faces: see
`train.data.creases`, which fits them, and `python -m train creases`, which writes the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, AUVector, Change, au_index, both, lean
from calib.shape import load_shape
from calib.sides import sidedness
from reenact.generate.crop import FaceCrop
from reenact.generate.flow import nearest, to_pixels
from reenact.generate.mesh import CROP_CELL_PX, over_crop, warp_triangles
from reenact.generate.paint import lay_over
from reenact.generate.warp import Warp
from reenact.types import Face

SIZE = (190, 160)
"""(height, width) of the canonical face in cells of a millimetre."""
ORIGIN_MM = (-80.0, -95.0)
"""Canonical (x, y) of the first cell."""
_FINE_PX = 2
"""Crop pixels on whose grid folds are looked up: finer than the folds of a mean face."""
_MOST = 0.35
"""Skin in a fold is dark, not black."""
_LEAST = 1 / 256
"""A change of log brightness below this changes no grey level."""
_CROP = FaceCrop()
_PATH = Path(__file__).with_name("creases.npz")


@dataclass(frozen=True, eq=False)
class Creases:
    ratios: NDArray[np.float32]
    """(17, 190, 160) change of log brightness for one unit (of 0..5), on the canonical face."""
    most: float | None = None
    """What the change that many units make together approaches; None: there is no limit."""

    @cached_property
    def folding(self) -> NDArray[np.bool_]:
        """(17,) the action units that change anything."""
        return self.ratios.any(axis=(1, 2))

    def shade(self, places: NDArray[np.float32], change: Change, size: int) -> NDArray[np.float32]:
        """(size, size) change of log brightness that relative action units (2, 17) make on a face in a square
        crop.

        places: (478, 3) its landmarks in the crop, pixels.
        """
        field, covered = over_crop(places, _canonical(), size)
        if not covered.any():
            return np.zeros((size, size), np.float32)
        fine = CROP_CELL_PX // _FINE_PX
        x, y = (to_pixels(plane, fine) for plane in nearest(field, covered)[0])
        picture, aside = self._folded(both(change)), lean(change)
        if aside.any():
            picture += _sidedness() * self._folded(aside)
        if self.most is not None:
            picture = np.tanh(picture / self.most) * np.float32(self.most)
        shade = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        shade *= to_pixels(covered.astype(np.float32), fine)
        shade[np.abs(shade) < _LEAST] = 0
        return to_pixels(shade, _FINE_PX)

    def _folded(self, change: AUVector) -> NDArray[np.float32]:
        """(190, 160) the folds of a change, without a limit."""
        asked = np.flatnonzero(change * self.folding)
        return np.tensordot(change[asked], self.ratios[asked], 1)


def paint_creases(face: Face, change: Change, warp: Warp, creases: Creases | None = None) -> Warp:
    """`warp` with the folds that `change` (2, 17) makes, and without those that it smooths."""
    creases = creases or load_creases()
    if not (change * creases.folding).any():
        return warp
    alignment = _CROP.align(face)
    shade = creases.shade(alignment.points(warp.moved), change, alignment.size)
    return lay_over(warp, alignment, cv2.exp(shade) - 1, _darkened)


def _darkened(picture: NDArray[np.uint8], change: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(1 + change) picture, rounded and limited to 0..255."""
    return cv2.multiply(picture, cv2.merge([1 + change] * 3), dtype=cv2.CV_8U)


@lru_cache(maxsize=1)
def load_creases(path: Path = _PATH) -> Creases:
    """Those that ship with the project (see CREASES_CARD.md beside them)."""
    with np.load(path, allow_pickle=False) as data:
        ratios = np.zeros((AU_COUNT, *SIZE), np.float32)
        ratios[[au_index(code) for code in data["codes"]]] = data["ratios"]
    return Creases(ratios, _MOST)


@lru_cache(maxsize=1)
def _sidedness() -> NDArray[np.float32]:
    """(160,) of every column."""
    return sidedness((ORIGIN_MM[0] + np.arange(SIZE[1])).astype(np.float32))


@lru_cache(maxsize=1)
def _canonical() -> NDArray[np.float32]:
    """(2, n, 3) the places of the mesh's corners on the grid of SIZE."""
    places = (load_shape().canonical[:, :2] - ORIGIN_MM).astype(np.float32)
    return places[warp_triangles()].transpose(2, 0, 1)
