"""Limits of expressions: the largest intensities, pairs that exclude each other, and the fastest changes.

An action unit goes no further than in labelled faces, two antagonists share a common bound, and nothing moves
faster than real onsets do. `python -m calib limits` fits them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.au import (
    AU_COUNT,
    GAZE,
    GAZE_UNIT_DEG,
    HIGHEST,
    OPENFACE_CODES,
    OPENFACE_COUNT,
    OPENING_PLACES,
    au_index,
    openface,
)
from calib.json_file import read_json

_PATH = Path(__file__).with_name("data") / "limits.json"
AT_REST = 1.0
"""Intensity up to which a reading is ignored here: readings differ by up to about this much from person to
person, and a face at rest must not reduce what can be asked."""
_LEAST_WISH = 1e-3
"""The smallest intensity that weights are computed from, so that they are finite."""


@dataclass(frozen=True)
class PairLimit:
    """The constraint first_share * a + second_share * b <= bound; a and b are shares of the largest
    intensity."""

    first: int
    """The index of the action unit of `a`."""
    second: int
    """The index of the action unit of `b`."""
    first_share: float
    second_share: float
    bound: float


_ROUNDING = 1e-6
"""By so much a sum of two shares may exceed its limit and count as within it: float32 adds no better."""


@dataclass(frozen=True, eq=False)
class Limits:
    """The largest intensities, the constraints on pairs and the fastest changes of action units."""

    largest: NDArray[np.float32]
    """(AU_COUNT,) the largest value of each place in an AU array."""
    pairs: tuple[PairLimit, ...]
    """The constraints on pairs of antagonists."""
    rates: NDArray[np.float32]
    """(AU_COUNT,) the largest change per second, up or down."""

    def within(self, measured: NDArray[np.float32], change: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns `change` (..., AU_COUNT), reduced until a face that shows `measured` is within the limits.

        measured: (AU_COUNT,) intensities, or of the shape of `change`.

        A change within the limits is returned as it is. Only increases are reduced, and not below 0: a face
        that exceeds a limit by itself is left as it is. Of two antagonists the one with the smaller change is
        reduced more. The result is continuous in both arguments, so no motion jumps.
        """
        if change.ndim > 1:
            sides = list(zip(np.broadcast_to(measured, change.shape), change, strict=True))
            found = [self.within(shows, each) for shows, each in sides]
            is_same = all(one is each for one, (_, each) in zip(found, sides, strict=True))
            return change if is_same else np.stack(found)
        lowered = np.maximum(measured + np.minimum(change, 0) - AT_REST, 0)
        room = np.maximum(self.largest - lowered, 0)
        raised = np.minimum(np.maximum(change, 0), room)
        spare = np.maximum(self._bounds - self._planes @ lowered, 0)
        beyond = self._planes @ raised > spare + _ROUNDING
        if not beyond.any() and not (change > room).any():
            return change
        wish = np.maximum(change, _LEAST_WISH)
        for index in np.flatnonzero(beyond):
            pair = self.pairs[index]
            _share(raised, wish, pair, self._planes[index], float(spare[index]))
        return np.where(change > 0, raised, change).astype(change.dtype)

    @cached_property
    def _planes(self) -> NDArray[np.float32]:
        """(pairs, AU_COUNT): the left sides of all pair constraints, in intensities."""
        planes = np.zeros((len(self.pairs), AU_COUNT), np.float32)
        for row, pair in zip(planes, self.pairs, strict=True):
            row[pair.first] = pair.first_share / self.largest[pair.first]
            row[pair.second] = pair.second_share / self.largest[pair.second]
        return planes

    @cached_property
    def _bounds(self) -> NDArray[np.float32]:
        return np.array([pair.bound for pair in self.pairs], np.float32)


def _share(
    raised: NDArray[np.float32],
    wish: NDArray[np.float32],
    pair: PairLimit,
    plane: NDArray[np.float32],
    spare: float,
) -> None:
    """Reduces two entries of `raised` to the nearest point that satisfies their constraint. Distances weigh
    more for the action unit with the larger wish. No constraint that held before is broken."""
    both = [pair.first, pair.second]
    excess = float(plane[both] @ raised[both]) - spare
    if excess <= 0:
        return
    slope = plane[both].astype(np.float64)
    yielding = slope / wish[both].astype(np.float64) ** 2
    cut = np.minimum(excess * yielding / (slope @ yielding), raised[both])
    # Where one entry reaches 0, the other is reduced by the rest.
    left = excess - slope @ cut
    cut = np.minimum(cut + np.where(cut < raised[both], left / slope, 0), raised[both])
    raised[both] -= cut.astype(np.float32)


def to_json(limits: Limits) -> dict[str, Any]:
    """Returns the document of the file, by the codes of the action units, rounded to three digits."""
    return {
        "version": 1,
        "largest": _named(limits.largest),
        "pairs": [
            {
                "aus": [OPENFACE_CODES[pair.first], OPENFACE_CODES[pair.second]],
                "shares": [pair.first_share, pair.second_share],
                "bound": round(pair.bound, 3),
            }
            for pair in limits.pairs
        ],
        "rates": _named(limits.rates),
    }


def from_json(document: dict[str, Any]) -> Limits:
    """Reads the document that `to_json` returns."""
    pairs = tuple(_pair(**pair) for pair in document["pairs"])
    return Limits(_vector(document["largest"], HIGHEST), pairs, _vector(document["rates"], OTHER_RATES))


def _pair(aus: tuple[str, str], shares: tuple[float, float], bound: float) -> PairLimit:
    return PairLimit(au_index(aus[0]), au_index(aus[1]), shares[0], shares[1], bound)


@lru_cache(maxsize=1)
def load_limits() -> Limits:
    """Loads the limits that ship with the project (see calib/data/MODEL_CARD.md)."""
    return from_json(read_json(_PATH, ValueError))


def _named(values: NDArray[np.float32]) -> dict[str, float]:
    return {
        code: round(float(value), 3) for code, value in zip(OPENFACE_CODES, openface(values), strict=True)
    }


def _vector(named: dict[str, float], others: NDArray[np.float32]) -> NDArray[np.float32]:
    return with_others(np.array([named[code] for code in OPENFACE_CODES], np.float32), others)


def with_others(intensities: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns `others` (AU_COUNT,) with the `intensities` (17,) of OpenFace's action units in place."""
    return np.concatenate([intensities, others[OPENFACE_COUNT:]]).astype(np.float32)


def _other_rates() -> NDArray[np.float32]:
    rates = np.full(AU_COUNT, MOUTH_RATE, np.float32)
    rates[GAZE] = SACCADE_DEG_PER_S / GAZE_UNIT_DEG
    rates[OPENING_PLACES] = OPENING_MM_PER_S
    return rates


MOUTH_RATE = 45.0
"""The fastest change, in intensity per second, of action units whose rate was not measured: about that of
AU25, because they move lips and jaw."""
SACCADE_DEG_PER_S = 700.0
"""The peak velocity of large saccades (Bahill, Clark & Stark, Mathematical Biosciences 24, 1975)."""
OPENING_MM_PER_S = 400.0
"""The fastest change of an opening: a lid shuts an eye of 10 mm within 25 ms."""
OTHER_RATES = _other_rates()
"""(AU_COUNT,) the largest change per second of the places that the file does not have."""
