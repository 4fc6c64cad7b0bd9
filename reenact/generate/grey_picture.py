"""Pictures without colour: what is painted into them has none either."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np

from reenact.records import Frame, Patch

PatchT = TypeVar("PatchT", bound=Patch)

_MOST_COLOUR = 4
"""The largest difference between two channels of a grey pixel, in levels; video formats round them."""
_STEP_PX = 8
"""The distance between the pixels that are looked at."""


def as_grey_as_frame(frame: Frame, patch: PatchT) -> PatchT:
    """The patch without colour where the frame has none below it; otherwise the patch itself.

    Teeth, tongue and creases come from colour photographs, and looked brown in a grey face. Pixels that the
    patch leaves as they are in the frame stay so, bit for bit.
    """
    left, top, right, bottom = patch.region
    below = frame.image[top:bottom, left:right]
    red, green, blue = (below[::_STEP_PX, ::_STEP_PX, channel].astype(np.int16) for channel in range(3))
    if not red.size or max(np.abs(red - green).max(), np.abs(green - blue).max()) > _MOST_COLOUR:
        return patch
    grey = cv2.cvtColor(cv2.cvtColor(patch.image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    red, green, blue = cv2.split(cv2.absdiff(patch.image, below))
    changed = cv2.max(cv2.max(red, green), blue)
    return replace(patch, image=cv2.copyTo(grey, changed, patch.image.copy()))
