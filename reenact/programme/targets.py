"""What a face should show: the language of --target-aus, and the record it becomes."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

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
from calib.json_file import has_version, number_in, read_json
from reenact.programme.expression import expression
from reenact.programme.presets import PRESETS

_ITEM = re.compile(r"\s*([^=]*?)\s*=\s*(.*?)\s*", re.DOTALL)
_NUMBER = re.compile(r"([+-]?)\s*(\d+\.?\d*|\.\d+)", re.ASCII)
_WRITTEN_NUMBER = re.compile(r"([+-]?)\s*((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.ASCII | re.IGNORECASE)
"""As programs write small numbers, too: 5e-05."""
_ONE_WAY = re.compile(r"(?P<most>\.\.)?\s*(?P<number>.*?)\s*(?P<least>\.\.)?", re.DOTALL)
_FORM = "write AU12=+2 to add, AU12=3 to set, or a preset's name"
_JSON_KEYS = {"version", "description", "preset", "relative", "absolute", "at_least", "at_most"}
Kind: TypeAlias = Literal["relative", "absolute", "at_least", "at_most"]
"""How a number is meant: AU12=+2 is relative, AU12=3 absolute, AU12=3.. at least and AU12=..3 at most."""
MAX_SCALE = 4.0
"""More would make any trace of an action unit its utmost."""


_Named = tuple[int, Side | None]
"""An action unit's index, and the side of the face that is meant; None: both."""


class TargetError(ValueError):
    """A target that cannot be understood or lies out of range."""


@dataclass(frozen=True, eq=False)
class Aim:
    """How far a face is from somewhere, linearly in what it shows; half of what Targets are made of."""

    value: Sided
    """(2, 17) the intensity to reach, times `hold`."""
    hold: Sided
    """(2, 17) how much of the measured intensity counts towards it, 0..1; 0 and 0: there is no aim."""

    def missing(self, measured: AUVector | Sided) -> Change:
        """(2, 17) what is missing to the aim; below 0 where the face is beyond it."""
        return self.value - self.hold * measured

    @property
    def named(self) -> NDArray[np.bool_]:
        """(2, 17) where there is an aim."""
        return (self.value != 0) | (self.hold != 0)

    @property
    def one_sided(self) -> AUVector:
        """(17,) how far the two sides are meant apart."""
        return (np.abs(np.diff(self.value, axis=0)) + np.abs(np.diff(self.hold, axis=0)))[0]

    def times(self, strength: float | AUVector | Sided) -> Aim:
        """An aim from which a face is `strength` times as far."""
        return Aim(strength * self.value, strength * self.hold)

    def plus(self, other: Aim) -> Aim:
        """An aim from which a face is as far as from both together."""
        return Aim(self.value + other.value, self.hold + other.hold)

    def after(self, first: Targets) -> Aim:
        """This aim of the face that `first` makes, as an aim of the face before that."""
        return Aim(self.value - self.hold * first.value, self.hold * (1 - first.hold))

    def above(self, neutral: AUVector) -> Aim:
        """This aim, counted from a face at rest that shows `neutral`."""
        return Aim(self.value + self.hold * neutral, self.hold)

    def where(self, chosen: NDArray[np.bool_], other: Aim) -> Aim:
        """This aim for the action units `chosen`, and `other` for the rest."""
        return Aim(np.where(chosen, self.value, other.value), np.where(chosen, self.hold, other.hold))


def _no_aim() -> Aim:
    return Aim(bilateral(neutral_aus()), bilateral(neutral_aus()))


@dataclass(frozen=True)
class Item:
    """What is asked of one action unit."""

    index: int
    """The action unit's."""
    side: Side | None
    """The side of the face that is meant; None: both."""
    value: float
    hold: float
    """As in Targets, or as in the aim of this kind."""
    kind: Kind

    def __str__(self) -> str:
        """As --target-aus takes it: AU04=-1, AU12L=3, AU06=2.. or AU12=..0."""
        sign = "" if self.kind != "relative" else "-" if self.value < 0 else "+"
        number = np.format_float_positional(np.float32(abs(self.value)), trim="-")
        before, after = "." * 2 * (self.kind == "at_most"), "." * 2 * (self.kind == "at_least")
        return f"{au_code(self.index, self.side)}={before}{sign}{number}{after}"


@dataclass(frozen=True, eq=False)
class Targets:
    """For each action unit, on each side, what to add to the face, how much of its own movement to take
    away, and where to lead it if it is not there yet.

    change = value - hold * measured
           + max(0, what the face's expression misses `at_least`) + min(0, the same for `at_most`)

    A relative target (hold 0) adds to what the face does, an absolute one (hold 1) replaces it, and a preset
    leads the face to an expression. An absolute target means the intensity that it names: a strength fades
    between what the face shows (0) and that (1) and goes no further, and a person's gain does not change it.
    An action unit that is left alone has neither value nor hold. Aims go by the face's expression alone
    (reenact.programme.expression): they count neither speech nor blinks, nor what is read of a face at rest.
    Two targets blend by blending their arrays.
    """

    value: Sided
    """(2, 17) the amount to add (-5..5, hold 0) or the intensity to reach (0..5, hold 1)."""
    hold: Sided
    """(2, 17) up to 1: the share of the measured intensity that `value` replaces; below 0 it is amplified."""
    at_least: Aim = field(default_factory=_no_aim)
    """Where the face is raised to, unless it is there or beyond."""
    at_most: Aim = field(default_factory=_no_aim)
    """Where the face is lowered to, unless it is there or below."""

    def change(self, measured: AUVector | Sided) -> Change:
        """(2, 17) the relative action units that take a face from `measured` to these targets; unlimited.

        measured: (17,) where both sides show the same, or (2, 17).
        """
        change = self.value - self.hold * measured
        if not (self.at_least.named.any() or self.at_most.named.any()):
            return change
        shown = expression(measured)
        return (
            change + np.maximum(self.at_least.missing(shown), 0) + np.minimum(self.at_most.missing(shown), 0)
        )

    @property
    def one_sided(self) -> AUVector:
        """(17,) 0..1: how far the two sides are meant apart."""
        return np.minimum(sum(aim.one_sided for aim in self._aims), 1)

    def blend(self, other: Targets, share: float) -> Targets:
        """These targets at share 0, `other` at share 1."""
        return _targets(
            mine.times(1 - share).plus(its.times(share))
            for mine, its in zip(self._aims, other._aims, strict=True)
        )

    def then(self, later: Targets) -> Targets:
        """These targets first, and `later` on the face that they make.

        Where both lead an action unit somewhere in one direction, `later` alone does.
        """
        kept = 1 - later.hold
        aims = (
            its.after(self).where(its.named, mine.times(kept))
            for mine, its in zip(self._aims[1:], later._aims[1:], strict=True)
        )
        return Targets(kept * self.value + later.value, later.hold + kept * self.hold, *aims)

    def times(self, strength: float | AUVector) -> Targets:
        """Those whose change is `strength` times the change of these, of all or for each action unit.

        Absolute targets are reached at a strength of 1 and not passed, and what takes away a share of the
        face's own takes at most all of it. Relative targets and aims (at least, at most) go on beyond 1.
        """
        whole = np.divide(1, self.hold, out=np.full_like(self.hold, np.inf), where=self.hold > 0)
        return _targets(
            (
                Aim(self.value, self.hold).times(np.minimum(strength, whole).astype(np.float32)),
                self.at_least.times(strength),
                self.at_most.times(strength),
            )
        )

    def with_gain(self, gain: AUVector) -> Targets:
        """What is asked of a person with this gain (17,), 0 or more: it multiplies what is added to the face.

        Where an intensity is named (absolute targets and aims) that is what the face shall show, whatever the
        gain; but where the gain is 0 nothing is asked. In between, as on the way from a relative keyframe to
        an absolute one, it is a mixture.
        """
        asked = (gain > 0).astype(np.float32)
        absolute = np.clip(self.hold, 0, 1)
        return _targets(
            (
                Aim(self.value, self.hold).times(gain + absolute * (asked - gain)),
                self.at_least.times(asked),
                self.at_most.times(asked),
            )
        )

    def above(self, neutral: AUVector) -> Targets:
        """Those of a person in whose face at rest `neutral` (0..5) is measured: absolute targets and aims
        count from there, relative ones are the same."""
        return _targets(aim.above(neutral) for aim in self._aims)

    def over(self, below: Targets) -> Targets:
        """These targets, and those of `below` for the action units that these leave alone."""
        named = np.any([aim.named for aim in self._aims], axis=0)
        return _targets(mine.where(named, its) for mine, its in zip(self._aims, below._aims, strict=True))

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        """These targets, at any time and for every face: Targets are a reenact.programme.Programme."""
        return self

    def restart(self) -> None:
        """Nothing is remembered."""

    @property
    def _aims(self) -> tuple[Aim, Aim, Aim]:
        return Aim(self.value, self.hold), self.at_least, self.at_most

    def __str__(self) -> str:
        """As --target-aus takes it: AU04=-1,AU12L=+2,AU25=0; 'none' if nothing is to change."""
        return ",".join(map(str, self.items())) or "none"

    def items(self) -> Iterator[Item]:
        """What is not left alone, by action unit: both sides at once where they agree."""
        kinds: tuple[Kind | None, ...] = (None, "at_least", "at_most")
        for index in range(AU_COUNT):
            for kind, aim in zip(kinds, self._aims, strict=True):
                left, right = zip(aim.value[:, index].tolist(), aim.hold[:, index].tolist(), strict=True)
                sides: Mapping[Side | None, tuple[float, float]] = (
                    {None: left} if left == right else dict(zip(SIDES, (left, right), strict=True))
                )
                for side, (value, hold) in sides.items():
                    if value or hold:
                        yield Item(index, side, value, hold, kind or ("absolute" if hold else "relative"))


def _targets(aims: Iterable[Aim]) -> Targets:
    both_ways, at_least, at_most = aims
    return Targets(both_ways.value, both_ways.hold, at_least, at_most)


def no_targets() -> Targets:
    """Leaves every action unit as the face has it."""
    return Targets(bilateral(neutral_aus()), bilateral(neutral_aus()))


def parse_targets(text: str) -> Targets:
    """Targets from the text of --target-aus.

    Items are separated by commas; a later one overrides an earlier one, action unit by action unit:

    - AU12=+2 or AU4=-1: signed, so relative: added to what the face does, -5..+5;
    - AU12=3: unsigned, so absolute: what the face shall show, 0..5;
    - AU12=3.. or AU12=..1: what the face's expression shall show at least, or at most, 0..5: it is led there
      if it is not there yet, and speech and blinks do not count;
    - AU12L=+2 or AU45R=5: on the person's own left or right alone, also after the same for both sides;
    - smile: a preset (reenact.programme.presets), which leads the face to an expression;
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
    value, kind = _parse_plain_number(text.strip(), repr(text.strip()), _WRITTEN_NUMBER)
    return value, kind == "absolute"


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
    for item in targets.items():
        if item.kind != "absolute":
            code = au_code(item.index, item.side)
            raise TargetError(
                f"{text.strip()!r} does not hold {code}; a lock takes unsigned values: {code}=2"
            )
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

    Only "version" is needed. "preset" comes first, "relative" (-5..5), "absolute", "at_least" and "at_most"
    (0..5) override it, and what names one side (AU04L) overrides what names both.
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


def _parse_number(text: str, shown: str) -> tuple[float, Kind]:
    """(value, how it is meant) of the right-hand side of an item."""
    match = _ONE_WAY.fullmatch(text)
    if match is None or bool(match["most"]) == bool(match["least"]):
        return _parse_plain_number(text, shown)
    value, kind = _parse_plain_number(match["number"], shown)
    if kind != "absolute":
        raise TargetError(
            f"{shown}: what to show at least or at most has no sign; write AU12=3.. or AU12=..1"
        )
    return value, "at_most" if match["most"] else "at_least"


def _parse_plain_number(text: str, shown: str, form: re.Pattern[str] = _NUMBER) -> tuple[float, Kind]:
    match = form.fullmatch(text.replace("\u2212", "-"))
    if match is None:
        raise TargetError(f"{shown}: {text!r} is not a number; {_FORM}")
    kind: Kind = "relative" if match[1] else "absolute"
    return in_range(float(match[1] + match[2]), kind, shown), kind


def in_range(value: float, kind: Kind, shown: str) -> float:
    """The value, which fits its kind. Raises TargetError that calls it `shown` where it does not."""
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


def _set(targets: Targets, named: _Named, value: float, kind: Kind) -> Targets:
    """`targets` with one action unit replaced."""
    index, side = named
    chosen = np.zeros((len(SIDES), AU_COUNT), bool)
    chosen[rows(side), index] = True
    given = chosen.astype(np.float32)
    asked = Aim(given * np.float32(value), given * np.float32(kind != "relative"))
    places = ("at_least", "at_most")
    return Targets(
        *vars((asked if kind not in places else _no_aim()).where(chosen, targets._aims[0])).values(),
        *((asked if kind == place else _no_aim()).where(chosen, getattr(targets, place)) for place in places),
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
    given: set[_Named] = set()
    entries = [entry for kind in get_args(Kind) for entry in _entries(kind, document.get(kind, {}))]
    # The order of a JSON object means nothing.
    for named, value, kind, shown in sorted(entries, key=lambda entry: entry[0][1] is not None):
        _give(named, given, shown)
        targets = _set(targets, named, value, kind)
    return targets


def _entries(kind: Kind, table: Any) -> Iterator[tuple[_Named, float, Kind, str]]:
    """(what is named, value, how it is meant, how to show it) of the object of a file that has this name."""
    if not isinstance(table, dict):
        raise TargetError(f'"{kind}" must be an object of action units and numbers, not {table!r:.40}')
    for name, value in table.items():
        shown = f'{name!r} in "{kind}"'
        named = _name(name, shown)
        number = number_in(value)
        if math.isnan(number):
            raise TargetError(f"{shown}: {value!r:.40} is not a number")
        yield named, in_range(number, kind, shown), kind, shown
