"""Whole-face generators, for comparison: a network repaints the face's crop, which is pasted back.

The detail of their pictures is limited to that of their crop, 128 pixels as published. They do not
distinguish sides: both get the mean of what is asked of the two.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, AUVector, Change, both, openface
from calib.ramp import smoothstep
from engines.engine import Engine, Tensors
from reenact.alignment import Alignment
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.records import Face, Frame, Patch

_FEATHER = 0.15
"""Share of the crop's width, on each side, over which the new picture fades into the frame."""
_FULL_AT = 0.25
"""Change of an action unit, 0..5, from which on the new picture shows in full. Below it the picture fades,
because a network's picture of no change is not the frame, and every onset would jump."""


class RepaintedFace:
    """Repaints a face by a network, and pastes it back with a soft edge."""

    def __init__(self, engine: Engine, crop: FaceCrop, absolute: bool = False):
        """absolute: whether the network takes absolute rather than relative action units."""
        self._engine = engine
        self._crop = crop
        self._absolute = absolute

    def __call__(self, frame: Frame, face: Face, aus: AUVector, change: Change) -> Patch:
        alignment = self._crop.align(face)
        seen = alignment.crop(frame.image)
        outputs = self._engine.run({"image": seen[None], **self._asked(aus, both(change))})
        alpha, colour = _alpha_and_colour(outputs)
        strength = smoothstep(np.abs(change).max() / _FULL_AT)
        return _paste(frame, alignment, strength * feather(alignment.size) * alpha, colour)

    def _asked(self, aus: AUVector, change: AUVector) -> dict[str, NDArray[np.float32]]:
        if self._absolute:
            wanted = np.clip(openface(aus + change), 0, MAX_INTENSITY)
            return {"aus": (wanted / MAX_INTENSITY).astype(np.float32)[None]}
        return {"relative_aus": (openface(change) / MAX_INTENSITY).astype(np.float32)[None]}


@lru_cache(maxsize=4)
def feather(size: int) -> NDArray[np.float32]:
    """(size, size, 1) 1 in the middle of a crop, falling smoothly to 0 at its border."""
    place = (np.arange(size) + 0.5) / size
    side = smoothstep(np.minimum(place, 1 - place) / _FEATHER).astype(np.float32)
    side[[0, -1]] = 0
    return (side[:, None] * side)[..., None]


def _alpha_and_colour(outputs: Tensors) -> tuple[NDArray[np.float32] | float, NDArray[np.float32]]:
    """The alpha and the colour of a network's outputs; alpha is 1 if the network paints a whole picture."""
    if "edited" in outputs:
        return 1.0, outputs["edited"][0]
    return outputs["alpha"][0], outputs["colour"][0]


def _paste(
    frame: Frame, alignment: Alignment, weight: NDArray[np.float32], colour: NDArray[np.float32]
) -> Patch:
    """The crop's part of the frame, blended with `colour` (size, size, 3) by `weight` (size, size, 1)."""
    x0, y0, x1, y1 = alignment.bounds(frame.size)
    layers = np.dstack([weight * colour, weight])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    layers = cv2.warpAffine(layers, alignment.shifted((x0, y0)).matrix, (x1 - x0, y1 - y0), flags=flags)
    image = np.rint(frame.image[y0:y1, x0:x1] * (1 - layers[..., 3:]) + layers[..., :3])
    return Patch(np.clip(image, 0, 255).astype(np.uint8), (x0, y0))
