"""What of a face's action units is expression: not speech, not a blink, not the person's features at rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_INDEX
from calib.limits import AT_REST
from calib.ramp import smoothstep

OPENED_BY_SMILE = 1.0
"""Intensity of parted or raised lips that one unit of a smile explains, as in 95 of 100 toothy smiles."""
_SMILE, _LIPS = AU_INDEX[12], [AU_INDEX[number] for number in (10, 25)]
_NEVER = [AU_INDEX[number] for number in (26, 45)]
"""A dropped jaw is counted as speech, and shut lids as a blink."""


def expression(measured: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 17) the intensities of `measured` that belong to an expression. Continuous, so that nothing pops.

    Readings up to AT_REST are off by as much from person to person, and count less the lower they are. Lips
    that part are a smile's as far as one explains them; what they open beyond that is speech.
    """
    shown = measured * smoothstep(measured / np.float32(AT_REST))
    shown[..., _LIPS] = np.minimum(measured[..., _LIPS], OPENED_BY_SMILE * shown[..., [_SMILE]])
    shown[..., _NEVER] = 0
    return shown
