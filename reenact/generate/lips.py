"""Lips that the warp has brought together: one line between them, and nothing of the teeth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.openings import MOUTH, Opening
from calib.ramp import smoothstep
from reenact.generate.paint import blend, box_around, mix, polygon, sample, spread
from reenact.generate.warp import Warp
from reenact.types import Face, Frame


@dataclass(frozen=True)
class LipOptions:
    cell_mm: float = 0.8
    height_mm: float = 2.4
    """How far above and below the line it is painted: beyond the cells of the warp's flow."""
    shut_mm: float = 0.4
    """Lips closer than this are shut ..."""
    open_mm: float = 1.0
    """... and further apart than this open."""
    closed_by_mm: float = 0.7
    """Lips that came closer by less than this keep the warp's pixels."""
    inset_mm: float = 0.5
    """How far inside the lips their edges are taken from, since landmarks may lie on the teeth."""
    line: float = 0.25
    """How much darker the line is."""


def paint_lips(frame: Frame, face: Face, warp: Warp, options: LipOptions = LipOptions()) -> Warp:
    """`warp` with the line between the lips painted where an open mouth has been shut.

    The warp's flow is smooth, so that all the teeth that disappear are pressed into a bright line where the
    lips meet. Here every pixel belongs to one lip or the other and moves with it.
    """
    mm, down = face.pose.scale, face.pose.down
    upper, lower = np.array(MOUTH.upper), np.array(MOUTH.lower)
    before, after = face.landmarks[:, :2], warp.moved[:, :2]
    gap_before, gap_after = (MOUTH.gaps(places, down) / mm for places in (before, after))
    shut = smoothstep((options.open_mm - gap_after) / (options.open_mm - options.shut_mm))
    closed = smoothstep((gap_before - gap_after) / options.closed_by_mm - 1)
    # Towards the corners lips have less to close, and what was between them is pressed together all the same.
    shut *= np.max(
        [closed, np.roll(closed, 1), np.roll(closed, -1), np.roll(closed, 2), np.roll(closed, -2)], 0
    )
    if not shut.any():
        return warp
    line = (after[upper] + after[lower]) / 2
    top, bottom = (line + side * options.height_mm * mm * down for side in (-1, 1))
    outline = np.concatenate([top, bottom[::-1]])
    box = box_around(outline, warp.region)
    if box is None:
        return warp

    count = len(line)
    inset = options.inset_mm * mm * down
    along = np.column_stack(
        [before[upper] - after[upper] - inset, before[lower] - after[lower] + inset, shut]
    )
    across = np.repeat(np.array([-1, 1], np.float32), count)[:, None] * options.height_mm
    values = np.hstack([across, np.vstack([along, along])]).astype(np.float32)
    rows = Opening(tuple(range(count)), tuple(range(count, 2 * count)))
    places = np.concatenate([top, bottom]).astype(np.float32)
    field = spread(places, values, rows.strips, box, max(1, round(options.cell_mm * mm)))

    below = np.clip(field[0] * mm + 0.5, 0, 1)  # one pixel from lip to lip
    colour = mix(sample(frame.image, field[1:3], box), sample(frame.image, field[3:5], box), below)
    colour *= 1 - options.line * np.exp(-((field[0] / 0.4) ** 2))[..., None]
    fade = smoothstep(2 - 2 * np.abs(field[0]) / options.height_mm)
    return blend(warp, colour, field[5] * fade * polygon(outline, box), box)
