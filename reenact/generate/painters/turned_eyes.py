"""Paints eyes that turn: iris and pupil move inside the lids, and the white fills what they uncover."""

from __future__ import annotations

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
    for eye in EYES:
        if is_turned(face, warp, eye):
            warp = _paint_eye(frame, face, warp, eye, options)
    return warp


def _paint_eye(frame: Frame, face: Face, warp: Warp, eye: EyeLandmarks, options: TurnedEyeOptions) -> Warp:
    outline = warp.moved[list(eye.opening.outline), :2]
    box = box_around(outline, warp.region)
    if box is None:
        return warp
    frame_shift = (warp.moved[eye.iris] - face.landmarks[eye.iris])[:2]
    axes = _Axes.of(face, eye, options)
    shift = axes.matrix @ frame_shift
    seen = _SeenEye.of(frame, face, eye, axes, shift, options)
    x, y = axes.places(box)
    share = _share(x - shift[0], seen, shift[0], options)
    moved_x, moved_y = share * shift[0], share * shift[1]
    colour = seen.sample(seen.eyeball, x - moved_x, y - moved_y) + _DARKEST
    colour = colour * seen.shade.over(x, y, _lids(warp.moved, eye, axes, x), axes.mm) - _DARKEST
    if seen.lamp is not None:
        lamp = np.float32(options.lamp_share)
        colour += seen.sample(seen.lamp, x - lamp * moved_x, y - lamp * moved_y)
    return blend(warp, colour, polygon(outline, box), box)


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


def _lids(landmarks: NDArray[np.float32], eye: EyeLandmarks, axes: _Axes, x: NDArray[np.float32]) -> _Lids:
    """The lids at every x of a plane (height, width)."""
    first, last = float(x.min()), float(x.max())
    steps = np.arange(int(last - first) + 3, dtype=np.float32) + first
    nowhere = np.zeros_like(x)
    upper, lower = (
        cv2.remap(line[None], x - first, nowhere, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for line in _lid_lines(landmarks, eye, axes, steps)
    )
    return upper, lower


def _lid_lines(
    landmarks: NDArray[np.float32], eye: EyeLandmarks, axes: _Axes, x: NDArray[np.float32]
) -> _Lids:
    """The lids at rising x (n,)."""
    upper, lower = (
        np.interp(x, *axes.of_points(landmarks[list(edge)]).T).astype(np.float32)
        for edge in (eye.opening.upper, eye.opening.lower)
    )
    return upper, lower


@dataclass(frozen=True, eq=False)
class _SeenEye:
    """An eye in the frame, upright and taken apart: the shaded eyeball plus the lamps is the frame."""

    eyeball: _Colours
    """(rows, columns, 3) the eyeball without lids, their shadow and reflections."""
    lamp: _Colours | None
    """(rows, columns, 3) the light that the cornea reflects. None: it reflects none."""
    shade: _Shade
    """The lids' shadow and lashes."""
    first: tuple[float, float]
    """The x and y of the first pixel."""
    corners: tuple[float, float]
    """The x of the corners of the eye."""
    rigid: float
    """The distance from the middle of the iris within which the eyeball moves as one piece."""

    @classmethod
    def of(
        cls,
        frame: Frame,
        face: Face,
        eye: EyeLandmarks,
        axes: _Axes,
        shift: NDArray[np.float32],
        options: TurnedEyeOptions,
    ) -> _SeenEye:
        """shift: (2,) the motion of the iris in the eye's coordinates."""
        mm = axes.mm
        outline = axes.of_points(face.landmarks[list(eye.opening.outline)])
        margin = np.abs(shift) + mm
        low, high = outline.min(axis=0) - margin, outline.max(axis=0) + margin
        # Whole pixels from the frame's own, so that an upright eye is not resampled.
        low = np.floor(low + axes.centre) - axes.centre
        x, y = (
            np.arange(int(end - start) + 2, dtype=np.float32) + np.float32(start)
            for start, end in zip(low, high, strict=True)
        )
        own = _upright(frame, axes, x, y)
        lids = _lid_lines(face.landmarks, eye, axes, x)
        eyeball, tones, inside = _without_lids(own, axes, x, y[:, None], lids, options)
        evenness = min(float(np.hypot(*shift)) / (_TURNED_MM * mm), 1.0)
        shade = _Shade.of(own, eyeball, x, y, lids, axes, evenness, options)
        plain = eyeball if tones is None else _without_lamps(eyeball, tones, inside, options)
        lamp = None if plain is eyeball else eyeball - plain
        return cls(
            plain,
            lamp,
            shade,
            (float(x[0]), float(y[0])),
            (float(outline[:, 0].min()), float(outline[:, 0].max())),
            axes.radius + options.rim_mm * mm,
        )

    def sample(self, picture: _Colours, x: NDArray[np.float32], y: NDArray[np.float32]) -> _Colours:
        """(height, width, 3) a picture at the places x and y (height, width)."""
        return _sampled(picture, x - self.first[0], y - self.first[1])


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
    own: _Colours,
    axes: _Axes,
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    lids: _Lids,
    options: TurnedEyeOptions,
) -> tuple[_Colours, _Colours | None, NDArray[np.float32]]:
    """The eyeball without its lids, the tones of its iris, and the mask of the iris.

    x: (columns,). y: (rows, 1). The tones are None where no part of the iris is visible.
    """
    mm, soft, (upper, lower) = axes.mm, np.float32(0.6 * axes.mm), lids
    half = (upper + lower) / 2
    clear_from = np.minimum(upper + np.float32(options.known_mm * mm), half)
    clear_to = np.maximum(lower - np.float32(options.lower_mm * mm), half)
    unknown = np.maximum(
        smoothstep((clear_from - y) / soft + np.float32(0.5)),
        smoothstep((y - clear_to) / soft + np.float32(0.5)),
    )
    distance = np.hypot(x, y)
    inside = smoothstep((axes.radius - distance) / np.float32(options.edge_mm * mm) + np.float32(0.5))
    clear = (unknown < 0.1) & (y < lower - np.float32(0.7 * mm))
    white = _white(own, x, clear & (distance > 1.12 * axes.radius), axes.radius)
    tones = _ring_tones(own, distance / np.float32(axes.radius), clear & (distance < axes.radius))
    if tones is None:
        return mix(own, white, unknown), None, inside
    # The upper half of an iris, which a lid hides, is like its lower half.
    opposite = np.rint(-y[:, 0] - y[0, 0]).astype(np.intp)
    mirrored = own.take(opposite, axis=0, mode="clip")
    seen = smoothstep((-y - clear_from) / soft) * smoothstep((clear_to + y) / soft)
    iris = mix(tones, mirrored, seen)
    return mix(own, mix(white, iris, inside), unknown), tones, inside


def _ring_tones(own: _Colours, distance: NDArray[np.float32], seen: NDArray[np.bool_]) -> _Colours | None:
    """(rows, columns, 3) the mean tone of the visible iris at the same distance from its middle.

    distance: in radii. None: no part of the iris is visible.
    """
    rings = np.minimum(distance[seen] * np.float32(_RINGS), np.float32(_RINGS - 1)).astype(np.intp)
    belongs = _ONE_OF_RINGS.take(rings, axis=0)
    counts = belongs.sum(axis=0)
    if not counts.any():
        return None
    tones = (belongs.T @ own[seen]) / np.maximum(counts, 1)[:, None]
    present = np.flatnonzero(counts)
    if len(present) < _RINGS:
        every = np.arange(_RINGS)
        tones = np.stack([np.interp(every, present, channel[present]) for channel in tones.T], axis=-1)
    table = tones.astype(np.float32)[None]
    return _sampled(table, distance * np.float32(_RINGS) - np.float32(0.5), np.zeros_like(distance))


_RINGS = 8
"""The number of rings around the middle of an iris that have a tone each."""
_ONE_OF_RINGS = np.eye(_RINGS, dtype=np.float32)


def _white(own: _Colours, x: NDArray[np.float32], beside: NDArray[np.bool_], radius: float) -> _Colours:
    """(rows, columns, 3) the white of the eye: the tone left of the iris, blended into that right of it."""
    light = own[..., 1]
    tones = []
    for side in ((x < 0) & (x > -2 * radius), (x > 0) & (x < 2 * radius)):
        mask = (beside & side).view(np.uint8)
        if cv2.countNonZero(mask) >= _LEAST_WHITE:
            # Pixels darker than the mean are lashes and shadow.
            mean = cv2.mean(light, mask)[0]
            tones.append(np.array(cv2.mean(own, mask & (light >= mean).view(np.uint8))[:3]))
    if not tones:
        # Too little white is visible, so the lightest pixels are used.
        tones = [np.percentile(own.reshape(-1, 3), 90, axis=0)]
    along = smoothstep(x / np.float32(2 * radius) + np.float32(0.5))[:, None]
    row = ((1 - along) * tones[0] + along * tones[-1]).astype(np.float32)
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
    """(rows, columns, 3) from above the upper lid to below the lower one, along the line of the eyes."""
    first: float
    """The x of the first column."""

    @classmethod
    def of(
        cls,
        own: _Colours,
        eyeball: _Colours,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        lids: _Lids,
        axes: _Axes,
        evenness: float,
        options: TurnedEyeOptions,
    ) -> _Shade:
        """own, eyeball: the eye with and without lids, at x (columns,) and y (rows,). evenness: 0..1, how far
        the factor is smoothed along the lids."""
        upper, lower = lids
        height = np.maximum(lower - upper, 1)
        rows = int(np.ceil((_LOWEST - _HIGHEST) * float(height.max()))) + 1
        places = np.linspace(_HIGHEST, _LOWEST, rows, dtype=np.float32)
        row = upper + height * places[:, None]
        column = np.broadcast_to(np.arange(len(x), dtype=np.float32), row.shape).copy()
        factors = _sampled((own + _DARKEST) / (eyeball + _DARKEST), column, row - y[0])
        factors = cv2.min(factors, (_LIGHTEST,) * 4)
        # On a dark iris the shadow is hardly visible, and reflections are; the white on both sides tells it.
        sigma_px = np.float32(options.smooth_mm * axes.mm)
        weight = 1 - np.float32(_DOUBT) * smoothstep((axes.radius - np.hypot(x, row)) / sigma_px + 1)
        even, total = (
            cv2.GaussianBlur(picture, (0, 0), sigmaX=float(sigma_px), sigmaY=0.3)
            for picture in (cv2.multiply(factors, cv2.merge([weight] * 3)), weight)
        )
        smooth = cv2.divide(even, cv2.merge([total] * 3))
        return cls(mix(factors, smooth, np.full(weight.shape, evenness, np.float32)), float(x[0]))

    def over(self, x: NDArray[np.float32], y: NDArray[np.float32], lids: _Lids, mm: float) -> _Colours:
        """(height, width, 3) the factors at x and y (height, width) between other lids."""
        upper, lower = lids
        height = np.maximum(lower - upper, np.float32(mm / 2))
        share = ((y - upper) / height - np.float32(_HIGHEST)) / np.float32(_LOWEST - _HIGHEST)
        return _sampled(self.factors, x - np.float32(self.first), share * np.float32(len(self.factors) - 1))


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


def _share(
    x: NDArray[np.float32], seen: _SeenEye, along: float, options: TurnedEyeOptions
) -> NDArray[np.float32]:
    """(height, width) the share of the iris's motion that the eyeball makes at every place: 1 on the iris, 0
    at the corners.

    x: from the middle of the iris after the motion. along: its motion along x.
    """
    mm = seen.rigid / (options.radius_mm[0] + options.rim_mm)
    left, right = (max(abs(corner - along) - seen.rigid, options.corner_mm * mm) for corner in seen.corners)
    room = np.where(x < 0, np.float32(left), np.float32(right))
    return within(1 - (np.abs(x) - np.float32(seen.rigid)) / room, 0, 1)
