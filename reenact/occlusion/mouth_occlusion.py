"""Whether a picture shows a face's mouth, or a mask, a hand, a cup or a microphone in front of it.

A small network on oriented gradients and colours of the lower face, and on colours across the lips where the
landmarks have them. `python -m train occlusion` fits it to portraits with drawn occluders; data, licence and
error rates are in MODEL_CARD.md beside it. Where lips are seen that are redder than the skin around them, the
mouth is free whatever the network says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.features import OrientedGradients
from calib.openings import MOUTH, OUTER_LIPS
from calib.ramp import smoothstep
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.painters.paint import pixels_at, tone
from reenact.records import Face

LOWER_CROP = FaceCrop(size=80, width_mm=100.0, centre_mm=(0.0, 44.0, 0.0))
"""From the tip of the nose to below the chin."""

_SKIN = [151, 9, 8, 168, 6, 108, 337, 69, 299]
"""Landmarks on forehead and bridge of the nose, which masks, cups and microphones leave free."""
_CELLS = 10
_INNER_LIPS = (*MOUTH.upper, *MOUTH.lower[-2:0:-1])
"""Landmarks of the lips' inner edge, across from OUTER_LIPS."""
_ACROSS_MM = (-5.0, -2.0)
"""Distances from the lips' outer edge at which skin is looked at, millimetres outwards negative."""
_FLOOR = 12.0
"""Added to levels before their logarithm, so that noise in the dark counts little."""
_FURTHEST = 2.5
"""Limit of a colour's difference to the skin's, octaves."""
_REDDER = 1.5
"""The difference of a* (CIELAB) between lips and the skin beside them from which on they are seen as lips."""
_BESIDE_MM = 4.0
"""The distance from the lips' outer edge of the skin that they are compared with, millimetres."""
_SEEN = (0.6, 0.75)
"""Shares of the lips' outline seen as lips at which a mouth begins to count as free, and at which it is."""
_PATH = Path(__file__).with_name("mouth.npz")


@dataclass(frozen=True)
class LowerFace:
    """Describes the lower face: its oriented gradients, its colours relative to the skin of the upper face,
    and the colours across the lips relative to the skin around them."""

    crop: FaceCrop = LOWER_CROP

    @cached_property
    def gradients(self) -> OrientedGradients:
        return OrientedGradients(self.crop.size)

    @property
    def length(self) -> int:
        return self.gradients.length + 3 * _CELLS**2 + 3 * len(OUTER_LIPS) * (len(_ACROSS_MM) + 2)

    def __call__(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """(length,) of a face in an RGB picture (height, width, 3)."""
        alignment = self.crop.align(face)
        crop, places = alignment.crop(image), alignment.points(face.landmarks)[:, :2]
        cells = cv2.resize(crop, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).astype(np.float32)
        octaves = np.log2((cells + _FLOOR) / (tone(image, face.landmarks[_SKIN]) + _FLOOR))
        octaves = np.concatenate(
            [octaves.ravel(), _across_lips(crop, places, self.crop.size / self.crop.width_mm).ravel()]
        )
        return np.concatenate([self.gradients(crop), np.clip(octaves, -_FURTHEST, _FURTHEST)])


def lips_seen(image: NDArray[np.uint8], face: Face, crop: FaceCrop = LOWER_CROP) -> float:
    """How far the lips are seen, 0..1: all around redder than the skin beside them."""
    alignment = crop.align(face)
    picture, places = alignment.crop(image), alignment.points(face.landmarks)[:, :2]
    soft = cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32) / 255
    red = cv2.cvtColor(soft, cv2.COLOR_RGB2LAB)[..., 1:2]
    outer, inner = places[list(OUTER_LIPS)], places[list(_INNER_LIPS)]
    beside = outer + _BESIDE_MM * crop.size / crop.width_mm * _outwards(outer)
    redder = pixels_at(red, (outer + inner) / 2) - pixels_at(red, beside)
    start, full = _SEEN
    return float(smoothstep(np.array((float((redder > _REDDER).mean()) - start) / (full - start))))


def _outwards(outline: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 2) directions from the middle of an outline (n, 2) to its points."""
    away = outline - outline.mean(axis=0)
    return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), np.float32(1e-3))


def _across_lips(
    crop: NDArray[np.uint8], places: NDArray[np.float32], px_per_mm: float
) -> NDArray[np.float32]:
    """(4, 20, 3) octaves by which colours differ from the median of the skin around the lips.

    They are those of that skin at two distances, of the middle of the lips' red, and of the lips' inner
    edge. places: (478, 2) landmarks in the crop.
    """
    outer, inner = places[list(OUTER_LIPS)], places[list(_INNER_LIPS)]
    around = [outer - distance * px_per_mm * _outwards(outer) for distance in _ACROSS_MM]
    colours = np.stack([pixels_at(crop, each) for each in (*around, (outer + inner) / 2, inner)])
    skin = np.median(colours[: len(_ACROSS_MM)].reshape(-1, 3), axis=0)
    return np.log2((colours + _FLOOR) / (skin + _FLOOR)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class MouthOcclusion:
    """A network with one hidden layer of rectified units."""

    hidden: NDArray[np.float32]
    """(units, k) weights on the descriptor of length k."""
    hidden_bias: NDArray[np.float32]
    """(units,)."""
    output: NDArray[np.float32]
    """(units,)."""
    output_bias: float
    describe: LowerFace = LowerFace()

    def __call__(self, image: NDArray[np.uint8], face: Face) -> float:
        """The probability that the mouth of a face in an RGB picture (height, width, 3) is hidden, 0..1."""
        return float(self.of(self.describe(image, face))) * (1 - lips_seen(image, face, self.describe.crop))

    def of(self, descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(...) probabilities of descriptors (..., k)."""
        units = np.maximum(descriptors @ self.hidden.T + self.hidden_bias, 0)
        return 1 / (1 + np.exp(-np.clip(units @ self.output + self.output_bias, -30, 30)))


@lru_cache(maxsize=1)
def load_mouth_occlusion(path: Path = _PATH) -> MouthOcclusion:
    """The network that ships with the project."""
    with np.load(path, allow_pickle=False) as data:
        return MouthOcclusion(
            data["hidden"].astype(np.float32),
            data["hidden_bias"].astype(np.float32),
            data["output"].astype(np.float32),
            float(data["output_bias"]),
        )
