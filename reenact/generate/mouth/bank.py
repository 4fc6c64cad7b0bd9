"""Teeth for mouths that have shown none: rows of real ones, of which a person keeps the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.generate.mouth.arch import LOWER_ABOVE_MM, UPPER_ABOVE_MM, Arch

_PATH = Path(__file__).with_name("teeth.npz")


@dataclass(frozen=True, eq=False)
class Bank:
    upper: tuple[Arch, ...]
    lower: tuple[Arch, ...]
    widths_mm: NDArray[np.float32]
    """(len(upper),) of the smiles that the upper rows were taken from."""

    def likeliest(self, width_mm: float) -> tuple[Arch, Arch]:
        """Upper and lower row for a mouth that is `width_mm` wide at rest."""
        index = int(np.abs(self.widths_mm - width_mm).argmin())
        return self.upper[index], self.lower[index % len(self.lower)]


LOWER_SHADE = (0.66, 0.57, 0.50)
"""RGB of lower teeth as parts of upper ones: little light gets to them, and that from red lips."""


def _shaded(arch: Arch) -> Arch:
    rgb = arch.picture[..., :3] * np.array(LOWER_SHADE, np.float32)
    return Arch(np.dstack([np.rint(rgb).astype(np.uint8), arch.picture[..., 3]]), arch.above_mm)


@lru_cache(maxsize=1)
def load_bank() -> Bank:
    """The teeth that ship with the project (see TEETH_CARD.md beside them)."""
    with np.load(_PATH, allow_pickle=False) as data:
        upper, lower = (
            tuple(Arch(picture, above_mm) for picture in data[name])
            for name, above_mm in (("upper", UPPER_ABOVE_MM), ("lower", LOWER_ABOVE_MM))
        )
        lower = tuple(_shaded(arch) for arch in lower)
        return Bank(upper, lower, data["widths_mm"].astype(np.float32))
