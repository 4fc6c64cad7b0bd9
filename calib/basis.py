"""The AU basis: how far each landmark of an average face moves for one unit of each action unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, AUVector
from calib.shape import LANDMARK_COUNT

_PATH = Path(__file__).with_name("data") / "basis.npz"


@dataclass(frozen=True, eq=False)
class AUBasis:
    displacements: NDArray[np.float32]
    """(17, 478, 3) canonical millimetres for one unit (of 0..5) of each action unit."""

    def displace(self, change: AUVector) -> NDArray[np.float32]:
        """(478, 3) canonical millimetres for relative action units `change` (17,)."""
        flat = self.displacements.reshape(AU_COUNT, -1)
        return (change @ flat).reshape(LANDMARK_COUNT, 3)


@lru_cache(maxsize=1)
def load_basis() -> AUBasis:
    """The basis that ships with the project (see calib/data/MODEL_CARD.md)."""
    with np.load(_PATH, allow_pickle=False) as data:
        return AUBasis(data["displacements"].astype(np.float32))
