"""The sizes of a face's openings in millimetres: lip gap, jaw drop and lid gap, without the head's pose.

Landmarks tell how far a mouth is open with a correlation of .82 to .97, where readings of AU25 and AU26 from
appearance do not follow it at all in some films.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.bounds import NOSE_BASE
from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE

CHIN = 152
"""The landmark at the lower end of the chin."""


def opening_sizes(landmarks_mm: NDArray[np.floating]) -> NDArray[np.float32]:
    """Returns (2, 3): on the person's left and right, the sizes in the order of calib.au.OPENINGS.

    The lip gap is the distance between the inner edges of the lips, the jaw drop that from the base of the
    nose to the chin, and the lid gap that between the lids, each in the middle. Mouth and jaw have the same
    size on both sides. landmarks_mm: (478, 3) canonical millimetres, pose-normalised.
    """
    lips = max(MOUTH.height(landmarks_mm), 0.0)
    jaw = max(float(landmarks_mm[CHIN, 1] - landmarks_mm[NOSE_BASE, 1]), 0.0)
    # The person's left eye is on the right of the picture.
    lids = (max(eye.height(landmarks_mm), 0.0) for eye in (RIGHT_EYE, LEFT_EYE))
    return np.array([(lips, jaw, gap) for gap in lids], np.float32)
