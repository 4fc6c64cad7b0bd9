"""What a face should show: the record that --target-aus, presets, drivers and time lines all become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calib.au import (
    AU_COUNT,
    AU_INDEX,
    BY_GEOMETRY,
    JAW_DROP,
    LID_GAP,
    LIP_GAP,
    LOWEST,
    MAX_INTENSITY,
    OPENFACE_COUNT,
    SIDES,
    AUVector,
    Change,
    Side,
    Sided,
    au_code,
    au_index,
    bilateral,
    neutral_aus,
)
from calib.limits import AT_REST
from calib.opening_sizes import STANDARD_LIDS_MM
from calib.ramp import smoothstep

MAX_STRENGTH = 1.5
"""The largest strength that a run takes; see Targets.times."""
Kind: TypeAlias = Literal["relative", "absolute", "at_least", "at_most"]
"""How a number is meant: AU12=+2 is relative, AU12=3 absolute, AU12=3.. at least and AU12=..3 at most."""

OPENED_BY_SMILE = 1.0
"""Intensity of parted or raised lips that one unit of a smile explains, as in 95 of 100 toothy smiles."""
_SMILE, _LIPS = AU_INDEX[12], [AU_INDEX[number] for number in (10, 25)]
_NEVER = [AU_INDEX[number] for number in (26, 45)]
"""Action units that never count as expression: a dropped jaw is speech, and closed lids are a blink."""


def expression(measured: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., AU_COUNT) the part of the intensities `measured` (..., AU_COUNT) that is expression.

    It leaves out speech, blinks and the person's features at rest, and is continuous, so that nothing jumps.
    Readings up to AT_REST differ by as much from person to person; the lower they are, the less they count.
    Lips that part belong to the smile as far as one explains them; what they open beyond that is speech.
    """
    shown = measured * smoothstep(measured / np.float32(AT_REST))
    shown[..., _LIPS] = np.minimum(measured[..., _LIPS], OPENED_BY_SMILE * shown[..., [_SMILE]])
    shown[..., _NEVER] = 0
    return shown


@dataclass(frozen=True, eq=False)
class Aim:
    """A goal for each action unit on each side, linear in what the face shows; Targets are made of three."""

    value: Sided
    """(2, AU_COUNT) the intensity to reach, times `hold`."""
    hold: Sided
    """(2, AU_COUNT) the share of the measured intensity that counts towards the goal, 0..1. Where both value
    and hold are 0 there is no goal."""

    def missing(self, measured: AUVector | Sided) -> Change:
        """(2, AU_COUNT) the intensity that is missing to the goal; negative where the face is beyond it."""
        return self.value - self.hold * measured

    @property
    def named(self) -> NDArray[np.bool_]:
        """(2, AU_COUNT) True where there is a goal."""
        return (self.value != 0) | (self.hold != 0)

    @property
    def one_sided(self) -> AUVector:
        """(AU_COUNT,) how far the goals of the two sides differ."""
        return (np.abs(np.diff(self.value, axis=0)) + np.abs(np.diff(self.hold, axis=0)))[0]

    def times(self, strength: float | AUVector | Sided) -> Aim:
        """The goal to which `strength` times as much is missing."""
        return Aim(strength * self.value, strength * self.hold)

    def plus(self, other: Aim) -> Aim:
        """The goal to which as much is missing as to both together."""
        return Aim(self.value + other.value, self.hold + other.hold)

    def after(self, first: Targets) -> Aim:
        """This goal of the face that `first` produces, as a goal of the face before that."""
        return Aim(self.value - self.hold * first.value, self.hold * (1 - first.hold))

    def above(self, neutral: AUVector) -> Aim:
        """This goal, counted from a face at rest that shows `neutral` (AU_COUNT,)."""
        return Aim(self.value + self.hold * neutral, self.hold)

    def where(self, chosen: NDArray[np.bool_], other: Aim) -> Aim:
        """This goal where `chosen` (2, AU_COUNT) is True, and `other` elsewhere."""
        return Aim(np.where(chosen, self.value, other.value), np.where(chosen, self.hold, other.hold))


def no_aim() -> Aim:
    """No goal for any action unit."""
    return Aim(bilateral(neutral_aus()), bilateral(neutral_aus()))


@dataclass(frozen=True)
class TargetItem:
    """What is asked of one action unit."""

    index: int
    """The index of the action unit."""
    side: Side | None
    """The side of the face. None: both sides."""
    value: float
    """The value as in Targets, or as in the Aim of this kind."""
    hold: float
    """The hold as in Targets, or as in the Aim of this kind."""
    kind: Kind
    """How the number is meant."""

    def __str__(self) -> str:
        """The notation of --target-aus: AU04=-1, AU12L=3, AU06=2.. or AU12=..0."""
        opposite = bool(LOWEST[self.index] < 0 and self.value < 0)
        sign = "" if self.kind != "relative" else "-" if self.value < 0 and not opposite else "+"
        number = np.format_float_positional(np.float32(abs(self.value)), trim="-")
        before, after = "." * 2 * (self.kind == "at_most"), "." * 2 * (self.kind == "at_least")
        name = au_code(self.index, self.side, -1 if opposite else 1)
        return f"{name}={before}{sign}{number}{after}"


@dataclass(frozen=True, eq=False)
class Targets:
    """For each action unit on each side: the intensity to add, the share of the face's own to take away, and
    a lower and an upper bound to which the face is led.

    change = value - hold * measured
           + max(0, what the face's expression misses of `at_least`) + min(0, the same of `at_most`)

    A relative target (hold 0) adds to what the face does, an absolute one (hold 1) replaces it, and a preset
    leads the face to an expression. An absolute target means the intensity that it names: a strength fades
    between what the face shows (0) and that (1) and goes no further, and a person's gain does not change it.
    An action unit that is left alone has neither value nor hold. The bounds compare with the face's
    `expression` alone: speech, blinks and what is read of a face at rest do not count.
    Two Targets blend by blending their arrays.
    """

    value: Sided
    """(2, AU_COUNT) the intensity to add (-5..5, where hold is 0) or to reach (0..5, where hold is 1)."""
    hold: Sided
    """(2, AU_COUNT) the share of the measured intensity that `value` replaces, up to 1; below 0 it
    amplifies."""
    at_least: Aim = field(default_factory=no_aim)
    """The lower bound: the face is raised to it where it shows less."""
    at_most: Aim = field(default_factory=no_aim)
    """The upper bound: the face is lowered to it where it shows more."""

    def change(self, measured: AUVector | Sided) -> Change:
        """(2, AU_COUNT) the relative action units that lead a face from `measured` to these targets,
        unlimited.

        measured: intensities 0..5, (2, AU_COUNT), or (AU_COUNT,) where both sides show the same.
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
        """(AU_COUNT,) how far the targets of the two sides differ, 0..1."""
        return np.minimum(sum(aim.one_sided for aim in self.aims), 1)

    def blend(self, other: Targets, share: float) -> Targets:
        """A mixture: these targets at a share of 0, `other` at a share of 1."""
        return _targets(
            mine.times(1 - share).plus(its.times(share))
            for mine, its in zip(self.aims, other.aims, strict=True)
        )

    def then(self, later: Targets) -> Targets:
        """These targets first, and `later` on the face that they produce.

        Where both bound an action unit in one direction, the bound of `later` alone holds.
        """
        kept = 1 - later.hold
        aims = (
            its.after(self).where(its.named, mine.times(kept))
            for mine, its in zip(self.aims[1:], later.aims[1:], strict=True)
        )
        return Targets(kept * self.value + later.value, later.hold + kept * self.hold, *aims)

    def times(self, strength: float | AUVector) -> Targets:
        """Targets whose change is `strength` times the change of these; one strength, or (AU_COUNT,) of them.

        Absolute targets are reached at a strength of 1 and not passed, and targets that take away a share of
        the face's own intensity take away all of it at most. Relative targets and bounds continue beyond 1.
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
        """What these targets ask of a person with this gain (AU_COUNT,), 0 or more.

        The gain multiplies relative targets. Absolute targets and bounds name an intensity, which a gain does
        not change, but a gain of 0 removes them. Between the two, as on the way from a relative keyframe to
        an absolute one, the result is a mixture.
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
        """What these targets ask of a person whose face at rest measures `neutral` (AU_COUNT,), 0..5.

        Absolute targets and bounds count from there; relative ones do not change.
        """
        return _targets(aim.above(neutral) for aim in self.aims)

    def over(self, below: Targets) -> Targets:
        """These targets, and those of `below` for the action units that these leave alone."""
        named = np.any([aim.named for aim in self.aims], axis=0)
        return _targets(mine.where(named, its) for mine, its in zip(self.aims, below.aims, strict=True))

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        """These targets, at any time and for every face: Targets are a reenact.programme.Programme."""
        return self

    def restart(self) -> None:
        """Does nothing: Targets have no memory."""

    @property
    def aims(self) -> tuple[Aim, Aim, Aim]:
        """Value and hold as an Aim, the lower bound, and the upper bound."""
        return Aim(self.value, self.hold), self.at_least, self.at_most

    def __str__(self) -> str:
        """The notation of --target-aus: AU04=-1,AU12L=+2,AU25=0; 'none' where nothing is to change."""
        return ",".join(map(str, self.items())) or "none"

    def items(self) -> Iterator[TargetItem]:
        """What is not left alone, in the order of action units: one item for both sides where they agree."""
        kinds: tuple[Kind | None, ...] = (None, "at_least", "at_most")
        for index in range(AU_COUNT):
            for kind, aim in zip(kinds, self.aims, strict=True):
                left, right = zip(aim.value[:, index].tolist(), aim.hold[:, index].tolist(), strict=True)
                sides: Mapping[Side | None, tuple[float, float]] = (
                    {None: left} if left == right else dict(zip(SIDES, (left, right), strict=True))
                )
                for side, (value, hold) in sides.items():
                    if value or hold:
                        yield TargetItem(
                            index, side, value, hold, kind or ("absolute" if hold else "relative")
                        )


def _targets(aims: Iterable[Aim]) -> Targets:
    both_ways, at_least, at_most = aims
    return Targets(both_ways.value, both_ways.hold, at_least, at_most)


def no_targets() -> Targets:
    """Targets that leave every action unit as the face shows it."""
    return Targets(bilateral(neutral_aus()), bilateral(neutral_aus()))


def by_geometry(targets: Targets) -> Targets:
    """The targets with openings in millimetres in place of absolute ones of AU25, AU26 and AU45.

    A locked opening is then held by landmarks, frame by frame, whatever is read from appearance.
    """
    value, hold = targets.value.copy(), targets.hold.copy()
    for unit, opening in BY_GEOMETRY.items():
        absolute = hold[:, unit] > 0
        hold[absolute, opening] = hold[absolute, unit]
        value[absolute, opening] = MM_PER_UNIT[opening] * value[absolute, unit]
        value[absolute, unit] = hold[absolute, unit] = 0
    return replace(targets, value=value, hold=hold)


MM_PER_UNIT = {LIP_GAP: 5.0, JAW_DROP: 4.0, LID_GAP: -STANDARD_LIDS_MM / MAX_INTENSITY}
"""The millimetres by which one unit of AU25, AU26 and AU45 changes the opening that stands for it."""


def neutralised(share: float) -> Targets:
    """Targets that take away this share, 0..1, of the expression that a face shows; blinks stay."""
    targets = no_targets()
    targets.hold[:, :OPENFACE_COUNT] = share
    targets.hold[:, au_index("AU45")] = 0
    for unit, opening in BY_GEOMETRY.items():
        targets.hold[:, opening] = targets.hold[:, unit]
        targets.hold[:, unit] = 0
    return targets
