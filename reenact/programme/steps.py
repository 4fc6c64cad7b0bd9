"""Steps: targets that hold from one time to the next, as somebody has set them live, and the file of them."""

from __future__ import annotations

import itertools
import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from calib.json_file import has_version, number_in, read_json
from reenact.programme.keyframes_file import LARGEST_BYTES, KeyframesError
from reenact.programme.programme import Programme
from reenact.programme.target_syntax import TargetError, parse_targets
from reenact.programme.targets import MAX_STRENGTH, Targets, no_targets

_VERSION = 1
_NAMES = ("version", "description", "steps")
_STEP_NAMES = ("time", "targets", "strength")


@dataclass(frozen=True)
class Step:
    """What is asked for from one time on."""

    time_s: float
    """The time in seconds, 0 or more."""
    targets: str
    """The targets in the notation of --target-aus; "none" leaves the face as it is."""
    strength: float = 1.0
    """How far to go to them, 0..1.5."""


class Steps(Programme):
    """Targets that change at once at given times. Before the first step, the face is left as it is."""

    def __init__(self, steps: Sequence[Step]) -> None:
        """steps: in the order of their times. Raises TargetError where targets cannot be understood."""
        self.steps = tuple(steps)
        self._times = [step.time_s for step in self.steps]
        self._targets = [parse_targets(step.targets).times(step.strength) for step in self.steps]

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        number = bisect_right(self._times, float(pts)) - 1
        return self._targets[number] if number >= 0 else no_targets()

    def __str__(self) -> str:
        return f"{len(self.steps)} step{'s' * (len(self.steps) != 1)} set by hand"


def to_json(steps: Sequence[Step]) -> str:
    """The text of a file from which `load_steps` reads the same steps."""
    document = {
        "version": _VERSION,
        "steps": [
            {"time": step.time_s, "targets": step.targets, "strength": step.strength} for step in steps
        ],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def load_steps(path: Path) -> Steps:
    """The steps in a JSON file; raises KeyframesError with its name and the place in it.

        {"version": 1, "steps": [{"time": 0.5, "targets": "AU12=+2"},
                                 {"time": 2, "targets": "smile", "strength": 0.6}]}

    Times are in seconds and rise. Targets hold until the next step.
    """
    try:
        return Steps(_parse(read_json(path, KeyframesError, LARGEST_BYTES)))
    except (KeyframesError, TargetError) as error:
        raise KeyframesError(f"time line {str(path)!r}: {error}") from error


def _parse(document: Any) -> list[Step]:
    if not isinstance(document, dict) or not has_version(document, _VERSION):
        raise KeyframesError(f'must be an object with "version": {_VERSION}')
    for name in document.keys() - set(_NAMES):
        raise KeyframesError(f"unknown name {name!r:.40}; choose from {', '.join(_NAMES)}")
    rows = document["steps"]
    if not isinstance(rows, list) or not rows:
        raise KeyframesError('"steps" must be a list of at least one step')
    steps = [_parse_step(row, f"step {number}") for number, row in enumerate(rows, 1)]
    for number, (earlier, later) in enumerate(itertools.pairwise(steps), 2):
        if later.time_s < earlier.time_s:
            raise KeyframesError(f"step {number} is at {later.time_s:g} s, before the one above it")
    return steps


def _parse_step(row: object, shown: str) -> Step:
    if not isinstance(row, dict):
        raise KeyframesError(f'{shown} must be an object: {{"time": 0.5, "targets": "AU12=+2"}}')
    for name in row.keys() - set(_STEP_NAMES):
        raise KeyframesError(f"{shown}: unknown name {name!r:.40}; choose from {', '.join(_STEP_NAMES)}")
    time_s, strength = number_in(row.get("time")), number_in(row.get("strength", 1.0))
    if not time_s >= 0:
        raise KeyframesError(f'{shown}: "time" is {row.get("time")!r:.40}; write seconds, 0 or more')
    if not 0 <= strength <= MAX_STRENGTH:
        raise KeyframesError(f'{shown}: "strength" is {row["strength"]!r:.40}; write 0 to {MAX_STRENGTH:g}')
    targets = row.get("targets")
    if not isinstance(targets, str):
        raise KeyframesError(f'{shown}: "targets" is {targets!r:.40}; write AU12=+2 or a preset')
    try:
        parse_targets(targets)
    except TargetError as error:
        raise KeyframesError(f"{shown}: {error}") from error
    return Step(time_s, targets, strength)
