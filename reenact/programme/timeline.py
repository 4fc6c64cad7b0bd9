"""Scenes: targets that change over time, for demonstrations and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from reenact.programme.programme import Programme
from reenact.programme.target_syntax import parse_targets
from reenact.programme.targets import Targets


@dataclass(frozen=True)
class Scene:
    """Targets that hold for some time."""

    name: str
    """The name that is shown."""
    spec: str
    """The targets in the notation of --target-aus."""
    seconds: float = 1.2
    """The duration in seconds."""


@dataclass(frozen=True)
class Timeline(Programme):
    """A programme of scenes in sequence, each of which blends into the next."""

    scenes: Sequence[Scene]
    """The scenes in their order."""
    blend_s: float = 0.35
    """The duration in seconds of the blend at the start of each scene."""

    @property
    def seconds(self) -> float:
        """The duration of all scenes in seconds."""
        return sum(scene.seconds for scene in self.scenes)

    def at(self, time_s: float) -> int:
        """The index of the scene at this time in seconds; after the end it is the last one's."""
        ends = np.cumsum([scene.seconds for scene in self.scenes])
        return min(int(np.searchsorted(ends, time_s, side="right")), len(self.scenes) - 1)

    def middle_s(self, index: int) -> float:
        """A time in seconds at which this scene alone shows."""
        start = sum(scene.seconds for scene in self.scenes[:index])
        return start + (self.scenes[index].seconds + self.blend_s) / 2

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        """The targets at this time, which are the same for every face."""
        index = self.at(float(pts))
        start = sum(scene.seconds for scene in self.scenes[:index])
        share = min(1.0, (float(pts) - start) / self.blend_s)
        now = targets_of(self.scenes[index].spec)
        if index == 0 or share == 1:
            return now
        return targets_of(self.scenes[index - 1].spec).blend(now, share * share * (3 - 2 * share))


@lru_cache(maxsize=64)
def targets_of(spec: str) -> Targets:
    """The targets of a spec, cached. Raises TargetError."""
    return parse_targets(spec)
