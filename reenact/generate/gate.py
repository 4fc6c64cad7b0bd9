"""Where on the face each action unit changes the skin."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, au_index
from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE
from calib.ramp import smoothstep
from calib.shape import LANDMARK_COUNT, load_shape
from reenact.generate.mesh import border, warp_triangles

_LIPS = (*MOUTH.outline, 0, 17, 61, 291, 37, 267, 39, 269, 40, 270, 84, 314, 181, 405, 91, 321)
_EYES = (*LEFT_EYE.outline, *RIGHT_EYE.outline)
_FOREHEAD = (10, 151, 9, 67, 297, 69, 299, 104, 333, 108, 337)
_FOLDS = (129, 358, 203, 423, 206, 426, 216, 436, 212, 432)

_REGIONS: dict[str, tuple[tuple[int, ...], float]] = {
    "AU01": ((*_FOREHEAD, 66, 296, 107, 336), 22),
    "AU02": ((*_FOREHEAD, 105, 334, 52, 282), 22),
    "AU04": ((9, 8, 168, 107, 336, 55, 285, 66, 296), 20),
    "AU06": ((116, 345, 117, 346, 226, 446, 31, 261, 228, 448, 229, 449), 20),
    "AU09": ((6, 168, 197, 195, 122, 351, 49, 279, *_FOLDS[:4], 0), 22),
    "AU10": ((*_LIPS, *_FOLDS), 18),
    "AU12": ((*_LIPS, *_FOLDS, 57, 287), 22),
    "AU14": ((*_LIPS, *_FOLDS, 57, 287), 18),
    "AU15": ((*_LIPS, 57, 287, 204, 424), 18),
    "AU17": ((*_LIPS, 18, 200, 199, 175), 20),
    "AU20": ((*_LIPS, *_FOLDS), 18),
    "AU23": (_LIPS, 14),
    "AU25": (_LIPS, 14),
    "AU26": ((*_LIPS, *_FOLDS), 16),
    "AU45": (_EYES, 14),
}
"""Each action unit's landmarks, and how many canonical millimetres around them it may change the skin. Those
that only lift or tighten lids (AU05, AU07) need no paint."""

_EYES_SHUT = np.arange(AU_COUNT) == au_index("AU45")


@lru_cache(maxsize=1)
def reach() -> NDArray[np.float32]:
    """(17, 478) 0..1: how much each action unit changes the skin at each landmark."""
    canonical = load_shape().canonical
    reach = np.zeros((AU_COUNT, LANDMARK_COUNT), np.float32)
    for code, (landmarks, radius_mm) in _REGIONS.items():
        apart = np.linalg.norm(canonical[:, None] - canonical[list(landmarks)], axis=2).min(axis=1)
        reach[au_index(code)] = smoothstep(2 - 2 * apart / radius_mm)
    reach[:, border(warp_triangles())] = 0
    # An eye looks the same whatever the face does around it, unless it shuts or opens.
    reach[np.ix_(~_EYES_SHUT, _EYES)] = 0
    return reach
