"""How alike two faces are. Weak by design: for telling a few people in one's own picture apart, no more.

A linear discriminant on the upper face (reenact.recognise.upper_face),
which `python -m train resemblance` fits. Data, licence and error rates are in MODEL_CARD.md beside it.
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
"""(kept,) of length 1; the scalar product of two is how alike the faces are, -1..1."""

_PATH = Path(__file__).with_name("resemblance.npz")


@dataclass(frozen=True, eq=False)
class Resemblance:
    projection: NDArray[np.float32]
    """(kept, k) the directions of the descriptor in which people differ, weighted by how much they tell."""
    centre: NDArray[np.float32]
    """(k,) the mean descriptor."""
    threshold: float
    """Two faces less alike than this are taken for two people's."""
    describe: UpperFace = field(default_factory=UpperFace)

    def __call__(self, image: NDArray[np.uint8], face: Face) -> Likeness:
        return self.of(self.describe.either_way(image, face))

    def of(self, descriptors: NDArray[np.float32]) -> Likeness:
        """Of descriptors (..., k)."""
        return unit((descriptors - self.centre) @ self.projection.T)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same directions, of length 1 along the last axis."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@lru_cache(maxsize=1)
def load_resemblance(path: Path = _PATH) -> Resemblance:
    """The one that ships with the project."""
    with np.load(path, allow_pickle=False) as data:
        return Resemblance(data["projection"].astype(np.float32), data["centre"], float(data["threshold"]))
