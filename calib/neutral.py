"""A person's neutral: what an estimator reads from a face at rest, learned while it does other things, too.

OpenFace subtracts medians and low percentiles per person (Baltrusaitis, Mahmoud & Robinson, FERA 2015). Those
follow an expression that is held for long. Here only a still face is evidence, and only as long as it shows
little more than what is known of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, MAX_INTENSITY, AUVector

STEP = 0.05
"""Intensity: how finely readings are told apart."""
_LEVELS = round(MAX_INTENSITY / STEP) + 1
_LEVEL = STEP * np.arange(_LEVELS)


@dataclass(frozen=True)
class NeutralOptions:
    """Chosen on five labelled clips of people who talk and act: see `python -m calib clips`."""

    window_s: float = 0.5
    """A look at whether the face is still takes so long: expressions come and go in about as much."""
    stillness: float = 0.2
    """It is still while its readings deviate from their mean by less than this, root mean square over AUs."""
    spread: float = 0.5
    """Readings of an action unit that are higher than its neutral by more than this are an expression."""
    support_s: float = 0.5
    """So long a level must have been read to be anything but noise ..."""
    support: float = 0.05
    """... and for this share of the time at rest."""
    quantile: float = 0.4
    """Of the readings at rest, the neutral: less than half, because expressions only ever add."""
    least_s: float = 2.0
    """Less time at rest tells nothing."""
    longest_gap_s: float = 0.3
    """Between two readings; after a longer one the face may have become another."""


@dataclass(frozen=True, eq=False)
class Rest:
    """What is known of a face at rest."""

    neutral: AUVector
    """(17,) 0..5."""
    wavering: AUVector
    """(17,) standard deviation of the readings at rest."""
    rest_s: float
    """How long the face was still."""


class NeutralEstimator:
    """The running estimate of one face's neutral."""

    def __init__(self, options: NeutralOptions = NeutralOptions()) -> None:
        self._options = options
        self._recent: deque[tuple[float, AUVector]] = deque()
        self._seconds = np.zeros((AU_COUNT, _LEVELS))
        """For how long each level of each action unit was read at rest."""
        self.seen_s = 0.0
        """How long the face was there ..."""
        self.rest_s = 0.0
        """... and how long it was still."""
        self.rest: Rest | None = None
        """None until there is enough to tell."""

    def update(self, time_s: float, aus: AUVector) -> Rest | None:
        """What is known now, with the reading (17,) of this time, 0..5.

        A time that goes backwards, or on by much, starts the look at whether the face is still afresh.
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
        readings = np.array([each for _, each in self._recent])
        return float(np.sqrt(readings.var(axis=0).mean())) < self._options.stillness

    def _note(self, aus: AUVector, interval_s: float) -> None:
        self.rest_s += interval_s
        counts = np.ones(AU_COUNT, bool)
        if self.rest is not None:
            counts = aus <= self.rest.neutral + self._options.spread
        level = np.rint(np.clip(aus, 0, MAX_INTENSITY) / STEP).astype(int)
        self._seconds[counts, level[counts]] += interval_s
        if self.rest_s >= self._options.least_s:
            self.rest = self._estimate()

    def _estimate(self) -> Rest:
        """The readings just above the lowest level that is no accident."""
        options, seconds = self._options, self._seconds
        needed_s = np.maximum(options.support_s, options.support * seconds.sum(axis=1))
        lowest = _LEVEL[_first(np.cumsum(seconds, axis=1), needed_s)]
        at_rest = np.where((lowest + options.spread)[:, None] >= _LEVEL, seconds, 0)
        total_s = at_rest.sum(axis=1)
        neutral = _LEVEL[_first(np.cumsum(at_rest, axis=1), options.quantile * total_s)]
        mean = at_rest @ _LEVEL / total_s
        variance = at_rest @ _LEVEL**2 / total_s - mean**2
        wavering = np.sqrt(np.maximum(variance, 0))
        return Rest(neutral.astype(np.float32), wavering.astype(np.float32), self.rest_s)


def _first(rising: NDArray[np.float64], threshold: NDArray[np.float64]) -> NDArray[np.intp]:
    """(17,) the first level at which each row of (17, levels) reaches its threshold."""
    return np.argmax(rising >= threshold[:, None] * (1 - 1e-9), axis=1)
