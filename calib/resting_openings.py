"""The openings of a face at rest, learned while it talks and blinks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.au import OPENING_PLACES, AUVector
from calib.opening_sizes import jaw_at_rest

SETTLE_S = 4.0
"""The time constant, in seconds, with which they are learned."""
OPEN_SHARE = 0.6
"""The share of the lid gap at rest below which an eye blinks."""
BLINK_S = 20.0
"""The time constant with which shut lids are taken for the person's own after all."""


def with_openings(neutral: AUVector, openings_mm: NDArray[np.float32]) -> AUVector:
    """Returns `neutral` (AU_COUNT,) with these openings (3,) where it has none: profiles of people, for one,
    need not have them."""
    filled = neutral.copy()
    unknown = filled[OPENING_PLACES] == 0
    filled[OPENING_PLACES][unknown] = openings_mm[unknown]
    return filled


class RestingOpenings:
    """The running estimate of one face's openings at rest. The first frame is taken for it at once."""

    def __init__(self) -> None:
        self._jaw_mm = self._lids_mm = 0.0
        self._last_s: float | None = None

    def __call__(self, sizes_mm: NDArray[np.float32], time_s: float) -> NDArray[np.float32]:
        """Returns (3,) the sizes at rest, given those of a frame (3,), in the order of calib.au.OPENINGS.

        Lips at rest are shut.
        """
        lips, jaw, lids = sizes_mm.astype(np.float64)
        jaw = float(jaw_at_rest(jaw, lips))
        if self._last_s is None:
            self._jaw_mm, self._lids_mm = jaw, float(lids)
        else:
            elapsed_s = max(time_s - self._last_s, 0.0)
            share = 1 - np.exp(-elapsed_s / SETTLE_S)
            self._jaw_mm += share * (jaw - self._jaw_mm)
            blinks = lids < OPEN_SHARE * self._lids_mm
            opens = lids > self._lids_mm / OPEN_SHARE
            share = 1.0 if opens else 1 - np.exp(-elapsed_s / (BLINK_S if blinks else SETTLE_S))
            self._lids_mm += share * (float(lids) - self._lids_mm)
        self._last_s = time_s
        return np.array([0.0, self._jaw_mm, self._lids_mm], np.float32)
