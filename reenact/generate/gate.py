"""Where on the face, and how much, the appearance network may paint: near what is asked to change."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, Change, au_index, both, lean
from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE
from calib.ramp import smoothstep
from calib.shape import LANDMARK_COUNT, load_shape
from calib.sides import landmark_sidedness
from reenact.generate.flow import to_pixels
from reenact.generate.mesh import CROP_CELL_PX, border, over_crop, warp_triangles
from reenact.geometry import Alignment

FULL_AT = 1.0
"""The gate of an action unit opens from no change to this one, so that nothing pops at onset and offset."""

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


def gate(moved: NDArray[np.float32], change: Change, alignment: Alignment) -> NDArray[np.uint8]:
    """(size, size) 0 where the network may not paint .. 255 where it may paint all.

    moved: (478, 3) landmarks in the frame after the move; change: (2, 17) relative action units,
    each of which opens the gate on its own side.
    """
    # Shut lids are the painters' affair, which comes nearer to the truth than the network does.
    paints = np.where(_EYES_SHUT, -change, np.abs(change))
    opened = smoothstep(paints / FULL_AT)
    opened_at = both(opened)[:, None] + lean(opened)[:, None] * landmark_sidedness()
    values = (opened_at * reach()).max(axis=0)
    field, _ = over_crop(alignment.points(moved), values[None, warp_triangles()], alignment.size)
    # Back-facing triangles, as in nostrils, leave holes of a cell.
    return np.rint(to_pixels(cv2.blur(field[0], (3, 3)), CROP_CELL_PX) * 255).astype(np.uint8)


@lru_cache(maxsize=1)
def reach() -> NDArray[np.float32]:
    """(17, 478) how far each action unit opens the gate at each landmark."""
    canonical = load_shape().canonical
    reach = np.zeros((AU_COUNT, LANDMARK_COUNT), np.float32)
    for code, (landmarks, radius_mm) in _REGIONS.items():
        apart = np.linalg.norm(canonical[:, None] - canonical[list(landmarks)], axis=2).min(axis=1)
        reach[au_index(code)] = smoothstep(2 - 2 * apart / radius_mm)
    reach[:, border(warp_triangles())] = 0
    # An eye looks the same whatever the face does around it, unless it shuts or opens.
    reach[np.ix_(~_EYES_SHUT, _EYES)] = 0
    return reach
