"""The notation of --target-aus and of target files: from text to Targets."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np

from calib.au import (
    AU_CODES,
    AU_COUNT,
    GAZE,
    GAZE_UNIT_DEG,
    HIGHEST,
    LOWEST,
    MAX_INTENSITY,
    OPENING_PLACES,
    SIDES,
    AUName,
    Side,
    UnknownAUError,
    au_code,
    rows,
    sided_au,
)
from calib.json_file import has_version, number_in, read_json
from reenact.programme.presets import PRESETS
from reenact.programme.targets import Aim, Kind, Targets, no_aim, no_targets

_ITEM = re.compile(r"\s*([^=]*?)\s*=\s*(.*?)\s*", re.DOTALL)
_NUMBER = re.compile(r"([+-]?)\s*(\d+\.?\d*|\.\d+)", re.ASCII)
_WRITTEN_NUMBER = re.compile(r"([+-]?)\s*((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.ASCII | re.IGNORECASE)
"""A number as programs may write small ones, too: 5e-05."""
_ONE_WAY = re.compile(r"(?P<most>\.\.)?\s*(?P<number>.*?)\s*(?P<least>\.\.)?", re.DOTALL)
_FORM = "write AU12=+2 to add, AU12=3 to set, or a preset's name"
_JSON_KEYS = {"version", "description", "preset", "relative", "absolute", "at_least", "at_most"}
MAX_SCALE = 4.0
"""The largest factor of --scale; a larger one would raise any trace of an action unit to the full 5."""


class TargetError(ValueError):
    """The text of a target cannot be understood or lies out of range; the message is one line."""


def parse_targets(text: str) -> Targets:
    """Targets from the text of --target-aus.

    Items are separated by commas; a later item overrides an earlier one, action unit by action unit:

    - AU12=+2 or AU4=-1: a signed number is relative, and added to what the face shows, -5..+5;
    - AU12=3: an unsigned number is absolute, and what the face should show, 0..5;
    - AU12=3.. or AU12=..1: the least or the most that the face's expression should show, 0..5; speech and
      blinks do not count;
    - AU12L=+2 or AU45R=5: the person's own left or right alone, also after an item for both sides;
    - smile: a preset (reenact.programme.presets), which leads the face to an expression;
    - or a single path ending in .json (see load_targets).

    Raises TargetError with the item, its position and the right form.
    """
    if text.strip().lower().endswith(".json"):
        return load_targets(Path(text.strip()))
    targets, position = no_targets(), 1
    given: set[_Place] = set()
    for item in text.split(","):
        targets = _add_item(targets, item, position, given)
        position += len(item) + 1
    return targets


def parse_value(text: str) -> tuple[float, bool]:
    """The value in text such as +2 (to add, -5..5) or 3 (to show, 0..5), and whether it is absolute.

    Raises TargetError.
    """
    value, kind = _parse_plain_number(text.strip(), repr(text.strip()), _WRITTEN_NUMBER)
    return value, kind == "absolute"


def parse_scales(text: str) -> Targets:
    """Targets that multiply the intensities of a face, from text such as AU12=1.5,AU04L=0.

    A scale of 1 leaves an intensity as it is, 0 removes it. Raises TargetError with the item.
    """
    targets = no_targets()
    given: set[_Place] = set()
    for item in text.split(","):
        name, _, number = item.partition("=")
        try:
            named, scale = sided_au(name), float(number)
        except UnknownAUError as error:
            raise TargetError(f"{item.strip()!r}: {error}") from error
        except ValueError as error:
            raise TargetError(f"{item.strip()!r}: write AU12=1.5, AU04=0") from error
        _give(named, given, repr(item.strip()))
        if not 0 <= scale <= MAX_SCALE:
            raise TargetError(f"{item.strip()!r} is out of range: a scale runs from 0 to {MAX_SCALE:g}")
        targets.hold[rows(named.side), named.place] = 1 - scale
    return targets


def parse_locks(text: str) -> Targets:
    """Targets that hold absolute values, from text such as AU12=3,AU04=0. Raises TargetError."""
    targets = parse_targets(text)
    for item in targets.items():
        if item.kind != "absolute":
            code = au_code(item.index, item.side)
            raise TargetError(f"{text.strip()!r} does not hold {code}; write an unsigned value: {code}=2")
    return targets


def parse_gaze(text: str) -> Targets:
    """Targets that hold a gaze, from the text of --gaze.

    "camera" is eye contact. "5,-2" are the angles, in degrees from straight ahead of the head, to the
    person's left and up. Raises TargetError.
    """
    if text.strip().lower() == "camera":
        return parse_targets("eye_contact=1")
    parts = text.split(",")
    try:
        left_deg, up_deg = map(float, parts)
    except ValueError as error:
        raise TargetError(
            f"{text.strip()!r} is no gaze; write camera, or degrees left and up: 5,-2"
        ) from error
    most_deg = MAX_INTENSITY * GAZE_UNIT_DEG
    if not (abs(left_deg) <= most_deg and abs(up_deg) <= most_deg):
        raise TargetError(f"{text.strip()!r} is out of range: eyes turn by up to {most_deg:g} degrees")
    targets = no_targets()
    targets.value[:, GAZE] = np.array([left_deg, up_deg]) / GAZE_UNIT_DEG
    targets.hold[:, GAZE] = 1
    return targets


def load_targets(path: Path) -> Targets:
    """Targets from a JSON file, which holds numbers and names only and is safe to open.

        {"version": 1, "description": "a reserved smile", "preset": "smile",
         "relative": {"AU06": 1.5, "AU04L": -1}, "absolute": {"AU25": 0}}

    Only "version" is required. "relative" (-5..5), "absolute", "at_least" and "at_most" (0..5) override
    "preset", and an entry of one side (AU04L) overrides one of both.
    Raises TargetError naming the file and what is wrong in it.
    """
    try:
        return _from_json(read_json(path, TargetError))
    except TargetError as error:
        raise TargetError(f"target file {str(path)!r}: {error}") from error


_Place = tuple[int, Side | None]
"""The index of an action unit, and the side of the face. None: both sides."""


def _add_item(targets: Targets, item: str, position: int, given: set[_Place]) -> Targets:
    """`targets` with one item of the text applied; `given` collects the action units that items name."""
    shown = f"{item.strip()!r} at character {position + len(item) - len(item.lstrip())}"
    if not item.strip():
        raise TargetError(f"empty target at character {position}; {_FORM}")
    match = _ITEM.fullmatch(item)
    if match is None:
        return _preset(item.strip(), shown).over(targets)
    named = _name(match[1], shown)
    _give(named, given, shown)
    value, kind = _parse_number(match[2], shown)
    _check_kind(named, value, kind, shown)
    return _set(targets, named, value, kind)


def _name(text: str, shown: str) -> AUName:
    """The action unit that the text names; openings of a face are read, and not asked for by name."""
    try:
        named = sided_au(text)
    except UnknownAUError as error:
        raise TargetError(f"{shown}: {error}") from error
    if named.place in range(OPENING_PLACES.start, OPENING_PLACES.stop):
        raise TargetError(f"{shown}: {AU_CODES[named.place]} is read only; ask for AU25, AU26 or AU45")
    return named


def _check_kind(named: AUName, value: float, kind: Kind, shown: str) -> None:
    if kind in ("at_least", "at_most") and LOWEST[named.place] < 0:
        raise TargetError(f"{shown}: a direction has no least or most; write +2 to add, or 2 to set")
    if abs(value) > HIGHEST[named.place]:
        raise TargetError(f"{shown} is out of range: it runs to {HIGHEST[named.place]:g}")


def _give(named: AUName, given: set[_Place], shown: str) -> None:
    """Adds to `given`. Raises TargetError where an item repeats an earlier one.

    One side may be named after both sides, but not before.
    """
    index, side, _ = named
    again = {(index, side)} if side else {(index, None), *((index, each) for each in SIDES)}
    if again & given:
        raise TargetError(f"{shown}: {au_code(*named)} is given twice")
    given.add((index, side))


def _preset(name: str, shown: str) -> Targets:
    """The targets of a preset, by a name in any case. Raises TargetError."""
    preset = PRESETS.get(name.lower().replace("_", "-").replace(" ", "-"))
    if preset is None:
        hint = _suggestion(name.lower(), PRESETS) or f"; presets are {', '.join(PRESETS)}"
        raise TargetError(f"{shown} is neither AU=value nor a preset{hint}")
    return parse_targets(preset.spec)


def _parse_number(text: str, shown: str) -> tuple[float, Kind]:
    """The value and the kind of the right-hand side of an item."""
    match = _ONE_WAY.fullmatch(text)
    if match is None or bool(match["most"]) == bool(match["least"]):
        return _parse_plain_number(text, shown)
    value, kind = _parse_plain_number(match["number"], shown)
    if kind != "absolute":
        raise TargetError(f"{shown}: a least or a most has no sign; write AU12=3.. or AU12=..1")
    return value, "at_most" if match["most"] else "at_least"


def _parse_plain_number(text: str, shown: str, form: re.Pattern[str] = _NUMBER) -> tuple[float, Kind]:
    match = form.fullmatch(text.replace("\u2212", "-"))
    if match is None:
        raise TargetError(f"{shown}: {text!r} is not a number; {_FORM}")
    kind: Kind = "relative" if match[1] else "absolute"
    return in_range(float(match[1] + match[2]), kind, shown), kind


def in_range(value: float, kind: Kind, shown: str) -> float:
    """The value, if it lies in the range of its kind; else raises TargetError that calls it `shown`."""
    low = -MAX_INTENSITY if kind == "relative" else 0.0
    if not low <= value <= MAX_INTENSITY:  # also catches NaN
        form = (
            "relative values run from -5 to +5" if kind == "relative" else "absolute values run from 0 to 5"
        )
        raise TargetError(f"{shown} is out of range: {form}")
    return value


def _suggestion(word: str, choices: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _set(targets: Targets, named: AUName, value: float, kind: Kind) -> Targets:
    """`targets` with the goal of one action unit replaced."""
    index, side, sign = named
    value = sign * value
    chosen = np.zeros((len(SIDES), AU_COUNT), bool)
    chosen[rows(side), index] = True
    given = chosen.astype(np.float32)
    asked = Aim(given * np.float32(value), given * np.float32(kind != "relative"))
    places = ("at_least", "at_most")
    return Targets(
        *vars((asked if kind not in places else no_aim()).where(chosen, targets.aims[0])).values(),
        *((asked if kind == place else no_aim()).where(chosen, getattr(targets, place)) for place in places),
    )


def _from_json(document: Any) -> Targets:
    if not isinstance(document, dict):
        raise TargetError('must be an object: {"version": 1, "relative": {"AU12": 2}}')
    if not has_version(document, 1):
        raise TargetError(f'"version" is {document.get("version")!r:.40}; this release reads 1')
    for key in document.keys() - _JSON_KEYS:
        raise TargetError(f"unknown key {key!r}; choose from {', '.join(sorted(_JSON_KEYS))}")
    targets = no_targets()
    if "preset" in document:
        name = document["preset"]
        targets = _preset(str(name), f'"preset": {name!r}')
    given: set[_Place] = set()
    entries = [entry for kind in get_args(Kind) for entry in _entries(kind, document.get(kind, {}))]
    # The order of keys in a JSON object has no meaning.
    for named, value, kind, shown in sorted(entries, key=lambda entry: entry[0].side is not None):
        _give(named, given, shown)
        targets = _set(targets, named, value, kind)
    return targets


def _entries(kind: Kind, table: Any) -> Iterator[tuple[AUName, float, Kind, str]]:
    """The named action unit, value, kind and text for errors of each entry of the object of this kind."""
    if not isinstance(table, dict):
        raise TargetError(f'"{kind}" must be an object of action units and numbers, not {table!r:.40}')
    for name, value in table.items():
        shown = f'{name!r} in "{kind}"'
        named = _name(name, shown)
        number = number_in(value)
        if math.isnan(number):
            raise TargetError(f"{shown}: {value!r:.40} is not a number")
        value = in_range(number, kind, shown)
        _check_kind(named, value, kind, shown)
        yield named, value, kind, shown
