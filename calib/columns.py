"""Where the action units stand in a table by OpenFace, LibreFace, py-feat, FaceReader or `reenact aus`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calib.au import ACTION_UNITS, AU_INDEX, MAX_INTENSITY

_BLINK, _EYES_CLOSED = 45, 43


@dataclass(frozen=True)
class _Form:
    """How a program names its columns of intensities, and counts."""

    pattern: re.Pattern[str]
    """Of a column's name, as `column_key` writes it, with the number of the action unit."""
    scale: float
    """The factor to 0..5."""
    first_frame: int


_NORMALISED = _Form(re.compile(r"au_?0*(\d{1,3})_r"), 1.0, 1)
"""OpenFace and `reenact aus`: AU12_r, 0..5."""
_PLAIN = _Form(re.compile(r"au_?0*(\d{1,3})_rs"), 1.0, 1)
"""OpenFace's AU12_rs, 0..5, which is not normalised per person."""
_LIBREFACE = _Form(re.compile(r"au_?0*(\d{1,3})_intensity"), 1.0, 0)
"""au_12_intensity, 0..5; its au_12 is yes or no."""
_PY_FEAT = _Form(re.compile(r"au0*(\d{1,3})"), MAX_INTENSITY, 0)
"""AU12, 0..1."""
_FACEREADER = _Form(re.compile(r"action_unit_0*(\d{1,3})_-_(?!.*(?:left|right)).*"), MAX_INTENSITY, 0)
"""Action Unit 12 - Lip Corner Puller, 0..1."""
_FORMS = (_NORMALISED, _LIBREFACE, _PY_FEAT, _FACEREADER, _PLAIN)


@dataclass(frozen=True)
class AUColumns:
    names: Mapping[int, str]
    """Names of columns by position of the action unit; what a table does not measure is left out."""
    places: Mapping[int, tuple[int, ...]]
    """Where these columns are in the header; more than one place where the header repeats a name."""
    scale: float
    """From the table's intensities to ours, 0..5."""
    first_frame: int
    """The number that the program gives to the first frame of a film."""


def column_key(name: str) -> str:
    """A column's name without what programs and people write differently: case, and spaces."""
    return "_".join(name.lower().split())


def au_columns(header: Sequence[str], plain: bool = False) -> AUColumns | None:
    """The columns of intensities in a header; None where it has none.

    Where a table has intensities in two forms, those from 0 to 5 count. AU43 (eyes closed) stands for AU45.
    plain: whether AU12_rs, which is not normalised per person, goes before AU12_r.
    """
    keys = [column_key(name) for name in header]
    for form in (_PLAIN, *_FORMS) if plain else _FORMS:
        numbers = [int(match[1]) if (match := form.pattern.fullmatch(key)) else None for key in keys]
        if _EYES_CLOSED in numbers and _BLINK not in numbers:
            numbers = [_BLINK if number == _EYES_CLOSED else number for number in numbers]
        places = {
            AU_INDEX[unit.number]: tuple(place for place, each in enumerate(numbers) if each == unit.number)
            for unit in ACTION_UNITS
            if unit.number in numbers
        }
        if places:
            names = {index: header[found[0]] for index, found in places.items()}
            return AUColumns(names, places, form.scale, form.first_frame)
    return None
