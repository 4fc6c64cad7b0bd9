"""Paints eyes that turn: iris and pupil move inside the lids, and the white fills what they uncover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.gaze import EYES, EyeLandmarks
from calib.ramp import smoothstep, within
from reenact.generate.geometry.warp import Warp, is_turned
from reenact.generate.painters.paint import blend, box_around, mix, polygon
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
    turned = [_Turned.of(face, warp, eye, options) for eye in EYES if is_turned(face, warp.moved, eye)]
    if not turned:
        return warp
    seen = _SeenEyes.of(frame, face, turned, options)
    for number, eye in enumerate(turned):
        warp = _paint_eye(warp, eye, seen, number, options)
    return warp


def _paint_eye(warp: Warp, eye: _Turned, seen: _SeenEyes, number: int, options: TurnedEyeOptions) -> Warp:
    """`warp` with one eye. number: its place in `seen`."""
    outline = warp.moved[list(eye.landmarks.opening.outline), :2]
    box = box_around(outline, warp.region)
    if box is None:
        return warp
    x, y = eye.axes.places(box)
    share = _share(x, eye, options)
    moved_x, moved_y = share * eye.shift[0], share * eye.shift[1]
    column, row = (np.float32(-first) for first in seen.first[number])
    colour = _sampled(seen.eyeball, x - moved_x + column, y - moved_y + row) + _DARKEST
    shade = seen.shade.over(x + column, y, _lids(warp.moved, eye, x), eye.axes.mm)
    colour = colour * shade - _DARKEST
    if seen.lamp is not None:
        lamp = np.float32(options.lamp_share)
        colour += _sampled(seen.lamp, x - lamp * moved_x + column, y - lamp * moved_y + row)
    return blend(warp, colour, polygon(outline, box), box)


@dataclass(frozen=True, eq=False)
class _Turned:
    """An eye that turns."""

    landmarks: EyeLandmarks
    """Its landmarks."""
    axes: _Axes
    """Its coordinates."""
    shift: NDArray[np.float32]
    """(2,) the motion of its iris, in these coordinates."""
    outline: NDArray[np.float32]
    """(n, 2) the outline of its opening in the frame, in these coordinates."""

    @classmethod
    def of(cls, face: Face, warp: Warp, eye: EyeLandmarks, options: TurnedEyeOptions) -> _Turned:
        axes = _Axes.of(face, eye, options)
        shift = axes.matrix @ (warp.moved[eye.iris] - face.landmarks[eye.iris])[:2]
        return cls(eye, axes, shift, axes.of_points(face.landmarks[list(eye.opening.outline)]))


@dataclass(frozen=True, eq=False)
class _Axes:
    """Coordinates of an eye in pixels of the frame: x along the line of the eyes, y downwards in the face."""

    centre: NDArray[np.float32]
    """(2,) the middle of the iris in the frame, where x and y are 0."""
    matrix: NDArray[np.float32]
    """(2, 2) the directions of x and y in the frame."""
    radius: float
    """The radius of the iris."""
    mm: float
    """Frame pixels per millimetre."""

    @classmethod
    def of(cls, face: Face, eye: EyeLandmarks, options: TurnedEyeOptions) -> _Axes:
        mm, down = face.pose.scale, face.pose.down
        centre = face.landmarks[eye.iris, :2]
        rim = np.linalg.norm(face.landmarks[eye.iris + 1 : eye.iris + 5, :2] - centre, axis=1).max()
        low, high = options.radius_mm
        radius = min(max(float(rim), low * mm), high * mm)
        return cls(centre, np.array([[down[1], -down[0]], down], np.float32), radius, mm)

    def of_points(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 2) the x and y of points (n, 2 or 3) of the frame."""
        return (points[:, :2] - self.centre) @ self.matrix.T

    def places(self, box: Box) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The x and the y, (height, width) each, of every pixel of a box in the frame."""
        column = np.arange(box[0], box[2], dtype=np.float32) - self.centre[0]
        row = (np.arange(box[1], box[3], dtype=np.float32) - self.centre[1])[:, None]
        (a, b), (c, d) = self.matrix
        return a * column + b * row, c * column + d * row


_Lids = tuple[NDArray[np.float32], NDArray[np.float32]]
"""The y of the upper and of the lower lid at some x."""


def _lids(landmarks: NDArray[np.float32], eye: _Turned, x: NDArray[np.float32]) -> _Lids:
    """The lids at every x of a plane (height, width)."""
    first, last = float(x.min()), float(x.max())
    steps = np.arange(int(last - first) + 3, dtype=np.float32) + first
    nowhere = np.zeros_like(x)
    upper, lower = (
        cv2.remap(line[None], x - first, nowhere, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for line in _lid_lines(landmarks, eye, steps)
    )
    return upper, lower


def _lid_lines(landmarks: NDArray[np.float32], eye: _Turned, x: NDArray[np.float32]) -> _Lids:
    """The lids at rising x (n,)."""
    upper, lower = (
        np.interp(x, *eye.axes.of_points(landmarks[list(edge)]).T).astype(np.float32)
        for edge in (eye.landmarks.opening.upper, eye.landmarks.opening.lower)
    )
    return upper, lower


@dataclass(frozen=True, eq=False)
class _Patch:
    """Upright pictures of one eye or of both, side by side; together they take little longer than one."""

    own: _Colours
    """(rows, columns, 3) the frame."""
    x: NDArray[np.float32]
    """(columns,) the x of each column in the coordinates of its eye."""
    y: NDArray[np.float32]
    """(rows, columns) the y."""
    lids: _Lids
    """The lids at every column."""
    radius: NDArray[np.float32]
    """(columns,) the radius of the iris."""
    eyes: tuple[slice, ...]
    """The columns of each eye."""

    @classmethod
    def of(cls, frame: Frame, face: Face, turned: Sequence[_Turned]) -> _Patch:
        margins = [np.abs(eye.shift) + eye.axes.mm + _BESIDE_PX for eye in turned]
        ends = [
            (eye.outline.min(axis=0) - margin, eye.outline.max(axis=0) + margin)
            for eye, margin in zip(turned, margins, strict=True)
        ]
        top, bottom = min(low[1] for low, _ in ends), max(high[1] for _, high in ends)
        rows = np.arange(int(bottom - top) + 2, dtype=np.float32)
        pictures, x, y, lids, radius = [], [], [], [], []
        for eye, (low, high) in zip(turned, ends, strict=True):
            # Whole pixels from the frame's own, so that an upright eye is not resampled.
            corner = np.array([low[0], top])
            left, first = np.floor(corner + eye.axes.centre) - eye.axes.centre
            across = np.arange(int(high[0] - left) + 2, dtype=np.float32) + np.float32(left)
            pictures.append(_upright(frame, eye.axes, across, rows + np.float32(first)))
            x.append(across)
            y.append(np.full(len(across), first, np.float32))
            lids.append(_lid_lines(face.landmarks, eye, across))
            radius.append(np.full(len(across), eye.axes.radius, np.float32))
        stops = np.cumsum([len(each) for each in x])
        upper, lower = (np.concatenate(lid) for lid in zip(*lids, strict=True))
        return cls(
            np.concatenate(pictures, axis=1),
            np.concatenate(x),
            rows[:, None] + np.concatenate(y),
            (upper, lower),
            np.concatenate(radius),
            tuple(slice(stop - len(each), stop) for stop, each in zip(stops.tolist(), x, strict=True)),
        )


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
    first: tuple[tuple[float, float], ...]
    """For each eye, the x of the first column, as if its own were the only picture, and the y of the first
    row."""

    @classmethod
    def of(cls, frame: Frame, face: Face, turned: Sequence[_Turned], options: TurnedEyeOptions) -> _SeenEyes:
        patch, mm = _Patch.of(frame, face, turned), turned[0].axes.mm
        eyeball, tones, inside = _without_lids(patch, mm, options)
        furthest = max(float(np.hypot(*eye.shift)) for eye in turned)
        shade = _Shade.of(patch, eyeball, mm, min(furthest / (_TURNED_MM * mm), 1.0), options)
        plain = eyeball if tones is None else _without_lamps(eyeball, tones, inside, options)
        first = (
            (float(patch.x[part.start]) - part.start, float(patch.y[0, part.start])) for part in patch.eyes
        )
        return cls(plain, None if plain is eyeball else eyeball - plain, shade, tuple(first))


def _sampled(picture: _Colours, column: NDArray[np.float32], row: NDArray[np.float32]) -> _Colours:
    return cv2.remap(picture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _upright(frame: Frame, axes: _Axes, x: NDArray[np.float32], y: NDArray[np.float32]) -> _Colours:
    """(rows, columns, 3) the frame in the eye's coordinates."""
    matrix = np.empty((2, 3))
    matrix[:, :2] = axes.matrix.T
    matrix[:, 2] = axes.centre + axes.matrix.T @ (x[0], y[0])
    # Whole pixels need no interpolation, and turned ones lose little by this one.
    sampling = cv2.INTER_CUBIC if abs(float(axes.matrix[0, 1])) > _UPRIGHT else cv2.INTER_LINEAR
    flags = sampling | cv2.WARP_INVERSE_MAP
    found = cv2.warpAffine(
        frame.image, matrix, (len(x), len(y)), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return found.astype(np.float32)


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
    unknown = np.maximum(
        smoothstep((clear_from - y) / soft + np.float32(0.5)),
        smoothstep((y - clear_to) / soft + np.float32(0.5)),
    )
    distance = np.hypot(x, y)
    inside = smoothstep((patch.radius - distance) / np.float32(options.edge_mm * mm) + np.float32(0.5))
    distance /= patch.radius
    clear = (unknown < 0.1) & (y < lower - np.float32(0.7 * mm))
    white = _white(patch, clear & (distance > 1.12))
    tones = _ring_tones(patch, distance, clear & (distance < 1))
    if tones is None:
        return mix(own, white, unknown), None, inside
    seen = smoothstep((-y - clear_from) / soft) * smoothstep((clear_to + y) / soft)
    iris = mix(tones, _mirrored(patch), seen)
    return mix(own, mix(white, iris, inside), unknown), tones, inside


def _mirrored(patch: _Patch) -> _Colours:
    """The eyes upside down: the upper half of an iris, which a lid hides, is like its lower half."""
    parts = []
    for part in patch.eyes:
        y = patch.y[:, part.start]
        opposite = np.rint(-y - y[0]).astype(np.intp)
        parts.append(patch.own[:, part].take(opposite, axis=0, mode="clip"))
    return np.concatenate(parts, axis=1)


def _ring_tones(patch: _Patch, distance: NDArray[np.float32], seen: NDArray[np.bool_]) -> _Colours | None:
    """(rows, columns, 3) the mean tone of the visible iris at the same distance from its middle.

    distance: in radii. None: no part of an iris is visible.
    """
    tables = []
    for part in patch.eyes:
        shown = seen[:, part]
        rings = np.minimum(distance[:, part][shown] * np.float32(_RINGS), np.float32(_RINGS - 1))
        belongs = _ONE_OF_RINGS.take(rings.astype(np.intp), axis=0)
        counts = belongs.sum(axis=0)
        present = np.flatnonzero(counts)
        if not len(present):
            return None
        tones = (belongs.T @ patch.own[:, part][shown]) / np.maximum(counts, 1)[:, None]
        if len(present) < _RINGS:
            every = np.arange(_RINGS)
            tones = np.stack([np.interp(every, present, channel[present]) for channel in tones.T], axis=-1)
        tables.append(tones.astype(np.float32))
    place = np.minimum(distance * np.float32(_RINGS) - np.float32(0.5), np.float32(_RINGS - 1))
    row = np.empty_like(distance)
    for number, part in enumerate(patch.eyes):
        row[:, part] = number
    return _sampled(np.stack(tables), place, row)


_RINGS = 8
"""The number of rings around the middle of an iris that have a tone each."""
_ONE_OF_RINGS = np.eye(_RINGS, dtype=np.float32)


def _white(patch: _Patch, beside: NDArray[np.bool_]) -> _Colours:
    """(rows, columns, 3) the white of the eyes: the tone left of the iris, blended into that right of it."""
    own, light = patch.own, np.ascontiguousarray(patch.own[..., 1])
    along = patch.x / patch.radius
    row = np.empty((len(along), 3), np.float32)
    share = smoothstep(along / 2 + np.float32(0.5))[:, None]
    for part in patch.eyes:
        tones = []
        for side in ((along < 0) & (along > -2), (along > 0) & (along < 2)):
            columns = np.zeros(len(along), bool)
            columns[part] = side[part]
            mask = (beside & columns).view(np.uint8)
            if cv2.countNonZero(mask) >= _LEAST_WHITE:
                # Pixels darker than the mean are lashes and shadow.
                mean = cv2.mean(light, mask)[0]
                tones.append(np.array(cv2.mean(own, mask & (light >= mean).view(np.uint8))[:3]))
        if not tones:
            # Too little white is visible, so the lightest pixels are used.
            tones = [np.percentile(own[:, part].reshape(-1, 3), 90, axis=0)]
        row[part] = (1 - share[part]) * tones[0] + share[part] * tones[-1]
    return np.broadcast_to(row, own.shape).copy()


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


def _share(x: NDArray[np.float32], eye: _Turned, options: TurnedEyeOptions) -> NDArray[np.float32]:
    """(height, width) the share of the iris's motion that the eyeball makes at x: 1 on the iris, 0 at the
    corners."""
    mm, along = eye.axes.mm, float(eye.shift[0])
    rigid = eye.axes.radius + options.rim_mm * mm
    corners = float(eye.outline[:, 0].min()), float(eye.outline[:, 0].max())
    left, right = (max(abs(corner - along) - rigid, options.corner_mm * mm) for corner in corners)
    x = x - np.float32(along)
    room = np.where(x < 0, np.float32(left), np.float32(right))
    return within(1 - (np.abs(x) - np.float32(rigid)) / room, 0, 1)
