"""What shows between lips that the warp has parted: the teeth that were there, and the dark behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH
from calib.ramp import smoothstep
from reenact.generate.paint import blend, box_around, mix, polygon, sample, spread, tone
from reenact.generate.teeth import ivory, paint_teeth
from reenact.generate.tongue import paint_tongue
from reenact.generate.warp import Warp
from reenact.types import Box, Face, Frame

LOWER_LIP = [15, 16, 86, 316, 85, 315, 17]
"""Landmarks on the red of the lower lip, whose colour tells the light that falls on the mouth."""

_UPPER, _LOWER = np.array(MOUTH.upper), np.array(MOUTH.lower)
SOFT_PX = 1.5
"""A narrower shade would be a staircase."""


@dataclass(frozen=True)
class MouthOptions:
    cell_mm: float = 0.8
    least_mm: float = 0.6
    """Lips parted by less than this keep the warp's stretched pixels."""
    full_mm: float = 2.0
    """Lips parted by more than this show the painted inside alone."""
    upper_teeth_mm: float = 6.0
    """What an open mouth showed goes with the upper lip as far down as this: upper teeth hang high ..."""
    upper_share: float = 0.5
    """... and of what it showed beyond, this much."""
    inset_mm: float = 0.5
    """How far into the lips it is painted, and how far inside the lower lip its edge is taken from where
    teeth were seen, since landmarks may lie on them."""
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
    mm, down = face.pose.scale, face.pose.down
    gap_before, gap_after = (
        np.maximum(MOUTH.gaps(places, down), 0) for places in (face.landmarks, warp.moved)
    )
    if (gap_after - gap_before).max() < options.least_mm * mm:
        return warp
    # The field reaches a little into the lips, so that no pixel of the rim has to take its neighbour's.
    margin = np.full(len(_UPPER), max(options.inset_mm * mm, 1), np.float32)
    margin[[0, -1]] = 0
    rim = warp.moved.copy()
    rim[_UPPER, :2] -= margin[:, None] * down
    rim[_LOWER, :2] += margin[:, None] * down
    outline = rim[list(MOUTH.outline), :2]
    box = box_around(outline, warp.region)
    if box is None:
        return warp
    edges = _Edges(gap_before, gap_after, margin, rim)
    gap = _spread_gap(face, warp, edges, box, options)
    opened = gap.after_mm - gap.before_mm
    strength = smoothstep((opened - options.least_mm) / (options.full_mm - options.least_mm))
    return blend(
        warp, _inside(frame, face, warp.moved, gap, box, options), strength * polygon(outline, box), box
    )


@dataclass(frozen=True, eq=False)
class _Edges:
    """The lips' edges, landmark by landmark from corner to corner (n,), pixels."""

    gap_before: NDArray[np.float32]
    gap_after: NDArray[np.float32]
    margin: NDArray[np.float32]
    """How far the rim is from them, inside the lips."""
    rim: NDArray[np.float32]
    """(478, 3) the landmarks after the move, those of the edges on the rim."""


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


def _spread_gap(face: Face, warp: Warp, edges: _Edges, box: Box, options: MouthOptions) -> _Gap:
    mm = face.pose.scale
    back = (face.landmarks - warp.moved)[:, :2]
    inside_lip = edges.margin * smoothstep(edges.gap_before / (options.full_mm * mm))
    shared = np.hstack(
        [
            back[_UPPER],
            back[_LOWER] + inside_lip[:, None] * face.pose.down,
            edges.gap_before[:, None],
            edges.gap_after[:, None],
        ]
    )
    beyond = edges.margin / np.maximum(edges.gap_after, options.least_mm * mm)
    values = np.zeros((len(back), 9), np.float32)
    for edge, side in ((_UPPER, -beyond), (_LOWER, 1 + beyond)):
        values[edge, 0], values[edge, 1:7] = side, shared
        values[edge, 7:] = face.pose.to_canonical(edges.rim[edge])[:, :2]
    values[_UPPER[[0, -1]], 0] = 0.5
    cell_px = max(1, round(options.cell_mm * mm))
    planes = spread(edges.rim[:, :2], values, MOUTH.strips, box, cell_px)
    return _Gap(planes[0], planes[1:3], planes[3:5], planes[5] / mm, planes[6] / mm, planes[7], planes[8])


def _inside(
    frame: Frame, face: Face, moved: NDArray[np.float32], gap: _Gap, box: Box, options: MouthOptions
) -> NDArray[np.float32]:
    """(height, width, 3) what the box would show if all of it were mouth: dark, teeth, and what was there."""
    below_upper = gap.down * gap.after_mm
    above_lower = gap.after_mm - below_upper
    beyond = np.maximum(gap.before_mm - options.upper_teeth_mm, 0)
    seen_below = (1 - options.upper_share) * beyond
    seen_above = gap.before_mm - seen_below
    soft_mm = max(options.soft_mm, SOFT_PX / face.pose.scale)
    upper = 1.0 - smoothstep((below_upper - seen_above) / soft_mm)
    lower = 1.0 - smoothstep((above_lower - seen_below) / soft_mm)
    shut = 1.0 - smoothstep(gap.before_mm / options.shut_mm - 1)

    lip = tone(frame.image, face.landmarks[LOWER_LIP])
    # The tongue's side of the dark is a little lighter than the palate's.
    depth = 0.55 + 0.75 * np.clip(gap.down, 0, 1)[..., None]
    dark = options.darkness * lip * (lip / max(lip.max(), 1.0))
    inside = depth * dark.astype(np.float32)
    middle = _LOWER[len(_LOWER) // 2]
    bottom_mm = float(face.pose.to_canonical(moved[middle])[1])
    tongue = paint_tongue(inside, lip, gap.x_mm, bottom_mm - gap.y_mm, float(gap.after_mm.max()))
    inside = tongue
    if shut.any():
        rest_mm = float(face.pose.to_canonical(face.landmarks[MOUTH.upper[5]])[1])
        light = ivory(frame.image, face)
        teeth = paint_teeth(inside, light, gap.x_mm, gap.y_mm, below_upper, rest_mm)
        inside = mix(inside, teeth, shut)
    inside = mix(inside, sample(frame.image, gap.lower_offset, box), lower)
    return mix(inside, sample(frame.image, gap.upper_offset, box), upper)
