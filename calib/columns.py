"""The columns of action units and of blendshapes in tables by OpenFace, LibreFace, py-feat, FaceReader, Live
Link Face and `reenact aus`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from calib.arkit import BLENDSHAPES
from calib.au import ACTION_UNITS, AU_INDEX, GAZE, GAZE_UNIT_DEG, JAW_DROP, LID_GAP, LIP_GAP, MAX_INTENSITY

_BLINK, _EYES_CLOSED = 45, 43


@dataclass(frozen=True)
class _Form:
    """How a program names its columns of intensities and numbers its frames."""

    pattern: re.Pattern[str]
    """Matches a column's name as `column_key` writes it; its group is the number of the action unit."""
    scale: float
    """The factor from the program's intensities to 0..5."""
    first_frame: int
    """The number of the first frame."""


_NORMALISED = _Form(re.compile(r"au_?0*(\d{1,3})_r"), 1.0, 1)
"""OpenFace and `reenact aus` write AU12_r, 0..5."""
_PLAIN = _Form(re.compile(r"au_?0*(\d{1,3})_rs"), 1.0, 1)
"""OpenFace also writes AU12_rs, 0..5, which is not normalised per person."""
_LIBREFACE = _Form(re.compile(r"au_?0*(\d{1,3})_intensity"), 1.0, 0)
"""LibreFace writes au_12_intensity, 0..5; its au_12 is 0 or 1 for absent or present."""
_PY_FEAT = _Form(re.compile(r"au0*(\d{1,3})"), MAX_INTENSITY, 0)
"""py-feat writes AU12, 0..1."""
_FACEREADER = _Form(re.compile(r"action_unit_0*(\d{1,3})_-_(?!.*(?:left|right)).*"), MAX_INTENSITY, 0)
"""FaceReader writes Action Unit 12 - Lip Corner Puller, 0..1."""
_FORMS = (_NORMALISED, _LIBREFACE, _PY_FEAT, _FACEREADER, _PLAIN)


GEOMETRY: Mapping[str, tuple[int, float]] = {
    "gaze_left_L_deg": (GAZE.start, 0.5 / GAZE_UNIT_DEG),
    "gaze_up_L_deg": (GAZE.start + 1, 0.5 / GAZE_UNIT_DEG),
    "gaze_left_R_deg": (GAZE.start, 0.5 / GAZE_UNIT_DEG),
    "gaze_up_R_deg": (GAZE.start + 1, 0.5 / GAZE_UNIT_DEG),
    "lip_gap_mm": (LIP_GAP, 1.0),
    "jaw_drop_mm": (JAW_DROP, 1.0),
    "lid_gap_L_mm": (LID_GAP, 0.5),
    "lid_gap_R_mm": (LID_GAP, 0.5),
}
"""The columns of gaze and openings in tables of `reenact aus`: for each the place in an AU array, and the
factor with which it counts there; what both sides have is their mean."""


@dataclass(frozen=True)
class AUColumns:
    """The columns of intensities in a table."""

    names: Mapping[int, str]
    """The columns' names by position of the action unit; units that the table lacks are left out."""
    places: Mapping[int, tuple[int, ...]]
    """The columns' positions in the header; there are several where the header repeats a name."""
    scale: float
    """The factor from the table's intensities to 0..5."""
    first_frame: int
    """The number that the program gives to the first frame of a film."""
    unknown: tuple[str, ...] = ()
    """The columns of intensities of action units that are not known here."""
    blendshapes: Mapping[int, int] = field(default_factory=dict)
    """The columns' positions of ARKit's blendshapes, by their index. Empty: the table has action units."""


def column_key(name: str) -> str:
    """Returns a column's name in lower case and with single underscores for spaces."""
    return "_".join(name.lower().split())


def au_columns(header: Sequence[str], plain: bool = False) -> AUColumns | None:
    """Returns the columns of intensities, or of blendshapes, in a header. None: it has none.

    Where a table has intensities in two forms, those from 0 to 5 count. AU43 (eyes closed) is read as AU45.
    plain: whether AU12_rs, which is not normalised per person, is preferred to AU12_r.
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
            known = {place for found in places.values() for place in found}
            unknown = (
                header[place] for place, each in enumerate(numbers) if each is not None and place not in known
            )
            return AUColumns(names, places, form.scale, form.first_frame, tuple(unknown))
    return _blendshape_columns(keys)


def _blendshape_columns(keys: Sequence[str]) -> AUColumns | None:
    """The columns of a table by Live Link Face or of MediaPipe's scores. None: it is no such table."""
    places = {
        index: keys.index(name.lower()) for index, name in enumerate(BLENDSHAPES) if name.lower() in keys
    }
    if len(places) < _LEAST_BLENDSHAPES:
        return None
    return AUColumns({}, {}, 1.0, 0, (), places)


_LEAST_BLENDSHAPES = 10
"""The number of columns with names of blendshapes from which on a table is taken for one of them."""
