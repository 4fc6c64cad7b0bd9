"""Drivers: the expression of another face as targets."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calib.au import (
    AU_COUNT,
    AU_INDEX,
    BY_GEOMETRY,
    HIGHEST,
    LID_GAP,
    LOWER_FACE,
    LOWEST,
    AUVector,
    Sided,
    bilateral,
)
from calib.opening_sizes import STANDARD_LIDS_MM
from reenact.programme.programme import Programme
from reenact.programme.targets import Targets

Transfer: TypeAlias = Literal["absolute", "relative"]
"""How a driver's expression is used: in place of the face's own, or added to it."""

REGIONS = {
    "brows": frozenset({1, 2, 4}),
    "eyes": frozenset({5, 6, 7, 45}),
    "mouth": LOWER_FACE - {6},
    "gaze": frozenset({61, 63}),
}
"""The FACS numbers of each region's action units; together they are all."""
DRIVEN = frozenset(REGIONS) - {"gaze"}
"""The regions that are driven unless others are named: drivers look at a camera or screen of their own."""
_LEAST = np.where(np.arange(AU_COUNT) == LID_GAP, -HIGHEST, LOWEST)
"""(AU_COUNT,) the lowest target beyond a face at rest: its lids may shut."""
_LEAST_LIDS_MM = 2.0
"""The smallest lid gap that is taken for that of open eyes."""
MAX_GAIN = 3.0
"""The largest gain of a driver."""


class RegionError(ValueError):
    """The name of a region of the face is unknown; the message is one line."""


@dataclass(frozen=True)
class DriverOptions:
    """How a driver's expression becomes targets."""

    transfer: Transfer = "absolute"
    """Whether the driver's expression replaces the face's own (absolute) or is added to it (relative)."""
    regions: frozenset[str] = DRIVEN
    """The regions of the face that are driven."""
    gain: float = 1.0
    """The factor on the intensities that the driver shows beyond its face at rest."""
    start_s: float = 0.0
    """The time in the driver, in seconds, at which it starts."""
    loop: bool = False
    """Whether the driver starts again when it ends."""


class DriverSource(Protocol):
    """Where a driver's action units come from: an AURecording or a LiveDriverSource."""

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(AU_COUNT,) True for the action units that the source measures."""

    @property
    def neutral(self) -> AUVector:
        """(AU_COUNT,) the intensities of the face at rest."""

    def at(self, time_s: float) -> tuple[Sided, float]:
        """The values (2, AU_COUNT) of both sides at this time in seconds, and the level of presence, 0..1."""

    def looped(self, time_s: float) -> float:
        """The time within the source, in seconds, that is played at `time_s` when the source repeats."""


@dataclass(frozen=True, eq=False)
class Driver(Programme):
    """A programme that gives every face the expression of a driver."""

    source: DriverSource
    """Where the driver's action units come from."""
    options: DriverOptions = DriverOptions()
    """How they become targets."""
    stretch: AUVector | float = 1.0
    """(AU_COUNT,), or one for all: the ratio of the driven face's range of intensities to the driver's."""

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        """The targets at this time; no targets while the driver's face is absent."""
        time_s = float(pts) + self.options.start_s
        if self.options.loop:
            time_s = self.source.looped(time_s)
        aus, level = self.source.at(time_s)
        driven, at_rest = self._driven, self.source.neutral
        beyond_rest = self.stretch * (aus - at_rest)
        beyond_rest[:, LID_GAP] *= STANDARD_LIDS_MM / max(float(at_rest[LID_GAP]), _LEAST_LIDS_MM)
        shown = level * driven * self.options.gain * beyond_rest
        if self.options.transfer == "relative":
            value, hold = np.clip(shown, -HIGHEST, HIGHEST), 0 * driven
        else:
            value, hold = np.clip(shown, level * _LEAST, level * HIGHEST), level * driven
        return Targets(value.astype(np.float32), bilateral(hold))

    @property
    def _driven(self) -> NDArray[np.float32]:
        """(AU_COUNT,) 1 for action units that are measured and lie in a driven region, else 0."""
        wanted = frozenset().union(*(REGIONS[name] for name in self.options.regions))
        named = np.zeros(AU_COUNT, bool)
        named[[AU_INDEX[number] for number in wanted]] = True
        driven = named & self.source.measured
        for unit, opening in BY_GEOMETRY.items():
            if self.source.measured[opening]:
                driven[opening] |= driven[unit]
                driven[unit] = False
        return driven.astype(np.float32)


def parse_regions(text: str) -> frozenset[str]:
    """The regions in text such as brows,eyes. Raises RegionError."""
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in REGIONS:
            raise RegionError(f"unknown region {name!r}; choose from {', '.join(REGIONS)}")
    return frozenset(names)
