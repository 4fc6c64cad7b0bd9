"""The colour of teeth in the light that falls on a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.generate.paint import tone
from reenact.types import Face

SKIN = [4, 5, 195, 50, 280, 101, 330]
"""Landmarks on nose and cheeks."""
_LEVEL, _POWER, _CHROMA = 17.9, 0.448, 0.43
"""Teeth of a face whose skin has the mean RGB level s have the level _LEVEL * s^_POWER, and _CHROMA of the
skin's colour: fitted to the front teeth in 539 smiling portraits, with a residual of 18 %."""


CHEEKS = (50, 101, 205, 36, 187, 207), (280, 330, 425, 266, 411, 427)
"""Landmarks on the cheeks, of the picture's left and right."""
_SIDES = 0.6
"""The corners of a mouth are about this much as far apart as the cheeks, and as unlike in light."""
_UNLIKE = 0.5, 1.6
"""Limits of what the light at a corner is, as a share of that in the middle."""
_GREY = 0.06
"""Difference of a skin's channels, as a share of their mean, up to which a picture counts as partly grey."""


def skin(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(3,) RGB of the skin of nose and cheeks."""
    return tone(image, face.landmarks[SKIN]).astype(np.float32)


def redness(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """(...) of colours (..., 3): how much more red they have than the rest, as a share of their mean."""
    return (colours[..., 0] - colours[..., 1:].mean(axis=-1)) / np.maximum(colours.mean(axis=-1), 1)


def colourfulness(image: NDArray[np.uint8], face: Face) -> float:
    """0..1: 0 in a grey picture, 1 where skin has colour."""
    colour = skin(image, face)
    return min(float(np.ptp(colour)) / max(float(colour.mean()), 1.0) / _GREY, 1.0)


def ivory(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(3,) RGB of front teeth in the light that falls on this face, judged by the skin of nose and cheeks.

    Whites of the eyes would tell better, but not through a blink: teeth must not flicker.
    """
    return _ivory_beside(skin(image, face))


def sides(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(2, 3) the light at the left and the right corner of the mouth, as the picture has them, as shares of
    that in the middle: a face lit from one side has teeth in the shade on the other."""
    left, right = (_ivory_beside(tone(image, face.landmarks[list(cheek)])) for cheek in CHEEKS)
    shares = np.stack([left, right]) / np.sqrt(left * right)
    return np.clip(shares**_SIDES, *_UNLIKE).astype(np.float32)


def _ivory_beside(colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3,) RGB of teeth beside skin of this colour (3,)."""
    level = max(float(colour.mean()), 1.0)
    hue = 1 + _CHROMA * (colour / level - 1)
    return np.minimum(_LEVEL * level**_POWER * hue, 255).astype(np.float32)
