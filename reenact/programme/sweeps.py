"""Sweeps: a target varied in even steps, and the notation of --sweep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from calib.au import MAX_INTENSITY, Side, UnknownAUError, au_code, rows, sided_au
from reenact.programme.targets import Targets, no_targets

MOST_STEPS = 25
"""The most steps of a sweep."""
STRENGTH = "strength"
"""The name of a sweep of the strength."""
MOST_STRENGTH = 3.0
"""The largest strength of a sweep; beyond it faces have reached their limits."""
_FORM = re.compile(r"\s*([^=]+?)\s*=([^:]+):([^:]+):([^:]+)")


class SweepError(ValueError):
    """A sweep cannot be understood or lies out of range; the message is one line."""


class Axis(Protocol):
    """An axis of a grid of pictures: a way to vary targets step by step."""

    def __len__(self) -> int: ...

    def varied(self, targets: Targets, step: int) -> Targets:
        """The targets of this step, made from those that are asked for in every step."""

    def name(self, step: int) -> str:
        """The caption of this step."""


@dataclass(frozen=True)
class Sweep:
    """Values that are added to one action unit, one per step."""

    index: int
    """The index of the action unit."""
    values: tuple[float, ...]
    """The values, -5..5."""
    side: Side | None = None
    """The side of the face. None: both sides."""

    def __len__(self) -> int:
        return len(self.values)

    def varied(self, targets: Targets, step: int) -> Targets:
        """The targets with the value of this step added."""
        added = no_targets()
        added.value[rows(self.side), self.index] = self.values[step]
        return targets.then(added)

    def name(self, step: int) -> str:
        """A caption such as AU12+1.5."""
        return f"{au_code(self.index, self.side)}{self.values[step]:+.3g}"


@dataclass(frozen=True)
class StrengthSweep:
    """Strengths of the targets, one per step; an absolute target is reached at 1 and not passed."""

    values: tuple[float, ...]
    """The strengths, 0..MOST_STRENGTH."""

    def __len__(self) -> int:
        return len(self.values)

    def varied(self, targets: Targets, step: int) -> Targets:
        """The targets at the strength of this step."""
        return targets.times(self.values[step])

    def name(self, step: int) -> str:
        """A caption such as 0.75 times."""
        return f"{self.values[step]:.3g} times"


def parse_sweep(text: str) -> Sweep | StrengthSweep:
    """A sweep from text such as AU12=-1:3:5, from -1 to +3 in five steps, or strength=0:1.25:6.

    Raises SweepError.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise SweepError(f"{text!r} is not a sweep; write AU12=-1:3:5, from -1 to +3 in 5 steps")
    try:
        first, last, steps = float(match[2]), float(match[3]), int(match[4])
    except ValueError as error:
        raise SweepError(f"{text!r} has a part that is not a number; write AU12=-1:3:5") from error
    if not 2 <= steps <= MOST_STEPS:
        raise SweepError(f"{text!r} has {steps} steps; choose 2 to {MOST_STEPS}")
    values = tuple(float(value) for value in np.linspace(first, last, steps))
    if match[1].lower() == STRENGTH:
        if not (0 <= first <= MOST_STRENGTH and 0 <= last <= MOST_STRENGTH):
            raise SweepError(f"{text!r} is out of range: strength runs from 0 to {MOST_STRENGTH:g}")
        return StrengthSweep(values)
    try:
        index, side, sign = sided_au(match[1])
    except UnknownAUError as error:
        raise SweepError(f"{text!r}: {error}; or sweep {STRENGTH}") from error
    if not (abs(first) <= MAX_INTENSITY and abs(last) <= MAX_INTENSITY):
        raise SweepError(f"{text!r} is out of range: values to be added run from -5 to +5")
    return Sweep(index, tuple(sign * value for value in values), side)
