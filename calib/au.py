"""The action units: OpenFace's 17 intensities, their names, and the vector that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from calib.ramp import within


@dataclass(frozen=True)
class ActionUnit:
    """An action unit of the Facial Action Coding System."""

    number: int
    """The FACS number, such as 12."""
    name: str
    """The FACS name (Ekman, Friesen & Hager, Facial Action Coding System, 2002)."""

    @property
    def code(self) -> str:
        """The code that OpenFace uses, such as AU01."""
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
"""The action units in OpenFace's order, which is the order of every AU array in this project."""

AU_COUNT = len(ACTION_UNITS)
AU_CODES = tuple(unit.code for unit in ACTION_UNITS)
AU_INDEX = {unit.number: index for index, unit in enumerate(ACTION_UNITS)}
"""The position of each FACS number: AU_INDEX[12] == 8."""

MAX_INTENSITY = 5.0
"""OpenFace's `_r` columns run from 0 (absent) to 5 (FACS intensity E). Networks see intensity / 5."""

AUVector = NDArray[np.float32]
"""(17,) float32 in the order of ACTION_UNITS: intensities 0..5, or their differences, -5..5."""

Side: TypeAlias = Literal["L", "R"]
"""The person's own left or right side, as in FACS. In a picture that is not mirrored the person's left has
the larger x."""
SIDES: tuple[Side, ...] = get_args(Side)

Sided = NDArray[np.float32]
"""(2, 17) float32: one AUVector for each of SIDES."""
Change = Sided
"""(2, 17) float32: the relative action units, -5..5, that are added to each side of a face."""


LOWER_FACE = frozenset({6, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26})
"""FACS numbers of the action units that move cheeks, nose, mouth or chin."""
ONE_PIECE = frozenset({26})
"""FACS numbers of the action units that have no sides: the jaw is one bone."""


class UnknownAUError(ValueError):
    """The name is no action unit that OpenFace measures, or gives a side to one that has no sides."""


def au_index(name: str) -> int:
    """Returns the position of an action unit named 'AU12', 'au04', 'AU4' or '12'.

    Raises UnknownAUError for anything else, naming the value and the choices.
    """
    digits = name.strip().lower().removeprefix("au")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 4) or int(digits) not in AU_INDEX:
        raise UnknownAUError(f"unknown action unit {name.strip()!r}; choose from {', '.join(AU_CODES)}")
    return AU_INDEX[int(digits)]


def sided_au(name: str) -> tuple[int, Side | None]:
    """Returns the position and side of an action unit; the name is as for `au_index`, with or without L or R.

    'AU12L' and 'au12l' are the lip corner puller on the person's left. None for 'AU12': both sides.
    Raises UnknownAUError for other names, and for a side of an action unit that has no sides.
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
    """Returns the name that `sided_au` reads: AU12L, or AU12 where the side is None (both sides)."""
    return f"{AU_CODES[index]}{side or ''}"


def rows(side: Side | None) -> slice:
    """Returns the rows of a `Sided` that belong to this side. None: both rows."""
    return slice(None) if side is None else slice(SIDES.index(side), SIDES.index(side) + 1)


def neutral_aus() -> AUVector:
    """Returns a new vector of zeros, (17,)."""
    return np.zeros(AU_COUNT, np.float32)


def bilateral(aus: AUVector) -> Sided:
    """Returns (2, 17): the same intensities on both sides."""
    return np.stack([aus, aus])


def both(sided: Sided) -> AUVector:
    """Returns the mean of both sides, (17,); where the sides are equal it is exactly their value."""
    return (sided[0] + sided[1]) / 2


def lean(sided: Sided) -> AUVector:
    """Returns the asymmetry (17,): how far the left side lies above the mean of both sides, in AU units."""
    return (sided[0] - sided[1]) / 2


def apart(aus: AUVector, lean: AUVector) -> Sided:
    """Returns the intensities (2, 17) of both sides of a face whose mean is `aus` (17,), 0..5.

    lean: (17,) the asymmetry as from `lean`. It is reduced where a side would leave 0..5.
    """
    most = np.minimum(aus, MAX_INTENSITY - aus)
    lean = within(lean, -most, most)
    return np.stack([aus + lean, aus - lean])


def larger(sided: Sided) -> AUVector:
    """Returns (17,): for each action unit the value of the side that is further from 0."""
    left, right = sided
    return np.where(np.abs(left) < np.abs(right), right, left)
