"""What a face should show: the language of --target-aus, and the record it becomes."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calib.au import (
    AU_COUNT,
    MAX_INTENSITY,
    SIDES,
    AUVector,
    Change,
    Side,
    Sided,
    UnknownAUError,
    au_code,
    au_index,
    bilateral,
    neutral_aus,
    rows,
    sided_au,
)
from reenact.json_file import read_json
from reenact.retarget.presets import PRESETS

_ITEM = re.compile(r"\s*([^=]*?)\s*=\s*(.*?)\s*", re.DOTALL)
_NUMBER = re.compile(r"([+-]?)\s*(\d+\.?\d*|\.\d+)", re.ASCII)
_FORM = "write AU12=+2 to add, AU12=3 to set, or a preset's name"
_JSON_KEYS = {"version", "description", "preset", "relative", "absolute"}
MAX_SCALE = 4.0
"""More would make any trace of an action unit its utmost."""


_Named = tuple[int, Side | None]
"""An action unit's index, and the side of the face that is meant; None: both."""


class TargetError(ValueError):
    """A target that cannot be understood or lies out of range."""


@dataclass(frozen=True, eq=False)
class Targets:
    """For each action unit, on each side, what to add to the face and how much of its own movement to take
    away.

    change = value - hold * measured. A relative target has hold 0, an absolute one hold 1, and an action
    unit that is left alone has neither. Being linear, two targets blend by blending their arrays.
    """

    value: Sided
    """(2, 17) the amount to add (-5..5, hold 0) or the intensity to reach (0..5, hold 1)."""
    hold: Sided
    """(2, 17) up to 1: the share of the measured intensity that `value` replaces; below 0 it is amplified."""

    def change(self, measured: AUVector | Sided) -> Change:
        """(2, 17) the relative action units that take a face from `measured` to these targets; unlimited.

        measured: (17,) where both sides show the same, or (2, 17).
        """
        return self.value - self.hold * measured

    @property
    def one_sided(self) -> AUVector:
        """(17,) 0..1: how far the two sides are meant apart."""
        differing = np.abs(np.diff(self.value, axis=0)) + np.abs(np.diff(self.hold, axis=0))
        return np.minimum(differing[0], 1)

    def blend(self, other: Targets, share: float) -> Targets:
        """These targets at share 0, `other` at share 1."""
        return Targets(
            (1 - share) * self.value + share * other.value, (1 - share) * self.hold + share * other.hold
        )

    def then(self, later: Targets) -> Targets:
        """These targets first, and `later` on the face that they make."""
        kept = 1 - later.hold
        return Targets(kept * self.value + later.value, later.hold + kept * self.hold)

    def times(self, strength: float | AUVector) -> Targets:
        """Those whose change is `strength` times the change of these, of all or for each action unit."""
        return Targets(strength * self.value, strength * self.hold)

    def above(self, neutral: AUVector) -> Targets:
        """Those of a person in whose face at rest `neutral` (0..5) is measured: absolute targets count from
        there, relative ones are the same."""
        return Targets(self.value + self.hold * neutral, self.hold)

    def over(self, below: Targets) -> Targets:
        """These targets, and those of `below` for the action units that these leave alone."""
        named = (self.value != 0) | (self.hold != 0)
        return Targets(np.where(named, self.value, below.value), np.where(named, self.hold, below.hold))

    def __str__(self) -> str:
        """As --target-aus takes it: AU04=-1,AU12L=+2,AU25=0; 'none' if nothing is to change."""
        return ",".join(_written(*item) for item in self.items()) or "none"

    def items(self) -> Iterator[tuple[int, Side | None, float, float]]:
        """(index, side, value, hold) of what is not left alone: both sides at once where they agree."""
        for index in range(AU_COUNT):
            left, right = zip(self.value[:, index].tolist(), self.hold[:, index].tolist(), strict=True)
            sides: Mapping[Side | None, tuple[float, float]] = (
                {None: left} if left == right else dict(zip(SIDES, (left, right), strict=True))
            )
            for side, (value, hold) in sides.items():
                if value or hold:
                    yield index, side, value, hold


def _written(index: int, side: Side | None, value: float, hold: float) -> str:
    number = np.format_float_positional(np.float32(abs(value)), trim="-")
    return f"{au_code(index, side)}={'' if hold else '-' if value < 0 else '+'}{number}"


def no_targets() -> Targets:
    """Leaves every action unit as the face has it."""
    return Targets(bilateral(neutral_aus()), bilateral(neutral_aus()))


def parse_targets(text: str) -> Targets:
    """Targets from the text of --target-aus.

    Items are separated by commas; a later one overrides an earlier one, action unit by action unit:

    - AU12=+2 or AU4=-1: signed, so relative: added to what the face does, -5..+5;
    - AU12=3: unsigned, so absolute: what the face shall show, 0..5;
    - AU12L=+2 or AU45R=5: on the person's own left or right alone, also after the same for both sides;
    - smile: a preset (reenact.retarget.presets);
    - or, alone, the path of a JSON file ending in .json (see load_targets).

    Raises TargetError with the item, its position and the right form.
    """
    if text.strip().lower().endswith(".json"):
        return load_targets(Path(text.strip()))
    targets, position = no_targets(), 1
    given: set[_Named] = set()
    for item in text.split(","):
        targets = _add_item(targets, item, position, given)
        position += len(item) + 1
    return targets


def parse_value(text: str) -> tuple[float, bool]:
    """(value, absolute) from text such as +2 (to add, -5..5) or 3 (to show, 0..5). Raises TargetError."""
    return _parse_number(text.strip(), repr(text.strip()))


def parse_scales(text: str) -> Targets:
    """Targets that multiply what a face shows, from text such as AU12=1.5,AU04L=0.

    1 leaves it as it is, 0 takes it away. Raises TargetError with the item.
    """
    targets = no_targets()
    given: set[_Named] = set()
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
        index, side = named
        targets.hold[rows(side), index] = 1 - scale
    return targets


def parse_locks(text: str) -> Targets:
    """Targets that hold values, from text such as AU12=3,AU04=0. Raises TargetError."""
    targets = parse_targets(text)
    for index, side, value, hold in targets.items():
        if value and not hold:
            code = au_code(index, side)
            raise TargetError(f"{text.strip()!r} adds to {code}; a lock takes unsigned values: {code}=2")
    return targets


def neutralised(share: float) -> Targets:
    """Targets that take away this share, 0..1, of the expression that a face shows. It goes on blinking."""
    targets = no_targets()
    targets.hold[:] = share
    targets.hold[:, au_index("AU45")] = 0
    return targets


def load_targets(path: Path) -> Targets:
    """Targets from a JSON file: numbers and names only, so a file from a stranger is safe to open.

        {"version": 1, "description": "said aloud", "preset": "smile",
         "relative": {"AU06": 1.5, "AU04L": -1}, "absolute": {"AU25": 0}}

    Only "version" is needed. "preset" comes first, "relative" (-5..5) and "absolute" (0..5) override it, and
    what names one side (AU04L) overrides what names both.
    Raises TargetError naming the file and what is wrong in it.
    """
    try:
        return _from_json(read_json(path, TargetError))
    except TargetError as error:
        raise TargetError(f"target file {str(path)!r}: {error}") from error


def _add_item(targets: Targets, item: str, position: int, given: set[_Named]) -> Targets:
    """`targets` with one item of the text on top; `given` collects the action units named one by one."""
    shown = f"{item.strip()!r} at character {position + len(item) - len(item.lstrip())}"
    if not item.strip():
        raise TargetError(f"empty target at character {position}; {_FORM}")
    match = _ITEM.fullmatch(item)
    if match is None:
        return _preset(item.strip(), shown).over(targets)
    named = _name(match[1], shown)
    _give(named, given, shown)
    return _set(targets, named, *_parse_number(match[2], shown))


def _name(text: str, shown: str) -> _Named:
    try:
        return sided_au(text)
    except UnknownAUError as error:
        raise TargetError(f"{shown}: {error}") from error


def _give(named: _Named, given: set[_Named], shown: str) -> None:
    """Adds to what is `given`. Both sides first and then one of them is no mistake; the other way round, or
    the same again, is."""
    index, side = named
    again = {named} if side else {(index, None), *((index, each) for each in SIDES)}
    if again & given:
        raise TargetError(f"{shown}: {au_code(*named)} is given twice")
    given.add(named)


def _preset(name: str, shown: str) -> Targets:
    """The targets of a preset, whatever its case."""
    preset = PRESETS.get(name.lower().replace("_", "-").replace(" ", "-"))
    if preset is None:
        hint = _suggestion(name.lower(), PRESETS) or f"; presets are {', '.join(PRESETS)}"
        raise TargetError(f"{shown} is neither AU=value nor a preset{hint}")
    return parse_targets(preset.spec)


def _parse_number(text: str, shown: str) -> tuple[float, bool]:
    """(value, absolute) of the right-hand side of an item."""
    match = _NUMBER.fullmatch(text.replace("\u2212", "-"))
    if match is None:
        raise TargetError(f"{shown}: {text!r} is not a number; {_FORM}")
    return _in_range(float(match[1] + match[2]), not match[1], shown), not match[1]


def _in_range(value: float, absolute: bool, shown: str) -> float:
    low = 0.0 if absolute else -MAX_INTENSITY
    if not low <= value <= MAX_INTENSITY:  # also catches NaN
        form = "absolute values run from 0 to 5" if absolute else "relative values run from -5 to +5"
        raise TargetError(f"{shown} is out of range: {form}")
    return value


def _suggestion(word: str, choices: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _set(targets: Targets, named: _Named, value: float, absolute: bool) -> Targets:
    """`targets` with one action unit replaced."""
    index, side = named
    changed = Targets(targets.value.copy(), targets.hold.copy())
    changed.value[rows(side), index], changed.hold[rows(side), index] = value, absolute
    return changed


def _from_json(document: Any) -> Targets:
    if not isinstance(document, dict):
        raise TargetError('must be an object: {"version": 1, "relative": {"AU12": 2}}')
    if document.get("version") != 1:
        raise TargetError(f'"version" is {document.get("version")!r}; this release reads 1')
    for key in document.keys() - _JSON_KEYS:
        raise TargetError(f"unknown key {key!r}; choose from {', '.join(sorted(_JSON_KEYS))}")
    targets = no_targets()
    if "preset" in document:
        name = document["preset"]
        targets = _preset(str(name), f'"preset": {name!r}')
    given: set[_Named] = set()
    entries = [entry for key in ("relative", "absolute") for entry in _entries(key, document.get(key, {}))]
    # The order of a JSON object means nothing.
    for named, value, absolute, shown in sorted(entries, key=lambda entry: entry[0][1] is not None):
        _give(named, given, shown)
        targets = _set(targets, named, value, absolute)
    return targets


def _entries(key: str, table: Any) -> Iterator[tuple[_Named, float, bool, str]]:
    """(what is named, value, absolute, how to show it) of the "relative" or "absolute" object of a file."""
    if not isinstance(table, dict):
        raise TargetError(f'"{key}" must be an object of action units and numbers, not {table!r:.40}')
    for name, value in table.items():
        shown = f'{name!r} in "{key}"'
        named = _name(name, shown)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TargetError(f"{shown}: {value!r:.40} is not a number")
        yield named, _in_range(value, key == "absolute", shown), key == "absolute", shown
