"""A person's neutral: the readings of the face at rest, learned while the face also shows expressions.

OpenFace subtracts medians and low percentiles per person (Baltrusaitis, Mahmoud & Robinson, FERA 2015). Those
follow an expression that is held for long. Here only readings of a still face count, and only those close to
the present estimate.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, OPENFACE_COUNT, AUVector, neutral_aus

STEP = 0.05
"""The width of a bin of readings, in intensity."""
_LEVELS = round(MAX_INTENSITY / STEP) + 1
_LEVEL = STEP * np.arange(_LEVELS)
_OTHERS_KEPT = 301
"""The number of readings at rest whose median is the neutral of gaze and openings: about ten seconds."""


@dataclass(frozen=True)
class NeutralOptions:
    """Options chosen on five labelled clips of people who talk and act: see `python -m calib clips`."""

    window_s: float = 0.5
    """The window in which stillness is measured, about as long as an onset of an expression."""
    stillness: float = 0.2
    """Deviation from the mean (RMS over AUs) below which a face counts as still."""
    spread: float = 0.5
    """Readings that exceed an action unit's neutral by more than this count as an expression."""
    support_s: float = 0.5
    """The least time that the lowest bins must have been read, so that they are not noise."""
    support: float = 0.05
    """The least share of the time at rest that the lowest bins must have been read."""
    quantile: float = 0.4
    """The quantile of readings at rest that is the neutral; below one half, as expressions only add."""
    least_s: float = 2.0
    """The least time at rest for an estimate."""
    longest_gap_s: float = 0.3
    """The longest time between two readings; after a longer one the face may be another person's."""


@dataclass(frozen=True, eq=False)
class Rest:
    """The estimate of a face at rest."""

    neutral: AUVector
    """(AU_COUNT,) the readings of the face at rest."""
    wavering: AUVector
    """(17,) standard deviations of the readings of OpenFace's action units at rest."""
    rest_s: float
    """The time for which the face was still."""


class NeutralEstimator:
    """The running estimate of one face's neutral."""

    def __init__(self, options: NeutralOptions = NeutralOptions()) -> None:
        self._options = options
        self._recent: deque[tuple[float, AUVector]] = deque()
        self._others: deque[AUVector] = deque(maxlen=_OTHERS_KEPT)
        """The latest readings at rest of gaze and openings."""
        self._seconds = np.zeros((OPENFACE_COUNT, _LEVELS))
        """(17, levels) seconds for which each bin of each action unit was read at rest."""
        self.seen_s = 0.0
        """The time for which the face was visible."""
        self.rest_s = 0.0
        """The time for which the face was still."""
        self.rest: Rest | None = None
        """The present estimate. None: there is too little time at rest."""

    def update(self, time_s: float, aus: AUVector) -> Rest | None:
        """Adds the reading (AU_COUNT,) at this time and returns the present estimate.

        The window of stillness starts anew where time goes back, or on by more than `longest_gap_s`.
        """
        interval_s = time_s - self._recent[-1][0] if self._recent else 0.0
        if not 0 <= interval_s <= self._options.longest_gap_s:
            self._recent.clear()
            interval_s = 0.0
        self._recent.append((time_s, aus))
        while time_s - self._recent[0][0] > self._options.window_s:
            self._recent.popleft()
        self.seen_s += interval_s
        if interval_s > 0 and self._is_still(time_s):
            self._note(aus, interval_s)
        return self.rest

    def _is_still(self, time_s: float) -> bool:
        if time_s - self._recent[0][0] < self._options.window_s / 2:
            return False
        readings = np.array([each[:OPENFACE_COUNT] for _, each in self._recent])
        return float(np.sqrt(readings.var(axis=0).mean())) < self._options.stillness

    def _note(self, aus: AUVector, interval_s: float) -> None:
        self.rest_s += interval_s
        self._others.append(aus[OPENFACE_COUNT:])
        intensities = aus[:OPENFACE_COUNT]
        counts = np.ones(OPENFACE_COUNT, bool)
        if self.rest is not None:
            counts = intensities <= self.rest.neutral[:OPENFACE_COUNT] + self._options.spread
        level = np.rint(np.clip(intensities, 0, MAX_INTENSITY) / STEP).astype(int)
        self._seconds[counts, level[counts]] += interval_s
        if self.rest_s >= self._options.least_s:
            self.rest = self._estimate()

    def _estimate(self) -> Rest:
        """Returns the readings from the lowest bin that is not noise up to `spread` above it."""
        options, seconds = self._options, self._seconds
        needed_s = np.maximum(options.support_s, options.support * seconds.sum(axis=1))
        lowest = _LEVEL[_first(np.cumsum(seconds, axis=1), needed_s)]
        still_s = np.where((lowest + options.spread)[:, None] >= _LEVEL, seconds, 0)
        total_s = still_s.sum(axis=1)
        neutral = _LEVEL[_first(np.cumsum(still_s, axis=1), options.quantile * total_s)]
        mean = still_s @ _LEVEL / total_s
        variance = still_s @ _LEVEL**2 / total_s - mean**2
        wavering = np.sqrt(np.maximum(variance, 0))
        at_rest = neutral_aus()
        at_rest[:OPENFACE_COUNT] = neutral
        at_rest[OPENFACE_COUNT:] = np.median(self._others, axis=0)
        return Rest(at_rest, wavering.astype(np.float32), self.rest_s)


def _first(rising: NDArray[np.float64], threshold: NDArray[np.float64]) -> NDArray[np.intp]:
    """Returns (17,): the first bin at which each row of (17, levels) reaches its threshold."""
    return np.argmax(rising >= threshold[:, None] * (1 - 1e-9), axis=1)
