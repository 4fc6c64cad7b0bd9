"""Put the new pixels into the frame, inside the faces' regions only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reenact.types import Frame, Generated, Patch


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
        x, y = patch.origin
        height, width = patch.image.shape[:2]
        target = image[y : y + height, x : x + width]
        if any(_overlap(patch, other) for other in patches[:index]):
            # A patch holds unmoved pixels too; those must not undo the neighbour's moved ones.
            changed = (patch.image != frame.image[y : y + height, x : x + width]).any(axis=2)
            np.copyto(target, patch.image, where=changed[..., None])
        else:
            target[:] = patch.image
    return replace(frame, image=image)


def _overlap(first: Patch, second: Patch) -> bool:
    (ax, ay), (bx, by) = first.origin, second.origin
    (ah, aw), (bh, bw) = first.image.shape[:2], second.image.shape[:2]
    return ax < bx + bw and bx < ax + aw and ay < by + bh and by < ay + ah
