"""What a face shows now, before a camera of its own: a driver that acts while it drives."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, AUVector, neutral_aus
from calib.neutral import NeutralEstimator
from calib.ramp import smoothstep
from reenact.programme.au_recording import BRIDGED_S, FADE_S


@dataclass(frozen=True, eq=False)
class DriverReading:
    """What a face shows at a time."""

    time_s: float
    """On the clock of its source."""
    aus: AUVector | None
    """(17,) 0..5; None where there is no face."""


class LiveDriverSource:
    """A Playable that is always at its newest reading, whatever time is asked for.

    Until the face has been still for a while nobody knows its neutral, and all zeros takes its place.
    """

    def __init__(
        self,
        arrived: Callable[[], Iterable[DriverReading]],
        at_rest: AUVector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """arrived: the readings since it was called last. at_rest: (17,) the face's neutral, if it is known;
        else it is estimated on the way."""
        self._arrived = arrived
        self._at_rest = at_rest
        self._clock = clock
        self._estimator = NeutralEstimator()
        self._newest = neutral_aus()
        self._seen_s = -math.inf
        """When the face was seen last."""

    def with_neutral(self, neutral: AUVector) -> LiveDriverSource:
        """The same of a face whose neutral (17,) is known."""
        return LiveDriverSource(self._arrived, neutral, self._clock)

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(17,) all."""
        return np.ones(AU_COUNT, bool)

    @property
    def neutral(self) -> AUVector:
        """(17,) the face at rest, as far as it is known by now."""
        if self._at_rest is not None:
            return self._at_rest
        return neutral_aus() if self._estimator.rest is None else self._estimator.rest.neutral

    def at(self, time_s: float) -> tuple[AUVector, float]:
        """((17,) the newest reading; 1 while the face is there or hardly lost, then fading)."""
        for reading in self._arrived():
            if reading.aus is not None:
                self._estimator.update(reading.time_s, reading.aus)
                self._newest, self._seen_s = reading.aus, self._clock()
        away_s = self._clock() - self._seen_s
        return self._newest, float(smoothstep(np.array(1 - max(0.0, away_s - BRIDGED_S) / FADE_S)))

    def looped(self, time_s: float) -> float:
        """It has no end to begin anew at."""
        return time_s
