"""The action units: OpenFace's 17 intensities, their names, and the vector that carries them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ActionUnit:
    number: int
    name: str
    """FACS name (Ekman, Friesen & Hager, Facial Action Coding System, 2002)."""

    @property
    def code(self) -> str:
        """As OpenFace writes it: AU01."""
        return f"AU{self.number:02d}"


ACTION_UNITS = (
    ActionUnit(1, "inner brow raiser"),
    ActionUnit(2, "outer brow raiser"),
    ActionUnit(4, "brow lowerer"),
    ActionUnit(5, "upper lid raiser"),
    ActionUnit(6, "cheek raiser"),
    ActionUnit(7, "lid tightener"),
    ActionUnit(9, "nose wrinkler"),
    ActionUnit(10, "upper lip raiser"),
    ActionUnit(12, "lip corner puller"),
    ActionUnit(14, "dimpler"),
    ActionUnit(15, "lip corner depressor"),
    ActionUnit(17, "chin raiser"),
    ActionUnit(20, "lip stretcher"),
    ActionUnit(23, "lip tightener"),
    ActionUnit(25, "lips part"),
    ActionUnit(26, "jaw drop"),
    ActionUnit(45, "blink"),
)
"""In OpenFace's order, which is the order of every AU array in this project."""

AU_COUNT = len(ACTION_UNITS)
AU_CODES = tuple(unit.code for unit in ACTION_UNITS)
AU_INDEX = {unit.number: index for index, unit in enumerate(ACTION_UNITS)}
"""FACS number to position: AU_INDEX[12] == 8."""

MAX_INTENSITY = 5.0
"""OpenFace's `_r` columns run from 0 (absent) to 5 (FACS intensity E). Networks see intensity / 5."""

AUVector = NDArray[np.float32]
"""(17,) in the order of ACTION_UNITS: intensities 0..5, or their differences, -5..5."""


class UnknownAUError(ValueError):
    """An action unit that OpenFace does not measure."""


def au_index(name: str) -> int:
    """Position of an action unit named 'AU12', 'au04', 'AU4' or '12'.

    Raises UnknownAUError for anything else, naming the value and the choices.
    """
    digits = name.strip().lower().removeprefix("au")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 4) or int(digits) not in AU_INDEX:
        raise UnknownAUError(f"unknown action unit {name.strip()!r}; choose from {', '.join(AU_CODES)}")
    return AU_INDEX[int(digits)]


def neutral_aus() -> AUVector:
    """A fresh vector of zeros."""
    return np.zeros(AU_COUNT, np.float32)
