"""The sizes of a face's openings in millimetres: lip gap, jaw drop and lid gap, without the head's pose.

Landmarks tell how far a mouth is open with a correlation of .82 to .97, where readings of AU25 and AU26 from
appearance do not follow it at all in some films.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from calib.bounds import NOSE_BASE
from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE

CHIN = 152
"""The landmark at the lower end of the chin."""


def opening_sizes(landmarks_mm: NDArray[np.floating]) -> NDArray[np.float32]:
    """Returns (2, 3): on the person's left and right, the sizes in the order of calib.au.OPENINGS.

    The lip gap is the distance between the visible edges of the lips, the jaw drop that from the base of the
    nose to the chin, and the lid gap that between the lids, each in the middle. Mouth and jaw have the same
    size on both sides. landmarks_mm: (478, 3) canonical millimetres, pose-normalised, of a tracker.
    """
    sizes = np.maximum(added_openings(landmarks_mm), 0)
    sizes[:, 0] = visible_gap_mm(float(sizes[0, 0]))
    return sizes


def visible_gap_mm(tracked_mm: float) -> float:
    """Returns the gap between the visible edges of lips whose landmarks are `tracked_mm` apart.

    Where lips part, the tracker places their inner landmarks too far apart: in 270 frames of nine films, by
    about 1 mm at 3 to 5 mm, by .8 mm at 6 to 14 mm, and hardly at all beyond.
    """
    return tracked_mm * (1 - _TOO_FAR * math.exp(-tracked_mm / _PARTED_MM))


_TOO_FAR, _PARTED_MM = 0.7, 4.0
"""The excess of the landmarks' distance, as a share of it, when the lips begin to part, and the distance at
which the excess is largest."""


def added_openings(motion_mm: NDArray[np.floating]) -> NDArray[np.float32]:
    """Returns (2, 3): what a motion of the landmarks (478, 3), in mm, adds to these sizes."""
    lips = MOUTH.height(motion_mm)
    jaw = float(motion_mm[CHIN, 1] - motion_mm[NOSE_BASE, 1])
    # The person's left eye is on the right of the picture.
    return np.array([(lips, jaw, eye.height(motion_mm)) for eye in (RIGHT_EYE, LEFT_EYE)], np.float32)


STANDARD_LIDS_MM = 9.0
"""The lid gap of an open eye in which drivers' lids are told, since people's eyes open differently far."""
_JAW_PER_GAP = 0.45
"""The jaw drop, in mm, for each mm of lip gap, of people who talk: .28 to .6 in five films."""
_FEW = 30
"""The number of readings below which they are taken for those of a picture."""
_LIPS_REST_MM = 1.0
"""The largest lip gap that counts as that of a face at rest; beyond it a mouth is open."""


def resting_openings(sizes_mm: NDArray[np.floating]) -> NDArray[np.float32]:
    """Returns (3,) the sizes of a face at rest, from its sizes (n, 3) over time in the order of OPENINGS.

    Lips are at rest when they are nearly shut, lids when they are open, and the jaw where it is when the lips
    shut.
    """
    lips, jaw, lids = sizes_mm.T
    if len(sizes_mm) < _FEW:
        # A picture does not tell whether its lids are open, and its lips are parted on purpose.
        lids_mm = max(float(np.median(lids)), STANDARD_LIDS_MM)
        return np.array([0.0, np.median(jaw_at_rest(jaw, lips)), lids_mm], np.float32)
    open_lids = lids[lids >= np.percentile(lids, 75) / 2]
    return np.array(
        [
            min(float(np.percentile(lips, 10)), _LIPS_REST_MM),
            np.median(jaw_at_rest(jaw, lips)),
            np.median(open_lids),
        ],
        np.float32,
    )


def jaw_at_rest(jaw_mm: NDArray[np.floating], lips_mm: NDArray[np.floating]) -> NDArray[np.floating]:
    """Returns the jaw drop that a face would have with shut lips."""
    return jaw_mm - _JAW_PER_GAP * lips_mm
