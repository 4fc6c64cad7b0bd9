"""Upper front teeth for a mouth that showed none: where the skull holds them, in the light of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.ramp import smoothstep
from reenact.generate.paint import mix, tone
from reenact.types import Face


@dataclass(frozen=True)
class TeethOptions:
    """Millimetres on the average adult face.

    Widths and the 2 mm that show below a resting upper lip: Vig & Brundo, J. Prosthet. Dent. 39(5), 1978;
    Magne, Gallucci & Belser, J. Prosthet. Dent. 89(5), 2003.
    """

    below_lip_mm: float = 2.0
    """How far the middle teeth reach below the upper lip at rest."""
    borders_mm: tuple[float, ...] = (0.0, 8.6, 15.2, 22.8)
    """Distances of the borders between teeth from the middle."""
    rise_per_mm: float = 0.009
    """How much higher the teeth's edge lies at the sides: this times the squared distance from the middle."""
    notch_mm: float = 0.6
    """Height of the notch between two teeth."""
    edge_mm: float = 0.5
    """Softness of the teeth's lower edge."""


def paint_teeth(
    dark: NDArray[np.float32],
    light: NDArray[np.float32],
    x_mm: NDArray[np.float32],
    y_mm: NDArray[np.float32],
    lip_mm: NDArray[np.float32],
    rest_mm: float,
    options: TeethOptions = TeethOptions(),
) -> NDArray[np.float32]:
    """The inside of a mouth, `dark` (height, width, 3), with the upper teeth in it.

    light: (3,) the colour of teeth in full light. x_mm, y_mm: (height, width) where each pixel lies on the
    canonical face; x_mm is 0 in the middle. lip_mm: (height, width) how far below the upper lip it lies.
    rest_mm: where the upper lip's edge lies at rest; teeth hang from the skull, not from the lip.
    """
    aside = np.abs(x_mm)
    to_border = np.min([np.abs(aside - border) for border in options.borders_mm], axis=0)
    notch = options.notch_mm * np.exp(-((to_border / 0.9) ** 2))
    edge = rest_mm + options.below_lip_mm - options.rise_per_mm * aside**2 - notch
    shown = smoothstep((edge - y_mm) / options.edge_mm)
    # Rounded towards the sides, in the lip's shadow on top, a hair's shade where two teeth meet.
    shade = 1 - 0.6 * np.clip(aside / 25, 0, 1) ** 2
    shade *= 0.7 + 0.3 * smoothstep(lip_mm / 2.5)
    shade *= 1 - 0.22 * np.exp(-((to_border / 0.35) ** 2))
    return mix(dark, shade[..., None] * light, shown)


def ivory(image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
    """(3,) the colour of teeth in the light that falls on this face, judged by the skin of nose and cheeks.

    Whites of the eyes would tell better, but not through a blink: teeth must not flicker.
    """
    skin = tone(image, face.landmarks[SKIN])
    level = max(float(skin.mean()), 1.0)
    # Fair skin is nearly as bright as white, dark skin much less: 1.18 times at 200, 1.7 times at 60.
    brightness = 1.1 * level**0.7 * 255**0.3
    # Ivory has about half of the colour of skin; in a gray picture it is gray.
    return np.minimum(brightness * (0.55 + 0.45 * skin / level), 255).astype(np.float32)


SKIN = [4, 5, 195, 50, 280, 101, 330]
"""Landmarks on nose and cheeks."""
