"""Programmes: what faces should show over time, as one protocol for all that can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Protocol, TypeAlias, runtime_checkable

from reenact.programme.targets import Targets, no_targets

TargetsAt: TypeAlias = Callable[[Fraction, int], Targets]
"""A function from the presentation time in seconds and the face's track id to targets."""


@runtime_checkable
class Programme(Protocol):
    """What each face should show at each time. Targets are a programme that never changes.

    A run restarts its programme before its first frame, so that a programme which is used twice, as in two
    passes over a film, gives the same targets both times.
    """

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        """The targets of the face with this track id at this presentation time, in seconds."""
        ...

    def restart(self) -> None:
        """Forgets all frames so far."""
        return

    def __str__(self) -> str:
        """A description for the user, in a few words."""
        return "changing over time"


@dataclass(frozen=True)
class ProgrammeFunction(Programme):
    """A programme that is a function of time and face. A function that has a memory is not restarted."""

    targets_at: TargetsAt
    """The function."""

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        return self.targets_at(pts, track_id)


@dataclass(frozen=True)
class ProgrammeChain(Programme):
    """Several programmes in sequence, each applied to the face that those before it produce."""

    parts: tuple[Programme, ...]
    """The programmes in their order."""

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        return reduce(Targets.then, (part(pts, track_id) for part in self.parts), no_targets())

    def restart(self) -> None:
        """Restarts all parts."""
        for part in self.parts:
            part.restart()


@dataclass(frozen=True)
class ByHand(Programme):
    """A programme, such as a driver, with targets that somebody sets by hand on the face that it produces."""

    base: Programme
    """The programme."""
    hand: Targets
    """What is set by hand."""

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        return self.base(pts, track_id).then(self.hand)

    def restart(self) -> None:
        """Restarts the programme."""
        self.base.restart()

    def __str__(self) -> str:
        return f"{self.base}, and by hand {self.hand}"


@dataclass(frozen=True)
class ScaledProgramme(Programme):
    """A programme whose change is multiplied by a strength, as by Targets.times."""

    part: Programme
    """The programme at a strength of 1."""
    strength: float
    """The factor, 0 or more."""

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        return self.part(pts, track_id).times(self.strength)

    def restart(self) -> None:
        """Restarts the part."""
        self.part.restart()


def programme_of(asked: Programme | TargetsAt) -> Programme:
    """`asked` itself if it is a programme, else a programme that calls it as a function."""
    return asked if isinstance(asked, Programme) else ProgrammeFunction(asked)


def chain(*parts: Programme) -> Programme:
    """A programme that applies all of them in sequence; it is Targets if all of them are."""
    constant = [part for part in parts if isinstance(part, Targets)]
    if len(constant) == len(parts):
        return reduce(Targets.then, constant, no_targets())
    return ProgrammeChain(parts)


def scaled(part: Programme, strength: float) -> Programme:
    """A programme whose change is that of `part` times `strength`; it is Targets if `part` is."""
    return part.times(strength) if isinstance(part, Targets) else ScaledProgramme(part, strength)
