"""One action unit in even steps: the language of --sweep."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from calib.au import MAX_INTENSITY, Side, UnknownAUError, au_code, rows, sided_au
from reenact.retarget.targets import Targets, no_targets

MOST_STEPS = 25
_FORM = re.compile(r"\s*([^=]+)=([^:]+):([^:]+):([^:]+)")


class SweepError(ValueError):
    """A sweep that cannot be understood or lies out of range."""


@dataclass(frozen=True)
class Sweep:
    """Values to be added to one action unit, one after the other."""

    index: int
    """Of the action unit."""
    values: tuple[float, ...]
    """-5..5."""
    side: Side | None = None
    """Of the face; None: both."""

    def targets(self, step: int) -> Targets:
        targets = no_targets()
        targets.value[rows(self.side), self.index] = self.values[step]
        return targets

    def name(self, step: int) -> str:
        """For a caption: AU12+1.5."""
        return f"{au_code(self.index, self.side)}{self.values[step]:+.3g}"


def parse_sweep(text: str) -> Sweep:
    """A sweep from text such as AU12=-1:3:5: from -1 to +3 in five steps. Raises SweepError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise SweepError(f"{text!r} is no sweep; write AU12=-1:3:5, from -1 to +3 in 5 steps")
    try:
        index, side = sided_au(match[1])
        first, last, steps = float(match[2]), float(match[3]), int(match[4])
    except UnknownAUError as error:
        raise SweepError(f"{text!r}: {error}") from error
    except ValueError as error:
        raise SweepError(f"{text!r} holds what is no number; write AU12=-1:3:5") from error
    if not (abs(first) <= MAX_INTENSITY and abs(last) <= MAX_INTENSITY):
        raise SweepError(f"{text!r} is out of range: values to be added run from -5 to +5")
    if not 2 <= steps <= MOST_STEPS:
        raise SweepError(f"{text!r} has {steps} steps; choose 2 to {MOST_STEPS}")
    return Sweep(index, tuple(float(value) for value in np.linspace(first, last, steps)), side)
