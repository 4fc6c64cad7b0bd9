"""Pastes new pixels into the frame, inside the patches only."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.records import Frame, Generated, Patch

FramePart = tuple[slice, slice]
"""The rows and columns of a part of a frame."""


def paste(generated: Generated) -> Frame:
    """The frame with every patch pasted; without patches it is the same object.

    Pixels outside the patches equal the input's bit for bit.
    """
    frame = generated.frame
    patches = [patch for patch in generated.patches if patch is not None]
    if not patches:
        return frame
    image = frame.image.copy()
    for index, patch in enumerate(patches):
        shared = [_intersection(patch, other) for other in patches[:index]]
        # A patch holds unmoved pixels too; those must not undo the neighbour's moved ones.
        kept = [(part, _unmoved(patch, frame, part), image[part].copy()) for part in shared if part]
        x0, y0, x1, y1 = patch.region
        image[y0:y1, x0:x1] = patch.image
        for part, unmoved, before in kept:
            cv2.copyTo(before, unmoved, image[part])
    pasted = replace(frame, image=image)
    if frame.decoded is None:
        return pasted
    changed = (*frame.decoded.changed, *(patch.region for patch in patches))
    return pasted.made_of(replace(frame.decoded, changed=changed))


def _intersection(first: Patch, second: Patch) -> FramePart | None:
    """The part that two patches share. None: they share none."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = first.region, second.region
    x0, y0, x1, y1 = max(ax0, bx0), max(ay0, by0), min(ax1, bx1), min(ay1, by1)
    return np.s_[y0:y1, x0:x1] if x0 < x1 and y0 < y1 else None


def _unmoved(patch: Patch, frame: Frame, part: FramePart) -> NDArray[np.uint8]:
    """(height, width) 255 where the patch equals the frame, 0 elsewhere."""
    (rows, columns), (x, y) = part, patch.origin
    own = patch.image[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    return cv2.inRange(cv2.absdiff(own, frame.image[part]), (0, 0, 0), (0, 0, 0))
