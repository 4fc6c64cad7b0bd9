"""Paints upper lids that the warp has lowered, and lightens the skin above them that it has stretched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import LEFT_EYE, RIGHT_EYE, Opening
from calib.ramp import ramp_of, smoothstep
from calib.shape import load_shape
from reenact.generate.geometry.warp import Warp
from reenact.generate.painters.paint import blend, box_around, mix, pixels_at, polygon, sample, spread, tone
from reenact.records import Face, Frame


@dataclass(frozen=True)
class LidOptions:
    """Distances in millimetres of an average face."""

    cell_mm: float = 0.8
    """The cell size of the grid on which colours are interpolated."""
    least_mm: float = 1.5
    """The motion of a lid below which the warp's pixels stay."""
    full_mm: float = 4.5
    """The motion of a lid above which it shows painted skin alone."""
    lashes_mm: float = 0.5
    """The height of the dark line of lashes along the edge of the lid."""
    soft_mm: float = 0.9
    """The width of the transition between lashes and skin."""
    blur_mm: float = 1.5
    """The standard deviation of the blur that removes streaks of mirrored skin, which is stretched to two or
    three times its height."""
    skin_share: float = 0.75
    """The share of the skin between crease and brow that a closed lid may show."""
    least_light: float = 0.75
    """The least brightness of a closed lid, as a share of that of the skin below the eye: a lid bulges into
    the light, whereas the socket above an open eye lies in shadow."""
    even_mm: float = 5.0
    """Half the width of the blur that separates a lid's tone from its detail."""
    stretched_most: float = 0.6
    """The share of its shadow that skin between crease and brow loses when its height is doubled."""


# Landmarks of the picture's left eye, from the corner at the temple inwards; its edge is LEFT_EYE.upper.
CREASE = (130, 247, 30, 29, 27, 28, 56, 190, 243)
"""Landmarks along the crease of the lid."""
ORBIT = (226, 113, 225, 224, 223, 222, 221, 189, 244)
"""Landmarks above the crease."""
BROW = (46, 53, 52, 65, 55)
"""Landmarks of the brow."""
UNDER = (118, 119, 100, 101, 117, 120, 47, 50)
"""Landmarks on the skin between the lower lid's bags and the cheek."""


@dataclass(frozen=True, eq=False)
class _Eye:
    """The landmarks around one eye, from left to right in the picture."""

    opening: Opening
    crease: NDArray[np.intp]
    orbit: NDArray[np.intp]
    brow: NDArray[np.intp]
    under: NDArray[np.intp]


@lru_cache(maxsize=1)
def _eyes() -> tuple[_Eye, _Eye]:
    rows = [np.array(row) for row in (CREASE, ORBIT, BROW, UNDER)]
    mirror = load_shape().mirror
    return _Eye(LEFT_EYE, *rows), _Eye(RIGHT_EYE, *(mirror[row][::-1] for row in rows))


_SHADE = 0.6
"""The ratio, minus 1, of the tone around the eye to the skin's at which skin takes on that tone."""
_SHADOW_HUE = np.array([0.85, 1, 1.15], np.float32)
"""The exponents of a change of brightness for red, green and blue of skin."""
_BLOWN = (225.0, 250.0)
"""Levels of skin's brightest channel between which it loses its hue by overexposure."""
_TINTED = 1.04
"""Largest ratio by which make-up on a lid changes its hue: skin looks redder in the shadow of a socket."""
_TINTED_BLOWN = 1.15
"""The same ratio for make-up and shadow where the skin below the eye is overexposed."""


def paint_lids(frame: Frame, face: Face, warp: Warp, options: LidOptions = LidOptions()) -> Warp:
    """`warp` with painted upper lids where they have moved down, and less shadow where brows have risen.

    The lid of an open eye is folded away, so that the warp can only stretch its edge, and smears lashes into
    bars. The painted lid shows the skin above its crease, mirrored in the crease, at least as bright as the
    skin around the eye suggests, down to a line of lashes.
    """
    for eye in _eyes():
        warp = _paint_lid(frame, face, warp, eye, options)
        warp = _lighten_stretched(frame, face, warp, eye, options)
    return warp


def _paint_lid(
    frame: Frame,
    face: Face,
    warp: Warp,
    eye: _Eye,
    options: LidOptions,
) -> Warp:
    mm, down = face.pose.scale, face.pose.down
    crease, orbit, edge = eye.crease, eye.orbit, np.array(eye.opening.upper)
    before, after = face.landmarks[:, :2], warp.moved[:, :2]
    lowered = (after[edge] - before[edge]) @ down
    if lowered.max() < options.least_mm * mm:
        return warp
    outline = after[np.concatenate([crease, edge[::-1]])]
    box = box_around(outline, warp.region)
    if box is None:
        return warp

    values = np.zeros((len(before), 5), np.float32)
    skin = before[crease] + options.skin_share * (before[orbit] - before[crease])
    height = np.linalg.norm(after[edge] - after[crease], axis=1)
    # 0: place from crease to edge, 0..1; 1, 2: offset to the mirrored skin; 3, 4: height and motion.
    values[crease, 0], values[edge, 0] = 0, 1
    values[crease, 1:3], values[edge, 1:3] = before[crease] - after[crease], skin - after[edge]
    values[crease, 3:] = values[edge, 3:] = np.column_stack([height, lowered])
    corners = edge[[0, -1]]
    values[corners, 1:3] = before[corners] - after[corners]
    strips = Opening(tuple(crease.tolist()), eye.opening.upper).strips
    field = spread(after, values, strips, box, max(1, round(options.cell_mm * mm)))

    colour = cv2.GaussianBlur(sample(frame.image, field[1:3], box), (0, 0), options.blur_mm * mm)
    # The shadow of the crease stays.
    lit = smoothstep(field[0] / 0.6) * smoothstep(field[4] / (options.full_mm * mm))
    colour = _lifted(colour, _lid_tone(frame, face, eye, options), lit, options.even_mm * mm)
    above_edge = (1 - field[0]) * field[3] / mm
    lashes = 1.0 - smoothstep((above_edge - options.lashes_mm) / options.soft_mm)
    shut = smoothstep((field[4] / mm - options.least_mm) / (options.full_mm - options.least_mm))
    colour = mix(colour, np.full_like(colour, _lash_tone(frame, face, eye)), lashes * shut)
    return blend(warp, colour, shut * polygon(outline, box), box)


def _lighten_stretched(frame: Frame, face: Face, warp: Warp, eye: _Eye, options: LidOptions) -> Warp:
    """`warp` with less shadow between crease and brow, in proportion to the stretch of the skin there."""
    down, before, after = face.pose.down, face.landmarks[:, :2], warp.moved[:, :2]
    vertical = [places @ down for places in (before, after)]
    heights = [float(place[eye.crease].mean() - place[eye.brow].mean()) for place in vertical]
    stretched = options.stretched_most * min(max(heights[1] / max(heights[0], 1e-3) - 1, 0.0), 1.0)
    if stretched < 0.02:
        return warp
    outline = after[np.concatenate([eye.crease, eye.brow[::-1]])]
    box = box_around(outline, warp.region)
    if box is None:
        return warp
    x0, y0, x1, y1 = box
    left, top = warp.region[:2]
    picture = warp.image[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32)
    weight = cv2.GaussianBlur(polygon(outline, box), (0, 0), 1.5 * face.pose.scale)
    lid_tone = _lid_tone(frame, face, eye, options)
    lit = np.full(weight.shape, stretched, np.float32)
    lifted = _lifted(picture, lid_tone, lit, options.even_mm * face.pose.scale)
    return blend(warp, lifted, weight, box)


def _lid_tone(frame: Frame, face: Face, eye: _Eye, options: LidOptions) -> NDArray[np.float32]:
    """(3,) RGB of the lit skin around this eye.

    Its hue is that of the skin below the eye, with a little of that above it, which may have make-up, or more
    where the skin below is overexposed and has no hue.
    """
    below = np.maximum(tone(frame.image, face.landmarks[eye.under]), 1)
    above = np.maximum(tone(frame.image, (face.landmarks[eye.crease] + face.landmarks[eye.orbit]) / 2), 1)
    overexposed = ramp_of(below.max(), _BLOWN)
    # The rest of an overexposed face does not tell the brightness of a lid.
    least = options.least_light * (1 - 0.3 * overexposed)
    brightness = max(float(above.mean()), least * float(below.mean()))
    most = _TINTED + (_TINTED_BLOWN - _TINTED) * overexposed
    tint = np.clip((above / above.mean()) / (below / below.mean()), 1 / most, most)
    return (below * tint * (brightness / below.mean()) ** _SHADOW_HUE).astype(np.float32)


def _lash_tone(frame: Frame, face: Face, eye: _Eye) -> NDArray[np.float32]:
    """(3,) RGB of the lashes: the mean of the darkest third of pixels along the edge of the lid."""
    edge = face.landmarks[list(eye.opening.upper[1:-1]), :2]
    above = edge - 0.6 * face.pose.scale * face.pose.down
    seen = pixels_at(frame.image, np.concatenate([edge, above])).astype(np.float32)
    darkest = np.argsort(seen.sum(axis=1))[: len(seen) // 3]
    return seen[darkest].mean(axis=0).astype(np.float32)


def _lifted(
    colour: NDArray[np.float32], tone: NDArray[np.float32], share: NDArray[np.float32], even_px: float
) -> NDArray[np.float32]:
    """(height, width, 3) colours with darker tones replaced by `tone` (3,), and their detail kept.

    share: (height, width) the strength, 0..1. even_px: half the width of the blur that separates tone from
    detail.
    """
    width = 2 * round(even_px) + 1
    around = cv2.blur(colour, (width, width))
    darker = _grey(tone[None, None])[0, 0] / cv2.max(_grey(around), 4)
    shown = cv2.add(cv2.subtract(colour, around), (*tone.tolist(), 0))
    lit = mix(colour, shown, share * smoothstep((darker - 1) / _SHADE))
    return cv2.min(cv2.max(lit, (0, 0, 0, 0)), (255, 255, 255, 0))


def _grey(colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width) the brightness of colours (height, width, 3)."""
    return cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
