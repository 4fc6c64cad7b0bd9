"""The similarity of two faces. It is weak by design, and tells only the few people in one picture apart.

It is a linear discriminant on the upper face (reenact.recognise.upper_face), which `python -m train
resemblance` fits. MODEL_CARD.md beside it states data, licence and error rates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.recognise.upper_face import UpperFace
from reenact.records import Face

Likeness = NDArray[np.float32]
"""(kept,) a vector of length 1; the scalar product of two is the similarity of the faces, -1..1."""

_PATH = Path(__file__).with_name("resemblance.npz")


@dataclass(frozen=True, eq=False)
class Resemblance:
    """Describes a face by a vector that is compared with those of other faces."""

    projection: NDArray[np.float32]
    """(kept, k) the directions of the descriptor in which people differ, weighted by their power to
    discriminate."""
    centre: NDArray[np.float32]
    """(k,) the mean descriptor."""
    threshold: float
    """The similarity below which two faces count as those of different people."""
    describe: UpperFace = field(default_factory=UpperFace)
    """Computes descriptors of length k."""

    def __call__(self, image: NDArray[np.uint8], face: Face) -> Likeness:
        """(kept,) the vector of a face in an RGB picture (height, width, 3)."""
        return self.of(self.describe.either_way(image, face))

    def of(self, descriptors: NDArray[np.float32]) -> Likeness:
        """(..., kept) the vectors of descriptors (..., k)."""
        return unit((descriptors - self.centre) @ self.projection.T)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors, scaled to length 1 along the last axis."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@lru_cache(maxsize=1)
def load_resemblance(path: Path = _PATH) -> Resemblance:
    """The discriminant that ships with the project."""
    with np.load(path, allow_pickle=False) as data:
        return Resemblance(data["projection"].astype(np.float32), data["centre"], float(data["threshold"]))
