"""Rows of real upper teeth for mouths that have shown none; a person keeps the same row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.generate.painters.mouth.arch import UPPER_ABOVE_MM, Arch

_PATH = Path(__file__).with_name("teeth.npz")


@dataclass(frozen=True, eq=False)
class TeethBank:
    """A set of rows of upper teeth."""

    upper: tuple[Arch, ...]
    """The rows."""
    widths_mm: NDArray[np.float32]
    """(len(upper),) the widths, in millimetres, of the smiles that the rows were taken from."""

    def likeliest(self, width_mm: float) -> Arch:
        """The row for a mouth that is `width_mm` wide in a smile."""
        return self.upper[int(np.abs(self.widths_mm - width_mm).argmin())]


@lru_cache(maxsize=1)
def load_teeth_bank() -> TeethBank:
    """The teeth that ship with the project (see TEETH_CARD.md beside them)."""
    with np.load(_PATH, allow_pickle=False) as data:
        upper = tuple(Arch(picture, UPPER_ABOVE_MM) for picture in data["upper"])
        return TeethBank(upper, data["widths_mm"].astype(np.float32))
