"""Openings that are asked for in millimetres: how far action units 25, 26 and 45 must go to make them.

Where an opening is asked for, the other action units do not change it by the way.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_INDEX, JAW_DROP, LID_GAP, LIP_GAP, OPENING_PLACES, SIDES, Change, both
from calib.basis import AUBasis
from calib.opening_sizes import added_openings

_LIPS_PART, _JAW_DROPS, _LIDS_SHUT = (AU_INDEX[number] for number in (25, 26, 45))


def with_asked_openings(amounts: Change, change: Change, basis: AUBasis) -> Change:
    """Returns `amounts` (2, units) with those that bring about the openings asked for in `change`.

    The lip gap comes before the jaw drop where both together would be more than lips and jaw can do.
    """
    if not change[:, OPENING_PLACES].any():
        return amounts
    amounts = amounts.copy()
    asked_gap, asked_drop = both(change)[[LIP_GAP, JAW_DROP]].tolist()
    if asked_gap or asked_drop:
        parted, dropped = _mouth(asked_gap, asked_drop, both(amounts), basis)
        amounts[:, _LIPS_PART] += parted
        amounts[:, _JAW_DROPS] += dropped
    for side in range(len(SIDES)):
        if change[side, LID_GAP]:
            amounts[side, _LIDS_SHUT] += _lids(side, float(change[side, LID_GAP]), amounts[side], basis)
    return amounts


def _mouth(
    asked_gap: float, asked_drop: float, amounts: NDArray[np.float32], basis: AUBasis
) -> tuple[float, float]:
    """The multiples of parted lips and of the dropped jaw that add these millimetres."""
    per_unit = _per_unit(basis).mean(axis=0)
    others = amounts.copy()
    others[[_LIPS_PART, _JAW_DROPS]] = 0
    gap, drop = np.array([asked_gap, asked_drop]) - others @ per_unit[:, :2]
    lips, jaw = per_unit[_LIPS_PART, :2].astype(np.float64), per_unit[_JAW_DROPS, :2].astype(np.float64)
    parted, dropped = np.linalg.solve(np.stack([lips, jaw], axis=1), (gap, drop))
    most = basis.furthest[[_LIPS_PART, _JAW_DROPS]].astype(np.float64)
    dropped = float(np.clip(dropped, -most[1], most[1]))
    parted = float(np.clip((gap - dropped * jaw[0]) / lips[0], -most[0], most[0]))
    dropped = float(np.clip((gap - parted * lips[0]) / jaw[0], -most[1], most[1]))
    return parted, dropped


def _lids(side: int, asked: float, amounts: NDArray[np.float32], basis: AUBasis) -> float:
    """The multiple of shut lids that adds these millimetres to the opening of one eye."""
    per_unit = _per_unit(basis)[side, :, 2]
    others = amounts.copy()
    others[_LIDS_SHUT] = 0
    return (asked - float(others @ per_unit)) / float(per_unit[_LIDS_SHUT])


@lru_cache(maxsize=8)
def _per_unit(basis: AUBasis) -> NDArray[np.float32]:
    """(2, units, 3) the millimetres that one multiple of each displacement adds to each opening."""
    return np.stack([added_openings(motion) for motion in basis.displacements], axis=1)
