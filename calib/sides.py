"""The two sides of a face, and the smooth way from one to the other across the midline."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.ramp import smoothstep
from calib.shape import load_shape

BLEND_MM = 10.0
"""How far from the midline skin begins to belong to one side alone: less than half a mouth, so that the
corners of lips, eyes and brows move with their own side, and more than a nose's back."""


def sidedness(x_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 on the person's left, -1 on the right, smooth between, at canonical x in millimetres.

    What a face does at a place is `both(sided) + sidedness * lean(sided)` (calib.au): each side has a weight,
    (1 + sidedness) / 2 and (1 - sidedness) / 2. In this form sides that agree give what they agree on, to the
    last bit.
    """
    return 2 * smoothstep((x_mm / BLEND_MM + 1) / 2) - 1


@lru_cache(maxsize=1)
def landmark_sidedness() -> NDArray[np.float32]:
    """(478,) of every landmark."""
    return sidedness(load_shape().canonical[:, 0])
