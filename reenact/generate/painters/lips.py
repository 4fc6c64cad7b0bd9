"""Paints lips that have moved over the teeth, with the red that a smile had rolled in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH, OUTER_EDGE, Opening
from calib.ramp import smoothstep
from reenact.generate.geometry.warp import Warp
from reenact.generate.painters.paint import blend, box_around, mix, polygon, sample, spread, tone
from reenact.records import Face, Frame


@dataclass(frozen=True)
class LipOptions:
    """Distances in millimetres of an average face."""

    cell_mm: float = 0.8
    """The cell size of the grid on which colours are interpolated."""
    inset_mm: float = 0.7
    """The distance from a lip's edge at which its pure colour begins, because teeth tinge the edge."""
    closed_by_mm: float = 0.8
    """The closing motion of lips: at half of it painting fades in, and at one and a half of it it is
    complete."""
    least_mm: float = 1.2
    """The least height of a painted lip, which exceeds the cells of the warp's flow."""
    shut_mm: float = 0.4
    """The gap below which lips count as closed."""
    open_mm: float = 1.0
    """The gap above which lips count as open."""
    line: float = 0.35
    """The share of its light that the line between closed lips loses."""
    line_mm: float = 0.4
    """The width of that line."""


def paint_lips(frame: Frame, face: Face, warp: Warp, options: LipOptions = LipOptions()) -> Warp:
    """`warp` with painted inner halves of the lips where these have moved over the teeth.

    A smile rolls the red of the lips in: a lip's edge and the ring of landmarks beside it are then a pixel
    apart, and where they move apart again that pixel, which is half tooth, becomes a band. Here the visible
    red is spread evenly from the outer edge to the inner one. Between closed lips a line is drawn.
    """
    for edge, outwards in ((MOUTH.upper, -1), (MOUTH.lower, 1)):
        warp = _paint_lip(frame, face, warp, edge, outwards, options)
    return warp


def _paint_lip(
    frame: Frame, face: Face, warp: Warp, edge: tuple[int, ...], outwards: int, options: LipOptions
) -> Warp:
    """`warp` with one painted lip; `outwards` is -1 for the upper lip and 1 for the lower one."""
    mm, down = face.pose.scale, face.pose.down
    inner, outer = list(edge), list(OUTER_EDGE[edge])
    before, after = face.landmarks[:, :2], warp.moved[:, :2]
    travel_mm = -outwards * ((after - before)[inner] @ down) / mm
    gap_before_mm, gap_mm = (MOUTH.gaps(places, down) / mm for places in (before, after))
    shut = smoothstep((options.open_mm - gap_mm) / (options.open_mm - options.shut_mm))
    # Of closed lips both are painted, whichever of them has moved.
    came_mm = np.maximum(travel_mm, shut * (gap_before_mm - gap_mm))
    parted = smoothstep(gap_before_mm / options.open_mm - 0.5)
    closed = _widened(parted * smoothstep(came_mm / options.closed_by_mm - 0.5))
    if not closed.any():
        return warp
    # One pixel beyond the edge; with closed lips, beyond the middle of the remaining gap.
    beyond_px = 1 + 0.5 * shut * np.maximum(gap_mm, 0) * mm
    near = after[inner] - outwards * beyond_px[:, None] * down
    thick_px = np.maximum(outwards * ((after[outer] - after[inner]) @ down), options.least_mm * mm)
    far = after[inner] + outwards * thick_px[:, None] * down
    outline = np.concatenate([near, far[::-1]])
    box = box_around(outline, warp.region)
    if box is None:
        return warp
    count = len(inner)
    seen_px = np.maximum(outwards * ((before[outer] - before[inner]) @ down), 0)
    inset_px = np.minimum(options.inset_mm * mm, 0.5 * seen_px)
    at_edge = before[inner] + outwards * inset_px[:, None] * down - near
    at_rim = before[inner] + outwards * np.maximum(seen_px, inset_px)[:, None] * down - far
    shared = np.column_stack([closed, shut, thick_px / mm, _NEAR_CORNERS])
    values = np.vstack(
        [
            np.hstack([np.zeros((count, 1)), at_edge, shared]),
            np.hstack([np.ones((count, 1)), at_rim, shared]),
        ]
    ).astype(np.float32)
    rows = tuple(range(count)), tuple(range(count, 2 * count))
    strips = Opening(*(rows if outwards > 0 else rows[::-1])).strips
    places = np.concatenate([near, far]).astype(np.float32)
    field = spread(places, values, strips, box, max(1, round(options.cell_mm * mm)))
    across, offset, closed_there, shut_there, thick_mm, near_corner = field[0], field[1:3], *field[3:]
    colour = sample(frame.image, offset, box)
    red = tone(frame.image, (before[inner] + outwards * (0.5 * seen_px)[:, None] * down)[2:-2])
    colour = mix(colour, np.broadcast_to(red, colour.shape), near_corner * _tinged(colour, red))
    line_mm = max(options.line_mm, _LINE_PX / mm)
    line = options.line * closed_there * shut_there * _bell(across * thick_mm / line_mm)
    colour *= (1 - line)[..., None]
    fade = smoothstep(2.2 - 2.2 * across)
    return blend(warp, colour, closed_there * fade * polygon(outline, box), box)


_NEAR_CORNERS = np.array([1, 1, 1, 0.5, 0, 0, 0, 0.5, 1, 1, 1], np.float32)
"""Nearness of the landmarks to a corner, 0..1, where lips are thin and tinged by teeth."""


def _tinged(colour: NDArray[np.float32], red: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width) the degree, 0..1, to which teeth tinge `colour`, compared with the red of a lip."""
    light = colour.mean(axis=2) / max(float(red.mean()), 1.0)
    pale = colour[..., 1] / np.maximum(colour[..., 0], 1) - red[1] / max(float(red[0]), 1.0)
    return (smoothstep(8 * pale - 0.2) * smoothstep((light - 0.7) / 0.3)).astype(np.float32)


def _widened(along: NDArray[np.float32]) -> NDArray[np.float32]:
    """The maximum of each value and its two neighbours on either side: towards the corners lips close less,
    but what was between them is also pressed together."""
    padded = np.pad(along, 2)
    return np.max([padded[shift : shift + len(along)] for shift in range(5)], axis=0)


_LINE_PX = 0.7
"""Width, in pixels, of the narrowest visible line."""


def _bell(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """A Gaussian bell: 1 at 0, falling to both sides."""
    return np.exp(-(x * x))
