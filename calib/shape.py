"""The canonical face: MediaPipe's 478 landmarks on an average head at rest, in millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.ramp import smoothstep

LANDMARK_COUNT = 478
IRIS_START = 468
"""The first landmark of the irises; no action unit moves them."""
INTERPUPILLARY_MM = 63.0
"""The mean adult distance between pupils, which sets the unit (Dodgson, Proc. SPIE 5291, 2004)."""

_PATH = Path(__file__).with_name("data") / "shape.npz"


@dataclass(frozen=True, eq=False)
class FaceShape:
    """The canonical face: its landmarks, their weights in pose fits, symmetry and triangles."""

    canonical: NDArray[np.float32]
    """(478, 3) mm: x right, y down, z away from the camera; the weighted mean is the origin."""
    weights: NDArray[np.float32]
    """(478,) weights for fitting the pose; their sum is 1, and points that expressions move weigh less."""
    mirror: NDArray[np.intp]
    """(478,): the landmark on the other side of the face; points on the midline map to themselves."""
    triangles: NDArray[np.int32]
    """(n, 3) landmark indices of the skin's triangles; their area in pixels is positive facing the camera."""

    def along_with(
        self, places: NDArray[np.floating], reach_mm: float
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Returns, for every landmark, the nearest of `places` (n, 2), canonical mm, and its share (478,).

        The share is the part of the place's motion that the landmark follows: 1 at the place, 0 from
        `reach_mm` on and at the irises.
        """
        apart = np.linalg.norm(self.canonical[:, None, :2].astype(np.float64) - places, axis=2)
        share = smoothstep(1 - apart.min(axis=1) / reach_mm)
        share[IRIS_START:] = 0
        return apart.argmin(axis=1), share

    @cached_property
    def spread(self) -> float:
        """The weighted mean square distance from the origin, mm^2."""
        return float(self.weights @ (self.canonical**2).sum(axis=1))


@lru_cache(maxsize=1)
def load_shape() -> FaceShape:
    """Loads the shape that ships with the project (see calib/data/MODEL_CARD.md)."""
    with np.load(_PATH, allow_pickle=False) as data:
        return FaceShape(
            data["canonical"], data["weights"], data["mirror"].astype(np.intp), data["triangles"]
        )
