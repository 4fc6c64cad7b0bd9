"""Paints the part of an eye that a raised upper lid uncovers: iris, and the white around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.gaze import EYES, EyeLandmarks
from calib.ramp import ramp_of, smoothstep, smoothstep_of
from reenact.generate.geometry.warp import Warp, is_turned
from reenact.generate.painters.eye_place import EYEBALL, EyeballOptions, EyePlace, hidden_iris, hidden_white
from reenact.generate.painters.paint import blend, box_around, mix, polygon
from reenact.records import Face, Frame


def paint_eyeballs(frame: Frame, face: Face, warp: Warp, options: EyeballOptions = EYEBALL) -> Warp:
    """`warp` with round irises and the white above them where the upper lids have risen.

    The warp stretches the area between the lids, so that irises become ellipses, but an eyeball does not
    stretch. Below the lid's old edge the frame shows the eyeball; above it the iris is the mirror image of
    its lower half. Eyes that turn are left to reenact.generate.painters.turned_eyes.
    """
    for eye in EYES:
        if not is_turned(face, warp.moved, eye):
            warp = _paint_eyeball(frame, face, warp, eye, options)
    return warp


def _paint_eyeball(frame: Frame, face: Face, warp: Warp, eye: EyeLandmarks, options: EyeballOptions) -> Warp:
    mm, down, opening = face.pose.scale, face.pose.down, eye.opening
    own_px, after_px = opening.gaps(face.landmarks, down), opening.gaps(warp.moved, down)
    # A smile lifts both lids and narrows the eye.
    risen_mm = (after_px - own_px).max() / mm
    opened_mm = own_px.max() / mm
    share = smoothstep_of((risen_mm / options.least_mm - 1) / 2) * ramp_of(opened_mm, options.open_mm)
    if share == 0:
        return warp
    box = box_around(warp.moved[list(opening.outline), :2], warp.region)
    if box is None:
        return warp
    place = EyePlace.of(face, warp.moved, eye, box, options)
    colour = _eyeball(frame, place, options)
    below_mm = place.below_edge / mm
    colour *= (1 - options.shadow * np.clip(1 - below_mm / options.shadow_mm, 0, 1) ** 1.5)[..., None]
    colour = _under_lashes(frame, colour, place, options)
    weight = share * place.uncovered * smoothstep(below_mm / options.lashes_mm) * polygon(place.outline, box)
    return blend(warp, colour, weight.astype(np.float32), box)


def _eyeball(frame: Frame, place: EyePlace, options: EyeballOptions) -> NDArray[np.float32]:
    """(height, width, 3) the eyeball without its lids, reconstructed from the frame."""
    own = place.sample(frame.image, place.y)
    unknown = smoothstep((place.known_from - place.y) / (0.6 * place.mm) + 0.5)
    distance = np.hypot(place.x, place.y)
    inside = smoothstep((place.radius - distance) / (options.rim_mm * place.mm) + 0.5)
    iris = hidden_iris(frame, own, place, unknown)
    white = hidden_white(own, place, unknown, options)
    return mix(own, mix(white, iris, inside.astype(np.float32)), unknown.astype(np.float32))


def _under_lashes(
    frame: Frame, colour: NDArray[np.float32], place: EyePlace, options: EyeballOptions
) -> NDArray[np.float32]:
    """`colour` with the dark of lashes and make-up on the white, moved along with the lid's edge."""
    lashes = place.sample(frame.image, place.y + place.risen)
    beside_iris = smoothstep((np.abs(place.x) / place.radius - 0.9) / 0.3)
    near_edge = smoothstep(2 - place.below_edge / (options.known_mm * place.mm))
    return mix(colour, cv2.min(colour, lashes), (beside_iris * near_edge).astype(np.float32))
