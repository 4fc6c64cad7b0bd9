"""What one face shows over time: the action units of a driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, AUVector, neutral_aus
from calib.ramp import smoothstep

BRIDGED_S = 0.5
"""A face that is lost for less than this is taken to have gone on as it was."""
FADE_S = 0.3
"""From a face that is lost for longer, or has not come yet, to nothing."""
AT_REST = 10.0
"""Percentile of an action unit's intensities that counts as the face at rest."""
RESTING_FRAMES = 30
"""Of fewer frames none can be told to show the face at rest: then all zeros is."""


class AURecordingError(ValueError):
    """A driver that cannot be used; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class AURecording:
    """The readings of one face, frame by frame; at least one."""

    times_s: NDArray[np.float64]
    """(n,) rising. Frames that do not show the face are left out."""
    aus: NDArray[np.float32]
    """(n, 17) intensities 0..5; 0 in the columns that were not measured."""
    measured: NDArray[np.bool_]
    """(17,) which action units were."""
    at_rest: AUVector | None = None
    """(17,) the face at rest, where that is known; else it is estimated."""
    notes: tuple[str, ...] = ()
    """What the user should know of how it was read, one line each."""

    @property
    def is_still(self) -> bool:
        """One reading, as of a picture: it holds for ever."""
        return len(self.times_s) == 1

    @cached_property
    def neutral(self) -> AUVector:
        """(17,) the face at rest."""
        if self.at_rest is not None:
            return self.at_rest
        if len(self.times_s) < RESTING_FRAMES:
            return neutral_aus()
        return np.percentile(self.aus, AT_REST, axis=0).astype(np.float32)

    def with_neutral(self, neutral: AUVector) -> AURecording:
        """The same of a face whose neutral (17,) is known."""
        return replace(self, at_rest=neutral)

    def at(self, time_s: float) -> tuple[AUVector, float]:
        """((17,) the action units at this time, between two readings a mixture of both; 0..1 how far the face
        is there)."""
        if self.is_still:
            return self.aus[0], 1.0
        after = int(np.searchsorted(self.times_s, time_s, side="right"))
        before, after = max(after - 1, 0), min(after, len(self.times_s) - 1)
        since, until = time_s - self.times_s[before], self.times_s[after] - time_s
        if since + until <= BRIDGED_S and since >= 0 and until >= 0:
            share = np.float32(since / (since + until)) if since + until > 0 else np.float32(0)
            return (1 - share) * self.aus[before] + share * self.aus[after], 1.0
        nearest = before if abs(since) <= abs(until) else after
        away_s = min(abs(since), abs(until))
        return self.aus[nearest], float(smoothstep(np.array(1 - away_s / FADE_S)))

    def looped(self, time_s: float) -> float:
        """The time in the first run of a performance that is shown over and over."""
        first, last = self.times_s[[0, -1]].tolist()
        return time_s if time_s <= last or last == first else first + (time_s - first) % (last - first)

    def smoothed(self) -> AURecording:
        """The same without the estimate's jitter from frame to frame, and not a frame later."""
        if len(self.times_s) < 3:
            return self
        padded = np.pad(self.aus, ((1, 1), (0, 0)), mode="edge")
        smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
        return replace(self, aus=smooth.astype(np.float32))


def au_recording_of(readings: Sequence[tuple[float, AUVector]]) -> AURecording:
    """Of (time in seconds, (17,) action units), in any order; of two at one time the first counts."""
    times_s = np.array([time_s for time_s, _ in readings], np.float64)
    aus = np.array([each for _, each in readings], np.float32).reshape(-1, AU_COUNT)
    times_s, first = np.unique(times_s, return_index=True)
    return AURecording(times_s, aus[first], np.ones(AU_COUNT, bool))
