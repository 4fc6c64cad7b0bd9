"""The AU basis: how far each landmark of an average face moves for one unit of each action unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import ACTION_UNITS, OPENFACE_COUNT, AUVector, Change, both, lean
from calib.shape import LANDMARK_COUNT
from calib.sides import landmark_sidedness

_PATH = Path(__file__).with_name("data") / "basis.npz"


@dataclass(frozen=True, eq=False)
class AUBasis:
    """The motion of an average face's landmarks for each action unit."""

    displacements: NDArray[np.float32]
    """(units, 478, 3) canonical millimetres: the motion for one unit (of 0..5) of each of ACTION_UNITS."""
    furthest: NDArray[np.float32]
    """(units,) the largest multiple of its displacement that each action unit reaches at any intensity."""

    def amounts(self, change: Change) -> Change:
        """Returns (2, units): the multiples of the displacements for the action units of `change`.

        The result is close to `change` where that is small, and never exceeds `furthest`, because the motion
        of a face is limited.
        """
        return self.furthest * np.tanh(change[:, : len(self.furthest)] / self.furthest)

    def move(self, amounts: Change) -> NDArray[np.float32]:
        """Returns the motion (478, 3), canonical mm, for multiples (2, units); each side has its own."""
        moved, aside = self._move(both(amounts)), lean(amounts)
        return moved + landmark_sidedness()[:, None] * self._move(aside) if aside.any() else moved

    def displace(self, change: Change) -> NDArray[np.float32]:
        """Returns the motion (478, 3), canonical millimetres, for relative action units `change`."""
        return self.move(self.amounts(change))

    def _move(self, amounts: AUVector) -> NDArray[np.float32]:
        flat = self.displacements.reshape(len(self.displacements), -1)
        motion = amounts[:OPENFACE_COUNT] @ flat[:OPENFACE_COUNT]
        others = amounts[OPENFACE_COUNT:]
        if others.any():
            motion += others @ flat[OPENFACE_COUNT:]
        return motion.reshape(LANDMARK_COUNT, 3)

    @property
    def largest_mm(self) -> NDArray[np.float32]:
        """(units,) the largest displacement of any landmark for one unit, in canonical millimetres."""
        return np.linalg.norm(self.displacements, axis=2).max(axis=1)


def with_others(displacements: NDArray[np.float32], furthest: NDArray[np.float32]) -> AUBasis:
    """Returns the basis of OpenFace's action units (17, 478, 3), and (17,), with the others that ship."""
    others = load_basis()
    assert len(displacements) == OPENFACE_COUNT
    return AUBasis(
        np.concatenate([displacements, others.displacements[OPENFACE_COUNT:]]),
        np.concatenate([furthest, others.furthest[OPENFACE_COUNT:]]),
    )


def read_basis(path: Path) -> AUBasis:
    """Reads what `write_basis` wrote."""
    with np.load(path, allow_pickle=False) as data:
        basis = AUBasis(data["displacements"].astype(np.float32), data["furthest"].astype(np.float32))
    if len(basis.displacements) == OPENFACE_COUNT:
        return with_others(basis.displacements, basis.furthest)
    assert len(basis.displacements) == len(ACTION_UNITS)
    return basis


def write_basis(basis: AUBasis, path: Path) -> None:
    """Writes the displacements in half precision, whose rounding is about a micrometre."""
    np.savez_compressed(
        path, displacements=basis.displacements.astype(np.float16), furthest=basis.furthest.astype(np.float32)
    )


@lru_cache(maxsize=1)
def load_basis() -> AUBasis:
    """Loads the basis that ships with the project (see calib/data/MODEL_CARD.md)."""
    return read_basis(_PATH)
