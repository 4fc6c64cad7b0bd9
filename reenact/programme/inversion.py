"""Inversion: a face's own expression turned into its opposite."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from calib.au import ACTION_UNITS, AU_COUNT, AU_INDEX, HIGHEST, LOWEST, AUVector, UnknownAUError, au_index

OPPOSITES: Mapping[int, Mapping[int, float]] = {
    1: {4: 0.5},
    2: {4: 0.5},
    4: {1: 1.0, 2: 1.0},
    5: {7: 1.0},
    7: {5: 1.0},
    12: {15: 1.0},
    15: {12: 1.0},
    45: {5: 1.0},
}
"""The opposites of each action unit by FACS number, with the intensity that one unit becomes. Brows that are
raised by 1 and 2 are lowered by 4, and the reverse. Action units without an opposite are only removed:
nothing is further from parted lips or a dropped jaw than a closed mouth."""
KEPT_BY_ALL = frozenset({45})
"""FACS numbers that "all" leaves out: eyes that widen at every blink would be no expression."""


class InversionError(ValueError):
    """The text of action units to invert cannot be understood; the message is one line."""


def parse_inverted(text: str) -> frozenset[int]:
    """The indices of the action units in text such as AU12,AU04, or "all". Raises InversionError."""
    if text.strip().lower() == "all":
        return frozenset(
            AU_INDEX[unit.number] for unit in ACTION_UNITS if unit.read and unit.number not in KEPT_BY_ALL
        )
    try:
        return frozenset(au_index(name) for name in text.split(","))
    except UnknownAUError as error:
        raise InversionError(f"{error}; or all") from error


def inverted(shown: NDArray[np.float32], units: frozenset[int], neutral: AUVector) -> NDArray[np.float32]:
    """The intensities (..., AU_COUNT) `shown`, with the action units of these indices inverted.

    The intensity that such a unit shows beyond `neutral` (AU_COUNT,) is removed and given to its opposites.
    All units are inverted at once, so that a smile becomes depressed lip corners, and these become a smile.
    """
    if not units:
        return shown
    chosen = np.isin(np.arange(AU_COUNT), list(units))
    beyond = np.where(chosen, np.maximum(shown - neutral, 0), 0).astype(np.float32)
    return np.clip(shown - beyond + beyond @ _TURN, LOWEST, HIGHEST).astype(np.float32)


def _turn() -> AUVector:
    """(AU_COUNT, AU_COUNT) the intensity of each column's action unit that replaces one unit of the row's."""
    turn = np.zeros((AU_COUNT, AU_COUNT), np.float32)
    for number, opposites in OPPOSITES.items():
        for opposite, share in opposites.items():
            turn[AU_INDEX[number], AU_INDEX[opposite]] = share
    return turn


_TURN = _turn()
