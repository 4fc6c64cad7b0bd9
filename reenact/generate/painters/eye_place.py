"""An eye in the frame: the place of every pixel on it, and what lids hide of its iris and its white."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.gaze import EyeLandmarks
from calib.ramp import smoothstep
from reenact.generate.painters.paint import mix
from reenact.records import Box, Face, Frame


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


EYEBALL = EyeballOptions()


@dataclass(frozen=True, eq=False)
class EyePlace:
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
        cls,
        face: Face,
        moved: NDArray[np.float32],
        eye: EyeLandmarks,
        box: Box,
        options: EyeballOptions,
    ) -> EyePlace:
        """moved: (478, 3) the landmarks after the move, in pixels."""
        mm, down = face.pose.scale, face.pose.down
        opening, iris = eye.opening, eye.iris
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
                (moved, opening.upper),
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
            moved[list(opening.outline), :2],
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


def hidden_iris(
    frame: Frame, own: NDArray[np.float32], place: EyePlace, unknown: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(height, width, 3) the iris: the mirror image of its lower half where that is visible, and elsewhere
    the mean at the same distance from its centre."""
    rounded = ring_tones(own, place, unknown)
    if rounded is None:
        return own
    last = place.known_to - 0.8 * place.mm
    mirrored = place.sample(frame.image, -place.y)
    soft = 0.6 * place.mm
    known = smoothstep((-place.y - place.known_from) / soft) * smoothstep((last + place.y) / soft)
    return mix(rounded, mirrored, known.astype(np.float32))


def ring_tones(
    own: NDArray[np.float32], place: EyePlace, unknown: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """(height, width, 3) the mean tone of the visible iris at the same distance from its centre. None: no
    part of it is visible."""
    distance = np.hypot(place.x, place.y)
    last = place.known_to - 0.8 * place.mm
    seen = (unknown < 0.1) & (place.y < last) & (distance < place.radius)
    rings = np.minimum(distance / place.radius * _RINGS, _RINGS - 1).astype(np.intp)
    shown = rings[seen]
    counts = np.bincount(shown, minlength=_RINGS)
    if not counts.any():
        return None
    present = np.flatnonzero(counts)
    tones = [
        np.interp(np.arange(_RINGS), present, np.bincount(shown, channel, _RINGS)[present] / counts[present])
        for channel in own[seen].T
    ]
    rounded = np.stack(tones, axis=-1)[rings]
    return cv2.GaussianBlur(rounded.astype(np.float32), (0, 0), max(0.25 * place.mm, 0.5))


_RINGS = 8
"""The number of rings around the centre of an iris that have a tone each."""


def hidden_white(
    own: NDArray[np.float32], place: EyePlace, unknown: NDArray[np.float32], options: EyeballOptions
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
