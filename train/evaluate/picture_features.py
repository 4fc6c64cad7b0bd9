"""Features of a picture of a face that come from none of our networks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.generate.geometry.face_crop import FaceCrop
from reenact.recognise.upper_face import gray, oriented_gradients
from reenact.records import Face

Vector = NDArray[np.float32]

HOG_CROP = FaceCrop(size=112, width_mm=152.0, centre_mm=(0.0, 16.4, 11.9))
"""The crop from forehead to chin, with background, so that no landmark of the face affects what is seen."""
DETAIL_CROP = FaceCrop(size=192, width_mm=142.5)
"""The crop of the face at the scale of the run-time's crop."""

_BANDS = 4
_DETAIL_CELLS = 8


@dataclass(frozen=True)
class Hog:
    """Oriented gradients of a gray crop (calib.features.OrientedGradients)."""

    crop: FaceCrop = HOG_CROP

    def __call__(self, image: NDArray[np.uint8], face: Face) -> Vector:
        """Describes the crop. face: the input's face, so that a motion of the output is visible in the
        crop."""
        return oriented_gradients(self.crop.size)(gray(self.crop.align(face).crop(image)))


@dataclass(frozen=True)
class Detail:
    """Local detail by scale: log energy of four octaves of the crop, in 8 x 8 cells.

    Blur, stripes and seams change these features, but hardly the oriented gradients of a small crop.
    """

    crop: FaceCrop = DETAIL_CROP

    def __call__(self, image: NDArray[np.uint8], face: Face) -> Vector:
        level = gray(self.crop.align(face).crop(image)).astype(np.float32)
        bands = []
        for _ in range(_BANDS):
            lower = cv2.pyrDown(level)
            band = level - cv2.pyrUp(lower, dstsize=level.shape[::-1])
            energy = cv2.resize(band * band, (_DETAIL_CELLS, _DETAIL_CELLS), interpolation=cv2.INTER_AREA)
            bands.append(np.log(energy + 1).ravel())
            level = lower
        return np.concatenate(bands)
