"""What shows between lips that the warp has parted: the teeth that were there, and the dark behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH
from calib.ramp import smoothstep
from reenact.generate.paint import Box, blend, box_around, polygon, sample, spread, tone
from reenact.generate.teeth import ivory, paint_teeth
from reenact.generate.warp import Warp
from reenact.types import Face, Frame

LOWER_LIP = [15, 16, 86, 316, 85, 315, 17]
"""Landmarks on the red of the lower lip, whose colour tells the light that falls on the mouth."""


@dataclass(frozen=True)
class MouthOptions:
    cell_mm: float = 0.8
    least_mm: float = 0.6
    """Lips parted by less than this keep the warp's stretched pixels."""
    full_mm: float = 2.0
    """Lips parted by more than this show the painted inside alone."""
    upper_share: float = 0.75
    """How much of what the open mouth showed before goes with the upper lip: upper teeth hang high."""
    shut_mm: float = 1.5
    """A mouth that was open by less than this showed no teeth, so that they are painted; from twice this on,
    what was there is shown."""
    soft_mm: float = 0.9
    """Width of the shade between teeth and dark."""
    darkness: float = 0.3
    """The dark's brightest channel as a part of the lower lip's; of a red lip the others are less."""


def paint_mouth(frame: Frame, face: Face, warp: Warp, options: MouthOptions = MouthOptions()) -> Warp:
    """`warp` with the mouth's inside painted where the lips are further apart than they were.

    Teeth keep their size: the upper ones move with the upper lip, the lower ones with the lower. Stretching
    what was there, as the warp alone does, makes stripes of closed lips and fangs of teeth.
    """
    mm = face.pose.scale
    upper, lower = np.array(MOUTH.upper), np.array(MOUTH.lower)
    down = face.pose.down
    before, after = face.landmarks[:, :2], warp.moved[:, :2]
    gap_before = np.maximum((before[lower] - before[upper]) @ down, 0)
    gap_after = np.maximum((after[lower] - after[upper]) @ down, 0)
    if (gap_after - gap_before).max() < options.least_mm * mm:
        return warp
    box = box_around(after[list(MOUTH.outline)], warp.region)
    if box is None:
        return warp

    values = np.zeros((len(before), 9), np.float32)
    shared = np.hstack(
        [before[upper] - after[upper], before[lower] - after[lower], gap_before[:, None], gap_after[:, None]]
    )
    for edge, side in ((upper, 0.0), (lower, 1.0)):
        values[edge, 0], values[edge, 1:7] = side, shared
        values[edge, 7:] = face.pose.to_canonical(warp.moved[edge])[:, :2]
    values[upper[[0, -1]], 0] = 0.5
    planes = spread(after, values, MOUTH.strips, box, max(1, round(options.cell_mm * mm)))
    gap = _Gap(planes[0], planes[1:3], planes[3:5], planes[5] / mm, planes[6] / mm, planes[7], planes[8])
    opened = gap.after_mm - gap.before_mm
    strength = smoothstep((opened - options.least_mm) / (options.full_mm - options.least_mm))
    weight = strength * polygon(after[list(MOUTH.outline)], box)
    return blend(warp, _inside(frame, face, gap, box, options), weight, box)


@dataclass(frozen=True, eq=False)
class _Gap:
    """What is known of every pixel between the lips; planes (height, width)."""

    down: NDArray[np.float32]
    """0 at the upper lip, 1 at the lower."""
    upper_offset: NDArray[np.float32]
    """(2, height, width) pixels from here to what moved here with the upper lip above."""
    lower_offset: NDArray[np.float32]
    """(2, height, width) the same with the lower lip below."""
    before_mm: NDArray[np.float32]
    """How far the lips above and below were apart, and ..."""
    after_mm: NDArray[np.float32]
    """... are now."""
    x_mm: NDArray[np.float32]
    """Place on the canonical face."""
    y_mm: NDArray[np.float32]


def _inside(frame: Frame, face: Face, gap: _Gap, box: Box, options: MouthOptions) -> NDArray[np.float32]:
    """(height, width, 3) what the box would show if all of it were mouth: dark, teeth, and what was there."""
    below_upper = gap.down * gap.after_mm
    above_lower = gap.after_mm - below_upper
    seen_above = options.upper_share * gap.before_mm
    seen_below = (1 - options.upper_share) * gap.before_mm
    upper = 1 - smoothstep((below_upper - seen_above) / options.soft_mm)[..., None]
    lower = 1 - smoothstep((above_lower - seen_below) / options.soft_mm)[..., None]
    shut = 1 - smoothstep(gap.before_mm / options.shut_mm - 1)[..., None]

    lip = tone(frame.image, face.landmarks[LOWER_LIP])
    # The tongue's side of the dark is a little lighter than the palate's.
    depth = 0.55 + 0.75 * np.clip(gap.down, 0, 1)[..., None]
    dark = options.darkness * lip * (lip / max(lip.max(), 1.0))
    inside = depth * dark.astype(np.float32)
    if shut.any():
        rest_mm = float(face.pose.to_canonical(face.landmarks[MOUTH.upper[5]])[1])
        light = ivory(frame.image, face)
        inside += shut * (paint_teeth(inside, light, gap.x_mm, gap.y_mm, below_upper, rest_mm) - inside)
    inside += lower * (sample(frame.image, gap.lower_offset, box) - inside)
    inside += upper * (sample(frame.image, gap.upper_offset, box) - inside)
    return inside
