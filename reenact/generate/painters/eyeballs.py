"""Paints the part of an eye that a raised upper lid uncovers: iris, and the white around it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import LEFT_EYE, RIGHT_EYE, Opening
from calib.ramp import smoothstep, smoothstep_of
from reenact.generate.geometry.warp import Warp
from reenact.generate.painters.paint import blend, box_around, mix, polygon
from reenact.records import Box, Face, Frame

_IRISES = ((LEFT_EYE, 468), (RIGHT_EYE, 473))
"""Each eye with the landmark at the centre of its iris; the next four landmarks lie on the iris's rim."""


@dataclass(frozen=True)
class EyeballOptions:
    """Distances in millimetres of an average face."""

    least_mm: float = 0.4
    """Opening motion at which painting fades in; it is complete at three times this."""
    known_mm: float = 1.3
    """Height of the lid's shadow and lashes, below which the frame shows the eyeball clearly."""
    radius_mm: tuple[float, float] = (5.3, 6.5)
    """Limits of the iris's radius, which hardly differs between people."""
    rim_mm: float = 0.7
    """Width of the blur of the iris's rim."""
    open_mm: tuple[float, float] = (3.0, 5.5)
    """Openings of the eye in the frame between which the visible part of the iris becomes sufficient."""
    risen_mm: float = 1.2
    """Rise of the lid at a place from which on everything that it uncovers there is painted."""
    shadow: float = 0.55
    """Share of the light that the lid blocks from the eyeball close below it."""
    shadow_mm: float = 3.0
    """Height of that shadow."""
    lashes_mm: float = 1.1
    """Height of the edge of the lid, where the warp's pixels stay."""
    white: float = 70.0
    """Percentile of the lightness beside the iris from which on a pixel counts as white; the rest are
    lashes."""


def paint_eyeballs(frame: Frame, face: Face, warp: Warp, options: EyeballOptions = EyeballOptions()) -> Warp:
    """`warp` with round irises and the white above them where the upper lids have risen.

    The warp stretches the area between the lids, so that irises become ellipses, but an eyeball does not
    stretch. Below the lid's old edge the frame shows the eyeball; above it the iris is the mirror image of
    its lower half.
    """
    for opening, iris in _IRISES:
        warp = _paint_eyeball(frame, face, warp, opening, iris, options)
    return warp


def _paint_eyeball(
    frame: Frame, face: Face, warp: Warp, opening: Opening, iris: int, options: EyeballOptions
) -> Warp:
    mm, down = face.pose.scale, face.pose.down
    own_px, after_px = opening.gaps(face.landmarks, down), opening.gaps(warp.moved, down)
    # A smile lifts both lids and narrows the eye.
    risen_mm = (after_px - own_px).max() / mm
    opened_mm = own_px.max() / mm
    low, high = options.open_mm
    share = float(
        smoothstep_of((risen_mm / options.least_mm - 1) / 2) * smoothstep_of((opened_mm - low) / (high - low))
    )
    if share == 0:
        return warp
    box = box_around(warp.moved[list(opening.outline), :2], warp.region)
    if box is None:
        return warp
    place = _EyePlace.of(face, warp, opening, iris, box, options)
    colour = _eyeball(frame, place, options)
    below_mm = place.below_edge / mm
    colour *= (1 - options.shadow * np.clip(1 - below_mm / options.shadow_mm, 0, 1) ** 1.5)[..., None]
    colour = _under_lashes(frame, colour, place, options)
    weight = share * place.uncovered * smoothstep(below_mm / options.lashes_mm) * polygon(place.outline, box)
    return blend(warp, colour, weight.astype(np.float32), box)


@dataclass(frozen=True, eq=False)
class _EyePlace:
    """The place on the eye of every pixel of a box; planes (height, width), in pixels."""

    x: NDArray[np.float32]
    """x from the centre of the iris, along the line of the eyes."""
    y: NDArray[np.float32]
    """y from the centre of the iris, downwards in the face."""
    known_from: NDArray[np.float32]
    """y below which the frame shows the eyeball without lid and shadow."""
    known_to: NDArray[np.float32]
    """y of the lower lid in the frame."""
    below_edge: NDArray[np.float32]
    """The distance below the upper lid's edge after the move."""
    risen: NDArray[np.float32]
    """The distance by which the lid has risen."""
    uncovered: NDArray[np.float32]
    """The degree to which the lid has risen, 0..1."""
    outline: NDArray[np.float32]
    """(n, 2) the outline of the opening after the move, in the frame."""
    centre: NDArray[np.float32]
    """(2,) the centre of the iris in the frame."""
    axes: NDArray[np.float32]
    """(2, 2) the directions of x and y in the frame."""
    radius: float
    """The radius of the iris."""
    mm: float
    """Frame pixels per millimetre."""

    @classmethod
    def of(
        cls, face: Face, warp: Warp, opening: Opening, iris: int, box: Box, options: EyeballOptions
    ) -> _EyePlace:
        mm, down = face.pose.scale, face.pose.down
        axes = np.array([[down[1], -down[0]], down], np.float32)
        centre = face.landmarks[iris, :2]
        rim = np.linalg.norm(face.landmarks[iris + 1 : iris + 5, :2] - centre, axis=1).max()
        x0, y0, x1, y1 = box
        columns, rows = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)
        pixels = np.stack(np.meshgrid(columns, rows), axis=-1) - centre
        x, y = (pixels @ axis for axis in axes)
        upper, lower, lifted = (
            (landmarks[list(edge), :2] - centre) @ axes.T
            for landmarks, edge in (
                (face.landmarks, opening.upper),
                (face.landmarks, opening.lower),
                (warp.moved, opening.upper),
            )
        )
        top, bottom, now = (np.interp(x, line[:, 0], line[:, 1]) for line in (upper, lower, lifted))
        uncovered = smoothstep((top - now) / (options.risen_mm * mm))
        known = np.minimum(top + uncovered * options.known_mm * mm, (top + bottom) / 2)
        low, high = options.radius_mm
        return cls(
            x,
            y,
            known.astype(np.float32),
            bottom.astype(np.float32),
            (y - now).astype(np.float32),
            (top - now).astype(np.float32),
            uncovered,
            warp.moved[list(opening.outline), :2],
            centre,
            axes,
            float(np.clip(rim, low * mm, high * mm)),
            mm,
        )

    def sample(self, image: NDArray[np.uint8], y: NDArray[np.float32]) -> NDArray[np.float32]:
        """(height, width, 3) the frame's pixels at the same x and other y."""
        at_x, at_y = (
            (centre + self.x * across + y * along).astype(np.float32)
            for centre, across, along in zip(self.centre, *self.axes, strict=True)
        )
        found = cv2.remap(image, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return found.astype(np.float32)


def _eyeball(frame: Frame, place: _EyePlace, options: EyeballOptions) -> NDArray[np.float32]:
    """(height, width, 3) the eyeball without its lids, reconstructed from the frame."""
    own = place.sample(frame.image, place.y)
    unknown = smoothstep((place.known_from - place.y) / (0.6 * place.mm) + 0.5)
    distance = np.hypot(place.x, place.y)
    inside = smoothstep((place.radius - distance) / (options.rim_mm * place.mm) + 0.5)
    iris = _iris(frame, own, place, unknown)
    white = _white(own, place, unknown, options)
    return mix(own, mix(white, iris, inside.astype(np.float32)), unknown.astype(np.float32))


def _under_lashes(
    frame: Frame, colour: NDArray[np.float32], place: _EyePlace, options: EyeballOptions
) -> NDArray[np.float32]:
    """`colour` with the dark of lashes and make-up on the white, moved along with the lid's edge."""
    lashes = place.sample(frame.image, place.y + place.risen)
    beside_iris = smoothstep((np.abs(place.x) / place.radius - 0.9) / 0.3)
    near_edge = smoothstep(2 - place.below_edge / (options.known_mm * place.mm))
    return mix(colour, cv2.min(colour, lashes), (beside_iris * near_edge).astype(np.float32))


def _iris(
    frame: Frame, own: NDArray[np.float32], place: _EyePlace, unknown: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(height, width, 3) the iris: the mirror image of its lower half where that is visible, and elsewhere
    the mean at the same distance from its centre."""
    distance = np.hypot(place.x, place.y)
    last = place.known_to - 0.8 * place.mm
    seen = (unknown < 0.1) & (place.y < last) & (distance < place.radius)
    rings = np.minimum(distance / place.radius * _RINGS, _RINGS - 1).astype(np.intp)
    shown = rings[seen]
    counts = np.bincount(shown, minlength=_RINGS)
    if not counts.any():
        return own
    present = np.flatnonzero(counts)
    tones = [
        np.interp(np.arange(_RINGS), present, np.bincount(shown, channel, _RINGS)[present] / counts[present])
        for channel in own[seen].T
    ]
    rounded = np.stack(tones, axis=-1)[rings]
    rounded = cv2.GaussianBlur(rounded.astype(np.float32), (0, 0), max(0.25 * place.mm, 0.5))
    mirrored = place.sample(frame.image, -place.y)
    soft = 0.6 * place.mm
    known = smoothstep((-place.y - place.known_from) / soft) * smoothstep((last + place.y) / soft)
    return mix(rounded, mirrored, known.astype(np.float32))


_RINGS = 8
"""The number of rings around the centre of an iris that have a tone each."""


def _white(
    own: NDArray[np.float32], place: _EyePlace, unknown: NDArray[np.float32], options: EyeballOptions
) -> NDArray[np.float32]:
    """(height, width, 3) the white of the eye: the tone left of the iris, blended into that right of it."""
    beside = (unknown < 0.1) & (place.y < place.known_to - 0.6 * place.mm)
    beside &= np.hypot(place.x, place.y) > 1.12 * place.radius
    tones = []
    for side in (place.x < 0, place.x > 0):
        seen = own[beside & side & (np.abs(place.x) < 2 * place.radius)]
        if len(seen) >= 4:
            light = seen.sum(axis=1)
            whitest = int(options.white / 100 * (len(seen) - 1))
            tones.append(seen[light >= np.partition(light, whitest)[whitest]].mean(axis=0))
    if not tones:
        # Too little white is visible, so the lightest pixels are used.
        return np.broadcast_to(np.percentile(own.reshape(-1, 3), 90, axis=0).astype(np.float32), own.shape)
    along = smoothstep(place.x / (2 * place.radius) + 0.5).astype(np.float32)[..., None]
    return ((1 - along) * tones[0] + along * tones[-1]).astype(np.float32)
