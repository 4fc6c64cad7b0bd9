"""Paints the inside of a mouth after a move: upper teeth, lower teeth and tongue, and the dark behind."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH
from calib.ramp import smoothstep, smoothstep_of
from reenact.alignment import Alignment
from reenact.generate.geometry.warp import Warp
from reenact.generate.painters.mouth.arch import CROWN_MM, gums_above
from reenact.generate.painters.mouth.cavity import shade_cavity
from reenact.generate.painters.mouth.dental_surface import Jaw, jaw_between, on_arch
from reenact.generate.painters.mouth.mouth_floor import LINE_MM, jaw_of
from reenact.generate.painters.mouth.mouth_teeth import Teeth, likely_teeth
from reenact.generate.painters.mouth.seen_mouth import LOWER, UPPER, SeenMouth, mouth_alignment
from reenact.generate.painters.mouth.teeth_light import (
    colourfulness,
    ivory,
    nostril_shade,
    overexposed_share,
    overexposure_factor,
    sides,
)
from reenact.generate.painters.paint import blend, box_around, mix, plain, polygon, tinted
from reenact.records import Box, Face, Frame

_LIPS = np.concatenate([UPPER, LOWER])
_INCISORS_MM = 50.0
"""Canonical y, in millimetres, of the middle of the mouth."""
_LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a picture's grey level (ITU-R BT.601)."""
_NARROW_MM = 1.2
"""Gap between lips, in millimetres, below which no light gets behind them."""
_CONTINUED_BLUR_MM = 0.9
"""Standard deviation, in millimetres, of the blur of what is continued above the visible teeth."""
_SHADOW = 0.45
"""Share of the light that a lip blocks from the visible teeth close below it."""
_LIP_SHADOW = 0.38
"""Share of the light that a lip blocks from drawn teeth close below it."""
_LEAST_GAP_PX = 0.5
"""Greatest gap between lips, in pixels, up to which nothing shows between them."""


@dataclass(frozen=True)
class InsideOptions:
    """Distances in millimetres of an average face."""

    still_mm: float = 0.05
    """The motion of the lips up to which the warp's pixels stay."""
    settled_mm: float = 0.5
    """The motion of the lips from which on painted pixels have replaced those of the warp. Both may differ
    much, and a small motion must not be a jump."""
    rim_mm: float = 0.5
    """The width of the rim in which a lip's colour tinges what is visible beside it."""
    reuse: float = 0.35
    """The distance inside the lip's old edge, as a share of the distance beyond it, from which an uncovered
    pixel is taken."""
    reuse_share: float = 0.6
    """The height of the band that may be added like this, as a share of the visible height."""
    least_band_mm: float = 2.5
    """The visible height below the upper teeth from which on it counts as part of the jaw."""
    tips_mm: float = 1.6
    """The height of the tips of teeth that are hidden when a lip moves down to them."""
    shadow_mm: float = 2.0
    """The height of the shadow of an upper lip, which has moved down, on visible teeth."""
    lip_shadow_mm: float = 2.5
    """The height of the shadow of the upper lip on drawn teeth."""
    soft_mm: float = 0.7
    """The width of the transition between teeth and dark."""
    lip_soft_mm: float = 3.5
    """The width of the transition between visible content and the dark, where a lip has moved away."""
    side_shade: float = 0.35
    """The share of the light that drawn teeth lose towards the corners."""


def paint_inside(
    frame: Frame,
    face: Face,
    warp: Warp,
    seen: SeenMouth | None,
    teeth: Teeth | None = None,
    options: InsideOptions = InsideOptions(),
) -> Warp:
    """`warp` with a painted inside of the mouth if the lips have moved.

    seen: the inside that the frame shows, found on `face`. None: the lips are closed. teeth: the teeth that
    are drawn where the frame shows none. None: likely ones for this face.
    """
    moved_mm = np.abs((warp.moved - face.landmarks)[_LIPS, :2]).max() / face.pose.scale
    outline = warp.moved[list(MOUTH.outline), :2]
    box = box_around(outline, warp.region)
    if box is None or moved_mm <= options.still_mm:
        return warp
    if MOUTH.gaps(warp.moved, face.pose.down).max() < _LEAST_GAP_PX:
        return warp
    place = _Place.of(face, warp, mouth_alignment(face), box)
    # In overexposed pictures this exceeds 255, so that shade on teeth is white, too.
    light = ivory(frame.image, face) * np.float32(overexposure_factor(frame.image, face))
    teeth = teeth or likely_teeth(face, seen)
    deep = _deep(light, teeth, seen)
    across = _across(sides(frame.image, face), place)
    inside = cv2.multiply(shade_cavity(light, place.down, place.aside, place.open_mm, deep), across)
    inside = _drawn_floor(inside, face, warp, teeth, place, light)
    if seen is not None:
        inside = _own_lower(inside, frame, seen, place, options)
    inside = _drawn_upper(inside, face, teeth, seen, place, light, across, options)
    if seen is not None:
        inside = _own_upper(inside, frame, seen, place, options)
    shut = _shut(place)
    if shut.any():
        inside = mix(inside, plain(deep, shut.shape), shut)
    colour = colourfulness(frame.image, face)
    if colour < 1:
        grey = inside @ np.array(_LUMA, np.float32)
        inside = grey[..., None] + np.float32(colour) * (inside - grey[..., None])
    white = overexposed_share(frame.image, face)
    if white > 0:
        # Where even nostrils are light, the depth of a mouth is, too.
        shade = white * nostril_shade(frame.image, face)
        inside = shade + np.minimum(inside, 255) * (1 - shade / 255)
    shown = smoothstep((moved_mm - options.still_mm) / (options.settled_mm - options.still_mm))
    return blend(warp, np.minimum(inside, 255), polygon(outline, box) * np.float32(shown), box)


def _across(sides: NDArray[np.float32], place: _Place) -> NDArray[np.float32]:
    """(height, width, 3) the light at every place, interpolated between the corners', `sides` (2, 3)."""
    right = cv2.min(cv2.max((place.across + 1) / 2, 0), 1)
    return tinted(sides[0], right, sides[1] - sides[0])


def _deep(light: NDArray[np.float32], teeth: Teeth, seen: SeenMouth | None) -> NDArray[np.float32]:
    """(3,) RGB of the depth of the mouth, and of the line between closed lips."""
    if seen is not None and seen.dark is not None:
        return seen.dark
    return light * teeth.dark


def _shut(place: _Place) -> NDArray[np.float32]:
    """(height, width) the degree, 0..1, to which lips have closed so far that no light gets between them."""
    narrow = 1 - place.gap / (_NARROW_MM * place.px_per_mm)
    return smoothstep(narrow) * smoothstep(place.closed / place.px_per_mm)


class _Across:
    """The x of every pixel of a box in the crop of the mouth, for lines that run across the mouth.

    A line is interpolated at steps of _STEP_PX and looked up, in a quarter of the time of interpolating it at
    every pixel.
    """

    def __init__(self, x: NDArray[np.float32]) -> None:
        """x: (height, width) in pixels of the crop."""
        first = np.floor(x.min())
        self._index = ((x - first) / _STEP_PX + 0.5).astype(np.intp)
        self._steps = first + _STEP_PX * np.arange(self._index.max() + 1)

    def __call__(
        self, x: NDArray[np.float32], y: NDArray[np.float32], aside_px: float = 0.0
    ) -> NDArray[np.float32]:
        """(height, width) the y of the line through points x, y (n,), moved by `aside_px` to the right; it is
        continued level beyond its ends."""
        return np.interp(self._steps - aside_px, x, y).astype(np.float32).take(self._index)


_STEP_PX = 1 / 8
"""A step, in pixels of the crop, between the places at which a line is interpolated."""


@dataclass(frozen=True, eq=False)
class _Place:
    """The place in the mouth, after the move, of every pixel of a box; planes (height, width)."""

    box: Box
    """The box in the frame."""
    x: NDArray[np.float32]
    """x in the crop of `mouth_alignment`, in pixels."""
    y: NDArray[np.float32]
    """y in the crop of `mouth_alignment`, in pixels."""
    line: _Across
    """Looks up lines across the mouth."""
    down: NDArray[np.float32]
    """The place between the upper lip (0) and the lower lip (1)."""
    across: NDArray[np.float32]
    """The place between the left corner (-1) and the right corner (1)."""
    open_mm: float
    """The gap between the lips in the middle, in millimetres."""
    lifted: NDArray[np.float32]
    """The rise of the upper lip above the place, in crop pixels."""
    widened: float
    """The degree, 0..1, to which the corners of the mouth have moved sideways."""
    gap: NDArray[np.float32]
    """The gap between the lips above and below the place, in crop pixels."""
    closed: NDArray[np.float32]
    """The closing motion of these lips, in crop pixels."""
    jaw: Jaw
    """The rotation of the jaw by the move."""
    jaw_px: tuple[float, float]
    """(x, y) the motion of the lower incisors, in crop pixels."""
    px_per_mm: float
    """Crop pixels per millimetre."""

    @property
    def aside(self) -> NDArray[np.float32]:
        """(height, width) the place between the middle (0) and a corner (1)."""
        return np.abs(self.across)

    @classmethod
    def of(cls, face: Face, warp: Warp, alignment: Alignment, box: Box) -> _Place:
        x0, y0, x1, y1 = box
        columns, rows = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)[:, None]
        m = alignment.matrix
        x, y = (m[axis, 0] * columns + (m[axis, 1] * rows + m[axis, 2]) for axis in (0, 1))
        before, after = (alignment.points(places)[:, :2] for places in (face.landmarks, warp.moved))
        line = _Across(x)
        top, bottom = (line(*after[edge].T) for edge in (UPPER, LOWER))
        left, right = float(after[UPPER[0], 0]), float(after[UPPER[-1], 0])
        middle, half = (left + right) / 2, max((right - left) / 2, 1)
        lifted = line(after[UPPER, 0], (before - after)[UPPER, 1])
        px_per_mm = alignment.scale * face.pose.scale
        corners = UPPER[[0, -1]]
        aside_px = float(np.abs((after - before)[corners, 0]).max())
        gap = np.maximum(bottom - top, 1)
        jaw = jaw_between(face.pose, face.landmarks, warp.moved)
        return cls(
            box,
            x,
            y,
            line,
            (y - top) / gap,
            (x - middle) / half,
            float(MOUTH.gaps(warp.moved, face.pose.down).max() / face.pose.scale),
            lifted,
            smoothstep_of(aside_px / px_per_mm),
            gap,
            line(after[UPPER, 0], _closed(before, after)),
            jaw,
            _jaw_shift(face, jaw, alignment),
            px_per_mm,
        )


def _closed(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    """(11,) the closing motion of the lips, in crop pixels; corners get that of the places beside them."""
    closer = (before[LOWER, 1] - before[UPPER, 1]) - (after[LOWER, 1] - after[UPPER, 1])
    closer[[0, -1]] = closer[[1, -2]]
    return closer


def _jaw_shift(face: Face, jaw: Jaw, alignment: Alignment) -> tuple[float, float]:
    """(x, y) the motion of the lower incisors by the jaw, in crop pixels."""
    incisors = on_arch(np.zeros(1, np.float32), np.full(1, _INCISORS_MM, np.float32))
    shift = face.pose.vectors_to_frame(jaw.turn(incisors) - incisors)[0, :2]
    x, y = (alignment.matrix[:, :2] @ shift).tolist()
    return x, y


def _drawn_upper(
    inside: NDArray[np.float32],
    face: Face,
    teeth: Teeth,
    seen: SeenMouth | None,
    place: _Place,
    light: NDArray[np.float32],
    across: NDArray[np.float32],
    options: InsideOptions,
) -> NDArray[np.float32]:
    """`inside` with the upper row of `teeth` drawn in the shadow of the lip."""
    if seen is not None and seen.teeth > 0:
        light = light + seen.teeth * (seen.enamel - light)
    colour, alpha = teeth.upper.draw(
        face.pose, teeth.upper_edge_mm, light, place.box, aside_mm=teeth.upper_aside_mm
    )
    gap_mm = np.maximum(place.gap, 1) / place.px_per_mm
    below_lip_mm = place.down * gap_mm
    # The picture of a person's own teeth already contains some of the shadow.
    shadow = _LIP_SHADOW * (1 - 0.8 * teeth.own)
    shade = 1 - shadow + shadow * smoothstep(below_lip_mm / options.lip_shadow_mm)
    side = options.side_shade * (1 - teeth.own)
    shade *= 1 - side * smoothstep((place.aside - 0.4) / 0.5)
    # The picture of a person's own teeth already contains the light from the side.
    lit = across if teeth.own == 0 else across + teeth.own * (1 - across)
    colour = np.minimum(cv2.multiply(cv2.multiply(colour, cv2.merge([shade] * 3)), lit), 255)
    if seen is not None and seen.teeth > 0:
        seam = place.line(seen.columns, seen.seam)
        below_seam = (place.y - seam) / (options.soft_mm * place.px_per_mm)
        alpha = alpha * (1 - seen.teeth * smoothstep(below_seam + 0.5) * _between_corners(seen, place))
    return mix(inside, colour, alpha)


def _drawn_floor(
    inside: NDArray[np.float32],
    face: Face,
    warp: Warp,
    teeth: Teeth,
    place: _Place,
    light: NDArray[np.float32],
) -> NDArray[np.float32]:
    """`inside` with the known floor of the mouth, moved by the jaw."""
    if teeth.floor is None:
        return inside
    jaw = jaw_of(face.pose, warp.moved, teeth.bridge_mm)
    colour, alpha = teeth.floor.draw(face.pose, teeth.bridge_mm + LINE_MM, light, place.box, jaw.turn)
    return mix(inside, colour, alpha)


def _own_upper(
    inside: NDArray[np.float32], frame: Frame, seen: SeenMouth, place: _Place, options: InsideOptions
) -> NDArray[np.float32]:
    """`inside` with the upper teeth that the frame shows, which do not move.

    What a risen lip uncovers above them is continued from the pixels beside its old edge.
    """
    if seen.teeth == 0:
        return inside
    mm = place.px_per_mm
    top, seam = (place.line(seen.columns, heights) for heights in (seen.top, seen.seam))
    rim = options.rim_mm * mm * smoothstep(place.lifted / mm)
    above = np.maximum(top + rim - place.y, 0)
    colour = seen.sample(frame, place.x, np.where(above > 0, top + rim + options.reuse * above, place.y))
    beyond = above - rim
    known = np.full_like(beyond, seen.teeth)
    if (beyond > 0).any():
        # Far from the edge, every speck would become a stripe.
        blurred = cv2.GaussianBlur(colour, (0, 0), _CONTINUED_BLUR_MM * mm)
        colour = mix(colour, blurred, smoothstep(beyond / (1.5 * mm)))
        # Beyond the height of a tooth, gums are added.
        crown_mm = max(CROWN_MM, seen.crown_mm + 1)
        gums = smoothstep(((seam - place.y) / mm - crown_mm) / 1.5 + 0.5) * smoothstep(beyond / (0.5 * mm))
        colour = mix(colour, plain(gums_above(seen.enamel), gums.shape), gums)
        added = options.reuse_share * np.maximum(seam - top, 0) + 0.3 * mm
        known *= 1 - smoothstep(beyond / np.maximum(added, 0.1) - 0.5)
    moved = smoothstep(np.abs(place.lifted) / mm)
    fallen = np.where(place.lifted < 0, moved, 0)
    if fallen.any():
        # A lip that has moved down casts its shadow on what remains visible.
        below_lip = place.down * place.gap
        shadow = fallen * (1 - smoothstep(below_lip / (options.shadow_mm * mm)))
        colour = cv2.multiply(colour, cv2.merge([1 - _SHADOW * shadow] * 3))
        # Tips that remain below a lip that moves down would be a light rim along it.
        left_mm = (seam - (place.y - below_lip)) / mm
        known *= 1 - fallen * (1 - smoothstep(left_mm / options.tips_mm - 0.5))
    # Beside the teeth lies only the rim of the lip, which moves with the lip.
    known *= 1 - moved * (1 - smoothstep((seam - top) / mm - 0.3))
    known *= smoothstep((seam - place.y) / (options.soft_mm * mm) + 0.5)
    return mix(inside, colour, known * _between_corners(seen, place))


def _own_lower(
    inside: NDArray[np.float32], frame: Frame, seen: SeenMouth, place: _Place, options: InsideOptions
) -> NDArray[np.float32]:
    """`inside` with the lower teeth and the tongue that the frame shows, moved by the jaw."""
    mm = place.px_per_mm
    x, y = place.x - place.jaw_px[0], place.y - place.jaw_px[1]
    top, seam, bottom = (
        place.line(seen.columns, heights, place.jaw_px[0]) for heights in (seen.top, seen.seam, seen.bottom)
    )
    # Nothing changes while the jaw does not move.
    away = smoothstep_of(np.abs(place.jaw_px[1]) / mm)
    rim = options.rim_mm * mm * away
    below = np.maximum(y - (bottom - rim), 0)
    colour = seen.sample(frame, x, np.where(below > 0, bottom - rim - options.reuse * below, y))
    band = np.maximum(bottom - seam, 0)
    known = 1 - smoothstep((below - rim) / (options.reuse_share * band + 0.3 * mm) - 0.5)
    # A thin band below the seam shows the tips of the upper teeth rather than the jaw, unless it is a row of
    # teeth of its own.
    is_jaw = smoothstep(band / (options.least_band_mm * mm) - 0.3)
    is_jaw *= smoothstep_of(seen.lower_mm / options.least_band_mm - 0.7)
    is_jaw = np.maximum(is_jaw, np.float32(seen.lower))
    known = known * (1 - away * (1 - is_jaw))
    soft = options.soft_mm * mm
    joined = 1 - smoothstep_of(np.abs(place.jaw_px[1]) / (0.3 * mm))
    # Where a lip bounded the content, its rim would be an arc across a mouth of another shape.
    crown = seam - top
    lip = away * (1 - seen.teeth * smoothstep(crown / (options.tips_mm * mm)))
    wide = soft * (1 + lip * (options.lip_soft_mm / options.soft_mm - 1))
    edge = smoothstep((y - seam - 1.5 * rim + joined * soft) / wide + 0.5 - lip * 0.6)
    return mix(inside, colour, known * edge * _between_corners(seen, place))


def _between_corners(seen: SeenMouth, place: _Place) -> NDArray[np.float32]:
    """(height, width) the mask between the corners of the mouth in the frame, 0..1."""
    soft = 1.5 * place.px_per_mm
    reach = soft * (2 - place.widened)
    left, right = seen.columns[0] - reach, seen.columns[-1] + reach
    return smoothstep((place.x - left) / soft) * smoothstep((right - place.x) / soft)
