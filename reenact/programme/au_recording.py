"""AU recordings: the action units that one face shows over time, to drive another face with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, OPENING_PLACES, READ, AUVector, Sided, neutral_aus
from calib.opening_sizes import resting_openings
from calib.ramp import smoothstep_of
from calib.resting_openings import with_openings

BRIDGED_S = 0.5
"""Longest gap in seconds between two readings that is interpolated."""
FADE_S = 0.3
"""Time in seconds in which the recording fades out around a longer gap, and before its first and after its
last reading."""
AT_REST = 10.0
"""Percentile of an action unit's intensities that is taken for the face at rest."""
RESTING_FRAMES = 30
"""Fewest readings from which the face at rest is estimated; with fewer, all zeros is taken for it."""


class AURecordingError(ValueError):
    """A driver cannot be used; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class AURecording:
    """The action units of one face over time; it has at least one reading."""

    times_s: NDArray[np.float64]
    """(n,) rising times in seconds. Frames that do not show the face are left out."""
    aus: NDArray[np.float32]
    """(n, AU_COUNT) intensities 0..5; 0 in the columns of action units that were not measured."""
    measured: NDArray[np.bool_]
    """(AU_COUNT,) True for what was measured."""
    at_rest: AUVector | None = None
    """(AU_COUNT,) the intensities of the face at rest. None: they are estimated from the readings."""
    notes: tuple[str, ...] = ()
    """Remarks for the user on how the recording was read, one line each."""
    leans: NDArray[np.float32] | None = None
    """(n, AU_COUNT) the asymmetries as `calib.au.lean` has them. None: both sides show the same."""

    @property
    def is_still(self) -> bool:
        """Whether there is a single reading, as from a picture, which then holds at all times."""
        return len(self.times_s) == 1

    @cached_property
    def neutral(self) -> AUVector:
        """(AU_COUNT,) the intensities of the face at rest."""
        openings_mm = resting_openings(self.aus[:, OPENING_PLACES])
        if self.at_rest is not None:
            return with_openings(self.at_rest, openings_mm)
        if len(self.times_s) < RESTING_FRAMES:
            return with_openings(neutral_aus(), openings_mm)
        at_rest = np.percentile(self.aus, AT_REST, axis=0).astype(np.float32)
        at_rest[OPENING_PLACES] = openings_mm
        return at_rest

    def with_neutral(self, neutral: AUVector) -> AURecording:
        """The same recording of a face whose intensities at rest (AU_COUNT,) are known."""
        return replace(self, at_rest=neutral)

    def at(self, time_s: float) -> tuple[Sided, float]:
        """The interpolated values (2, AU_COUNT) of both sides, and the level of presence, 0..1."""
        sides = self._sides
        if self.is_still:
            return sides[0], 1.0
        after = int(np.searchsorted(self.times_s, time_s, side="right"))
        before, after = max(after - 1, 0), min(after, len(self.times_s) - 1)
        since, until = time_s - self.times_s[before], self.times_s[after] - time_s
        if since + until <= BRIDGED_S and since >= 0 and until >= 0:
            share = np.float32(since / (since + until)) if since + until > 0 else np.float32(0)
            return (1 - share) * sides[before] + share * sides[after], 1.0
        nearest = before if abs(since) <= abs(until) else after
        away_s = min(abs(since), abs(until))
        return sides[nearest], smoothstep_of(1 - away_s / FADE_S)

    @cached_property
    def _sides(self) -> NDArray[np.float32]:
        """(n, 2, AU_COUNT) the values of both sides."""
        lean = np.zeros_like(self.aus) if self.leans is None else self.leans
        return np.stack([self.aus + lean, self.aus - lean], axis=1)

    def looped(self, time_s: float) -> float:
        """The time within the recording that is played at `time_s` if it repeats, in seconds."""
        first, last = self.times_s[[0, -1]].tolist()
        return time_s if time_s <= last or last == first else first + (time_s - first) % (last - first)

    def smoothed(self) -> AURecording:
        """The same recording with less jitter from frame to frame, by a filter without delay."""
        if len(self.times_s) < 3:
            return self
        leans = None if self.leans is None else _smooth(self.leans)
        return replace(self, aus=_smooth(self.aus), leans=leans)


def _smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
    padded = np.pad(values, ((1, 1), (0, 0)), mode="edge")
    return ((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4).astype(np.float32)


def au_recording_of(
    readings: Sequence[tuple[float, AUVector]], leans: Sequence[AUVector] | None = None
) -> AURecording:
    """A recording from pairs of a time in seconds and values (AU_COUNT,), in any order.

    Where two pairs have the same time, the first one counts. leans: the asymmetry of each. None: both sides
    show the same.
    """
    times_s = np.array([time_s for time_s, _ in readings], np.float64)
    aus = np.array([each for _, each in readings], np.float32).reshape(-1, AU_COUNT)
    times_s, first = np.unique(times_s, return_index=True)
    sided = None if leans is None else np.array(leans, np.float32).reshape(-1, AU_COUNT)[first]
    return AURecording(times_s, aus[first], READ, leans=sided)
