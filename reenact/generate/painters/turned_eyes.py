"""Paints eyes that turn: iris and pupil move inside the lids, and the white fills what they uncover."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.gaze import EYES, EyeLandmarks
from calib.ramp import smoothstep
from reenact.generate.geometry.warp import Warp, is_turned
from reenact.generate.painters.eye_place import (
    EYEBALL,
    EyePlace,
    hidden_iris,
    hidden_white,
    ring_tones,
)
from reenact.generate.painters.paint import blend, box_around, mix, polygon
from reenact.records import Box, Face, Frame

_Colours = NDArray[np.float32]


@dataclass(frozen=True)
class TurnedEyeOptions:
    """Distances in millimetres of an average face, and levels of 255."""

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
    shift = (warp.moved[eye.iris] - face.landmarks[eye.iris])[:2]
    seen = _see(frame, face, eye, box, shift, options)
    new = EyePlace.of(face, warp.moved, eye, box, EYEBALL)
    moved = _share(face, eye, new, shift, options)[..., None] * shift
    colour = seen.moved(seen.eyeball, box, moved) * seen.shade.over(new, face.pose.scale)
    colour += seen.moved(seen.lamp, box, options.lamp_share * moved)
    return blend(warp, colour, polygon(outline, box), box)


@dataclass(frozen=True, eq=False)
class _SeenEye:
    """An eye in the frame, taken apart: eyeball * shade + lamp is the frame."""

    box: Box
    """The box of the pictures in the frame, which may reach beyond it."""
    eyeball: _Colours
    """(height, width, 3) the eyeball without lids, their shadow and reflections."""
    lamp: _Colours
    """(height, width, 3) the light that the cornea reflects."""
    shade: _Shade
    """The lids' shadow and lashes."""

    def moved(self, picture: _Colours, box: Box, motion: NDArray[np.float32]) -> _Colours:
        """(height, width, 3) a picture over a box in the frame, moved by a motion (height, width, 2)."""
        x = np.arange(box[0] - self.box[0], box[2] - self.box[0], dtype=np.float32) - motion[..., 0]
        y = np.arange(box[1] - self.box[1], box[3] - self.box[1], dtype=np.float32)[:, None] - motion[..., 1]
        return _sampled(picture, x, y)


@dataclass(frozen=True, eq=False)
class _Shade:
    """The factor on the eyeball's colours by the shadow and the lashes of its lids, which move with them."""

    factors: _Colours
    """(_SHADE_ROWS, columns, 3) from above the upper lid to below the lower one, along the line of the
    eyes."""
    first: float
    """The x of the first column, from the centre of the iris in the frame, in pixels."""

    @classmethod
    def of(
        cls, own: _Colours, eyeball: _Colours, place: EyePlace, evenness: float, sigma_px: float
    ) -> _Shade:
        """own, eyeball: (height, width, 3) the eye in the frame with and without lids, at `place`.
        evenness: 0..1, how far the factor is smoothed along the lids."""
        first, last = float(place.x.min()), float(place.x.max())
        x = np.arange(first, last + 1, dtype=np.float32)
        height = np.maximum(place.lower(x) - place.upper(x), 1)
        y = place.upper(x) + height * _SHADE_PLACES[:, None]
        column, row = place.pixel_of(np.broadcast_to(x, y.shape), y)
        before, after = (_sampled(picture, column, row) for picture in (own, eyeball))
        factors = cv2.min((before + _DARKEST) / (after + _DARKEST), (_LIGHTEST,) * 4)
        # On a dark iris the shadow is hardly visible, and reflections are; the white on both sides tells it.
        weight = 1 - _DOUBT * smoothstep((place.radius - np.hypot(x, y)) / sigma_px + 1).astype(np.float32)
        weights = cv2.merge([weight] * 3)
        even, total = (
            cv2.GaussianBlur(picture, (0, 0), sigmaX=sigma_px, sigmaY=0.3)
            for picture in (factors * weights, weights)
        )
        return cls(mix(factors, even / total, np.full(weight.shape, evenness, np.float32)), first)

    def over(self, place: EyePlace, mm: float) -> _Colours:
        """(height, width, 3) the factors between the lids of another place, at the same x."""
        lid = place.y - place.below_edge
        height = np.maximum(place.known_to + place.lowered - lid, mm / 2)
        row = (place.below_edge / height - _SHADE_PLACES[0]) / (_SHADE_PLACES[1] - _SHADE_PLACES[0])
        return _sampled(self.factors, place.x - self.first, row)


_SHADE_ROWS = 24
_SHADE_PLACES = np.linspace(-0.15, 1.15, _SHADE_ROWS, dtype=np.float32)
"""The places of the rows of a _Shade between the upper lid (0) and the lower one (1)."""
_DARKEST = 10.0
"""A level that is added to both sides of a ratio, because the colours of black pixels are noise."""
_LIGHTEST = 1.05
"""The largest factor: lids shade an eyeball, and do not light it."""
_DOUBT = 0.95
"""The share by which an iris counts less than the white when the lids' shadow is smoothed."""
_TURNED_MM = 0.8
"""The motion of an iris from which on its lids' shadow is smoothed entirely."""


def _sampled(picture: _Colours, x: NDArray[np.floating], y: NDArray[np.floating]) -> _Colours:
    x, y = np.broadcast_arrays(np.asarray(x, np.float32), np.asarray(y, np.float32))
    return cv2.remap(picture, x.copy(), y.copy(), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _see(
    frame: Frame,
    face: Face,
    eye: EyeLandmarks,
    box: Box,
    shift: NDArray[np.float32],
    options: TurnedEyeOptions,
) -> _SeenEye:
    """Takes an eye in the frame apart, in a box that holds all that moves into `box`."""
    mm = face.pose.scale
    margin_x, margin_y = (int(np.ceil(abs(float(along)) + 2 * mm)) for along in shift)
    wide = box[0] - margin_x, box[1] - margin_y, box[2] + margin_x, box[3] + margin_y
    place = EyePlace.of(face, face.landmarks, eye, wide, EYEBALL)
    half = (place.known_from + place.known_to) / 2
    place = replace(place, known_from=np.minimum(place.known_from + options.known_mm * mm, half))
    last = np.maximum(place.known_to - options.lower_mm * mm, half)
    soft = 0.6 * mm
    unknown = np.maximum(
        smoothstep((place.known_from - place.y) / soft + 0.5), smoothstep((place.y - last) / soft + 0.5)
    )
    own = place.sample(frame.image, place.y)
    distance = np.hypot(place.x, place.y)
    inside = smoothstep((place.radius - distance) / (EYEBALL.rim_mm * mm) + 0.5).astype(np.float32)
    iris = hidden_iris(frame, own, place, unknown)
    eyeball = mix(own, mix(hidden_white(own, place, unknown, EYEBALL), iris, inside), unknown)
    evenness = min(float(np.hypot(*shift)) / (_TURNED_MM * mm), 1.0)
    shade = _Shade.of(own, eyeball, place, evenness, options.smooth_mm * mm)
    plain = _without_lamps(eyeball, ring_tones(own, place, unknown), inside, options)
    return _SeenEye(wide, plain, eyeball - plain, shade)


def _without_lamps(
    eyeball: _Colours, tones: _Colours | None, inside: NDArray[np.float32], options: TurnedEyeOptions
) -> _Colours:
    """The eyeball with the tones of its iris in place of what exceeds them by far."""
    if tones is None:
        return eyeball
    low, high = options.lamp
    lit = inside * smoothstep(((eyeball - tones).min(axis=2) - low) / (high - low))
    around = cv2.GaussianBlur(cv2.dilate(lit.astype(np.float32), np.ones((3, 3), np.uint8)), (3, 3), 0)
    return mix(eyeball, tones, around)


def _share(
    face: Face, eye: EyeLandmarks, new: EyePlace, shift: NDArray[np.float32], options: TurnedEyeOptions
) -> NDArray[np.float32]:
    """(height, width) the share of the iris's motion that the eyeball makes at every place: 1 on the iris, 0
    at the corners."""
    mm = face.pose.scale
    along, _ = new.axes @ shift
    x = new.x - along
    corners = (face.landmarks[[eye.opening.upper[0], eye.opening.upper[-1]], :2] - new.centre) @ new.axes[0]
    rigid = new.radius + options.rim_mm * mm
    left, right = (np.maximum(np.abs(corner - along) - rigid, options.corner_mm * mm) for corner in corners)
    room = np.where(x < 0, left, right)
    return np.clip(1 - (np.abs(x) - rigid) / room, 0, 1).astype(np.float32)
