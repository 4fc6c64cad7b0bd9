"""What is asked for in even steps: the language of --sweep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from calib.au import MAX_INTENSITY, Side, UnknownAUError, au_code, rows, sided_au
from reenact.programme.targets import Targets, no_targets

MOST_STEPS = 25
STRENGTH = "strength"
MOST_STRENGTH = 3.0
"""Beyond this faces are at their ends."""
_FORM = re.compile(r"\s*([^=]+?)\s*=([^:]+):([^:]+):([^:]+)")


class SweepError(ValueError):
    """A sweep that cannot be understood or lies out of range."""


class Axis(Protocol):
    """A way to vary what is asked for, step by step."""

    def __len__(self) -> int: ...

    def varied(self, targets: Targets, step: int) -> Targets:
        """What this step makes of what is asked for anyway."""

    def name(self, step: int) -> str:
        """For a caption."""


@dataclass(frozen=True)
class Sweep:
    """Values to be added to one action unit, one after the other."""

    index: int
    """Of the action unit."""
    values: tuple[float, ...]
    """-5..5."""
    side: Side | None = None
    """Of the face; None: both."""

    def __len__(self) -> int:
        return len(self.values)

    def varied(self, targets: Targets, step: int) -> Targets:
        added = no_targets()
        added.value[rows(self.side), self.index] = self.values[step]
        return targets.then(added)

    def name(self, step: int) -> str:
        """AU12+1.5."""
        return f"{au_code(self.index, self.side)}{self.values[step]:+.3g}"


@dataclass(frozen=True)
class StrengthSweep:
    """What is asked for anyway, more and more of it; an absolute target is reached at 1 and not passed."""

    values: tuple[float, ...]
    """0..MOST_STRENGTH."""

    def __len__(self) -> int:
        return len(self.values)

    def varied(self, targets: Targets, step: int) -> Targets:
        return targets.times(self.values[step])

    def name(self, step: int) -> str:
        """0.75 times."""
        return f"{self.values[step]:.3g} times"


def parse_sweep(text: str) -> Sweep | StrengthSweep:
    """A sweep from text such as AU12=-1:3:5, from -1 to +3 in five steps, or strength=0:1.25:6.

    Raises SweepError.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise SweepError(f"{text!r} is no sweep; write AU12=-1:3:5, from -1 to +3 in 5 steps")
    try:
        first, last, steps = float(match[2]), float(match[3]), int(match[4])
    except ValueError as error:
        raise SweepError(f"{text!r} holds what is no number; write AU12=-1:3:5") from error
    if not 2 <= steps <= MOST_STEPS:
        raise SweepError(f"{text!r} has {steps} steps; choose 2 to {MOST_STEPS}")
    values = tuple(float(value) for value in np.linspace(first, last, steps))
    if match[1].lower() == STRENGTH:
        if not (0 <= first <= MOST_STRENGTH and 0 <= last <= MOST_STRENGTH):
            raise SweepError(f"{text!r} is out of range: strength runs from 0 to {MOST_STRENGTH:g}")
        return StrengthSweep(values)
    try:
        index, side = sided_au(match[1])
    except UnknownAUError as error:
        raise SweepError(f"{text!r}: {error}; or sweep {STRENGTH}") from error
    if not (abs(first) <= MAX_INTENSITY and abs(last) <= MAX_INTENSITY):
        raise SweepError(f"{text!r} is out of range: values to be added run from -5 to +5")
    return Sweep(index, values, side)
