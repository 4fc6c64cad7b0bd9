"""Paints eyes that turn: iris and pupil move inside the lids, and the white fills what they uncover."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.gaze import EYES
from calib.ramp import smoothstep, within
from reenact.generate.geometry.warp import Warp, is_turned
from reenact.generate.painters.paint import blend_all, box_around, mix
from reenact.records import Box, Face, Frame

_Colours = NDArray[np.float32]


@dataclass(frozen=True)
class TurnedEyeOptions:
    """Distances in millimetres of an average face, and levels of 255."""

    radius_mm: tuple[float, float] = (5.3, 6.5)
    """Limits of the iris's radius, which hardly differs between people."""
    edge_mm: float = 0.7
    """Width of the blur of the iris's rim."""
    known_mm: float = 1.3
    """Height of the upper lid's shadow and lashes, below which the frame shows the eyeball clearly."""
    lower_mm: float = 0.6
    """Height of the lower lid's edge, above which the frame shows the eyeball clearly."""
    rim_mm: float = 1.0
    """Distance from the iris within which the eyeball moves as much as the iris."""
    corner_mm: float = 2.0
    """The least distance from there to the corner of the eye, where nothing moves."""
    lamp_share: float = 0.55
    """The share of the iris's motion that the reflection of a lamp makes: the cornea's centre of curvature
    lies 5.7 mm in front of the eye's centre, and the iris 10.2 mm."""
    lamp: tuple[float, float] = (22.0, 45.0)
    """By how much a pixel must exceed the iris around it to begin to count as a reflection, and to count
    entirely."""
    smooth_mm: float = 2.2
    """Standard deviation along the lid of the blur of its shadow, so that no trace of the iris remains."""


def paint_turned_eyes(
    frame: Frame, face: Face, warp: Warp, options: TurnedEyeOptions = TurnedEyeOptions()
) -> Warp:
    """`warp` with new eyes between the lids where irises move.

    An eye without its lids is reconstructed from the frame, moved, and covered by the lids' shadow and lashes
    at the lids' new place. Next to the iris the eyeball moves with it, at the corners not at all. Reflections
    of lamps on the iris stay nearly in place, as on a real cornea.
    """
    turned = _Turned.of(face, warp, options)
    if not turned.boxes:
        return warp
    patch = _Patch.of(frame, turned)
    seen = _SeenEyes.of(patch, turned, options)
    canvas = _Canvas.of(turned)
    share = _share(canvas, turned, options)
    moved_x, moved_y = (share * canvas.of_each(along) for along in turned.shift.T)
    column, row = map(canvas.of_each, patch.origin)
    x, y = canvas.x + column, canvas.y + row
    colour = _sampled(seen.eyeball, x - moved_x, y - moved_y) + _DARKEST
    lids = canvas.lids(turned)
    colour = colour * seen.shade.over(x, canvas.y, lids, turned.mm) - _DARKEST
    if seen.lamp is not None:
        lamp = np.float32(options.lamp_share)
        colour += _sampled(seen.lamp, x - lamp * moved_x, y - lamp * moved_y)
    return blend_all(warp, canvas.parts(colour, canvas.within_lids(lids, turned), turned))


@dataclass(frozen=True, eq=False)
class _Turned:
    """The eyes that turn, in coordinates of their own: pixels of the frame from the middle of the iris in the
    frame, x along the line of the eyes and y downwards in the face.

    Pictures of both stand side by side; together they take little longer than one.
    """

    boxes: tuple[Box, ...]
    """The boxes around their openings after the move."""
    centre: NDArray[np.float32]
    """(eyes, 2) the middle of each iris in the frame."""
    matrix: NDArray[np.float32]
    """(2, 2) the directions of x and y in the frame."""
    radius: NDArray[np.float32]
    """(eyes,) the radius of each iris."""
    mm: float
    """Frame pixels per millimetre."""
    shift: NDArray[np.float32]
    """(eyes, 2) the motion of each iris."""
    lids: NDArray[np.float32]
    """(eyes, 2, n, 2) the upper and the lower lid of each eye in the frame, from left to right."""
    moved_lids: NDArray[np.float32]
    """(eyes, 2, n, 2) the same after the move."""

    @classmethod
    def of(cls, face: Face, warp: Warp, options: TurnedEyeOptions) -> _Turned:
        eyes, boxes = [], []
        for number, eye in enumerate(EYES):
            if is_turned(face, warp.moved, eye):
                box = box_around(warp.moved[_EDGES[number].ravel(), :2], warp.region)
                if box is not None:
                    eyes.append(number)
                    boxes.append(box)
        mm, down = face.pose.scale, face.pose.down
        matrix = np.array([[down[1], -down[0]], down], np.float32)
        irises, edges = _IRISES[eyes], _EDGES[eyes]
        centre = face.landmarks[irises, :2]
        rims = face.landmarks[irises[:, None] + _RIM, :2] - centre[:, None]
        low, high = options.radius_mm
        radius = within(np.hypot(rims[..., 0], rims[..., 1]).max(axis=1), low * mm, high * mm)
        shift = (warp.moved[irises, :2] - centre) @ matrix.T
        lids, moved_lids = (
            (points[edges, :2] - centre[:, None, None]) @ matrix.T for points in (face.landmarks, warp.moved)
        )
        return cls(tuple(boxes), centre, matrix, radius, mm, shift, lids, moved_lids)


_IRISES = np.array([eye.iris for eye in EYES])
_EDGES = np.array([(eye.opening.upper, eye.opening.lower) for eye in EYES])
"""(2, 2, n) the landmarks of the upper and the lower lid of each eye."""
_RIM = np.arange(1, 5)
"""The landmarks on the rim of an iris, counted from that in its middle."""

_Lids = tuple[NDArray[np.float32], NDArray[np.float32]]
"""The y of the upper and of the lower lid at some x."""


def _lid_lines(lids: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2, n) the y of the lids (2, k, 2) of one eye at rising x (n,)."""
    return np.stack([np.interp(x, *lid.T) for lid in lids]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Canvas:
    """The boxes of the eyes after the move, side by side; planes (height, width)."""

    x: NDArray[np.float32]
    """The x of every pixel in the coordinates of its eye."""
    y: NDArray[np.float32]
    """The y."""
    widths: list[int]
    """The columns of each eye."""

    @classmethod
    def of(cls, turned: _Turned) -> _Canvas:
        widths = [x1 - x0 for x0, _, x1, _ in turned.boxes]
        corners = np.array([box[:2] for box in turned.boxes]) - turned.centre
        first_x, first_y = corners.astype(np.float32).repeat(widths, axis=0).T
        across = np.concatenate([np.arange(width, dtype=np.float32) for width in widths]) + first_x
        height = max(y1 - y0 for _, y0, _, y1 in turned.boxes)
        down = np.arange(height, dtype=np.float32)[:, None] + first_y
        (a, b), (c, d) = turned.matrix
        return cls(a * across + b * down, c * across + d * down, widths)

    def of_each(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(width,) the value (eyes,) of the eye of each column."""
        return values.repeat(self.widths)

    def lids(self, turned: _Turned) -> _Lids:
        """The lids at every pixel, after the move."""
        first, last = float(self.x.min()), float(self.x.max())
        steps = np.arange(int(last - first) + 3, dtype=np.float32) + np.float32(first)
        lines = np.concatenate([_lid_lines(lids, steps) for lids in turned.moved_lids], axis=1)
        starts = len(steps) * np.arange(len(self.widths), dtype=np.float32)
        place = self.x + self.of_each(starts - np.float32(first))
        upper, lower = cv2.split(_sampled(lines.T[None].copy(), place, np.zeros_like(place)))
        return upper, lower

    def within_lids(self, lids: _Lids, turned: _Turned) -> NDArray[np.float32]:
        """(height, width) the share of each pixel that lies between the lids after the move, 0..1, with
        slightly softened edges: it reaches over the pixels that mix the eye with its lids."""
        upper, lower = lids
        ends = turned.moved_lids[..., 0]
        left, right = self.of_each(ends.min(axis=(1, 2))), self.of_each(ends.max(axis=(1, 2)))
        inwards = np.minimum(
            np.minimum(self.y - upper, lower - self.y), np.minimum(self.x - left, right - self.x)
        )
        return within((inwards + np.float32(_OUTER_PX)) / np.float32(_OUTER_PX + _INNER_PX), 0, 1)

    def parts(
        self, colour: _Colours, weight: NDArray[np.float32], turned: _Turned
    ) -> list[tuple[_Colours, NDArray[np.float32], Box]]:
        """For each eye, its part of colours (height, width, 3) and of their weight, and its box."""
        parts, start = [], 0
        for box, width in zip(turned.boxes, self.widths, strict=True):
            part = np.s_[: box[3] - box[1], start : start + width]
            parts.append((colour[part], weight[part], box))
            start += width
        return parts


_OUTER_PX, _INNER_PX = 1.5, 0.75
"""The distances outside and inside the lids' edges between which an eye that turns blends into them."""


@dataclass(frozen=True, eq=False)
class _Patch:
    """Upright pictures of the eyes in the frame, side by side."""

    own: _Colours
    """(rows, columns, 3) the frame."""
    x: NDArray[np.float32]
    """(columns,) the x of each column in the coordinates of its eye."""
    y: NDArray[np.float32]
    """(rows, columns) the y."""
    lids: _Lids
    """(columns,) each: the lids at every column."""
    radius: NDArray[np.float32]
    """(columns,) the radius of the iris."""
    eye: NDArray[np.intp]
    """(columns,) the number of the eye."""
    parts: tuple[slice, ...]
    """The columns of each eye."""

    @classmethod
    def of(cls, frame: Frame, turned: _Turned) -> _Patch:
        margin = np.abs(turned.shift) + np.float32(turned.mm + _BESIDE_PX)
        low = turned.lids.min(axis=(1, 2)) - margin
        high = turned.lids.max(axis=(1, 2)) + margin
        low[:, 1] = low[:, 1].min()
        # Whole pixels from the frame's own, so that an upright eye is not resampled.
        first = np.floor(low + turned.centre) - turned.centre
        rows = int(high[:, 1].max() - low[0, 1]) + 2
        widths = (high - first)[:, 0].astype(np.intp) + 2
        pictures, x, lids = [], [], []
        for (left, top), width, centre, edges in zip(first, widths, turned.centre, turned.lids, strict=True):
            pictures.append(_upright(frame, turned.matrix, centre, (left, top), (int(width), rows)))
            x.append(np.arange(width, dtype=np.float32) + left)
            lids.append(_lid_lines(edges, x[-1]))
        eye, stops = np.arange(len(widths)).repeat(widths), np.cumsum(widths)
        upper, lower = np.concatenate(lids, axis=1)
        return cls(
            np.concatenate(pictures, axis=1).astype(np.float32),
            np.concatenate(x),
            np.arange(rows, dtype=np.float32)[:, None] + first[eye, 1],
            (upper, lower),
            turned.radius[eye],
            eye,
            tuple(map(slice, stops - widths, stops)),
        )

    @property
    def origin(self) -> NDArray[np.float32]:
        """(2, eyes) the column and the row where the x and the y of each eye are 0."""
        starts = [part.start for part in self.parts]
        return np.stack([np.array(starts, np.float32) - self.x[starts], -self.y[0, starts]])


_BESIDE_PX = 3.0
"""The pixels beside an eye's opening that its box may have."""


@dataclass(frozen=True, eq=False)
class _SeenEyes:
    """Eyes in the frame, upright and taken apart: the shaded eyeball plus the lamps is the frame."""

    eyeball: _Colours
    """(rows, columns, 3) the eyeballs without lids, their shadow and reflections."""
    lamp: _Colours | None
    """(rows, columns, 3) the light that the corneas reflect. None: they reflect none."""
    shade: _Shade
    """The lids' shadow and lashes."""

    @classmethod
    def of(cls, patch: _Patch, turned: _Turned, options: TurnedEyeOptions) -> _SeenEyes:
        mm = turned.mm
        eyeball, tones, inside = _without_lids(patch, mm, options)
        furthest = float(np.hypot(*turned.shift.T).max())
        shade = _Shade.of(patch, eyeball, mm, min(furthest / (_TURNED_MM * mm), 1.0), options)
        plain = eyeball if tones is None else _without_lamps(eyeball, tones, inside, options)
        return cls(plain, None if plain is eyeball else eyeball - plain, shade)


def _sampled(picture: _Colours, column: NDArray[np.float32], row: NDArray[np.float32]) -> _Colours:
    return cv2.remap(picture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _upright(
    frame: Frame,
    matrix: NDArray[np.float32],
    centre: NDArray[np.float32],
    first: tuple[np.float32, np.float32],
    size: tuple[int, int],
) -> NDArray[np.uint8]:
    """(height, width, 3) the frame in the coordinates of an eye (see _Turned) from `first` (x, y) on."""
    to_frame = np.empty((2, 3))
    to_frame[:, :2] = matrix.T
    to_frame[:, 2] = centre + matrix.T @ first
    # Whole pixels need no interpolation, and turned ones lose little by this one.
    sampling = cv2.INTER_CUBIC if abs(float(matrix[0, 1])) > _UPRIGHT else cv2.INTER_LINEAR
    flags = sampling | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame.image, to_frame, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


_UPRIGHT = 0.01
"""The sine of the head's roll up to which an eye counts as upright."""


def _without_lids(
    patch: _Patch, mm: float, options: TurnedEyeOptions
) -> tuple[_Colours, _Colours | None, NDArray[np.float32]]:
    """The eyeballs without their lids, the tones of their irises, and the mask of the irises.

    The tones are None where some iris is not visible at all.
    """
    own, x, y, (upper, lower) = patch.own, patch.x, patch.y, patch.lids
    soft, half = np.float32(0.6 * mm), (upper + lower) / 2
    clear_from = np.minimum(upper + np.float32(options.known_mm * mm), half)
    clear_to = np.maximum(lower - np.float32(options.lower_mm * mm), half)
    unknown = smoothstep(np.maximum(clear_from - y, y - clear_to) / soft + np.float32(0.5))
    distance = np.hypot(x, y)
    inside = smoothstep((patch.radius - distance) / np.float32(options.edge_mm * mm) + np.float32(0.5))
    distance /= patch.radius
    clear = (unknown < 0.1) & (y < lower - np.float32(0.7 * mm))
    white = _white(patch, clear & (distance > 1.12))
    tones = _ring_tones(patch, distance, clear & (distance < 1))
    if tones is None:
        return mix(own, white, unknown), None, inside
    seen = smoothstep(np.minimum(-y - clear_from, clear_to + y) / soft)
    iris = mix(tones, _mirrored(patch), seen)
    return mix(own, mix(white, iris, inside), unknown), tones, inside


def _mirrored(patch: _Patch) -> _Colours:
    """The eyes upside down: the upper half of an iris, which a lid hides, is like its lower half."""
    parts = []
    for part in patch.parts:
        y = patch.y[:, part.start]
        opposite = np.rint(-y - y[0]).astype(np.intp)
        parts.append(patch.own[:, part].take(opposite, axis=0, mode="clip"))
    return np.concatenate(parts, axis=1)


def _ring_tones(patch: _Patch, distance: NDArray[np.float32], seen: NDArray[np.bool_]) -> _Colours | None:
    """(rows, columns, 3) the mean tone of the visible iris at the same distance from its middle.

    distance: in radii. seen: where it is below 1. None: no part of an iris is visible.
    """
    eyes = len(patch.parts)
    shown = np.flatnonzero(seen)
    ring = (distance.take(shown) * np.float32(_RINGS)).astype(np.intp)
    ring += _RINGS * patch.eye.take(shown % len(patch.eye))
    counts = np.bincount(ring, minlength=_RINGS * eyes)
    colours = patch.own.reshape(-1, 3).take(shown, axis=0)
    sums = np.stack([np.bincount(ring, plane, _RINGS * eyes) for plane in colours.T], axis=-1)
    tones = sums / np.maximum(counts, 1)[:, None]
    every, tables = np.arange(_RINGS), tones.reshape(eyes, _RINGS, 3)
    for table, count in zip(tables, counts.reshape(eyes, _RINGS), strict=True):
        present = np.flatnonzero(count)
        if not len(present):
            return None
        if len(present) < _RINGS:
            table[:] = np.stack([np.interp(every, present, one[present]) for one in table.T], axis=-1)
    place = np.minimum(distance * np.float32(_RINGS) - np.float32(0.5), np.float32(_RINGS - 1))
    row = np.broadcast_to(patch.eye.astype(np.float32), place.shape).copy()
    return _sampled(tables.astype(np.float32), place, row)


_RINGS = 8
"""The number of rings around the middle of an iris that have a tone each."""


def _white(patch: _Patch, beside: NDArray[np.bool_]) -> _Colours:
    """(rows, columns, 3) the white of the eyes: the tone left of the iris, blended into that right of it."""
    own, along = patch.own, patch.x / patch.radius
    sides = 2 * patch.eye + (along > 0)
    of_side = np.equal.outer(np.arange(2 * len(patch.parts)), sides).astype(np.float32)
    beside = beside & (np.abs(along) < 2)
    counts = of_side @ beside.sum(axis=0, dtype=np.float32)
    lightness = of_side @ (own[..., 1] * beside).sum(axis=0) / np.maximum(counts, 1)
    # Pixels darker than the mean are lashes and shadow.
    bright = beside & (own[..., 1] >= lightness[sides])
    bright_counts = of_side @ bright.sum(axis=0, dtype=np.float32)
    tones = (of_side @ np.einsum("rc,rck->ck", bright, own)) / np.maximum(bright_counts, 1)[:, None]
    known = counts >= _LEAST_WHITE
    for eye, part in enumerate(patch.parts):
        left, right = 2 * eye, 2 * eye + 1
        if not known[left] and not known[right]:
            # Too little white is visible, so the lightest pixels are used.
            tones[[left, right]] = np.percentile(own[:, part].reshape(-1, 3), 90, axis=0)
        elif not known[left]:
            tones[left] = tones[right]
        elif not known[right]:
            tones[right] = tones[left]
    share = smoothstep(along / 2 + np.float32(0.5))[:, None]
    left, right = tones[2 * patch.eye], tones[2 * patch.eye + 1]
    return np.broadcast_to(left + share * (right - left), own.shape).copy()


_LEAST_WHITE = 4
"""The number of pixels beside the iris from which they tell the tone of the white."""


def _without_lamps(
    eyeball: _Colours, tones: _Colours, inside: NDArray[np.float32], options: TurnedEyeOptions
) -> _Colours:
    """The eyeball with the tones of its iris in place of what exceeds them by far."""
    low, high = options.lamp
    red, green, blue = cv2.split(cv2.subtract(eyeball, tones))
    excess = cv2.min(cv2.min(red, green), blue)
    lit = inside * smoothstep((excess - np.float32(low)) / np.float32(high - low))
    if not lit.any():
        return eyeball
    around = cv2.GaussianBlur(cv2.dilate(lit, np.ones((3, 3), np.uint8)), (3, 3), 0)
    return mix(eyeball, tones, around)


@dataclass(frozen=True, eq=False)
class _Shade:
    """The factor on the eyeball's colours by the shadow and the lashes of its lids, which move with them."""

    factors: _Colours
    """(rows, columns, 3) from above the upper lid to below the lower one, in the columns of the patch."""

    @classmethod
    def of(
        cls, patch: _Patch, eyeball: _Colours, mm: float, evenness: float, options: TurnedEyeOptions
    ) -> _Shade:
        """eyeball: the eyes of the patch without lids. evenness: 0..1, how far the factor is smoothed along
        the lids."""
        upper, lower = patch.lids
        height = np.maximum(lower - upper, 1)
        count = int(np.ceil((_LOWEST - _HIGHEST) * float(height.max()))) + 1
        places = np.arange(count, dtype=np.float32) * np.float32((_LOWEST - _HIGHEST) / (count - 1))
        y = upper + height * (places[:, None] + np.float32(_HIGHEST))
        column = np.broadcast_to(np.arange(len(upper), dtype=np.float32), y.shape).copy()
        factors = _sampled((patch.own + _DARKEST) / (eyeball + _DARKEST), column, y - patch.y[0])
        factors = cv2.min(factors, (_LIGHTEST,) * 4)
        # On a dark iris the shadow is hardly visible, and reflections are; the white on both sides tells it.
        sigma_px = np.float32(options.smooth_mm * mm)
        weight = 1 - np.float32(_DOUBT) * smoothstep((patch.radius - np.hypot(patch.x, y)) / sigma_px + 1)
        even, total = (
            cv2.GaussianBlur(picture, (0, 0), sigmaX=float(sigma_px), sigmaY=0.3)
            for picture in (cv2.multiply(factors, cv2.merge([weight] * 3)), weight)
        )
        smooth = cv2.divide(even, cv2.merge([total] * 3))
        return cls(mix(factors, smooth, np.full(weight.shape, evenness, np.float32)))

    def over(self, column: NDArray[np.float32], y: NDArray[np.float32], lids: _Lids, mm: float) -> _Colours:
        """(height, width, 3) the factors at columns of the patch and at y (height, width) between lids."""
        upper, lower = lids
        height = np.maximum(lower - upper, np.float32(mm / 2))
        share = ((y - upper) / height - np.float32(_HIGHEST)) / np.float32(_LOWEST - _HIGHEST)
        return _sampled(self.factors, column, share * np.float32(len(self.factors) - 1))


_HIGHEST, _LOWEST = -0.15, 1.15
"""The places of the first and the last row of a _Shade between the upper lid (0) and the lower one (1)."""
_DARKEST = np.float32(10.0)
"""A level that is added to both sides of a ratio, because the colours of black pixels are noise."""
_LIGHTEST = 1.05
"""The largest factor: lids shade an eyeball, and do not light it."""
_DOUBT = 0.95
"""The share by which an iris counts less than the white when the lids' shadow is smoothed."""
_TURNED_MM = 0.8
"""The motion of an iris from which on its lids' shadow is smoothed entirely."""


def _share(canvas: _Canvas, turned: _Turned, options: TurnedEyeOptions) -> NDArray[np.float32]:
    """(height, width) the share of the iris's motion that the eyeball makes: 1 on the iris, 0 at the
    corners."""
    along, rigid = turned.shift[:, 0], turned.radius + np.float32(options.rim_mm * turned.mm)
    ends = turned.lids[..., 0]
    least = np.float32(options.corner_mm * turned.mm)
    left = np.maximum(along - ends.min(axis=(1, 2)) - rigid, least)
    right = np.maximum(ends.max(axis=(1, 2)) - along - rigid, least)
    x = canvas.x - canvas.of_each(along)
    room = np.where(x < 0, canvas.of_each(left), canvas.of_each(right))
    return within(1 - (np.abs(x) - canvas.of_each(rigid)) / room, 0, 1)
