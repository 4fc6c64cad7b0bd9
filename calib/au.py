"""The action units: their names, which of them are read and which are written, and the vector that holds
them, together with the openings of mouth and eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

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
    read: bool = True
    """Whether it is measured in pictures. One that is not counts as absent in every face."""
    opposite: int | None = None
    """The FACS number of the action unit that is this one's negative: eyes that turn right (62) turn left
    (61) by less than 0. The jaw's opposite is its own number: AU30R is the negative of AU30L. None: it has no
    opposite, and its intensity is never below 0."""

    @property
    def code(self) -> str:
        """The code that OpenFace uses, such as AU01."""
        return f"AU{self.number:02d}"


_OPENFACE = (
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
ACTION_UNITS = (
    *_OPENFACE,
    ActionUnit(13, "sharp lip puller", read=False),
    ActionUnit(16, "lower lip depressor", read=False),
    ActionUnit(18, "lip pucker", read=False),
    ActionUnit(22, "lip funneler", read=False),
    ActionUnit(24, "lip presser", read=False),
    ActionUnit(28, "lips suck", read=False),
    ActionUnit(29, "jaw thrust", read=False),
    ActionUnit(30, "jaw sideways", read=False, opposite=30),
    ActionUnit(34, "cheek puff", read=False),
    ActionUnit(61, "eyes turn left", opposite=62),
    ActionUnit(63, "eyes up", opposite=64),
)
"""The action units that are written: OpenFace's 17 in OpenFace's order, and others after them. This is their
order in every AU array."""

OPENFACE_COUNT = len(_OPENFACE)
"""The number of action units whose intensities OpenFace and the estimator read; they come first."""

GAZE = slice(len(ACTION_UNITS) - 2, len(ACTION_UNITS))
"""The places of AU61 and AU63 in an AU array."""
GAZE_UNIT_DEG = 6.0
"""The rotation of an eye, in degrees, for one unit of AU61 to AU64; FACS names only five steps. An eye turns
by up to 30 degrees (5) without the head."""

OPENINGS = ("lip_gap_mm", "jaw_drop_mm", "lid_gap_mm")
"""The openings, in canonical millimetres, that follow the action units in every AU array: see
`calib.opening_sizes`."""
OPENING_PLACES = slice(len(ACTION_UNITS), len(ACTION_UNITS) + len(OPENINGS))
LIP_GAP, JAW_DROP, LID_GAP = range(OPENING_PLACES.start, OPENING_PLACES.stop)

EYE_CONTACT = OPENING_PLACES.stop
"""The place of the share, 0..1, of eye contact with the camera that is asked for; it is never measured."""

AU_CODES = (*(unit.code for unit in ACTION_UNITS), *OPENINGS, "eye_contact")
"""The names of the values of an AU array."""
AU_COUNT = len(AU_CODES)
OPENFACE_CODES = AU_CODES[:OPENFACE_COUNT]
AU_INDEX = {unit.number: index for index, unit in enumerate(ACTION_UNITS)}
"""The position of each FACS number: AU_INDEX[12] == 8."""

BY_GEOMETRY = {AU_INDEX[25]: LIP_GAP, AU_INDEX[26]: JAW_DROP, AU_INDEX[45]: LID_GAP}
"""The places of the action units that are followed by an opening instead, where that is measured: readings of
AU25 and AU26 from appearance do not follow the mouth in every film."""

MAX_INTENSITY = 5.0
"""OpenFace's `_r` columns run from 0 (absent) to 5 (FACS intensity E). Networks see intensity / 5."""
_LARGEST_MM = 150.0

AUVector = NDArray[np.float32]
"""(AU_COUNT,) float32 in the order of AU_CODES: intensities 0..5 (-5..5 where an action unit has an opposite)
and millimetres, or differences of them."""

LOWEST: AUVector
"""(AU_COUNT,) the lowest value of each place in an AU array."""
HIGHEST: AUVector
"""(AU_COUNT,) the highest value of each place in an AU array."""
LOWEST = np.array(
    [-MAX_INTENSITY if unit.opposite else 0.0 for unit in ACTION_UNITS] + [0.0] * (len(OPENINGS) + 1),
    np.float32,
)
HIGHEST = np.array([MAX_INTENSITY] * len(ACTION_UNITS) + [_LARGEST_MM] * len(OPENINGS) + [1.0], np.float32)

READ = np.array([unit.read for unit in ACTION_UNITS] + [True] * len(OPENINGS) + [False])
"""(AU_COUNT,) True for the action units and openings that are measured in pictures."""

Side: TypeAlias = Literal["L", "R"]
"""The person's own left or right side, as in FACS. In a picture that is not mirrored the person's left has
the larger x."""
SIDES: tuple[Side, ...] = get_args(Side)

Sided = NDArray[np.float32]
"""(2, AU_COUNT) float32: one AUVector for each of SIDES."""
Change = Sided
"""(2, AU_COUNT) float32: the relative action units, -5..5, and millimetres that are added to each side of a
face."""


LOWER_FACE = frozenset({6, 9, 10, 12, 13, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 28, 29, 30, 34})
"""FACS numbers of the action units that move cheeks, nose, mouth or chin."""
ONE_PIECE = frozenset({26, 29})
"""FACS numbers of the action units that have no sides: the jaw is one bone."""
JAW_SIDEWAYS = 30
"""The FACS number of the action unit whose L and R are directions rather than sides of the face."""
_UNWRITTEN = {
    19: "no picture shows a tongue to draw; AU25 and AU26 open the mouth",
    27: "AU26 drops the jaw as far as it goes",
    43: "write AU45",
}
"""Why an action unit that people ask for is not written, by its FACS number."""


class UnknownAUError(ValueError):
    """The name is no action unit that is known here, or gives a side to one that has no sides."""


class AUName(NamedTuple):
    """What the name of an action unit means in an AU array."""

    place: int
    """The position in the array."""
    side: Side | None = None
    """The side of the face. None: both sides."""
    sign: int = 1
    """-1 for an action unit that is the negative of the one at this position, such as AU62. Otherwise 1."""


def au_index(name: str) -> int:
    """Returns the position of an action unit named 'AU12', 'au04', 'AU4' or '12', or an opening's name.

    Raises UnknownAUError for anything else, naming the value and the choices.
    """
    if name.strip().upper() in AU_CODES:
        return AU_CODES.index(name.strip().upper())
    found = sided_au(name)
    if found.side is not None:
        code = AU_CODES[found.place]
        raise UnknownAUError(f"{name.strip()!r} is one side of a face, and both are meant here; write {code}")
    if found.sign < 0:
        raise UnknownAUError(
            f"{name.strip()!r} has no place of its own: it is {AU_CODES[found.place]} below 0"
        )
    return found.place


def openface_index(name: str) -> int:
    """Returns the position of one of OpenFace's action units, 0..16; the name is as for `au_index`."""
    index = au_index(name)
    if index >= OPENFACE_COUNT:
        raise UnknownAUError(
            f"{name.strip()!r} is none of OpenFace's action units: {', '.join(OPENFACE_CODES)}"
        )
    return index


def sided_au(name: str) -> AUName:
    """Returns the position, side and sign of an action unit; the name is as for `au_index`, with or without L
    or R.

    'AU12L' and 'au12l' are the lip corner puller on the person's left, and 'AU12' is that of both sides.
    AU30L and AU30R move the jaw to the person's left and right. Raises UnknownAUError for other names, and
    for a side of an action unit that has no sides.
    """
    text = name.strip()
    if text.lower() in AU_CODES:
        return AUName(AU_CODES.index(text.lower()))
    side = next((each for each in SIDES if text.upper().endswith(each)), None)
    number = _au_number(text[:-1] if side else text)
    if number == JAW_SIDEWAYS:
        if side is None:
            raise UnknownAUError(f"{text!r} is a move to the left or right; write AU30L or AU30R")
        return AUName(AU_INDEX[number], None, 1 if side == "L" else -1)
    sign = 1 if number in AU_INDEX else -1
    index = AU_INDEX[number if sign > 0 else _OPPOSITES[number]]
    if side and number in ONE_PIECE:
        raise UnknownAUError(f"{text!r}: {AU_CODES[index]} has no sides; write {AU_CODES[index]}")
    return AUName(index, side, sign)


_OPPOSITES = {unit.opposite: unit.number for unit in ACTION_UNITS if unit.opposite}
"""The action unit whose negative each FACS number is."""


def _au_number(name: str) -> int:
    digits = name.lower().removeprefix("au")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else -1
    if number in AU_INDEX or number in _OPPOSITES:
        return number
    if number in _UNWRITTEN:
        raise UnknownAUError(f"{name!r} cannot be written: {_UNWRITTEN[number]}")
    codes = (
        code
        for unit in ACTION_UNITS
        for code in dict.fromkeys((unit.code, f"AU{unit.opposite or unit.number:02d}"))
    )
    raise UnknownAUError(f"unknown action unit {name!r}; choose from {', '.join(codes)}")


def au_code(index: int, side: Side | None = None, sign: int = 1) -> str:
    """Returns the name that `sided_au` reads: AU12L, or AU12 where the side is None (both sides).

    sign: -1 names the opposite, such as AU62 for the position of AU61.
    """
    if index >= len(ACTION_UNITS):
        return AU_CODES[index]
    unit = ACTION_UNITS[index]
    if unit.number == JAW_SIDEWAYS:
        return f"{unit.code}{SIDES[sign < 0]}"
    code = unit.code if sign > 0 else f"AU{unit.opposite:02d}"
    return f"{code}{side or ''}"


def rows(side: Side | None) -> slice:
    """Returns the rows of a `Sided` that belong to this side. None: both rows."""
    return slice(None) if side is None else slice(SIDES.index(side), SIDES.index(side) + 1)


def neutral_aus() -> AUVector:
    """Returns a new vector of zeros, (AU_COUNT,)."""
    return np.zeros(AU_COUNT, np.float32)


def bilateral(aus: AUVector) -> Sided:
    """Returns (2, AU_COUNT): the same intensities on both sides."""
    return np.stack([aus, aus])


def both(sided: Sided) -> AUVector:
    """Returns the mean of both sides, (AU_COUNT,); where the sides are equal it is exactly their value."""
    return (sided[0] + sided[1]) / 2


def lean(sided: Sided) -> AUVector:
    """Returns the asymmetry (AU_COUNT,): how far the left side lies above the mean of both sides."""
    return (sided[0] - sided[1]) / 2


def apart(aus: AUVector, lean: AUVector) -> Sided:
    """Returns the values (2, AU_COUNT) of both sides of a face whose mean is `aus` (AU_COUNT,).

    lean: (AU_COUNT,) the asymmetry as from `lean`. It is reduced where a side would leave LOWEST..HIGHEST.
    """
    most = np.minimum(aus - LOWEST, HIGHEST - aus)
    lean = within(lean, -most, most)
    return np.stack([aus + lean, aus - lean])


def beyond(aus: NDArray[np.float32], neutral: AUVector) -> NDArray[np.float32]:
    """Returns what `aus` (..., AU_COUNT) shows beyond the face at rest, `neutral` (AU_COUNT,).

    An intensity below that of the face at rest counts as 0; directions and openings have both signs.
    """
    return np.clip(aus - neutral, _BEYOND, HIGHEST).astype(np.float32)


_BEYOND = np.where(LOWEST < 0, LOWEST, 0)
_BEYOND[OPENING_PLACES] = -_LARGEST_MM


def openface(aus: NDArray[np.floating]) -> NDArray[np.floating]:
    """Returns the values (..., 17) of OpenFace's action units among `aus` (..., AU_COUNT)."""
    return aus[..., :OPENFACE_COUNT]


def as_vector(intensities: NDArray[np.floating]) -> AUVector:
    """Returns (AU_COUNT,) from the first values of an AU array, such as the 17 of OpenFace; the rest is 0."""
    vector = np.zeros(AU_COUNT, np.float32)
    vector[: len(intensities)] = intensities
    return vector


def larger(sided: Sided) -> AUVector:
    """Returns (AU_COUNT,): for each place the value of the side that is further from 0."""
    left, right = sided
    return np.where(np.abs(left) < np.abs(right), right, left)
