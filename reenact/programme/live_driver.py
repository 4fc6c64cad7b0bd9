"""Live drivers: the action units that a face before a second camera shows now."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import OPENING_PLACES, READ, AUVector, Sided, apart, bilateral, neutral_aus
from calib.neutral import NeutralEstimator
from calib.ramp import smoothstep_of
from calib.resting_openings import RestingOpenings, with_openings
from reenact.programme.au_recording import BRIDGED_S, FADE_S


@dataclass(frozen=True, eq=False)
class DriverReading:
    """The action units of a driver's face at one time."""

    time_s: float
    """The time in seconds on the clock of the source."""
    aus: AUVector | None
    """(AU_COUNT,) what it shows. None: there is no face."""
    lean: AUVector | None = None
    """(AU_COUNT,) the asymmetry of its lids as `calib.au.lean` has it. None: both sides show the same."""
    camera_deg: NDArray[np.float64] | None = None
    """(2,) the angles to the person's left and up, degrees, at which the head sees the camera. None: they are
    not known."""


class LiveDriverSource:
    """A DriverSource that returns its newest reading, whatever time is asked for.

    Its neutral is all zeros until the face has been still for a while.
    """

    def __init__(
        self,
        arrived: Callable[[], Iterable[DriverReading]],
        at_rest: AUVector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """arrived: returns the readings since its last call. at_rest: (AU_COUNT,) the intensities of the face
        at rest. None: they are estimated while it runs. clock: returns a monotonic time in seconds."""
        self._arrived = arrived
        self._at_rest = at_rest
        self._clock = clock
        self._estimator = NeutralEstimator()
        self._resting = RestingOpenings()
        self._openings_mm = neutral_aus()[OPENING_PLACES]
        self._newest = bilateral(neutral_aus())
        self._seen_s = -math.inf
        """The time on `clock` when the face was seen last."""

    def with_neutral(self, neutral: AUVector) -> LiveDriverSource:
        """A source of the same readings with known intensities at rest (AU_COUNT,)."""
        return LiveDriverSource(self._arrived, neutral, self._clock)

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(AU_COUNT,) True for what is read in pictures."""
        return READ.copy()

    @property
    def neutral(self) -> AUVector:
        """(AU_COUNT,) the intensities of the face at rest, as far as they are known."""
        at_rest = self._at_rest
        if at_rest is None:
            at_rest = neutral_aus() if self._estimator.rest is None else self._estimator.rest.neutral
            at_rest = at_rest.copy()
            # Openings are known from the first reading on; stillness says little of them.
            at_rest[OPENING_PLACES] = 0
        return with_openings(at_rest, self._openings_mm)

    def at(self, time_s: float) -> tuple[Sided, float]:
        """The newest values (2, AU_COUNT) of both sides, and the level of presence.

        It is 1, and fades to 0 when the face is lost.
        """
        for reading in self._arrived():
            if reading.aus is not None:
                self._estimator.update(reading.time_s, reading.aus)
                self._openings_mm = self._resting(reading.aus[OPENING_PLACES], reading.time_s)
                lean = neutral_aus() if reading.lean is None else reading.lean
                self._newest = apart(reading.aus, lean)
                self._seen_s = self._clock()
        away_s = self._clock() - self._seen_s
        return self._newest, smoothstep_of(1 - max(0.0, away_s - BRIDGED_S) / FADE_S)

    def looped(self, time_s: float) -> float:
        """The same time: a live source has no end."""
        return time_s
