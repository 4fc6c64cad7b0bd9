"""What shows between lips that the warp has parted: the teeth that were there, and the dark behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH
from reenact.paint import Box, blend, box_around, polygon, sample, smoothstep, spread
from reenact.types import Face, Frame
from reenact.warp import Warp

LOWER_LIP = (15, 16, 86, 316, 85, 315)
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
    soft_mm: float = 0.9
    """Width of the shade between teeth and dark."""
    darkness: tuple[float, float, float] = (0.30, 0.17, 0.16)
    """The dark's colour as a part of the lower lip's, R G B."""


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

    values = np.zeros((len(before), 7), np.float32)
    shared = np.hstack(
        [before[upper] - after[upper], before[lower] - after[lower], gap_before[:, None], gap_after[:, None]]
    )
    for edge, side in ((upper, 0.0), (lower, 1.0)):
        values[edge, 0], values[edge, 1:] = side, shared
    values[upper[[0, -1]], 0] = 0.5
    field = spread(after, values, MOUTH.strips, box, max(1, round(options.cell_mm * mm)))
    inside = _inside(frame, face, field, box, options)
    opened = np.clip((field[6] - field[5]) / mm, 0, None)
    strength = smoothstep((opened - options.least_mm) / (options.full_mm - options.least_mm))
    weight = strength * polygon(after[list(MOUTH.outline)], box)
    return blend(warp, inside, weight, box)


def _inside(
    frame: Frame,
    face: Face,
    field: NDArray[np.float32],
    box: Box,
    options: MouthOptions,
) -> NDArray[np.float32]:
    """(height, width, 3) what the box would show if it were all mouth."""
    soft = options.soft_mm * face.pose.scale
    below_upper = field[0] * field[6]
    above_lower = field[6] - below_upper
    upper_visible = options.upper_share * field[5]
    lower_visible = (1 - options.upper_share) * field[5]
    upper_weight = 1 - smoothstep((below_upper - upper_visible) / soft)[..., None]
    lower_weight = 1 - smoothstep((above_lower - lower_visible) / soft)[..., None]
    lip = np.median([_pixel(frame.image, face.landmarks[i]) for i in LOWER_LIP], axis=0)
    # The tongue's side of the dark is a little lighter than the palate's.
    depth = 0.55 + 0.75 * np.clip(field[0], 0, 1)[..., None]
    inside = depth * (lip * options.darkness).astype(np.float32)
    inside = inside + lower_weight * (sample(frame.image, field[3:5], box) - inside)
    return inside + upper_weight * (sample(frame.image, field[1:3], box) - inside)


def _pixel(image: NDArray[np.uint8], place: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The pixel nearest to a place, which may lie outside the picture."""
    y = int(np.clip(round(float(place[1])), 0, image.shape[0] - 1))
    x = int(np.clip(round(float(place[0])), 0, image.shape[1] - 1))
    return image[y, x]
