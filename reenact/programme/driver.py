"""Another face's expression as targets: transfer."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calib.au import ACTION_UNITS, MAX_INTENSITY, AUVector, bilateral
from reenact.programme.programme import Programme
from reenact.programme.targets import Targets

Transfer: TypeAlias = Literal["absolute", "relative"]

REGIONS = {
    "brows": frozenset({1, 2, 4}),
    "eyes": frozenset({5, 6, 7, 45}),
    "mouth": frozenset({9, 10, 12, 14, 15, 17, 20, 23, 25, 26}),
}
"""The action units of each, all of them together."""
MAX_GAIN = 3.0


class RegionError(ValueError):
    """A region of the face that has no name here."""


@dataclass(frozen=True)
class DriverOptions:
    transfer: Transfer = "absolute"
    """absolute: the driver's expression in place of the face's own; relative: added to it."""
    regions: frozenset[str] = frozenset(REGIONS)
    gain: float = 1.0
    """Multiplies what the driver shows beyond its face at rest."""
    start_s: float = 0.0
    """The driver's time at the beginning of what it drives."""
    loop: bool = False
    """Whether it begins anew at its end."""


class DriverSource(Protocol):
    """What a driver plays: reenact.programme.au_recording.AURecording, or one that goes on now."""

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(17,) which action units it tells."""

    @property
    def neutral(self) -> AUVector:
        """(17,) the face at rest."""

    def at(self, time_s: float) -> tuple[AUVector, float]:
        """((17,) the action units at this time, 0..1 how far the face is there)."""

    def looped(self, time_s: float) -> float:
        """The time in its first run."""


@dataclass(frozen=True, eq=False)
class Driver(Programme):
    """What a performance asks of every face."""

    source: DriverSource
    options: DriverOptions = DriverOptions()
    stretch: AUVector | float = 1.0
    """(17,) or one for all: how many times as far as the driver's the driven face goes."""

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        """The targets at this time; none while the driver's face is away."""
        time_s = float(pts) + self.options.start_s
        if self.options.loop:
            time_s = self.source.looped(time_s)
        aus, level = self.source.at(time_s)
        driven = self._driven
        beyond_rest = self.stretch * (aus - self.source.neutral)
        shown = level * driven * self.options.gain * beyond_rest
        if self.options.transfer == "relative":
            value, hold = np.clip(shown, -MAX_INTENSITY, MAX_INTENSITY), 0 * driven
        else:
            value, hold = np.clip(shown, 0, level * MAX_INTENSITY), level * driven
        return Targets(bilateral(value.astype(np.float32)), bilateral(hold))

    @property
    def _driven(self) -> NDArray[np.float32]:
        """(17,) 1 where the performance has something to say that is wanted."""
        wanted = frozenset().union(*(REGIONS[name] for name in self.options.regions))
        named = np.array([unit.number in wanted for unit in ACTION_UNITS])
        return (named & self.source.measured).astype(np.float32)


def parse_regions(text: str) -> frozenset[str]:
    """Regions from text such as brows,eyes. Raises RegionError."""
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in REGIONS:
            raise RegionError(f"unknown region {name!r}; choose from {', '.join(REGIONS)}")
    return frozenset(names)
