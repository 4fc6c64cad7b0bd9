"""Paints lips that have moved over the teeth, with the red that a smile had rolled in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH, OUTER_EDGE, Opening
from calib.ramp import smoothstep
from reenact.generate.geometry.warp import Warp
from reenact.generate.painters.paint import blend, box_around, mix, plain, polygon, sample, spread, tone
from reenact.records import Box, Face, Frame


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
    seam_colour: tuple[float, float, float] = (0.7, 0.47, 0.47)
    """RGB of the seam between closed lips, as shares of the darker lip's: medians of 21 calm faces."""
    seam_mm: float = 0.4
    """The half-width of the seam."""


def paint_lips(frame: Frame, face: Face, warp: Warp, options: LipOptions = LipOptions()) -> Warp:
    """`warp` with painted inner halves of the lips where these have moved over the teeth.

    A smile rolls the red of the lips in: a lip's edge and the ring of landmarks beside it are then a pixel
    apart, and where they move apart again that pixel, which is half tooth, becomes a band. Here the visible
    red is spread evenly from the outer edge to the inner one. Where lips have closed, a seam is drawn.
    """
    closing = _Closing.of(face, warp, options)
    if not any(closed.any() for closed in closing.closed):
        return warp
    for edge, outwards, closed in zip((MOUTH.upper, MOUTH.lower), (-1, 1), closing.closed, strict=True):
        if closed.any():
            warp = _paint_lip(frame, face, warp, edge, outwards, closed, closing, options)
    return _paint_seam(frame, face, warp, closing, options)


@dataclass(frozen=True, eq=False)
class _Closing:
    """How far a warp closes the lips, at each pair of landmarks from corner to corner."""

    gap_mm: NDArray[np.float32]
    """(n,) the gap that the warp leaves."""
    shut: NDArray[np.float32]
    """(n,) the degree, 0..1, to which the lips are closed in the warp."""
    closed: tuple[NDArray[np.float32], NDArray[np.float32]]
    """(n,) the degree, 0..1, to which the upper lip, and the lower one, has moved over the teeth."""

    @classmethod
    def of(cls, face: Face, warp: Warp, options: LipOptions) -> _Closing:
        mm, down = face.pose.scale, face.pose.down
        before, after = face.landmarks[:, :2], warp.moved[:, :2]
        gap_before_mm, gap_mm = (MOUTH.gaps(places, down) / mm for places in (before, after))
        shut = smoothstep((options.open_mm - gap_mm) / (options.open_mm - options.shut_mm))
        parted = smoothstep(gap_before_mm / options.open_mm - 0.5)
        if not parted.any():  # lips that were closed cover no teeth
            return cls(gap_mm, shut, (parted, parted))

        def closed(edge: tuple[int, ...], outwards: int) -> NDArray[np.float32]:
            travel_mm = -outwards * ((after - before)[list(edge)] @ down) / mm
            # Of closed lips both are painted, whichever of them has moved.
            came_mm = np.maximum(travel_mm, shut * (gap_before_mm - gap_mm))
            return _widened(parted * smoothstep(came_mm / options.closed_by_mm - 0.5))

        return cls(gap_mm, shut, (closed(MOUTH.upper, -1), closed(MOUTH.lower, 1)))


def _paint_lip(
    frame: Frame,
    face: Face,
    warp: Warp,
    edge: tuple[int, ...],
    outwards: int,
    closed: NDArray[np.float32],
    closing: _Closing,
    options: LipOptions,
) -> Warp:
    """`warp` with one painted lip; `outwards` is -1 for the upper lip and 1 for the lower one."""
    mm, down = face.pose.scale, face.pose.down
    inner, outer = list(edge), list(OUTER_EDGE[edge])
    before, after = face.landmarks[:, :2], warp.moved[:, :2]
    # One pixel beyond the edge; with closed lips, beyond the middle of the remaining gap.
    beyond_px = 1 + 0.5 * closing.shut * np.maximum(closing.gap_mm, 0) * mm
    near = after[inner] - outwards * beyond_px[:, None] * down
    thick_px = np.maximum(outwards * ((after[outer] - after[inner]) @ down), options.least_mm * mm)
    far = after[inner] + outwards * thick_px[:, None] * down
    outline = np.concatenate([near, far[::-1]])
    box = box_around(outline, warp.region)
    if box is None:
        return warp
    seen_px = np.maximum(outwards * ((before[outer] - before[inner]) @ down), 0)
    inset_px = np.minimum(options.inset_mm * mm, 0.5 * seen_px)
    at_edge = before[inner] + outwards * inset_px[:, None] * down - near
    at_rim = before[inner] + outwards * np.maximum(seen_px, inset_px)[:, None] * down - far
    along = np.column_stack([closed, _NEAR_CORNERS])
    field = _band(near, far, np.hstack([at_edge, along]), np.hstack([at_rim, along]), box, mm, options)
    across, offset, closed_there, near_corner = field[0], field[1:3], *field[3:]
    colour = sample(frame.image, offset, box)
    red = _red(frame, face, edge, outwards)
    thin = np.maximum(near_corner, smoothstep(1.5 - 4 * across))
    colour = mix(colour, plain(red, thin.shape), thin * _tinged(colour, red))
    fade = smoothstep(2.2 - 2.2 * across)
    return blend(warp, colour, closed_there * fade * polygon(outline, box), box)


def _paint_seam(frame: Frame, face: Face, warp: Warp, closing: _Closing, options: LipOptions) -> Warp:
    """`warp` with the dark red seam between lips that have closed."""
    mm, down = face.pose.scale, face.pose.down
    middle = (warp.moved[list(MOUTH.upper), :2] + warp.moved[list(MOUTH.lower), :2]) / 2
    half_px = max(options.seam_mm * mm, _SEAM_PX)
    # The band is some cells high, so that the lattice resolves it.
    reach_px = max(_SEAM_CELLS * options.cell_mm * mm, 2 * half_px)
    near, far = middle - reach_px * down, middle + reach_px * down
    outline = np.concatenate([near, far[::-1]])
    box = box_around(outline, warp.region)
    weight = closing.shut * np.maximum(*closing.closed)
    if box is None or not weight.any():
        return warp
    along = weight[:, None]
    across, weight_there = _band(near, far, along, along, box, mm, options)
    lips = np.stack([_red(frame, face, MOUTH.upper, -1), _red(frame, face, MOUTH.lower, 1)])
    colour = lips.min(axis=0) * np.array(options.seam_colour, np.float32)
    weight_there = weight_there * _bell((2 * across - 1) * reach_px / half_px) * polygon(outline, box)
    return blend(warp, plain(colour, across.shape), weight_there, box)


def _red(frame: Frame, face: Face, edge: tuple[int, ...], outwards: int) -> NDArray[np.float32]:
    """(3,) RGB of the middle of a lip, in the frame."""
    inner, outer = face.landmarks[list(edge), :2], face.landmarks[list(OUTER_EDGE[edge]), :2]
    seen_px = np.maximum(outwards * ((outer - inner) @ face.pose.down), 0)
    return tone(frame.image, (inner + outwards * (0.5 * seen_px)[:, None] * face.pose.down)[2:-2])


def _band(
    near: NDArray[np.float32],
    far: NDArray[np.float32],
    at_near: NDArray[np.float32],
    at_far: NDArray[np.float32],
    box: Box,
    mm: float,
    options: LipOptions,
) -> NDArray[np.float32]:
    """(1 + k, height, width) the share of the way from `near` to `far`, then values, over the box.

    near, far: (n, 2) places on the two edges of a band. at_near, at_far: (n, k) the values there.
    """
    count = len(near)
    shares = np.repeat(np.array([[0.0], [1.0]]), count, axis=0)
    values = np.hstack([shares, np.vstack([at_near, at_far])]).astype(np.float32)
    rows = tuple(range(count)), tuple(range(count, 2 * count))
    # Strips are wound for an upper row and a lower one.
    downwards = near[:, 1].mean() <= far[:, 1].mean()
    strips = Opening(*(rows if downwards else rows[::-1])).strips
    places = np.concatenate([near, far]).astype(np.float32)
    return spread(places, values, strips, box, max(1, round(options.cell_mm * mm)))


_NEAR_CORNERS = np.array([1, 1, 1, 0.5, 0, 0, 0, 0.5, 1, 1, 1], np.float32)
"""Nearness of the landmarks to a corner, 0..1, where lips are thin and tinged by teeth."""


def _tinged(colour: NDArray[np.float32], red: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width) the degree, 0..1, to which teeth tinge `colour`, compared with the red of a lip."""
    first, second, third = cv2.split(colour)
    light = (first + second + third) / (3 * max(float(red.mean()), 1.0))
    pale = second / np.maximum(first, 1) - float(red[1]) / max(float(red[0]), 1.0)
    return smoothstep(8 * pale - 0.2) * smoothstep((light - 0.7) / 0.3)


def _widened(along: NDArray[np.float32]) -> NDArray[np.float32]:
    """The maximum of each value and its two neighbours on either side: towards the corners lips close less,
    but what was between them is also pressed together."""
    padded = np.pad(along, 2)
    return np.max([padded[shift : shift + len(along)] for shift in range(5)], axis=0)


_SEAM_PX = 0.7
"""The half-width, in pixels, of the narrowest visible seam."""
_SEAM_CELLS = 3
"""The number of cells of the lattice above a seam, and below it, in which its place is interpolated."""


def _bell(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """A Gaussian bell: 1 at 0, falling to both sides."""
    return np.exp(-(x * x))
