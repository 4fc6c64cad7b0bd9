"""The cavity of the mouth: its dark, and the tongue in it, where there are no teeth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.ramp import ramp_of, smoothstep
from reenact.generate.painters.paint import tinted


@dataclass(frozen=True)
class CavityOptions:
    """Colours are RGB relative to white teeth in the light of the face; openings are in millimetres."""

    dark: tuple[float, float, float] = (0.19, 0.08, 0.07)
    """The colour of the depth of the mouth."""
    tongue: tuple[float, float, float] = (0.70, 0.40, 0.38)
    """The colour of the tongue where it is lit."""
    least_mm: float = 4.0
    """The opening up to which the tongue lies in the dark."""
    full_mm: float = 15.0
    """The opening from which on the tongue is fully lit."""
    lit: float = 0.8
    """The share of the light that reaches the front of the tongue in a wide open mouth."""
    back: float = 0.30
    """The height, as a share of the opening from above, at which the tongue fades into the dark."""


def usual_dark() -> NDArray[np.float32]:
    """(3,) RGB of the depth of an average mouth, relative to white teeth."""
    return np.array(CavityOptions().dark, np.float32)


def shade_cavity(
    light: NDArray[np.float32],
    down: NDArray[np.float32],
    aside: NDArray[np.float32],
    open_mm: float,
    dark: NDArray[np.float32],
    options: CavityOptions = CavityOptions(),
) -> NDArray[np.float32]:
    """(height, width, 3) RGB of an open mouth without teeth, with continuous shading.

    light: (3,) RGB of white teeth in this light. down: (height, width) the place between upper lip (0) and
    lower lip (1). aside: (height, width) the place between the middle (0) and a corner (1). open_mm: the gap
    between the lips in the middle. dark: (3,) RGB of the depth of this mouth.
    """
    reached = ramp_of(open_mm, (options.least_mm, options.full_mm))
    down, aside = cv2.min(cv2.max(down, 0), 1), cv2.min(aside, 1)
    # The tongue rises to the front and falls to both sides, because the corners of the mouth are pockets.
    height = (down - options.back) / (1 - options.back) - 0.35 * aside**2
    black = np.zeros(3, np.float32)
    shaded = tinted(black, 1 - 0.25 * (1 - down) - 0.2 * aside**2, dark)
    if reached == 0:
        return shaded
    lit: NDArray[np.float32] = cv2.pow(smoothstep(height), 1.3) * (1 - smoothstep((aside - 0.55) / 0.45))
    tongue = light * np.array(options.tongue, np.float32)
    return shaded + tinted(black, lit, options.lit * reached * (tongue - dark))
