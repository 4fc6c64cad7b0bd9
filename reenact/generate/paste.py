"""Put the new pixels into the frame, inside the faces' regions only."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.records import Frame, Generated, Patch

Part = tuple[slice, slice]
"""Rows and columns of a frame."""


def paste(generated: Generated) -> Frame:
    """The frame with every patch in place; the very same frame where there is none.

    Every pixel outside the patches is the input's own, bit for bit.
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


def _intersection(first: Patch, second: Patch) -> Part | None:
    """What two patches share, or None where that is nothing."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = first.region, second.region
    x0, y0, x1, y1 = max(ax0, bx0), max(ay0, by0), min(ax1, bx1), min(ay1, by1)
    return np.s_[y0:y1, x0:x1] if x0 < x1 and y0 < y1 else None


def _unmoved(patch: Patch, frame: Frame, part: Part) -> NDArray[np.uint8]:
    """(height, width) 255 where the patch has the frame's own pixels, 0 elsewhere."""
    (rows, columns), (x, y) = part, patch.origin
    own = patch.image[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    return cv2.inRange(cv2.absdiff(own, frame.image[part]), (0, 0, 0), (0, 0, 0))
