"""The probability that a mask, a hand, a cup or a microphone hides a face's mouth.

A small network takes oriented gradients and colours of the lower face, and colours across the lips at the
places of the landmarks. `python -m train occlusion` fits it to portraits with drawn occluders; MODEL_CARD.md
beside it states data, licence and error rates. Where the picture shows lips redder than the skin around them,
the mouth counts as free whatever the network says.
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
from calib.ramp import ramp_of
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.painters.paint import pixels_at, tone
from reenact.records import Face

LOWER_CROP = FaceCrop(size=80, width_mm=100.0, centre_mm=(0.0, 44.0, 0.0))
"""The crop from the tip of the nose to below the chin."""

_SKIN = [151, 9, 8, 168, 6, 108, 337, 69, 299]
"""Landmarks on forehead and bridge of the nose, which masks, cups and microphones do not hide."""
_CELLS = 10
_INNER_LIPS = (*MOUTH.upper, *MOUTH.lower[-2:0:-1])
"""Landmarks of the lips' inner edge, opposite OUTER_LIPS."""
_ACROSS_MM = (-5.0, -2.0)
"""Distances in millimetres from the lips' outer edge at which skin is sampled; outwards is negative."""
_FLOOR = 12.0
"""Level that is added before a logarithm, so that noise in the dark counts little."""
_FURTHEST = 2.5
"""Limit, in octaves, of a colour's difference from the skin's."""
_REDDER = 1.5
"""Difference of a* (CIELAB) between lips and the skin beside them from which on lips count as visible."""
_BESIDE_MM = 4.0
"""Distance in millimetres from the lips' outer edge to the skin that they are compared with."""
_SEEN = (0.6, 0.75)
"""Visible shares of the lips' outline between which a mouth passes from undecided to free."""
_PATH = Path(__file__).with_name("mouth.npz")


@dataclass(frozen=True)
class LowerFace:
    """Descriptor of the lower face: oriented gradients, colours relative to the skin of the upper face, and
    colours across the lips relative to the skin around them."""

    crop: FaceCrop = LOWER_CROP
    """The crop that is described."""

    @cached_property
    def gradients(self) -> OrientedGradients:
        """The descriptor of oriented gradients."""
        return OrientedGradients(self.crop.size)

    @property
    def length(self) -> int:
        """The length of the descriptor."""
        return self.gradients.length + 3 * _CELLS**2 + 3 * len(OUTER_LIPS) * (len(_ACROSS_MM) + 2)

    def __call__(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """(length,) the descriptor of a face in an RGB picture (height, width, 3)."""
        alignment = self.crop.align(face)
        crop, places = alignment.crop(image), alignment.points(face.landmarks)[:, :2]
        cells = cv2.resize(crop, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).astype(np.float32)
        octaves = np.log2((cells + _FLOOR) / (tone(image, face.landmarks[_SKIN]) + _FLOOR))
        octaves = np.concatenate(
            [octaves.ravel(), _across_lips(crop, places, self.crop.size / self.crop.width_mm).ravel()]
        )
        return np.concatenate([self.gradients(crop), np.clip(octaves, -_FURTHEST, _FURTHEST)])


def lips_seen(image: NDArray[np.uint8], face: Face, crop: FaceCrop = LOWER_CROP) -> float:
    """The degree, 0..1, to which lips are visible: redder all around than the skin beside them.

    image: (height, width, 3) RGB.
    """
    alignment = crop.align(face)
    picture, places = alignment.crop(image), alignment.points(face.landmarks)[:, :2]
    soft = cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32) / 255
    red = cv2.cvtColor(soft, cv2.COLOR_RGB2LAB)[..., 1:2]
    outer, inner = places[list(OUTER_LIPS)], places[list(_INNER_LIPS)]
    beside = outer + _BESIDE_MM * crop.size / crop.width_mm * _outwards(outer)
    redder = pixels_at(red, (outer + inner) / 2) - pixels_at(red, beside)
    return ramp_of(float((redder > _REDDER).mean()), _SEEN)


def _outwards(outline: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 2) unit vectors from the middle of an outline (n, 2) to its points."""
    away = outline - outline.mean(axis=0)
    return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), np.float32(1e-3))


def _across_lips(
    crop: NDArray[np.uint8], places: NDArray[np.float32], px_per_mm: float
) -> NDArray[np.float32]:
    """(4, 20, 3) octaves by which colours differ from the median of the skin around the lips.

    The colours are those of this skin at two distances, of the middle of the lips, and of the lips' inner
    edge. places: (478, 2) landmarks in the crop, in pixels.
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
    """(units,) their biases."""
    output: NDArray[np.float32]
    """(units,) the weights of the output on the units."""
    output_bias: float
    """The bias of the output."""
    describe: LowerFace = LowerFace()
    """Computes descriptors of length k."""

    def __call__(self, image: NDArray[np.uint8], face: Face) -> float:
        """The probability that the mouth of a face in an RGB picture (height, width, 3) is hidden, 0..1."""
        return float(self.of(self.describe(image, face))) * (1 - lips_seen(image, face, self.describe.crop))

    def of(self, descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(...) the probabilities of descriptors (..., k), without regard to visible lips."""
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
