"""The colour of teeth in the light of a face, and the face's exposure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.openings import OUTER_LIPS
from calib.ramp import ramp_of
from reenact.generate.painters.paint import pixels_at, tone
from reenact.records import Face

SKIN = [4, 5, 195, 50, 280, 101, 330]
"""Landmarks on nose and cheeks."""
_LEVEL, _POWER, _CHROMA = 17.9, 0.448, 0.43
"""Parameters of a fit: with skin of the mean RGB level s, teeth have the level _LEVEL * s^_POWER, and _CHROMA
of the skin's colour. The fit to the front teeth in 539 smiling portraits has a residual of 18 %."""


CHEEKS = (50, 101, 205, 36, 187, 207), (280, 330, 425, 266, 411, 427)
"""Landmarks on the cheeks, on the picture's left and right."""
_SIDES = 0.6
"""Exponent of the ratio of light between the cheeks that gives the ratio between the mouth's corners, whose
distance is about this share of the cheeks'."""
_UNLIKE = 0.5, 1.6
"""Limits of the light at a corner, as a share of that in the middle."""
_NOSTRILS = [60, 75, 166, 79, 239, 238, 20, 99, 290, 305, 392, 309, 459, 458, 250, 328]
"""Landmarks around and in both nostrils; the darker half of them lies in shade."""
_NOSTRIL_SHARE = 0.3
"""The median level of nostrils' shade, as a share of the skin's, in 20 well exposed portraits."""
_BLOWN = (236.0, 254.0)
"""Levels of skin's darkest channel between which it passes from well exposed to white."""
_MOST_OVEREXPOSED = 4.0
"""Largest factor of overexposure."""
_GREY = 0.06
"""Difference of the channels of skin, as a share of their mean, up to which a picture is partly grey."""


def skin(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(3,) RGB of the skin of nose and cheeks."""
    return tone(image, face.landmarks[SKIN]).astype(np.float32)


def redness(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """(...) the excess of red over the other channels in colours (..., 3), as a share of their mean."""
    return (colours[..., 0] - colours[..., 1:].mean(axis=-1)) / np.maximum(colours.mean(axis=-1), 1)


def colourfulness(image: NDArray[np.uint8], face: Face) -> float:
    """The degree, 0..1, to which a picture has colour: 0 in a grey picture, 1 where skin has colour.

    Overexposed skin is white in any picture; there lips and nostrils decide.
    """
    colours = skin(image, face)[None]
    if overexposed_share(image, face) > 0:
        colours = np.concatenate([colours, pixels_at(image, face.landmarks[[*OUTER_LIPS, *_NOSTRILS]])])
    shares = np.ptp(colours, axis=1) / np.maximum(colours.mean(axis=1), 1)
    return min(float(shares.max()) / _GREY, 1.0)


def overexposed_share(image: NDArray[np.uint8], face: Face) -> float:
    """The degree, 0..1, to which a face's skin is overexposed: 1 where all channels are saturated."""
    return ramp_of(skin(image, face).min(), _BLOWN)


def overexposure_factor(image: NDArray[np.uint8], face: Face) -> float:
    """The factor, 1..4, by which an overexposed face is lighter than the picture can show.

    It is estimated from the shade of the nostrils, which is lighter by the same factor and not saturated.
    """
    white = overexposed_share(image, face)
    if white == 0:
        return 1.0
    shade = float(nostril_shade(image, face).mean()) / max(float(skin(image, face).mean()), 1.0)
    return 1 + white * (min(max(shade / _NOSTRIL_SHARE, 1.0), _MOST_OVEREXPOSED) - 1)


def nostril_shade(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(3,) RGB of the shade in the nostrils, the deepest shade that every face shows."""
    colours = pixels_at(image, face.landmarks[_NOSTRILS]).astype(np.float32)
    darker = np.argsort(colours.mean(axis=1))[: len(colours) // 2]
    return np.median(colours[darker], axis=0).astype(np.float32)


def ivory(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(3,) RGB of front teeth in the light of this face, estimated from the skin of nose and cheeks.

    The whites of the eyes would be a better measure, but vanish in blinks, and teeth must not flicker.
    """
    return _ivory_beside(skin(image, face))


def sides(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(2, 3) the light at the mouth's left and right corner, as shares of that in the middle.

    A face that is lit from one side has teeth in shade on the other.
    """
    left, right = (_ivory_beside(tone(image, face.landmarks[list(cheek)])) for cheek in CHEEKS)
    shares = np.stack([left, right]) / np.sqrt(left * right)
    return np.clip(shares**_SIDES, *_UNLIKE).astype(np.float32)


def _ivory_beside(colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3,) RGB of teeth in the light of skin of this colour (3,)."""
    level = max(float(colour.mean()), 1.0)
    hue = 1 + _CHROMA * (colour / level - 1)
    return np.minimum(_LEVEL * level**_POWER * hue, 255).astype(np.float32)
