"""The two sides of a face, and the smooth transition between them at the midline."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.ramp import smoothstep
from calib.shape import load_shape

BLEND_MM = 10.0
"""The distance from the midline from which skin belongs to one side alone. It is less than half a mouth, so
that the corners of lips, eyes and brows move with their own side, and more than the ridge of a nose."""


def sidedness(x_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns 1 on the person's left, -1 on the right, and a smooth transition, at canonical x in mm.

    The value at a place is `both(sided) + sidedness * lean(sided)` (calib.au): the sides have the weights
    (1 + sidedness) / 2 and (1 - sidedness) / 2. In this form, sides that are equal give exactly their value.
    """
    return 2 * smoothstep((x_mm / BLEND_MM + 1) / 2) - 1


@lru_cache(maxsize=1)
def landmark_sidedness() -> NDArray[np.float32]:
    """Returns (478,): the sidedness of every landmark."""
    return sidedness(load_shape().canonical[:, 0])
