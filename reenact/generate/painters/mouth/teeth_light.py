"""The colour of teeth in the light that falls on a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.openings import OUTER_LIPS
from calib.ramp import smoothstep
from reenact.generate.painters.paint import pixels_at, tone
from reenact.records import Face

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
_NOSTRILS = [60, 75, 166, 79, 239, 238, 20, 99, 290, 305, 392, 309, 459, 458, 250, 328]
"""Landmarks around and in both nostrils, of which the darker half lies in their shade."""
_NOSTRIL_SHARE = 0.3
"""The median level of nostrils' shade, as a share of the skin's, in 20 well exposed portraits."""
_BLOWN = (236.0, 254.0)
"""Levels of the darkest channel of skin at which it begins to be overexposed, and at which it is white."""
_MOST_OVEREXPOSED = 4.0
_GREY = 0.06
"""Difference of a skin's channels, as a share of their mean, up to which a picture counts as partly grey."""


def skin(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(3,) RGB of the skin of nose and cheeks."""
    return tone(image, face.landmarks[SKIN]).astype(np.float32)


def redness(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """(...) of colours (..., 3): how much more red they have than the rest, as a share of their mean."""
    return (colours[..., 0] - colours[..., 1:].mean(axis=-1)) / np.maximum(colours.mean(axis=-1), 1)


def colourfulness(image: NDArray[np.uint8], face: Face) -> float:
    """The share of its colour that a picture has, 0..1: 0 in a grey picture, 1 where skin has colour.

    Overexposed skin is white in a picture of any kind: there lips and nostrils tell.
    """
    colours = skin(image, face)[None]
    if overexposed_share(image, face) > 0:
        colours = np.concatenate([colours, pixels_at(image, face.landmarks[[*OUTER_LIPS, *_NOSTRILS]])])
    shares = np.ptp(colours, axis=1) / np.maximum(colours.mean(axis=1), 1)
    return min(float(shares.max()) / _GREY, 1.0)


def overexposed_share(image: NDArray[np.uint8], face: Face) -> float:
    """How far a face's skin is overexposed, 0..1: 0 where every channel has room, 1 where all are full."""
    start, full = _BLOWN
    return float(smoothstep(np.array((skin(image, face).min() - start) / (full - start))))


def overexposure_factor(image: NDArray[np.uint8], face: Face) -> float:
    """The factor by which an overexposed face is lighter than the picture can show, 1..4.

    White skin does not tell it; the shade of the nostrils does, which is lighter by the same factor.
    """
    white = overexposed_share(image, face)
    if white == 0:
        return 1.0
    shade = float(nostril_shade(image, face).mean()) / max(float(skin(image, face).mean()), 1.0)
    return 1 + white * (min(max(shade / _NOSTRIL_SHARE, 1.0), _MOST_OVEREXPOSED) - 1)


def nostril_shade(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(3,) RGB of the shade in the nostrils, the deepest that every face shows."""
    colours = pixels_at(image, face.landmarks[_NOSTRILS]).astype(np.float32)
    darker = np.argsort(colours.mean(axis=1))[: len(colours) // 2]
    return np.median(colours[darker], axis=0).astype(np.float32)


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
