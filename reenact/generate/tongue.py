"""The tongue, as far as a wide open mouth shows it: a rounded back at the bottom of the dark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.ramp import smoothstep


@dataclass(frozen=True)
class TongueOptions:
    least_mm: float = 7.0
    """A mouth that is less open than this shows none ..."""
    full_mm: float = 14.0
    """... and one that is as open as this all of it."""
    half_width_mm: float = 17.0
    height: float = 0.55
    """Of the opening, in the middle."""
    soft_mm: float = 5.0
    """How gradually its back goes over into the dark."""
    light: float = 0.64
    """The brightest channel of its brightest place as a part of the lower lip's; of a red lip the others are
    less."""
    groove_mm: float = 1.6
    groove: float = 0.14
    """The line in its middle: its width, and how much darker it is."""


def paint_tongue(
    dark: NDArray[np.float32],
    lip: NDArray[np.float32],
    x_mm: NDArray[np.float32],
    above_mm: NDArray[np.float32],
    open_mm: float,
    options: TongueOptions = TongueOptions(),
) -> NDArray[np.float32]:
    """The inside of a mouth, `dark` (height, width, 3), with the tongue in it.

    lip: (3,) the colour of the lower lip. x_mm: (height, width) where each pixel lies on the canonical face,
    0 in the middle; above_mm: (height, width) how far above the middle of the lower lip's edge. open_mm: how
    far the lips are apart in the middle.
    """
    share = float(smoothstep(np.array((open_mm - options.least_mm) / (options.full_mm - options.least_mm))))
    if share == 0:
        return dark
    aside = np.abs(x_mm) / options.half_width_mm
    back_mm = options.height * open_mm * np.sqrt(np.clip(1 - aside**2, 0, 1))
    shown = share * smoothstep((back_mm - above_mm) / options.soft_mm + 0.5) * smoothstep(3 * (1 - aside))
    # Lit on the hump, in the shadow of the teeth in front of it.
    lit = 0.55 + 0.45 * smoothstep(above_mm / np.maximum(back_mm, 1))
    lit *= 1 - options.groove * np.exp(-((x_mm / options.groove_mm) ** 2))
    tongue = lit[..., None] * (options.light * lip * (lip / max(lip.max(), 1.0)))
    return dark + shown[..., None] * (tongue - dark)
