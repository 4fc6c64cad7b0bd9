"""The action units: OpenFace's 17 intensities, their names, and the vector that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

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

Side: TypeAlias = Literal["L", "R"]
"""The person's own left or right, as in FACS. In a picture that is not mirrored the person's left is where
x is larger."""
SIDES: tuple[Side, ...] = get_args(Side)

Sided = NDArray[np.float32]
"""(2, 17) an AUVector for each of SIDES."""
Change = Sided
"""(2, 17) relative action units, -5..5: what is to be added to each side of a face."""


LOWER_FACE = frozenset({6, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26})
"""FACS numbers of what moves cheeks, nose, mouth or chin."""
ONE_PIECE = frozenset({26})
"""FACS numbers of what both sides can only do together: the jaw is one bone."""


class UnknownAUError(ValueError):
    """An action unit that OpenFace does not measure, or a side of one that has none."""


def au_index(name: str) -> int:
    """Position of an action unit named 'AU12', 'au04', 'AU4' or '12'.

    Raises UnknownAUError for anything else, naming the value and the choices.
    """
    digits = name.strip().lower().removeprefix("au")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 4) or int(digits) not in AU_INDEX:
        raise UnknownAUError(f"unknown action unit {name.strip()!r}; choose from {', '.join(AU_CODES)}")
    return AU_INDEX[int(digits)]


def sided_au(name: str) -> tuple[int, Side | None]:
    """Position and side of an action unit named as for `au_index`, followed by an L or R for one side alone.

    'AU12L' and 'au12l' are the lip corner puller on the person's left; 'AU12' is on both, which is None.
    Raises UnknownAUError, also for a side of what has none.
    """
    for side in SIDES:
        if name.strip().upper().endswith(side):
            index = au_index(name.strip()[:-1])
            if ACTION_UNITS[index].number in ONE_PIECE:
                raise UnknownAUError(
                    f"{name.strip()!r}: {AU_CODES[index]} has no sides; write {AU_CODES[index]}"
                )
            return index, side
    return au_index(name), None


def au_code(index: int, side: Side | None = None) -> str:
    """AU12L, or AU12 for both sides: what `sided_au` reads."""
    return f"{AU_CODES[index]}{side or ''}"


def rows(side: Side | None) -> slice:
    """Those of a `Sided` that stand for this side; None: for both."""
    return slice(None) if side is None else slice(SIDES.index(side), SIDES.index(side) + 1)


def neutral_aus() -> AUVector:
    """A fresh vector of zeros."""
    return np.zeros(AU_COUNT, np.float32)


def bilateral(aus: AUVector) -> Sided:
    """(2, 17): the same on both sides."""
    return np.stack([aus, aus])


def both(sided: Sided) -> AUVector:
    """(17,) the mean of both sides: exactly either where they agree."""
    return (sided[0] + sided[1]) / 2


def lean(sided: Sided) -> AUVector:
    """(17,) how far the person's left lies above the mean of both sides, and the right below it."""
    return (sided[0] - sided[1]) / 2


def apart(aus: AUVector, lean: AUVector) -> Sided:
    """(2, 17) what each side shows of a face that shows `aus`, 0..5, in the mean: `lean` more on the person's
    left and less on the right, as far as both stay within 0..5."""
    most = np.minimum(aus, MAX_INTENSITY - aus)
    lean = np.clip(lean, -most, most)
    return np.stack([aus + lean, aus - lean])


def larger(sided: Sided) -> AUVector:
    """(17,) of each action unit the value of the side on which it is further from 0."""
    left, right = sided
    return np.where(np.abs(left) < np.abs(right), right, left)
