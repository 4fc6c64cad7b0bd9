"""The inside of a mouth after a move: teeth of the skull, teeth and tongue of the jaw, the dark behind."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH
from calib.ramp import smoothstep
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
from reenact.generate.painters.paint import blend, box_around, mix, polygon
from reenact.records import Box, Face, Frame

_INCISORS_MM = 50.0
"""y of the middle of the mouth."""
_LUMA = (0.299, 0.587, 0.114)
"""Weights of RGB in the grey of a picture (ITU-R BT.601)."""
_NARROW_MM = 1.2
"""Gap between lips below which what is behind them lies in the dark."""
_CONTINUED_BLUR_MM = 0.9
"""Standard deviation of the blur of what is continued above the teeth that are seen."""
_SHADOW = 0.45
"""The share of the light that a lip keeps from the teeth close below it."""
_LIP_SHADOW = 0.38
"""The same of the teeth that are drawn."""
_LEAST_GAP_PX = 0.5
"""Lips that are closer than this everywhere show nothing between them."""


@dataclass(frozen=True)
class InsideOptions:
    still_mm: float = 0.05
    """Lips that move by less than this keep the warp's pixels."""
    rim_mm: float = 0.5
    """Width of the rim of a lip whose colour reaches into what is seen beside it."""
    reuse: float = 0.35
    """Distance, as a share of the distance to the lip's old edge, at which what a lip uncovers is taken from
    what was seen beside it."""
    reuse_share: float = 0.6
    """Height of a band of teeth, as a share of what was seen of it, that may be added above it like this."""
    least_band_mm: float = 2.5
    """Height of what is seen below the upper teeth from which on it counts as the jaw's."""
    tips_mm: float = 1.6
    """Height of the tips of teeth that disappear behind a lip that comes down to them."""
    shadow_mm: float = 2.0
    """Height of the shadow of an upper lip that has come down on the teeth that the frame shows."""
    lip_shadow_mm: float = 2.5
    """Height of the shadow of the upper lip on the teeth."""
    soft_mm: float = 0.7
    """Width of the shade between teeth and dark."""
    lip_soft_mm: float = 3.5
    """Width of the shade between what was seen below a lip that has moved away from it and the dark."""
    side_shade: float = 0.35
    """The share of the light that is lost on drawn teeth towards the corners."""


def paint_inside(
    frame: Frame,
    face: Face,
    warp: Warp,
    seen: SeenMouth | None,
    teeth: Teeth | None = None,
    options: InsideOptions = InsideOptions(),
) -> Warp:
    """`warp` with the inside of the mouth painted anew where the lips have moved.

    seen: what the frame shows between the lips, which must be those of `face`. teeth: what is drawn where the
    frame shows none; None: the bank's likeliest.
    """
    moved_px = np.abs((warp.moved - face.landmarks)[np.concatenate([UPPER, LOWER]), :2]).max()
    outline = warp.moved[list(MOUTH.outline), :2]
    box = box_around(outline, warp.region)
    if box is None or moved_px < options.still_mm * face.pose.scale:
        return warp
    if MOUTH.gaps(warp.moved, face.pose.down).max() < _LEAST_GAP_PX:
        return warp
    place = _Place.of(face, warp, mouth_alignment(face), box)
    # Beyond what a picture can show where it is overexposed: then shade on teeth is white, too.
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
    inside = mix(inside, np.broadcast_to(deep, inside.shape), _shut(place))
    colour = colourfulness(frame.image, face)
    if colour < 1:
        grey = inside @ np.array(_LUMA, np.float32)
        inside = grey[..., None] + np.float32(colour) * (inside - grey[..., None])
    white = overexposed_share(frame.image, face)
    if white > 0:
        # Where even nostrils are light, so is the depth of a mouth.
        shade = white * nostril_shade(frame.image, face)
        inside = shade + np.minimum(inside, 255) * (1 - shade / 255)
    return blend(warp, np.minimum(inside, 255), polygon(outline, box), box)


def _across(sides: NDArray[np.float32], place: _Place) -> NDArray[np.float32]:
    """(height, width, 3) the light at every place between the corners, whose light is `sides` (2, 3)."""
    right = np.clip((place.across + 1) / 2, 0, 1)[..., None]
    return (sides[0] + right * (sides[1] - sides[0])).astype(np.float32)


def _deep(light: NDArray[np.float32], teeth: Teeth, seen: SeenMouth | None) -> NDArray[np.float32]:
    """(3,) RGB of the depth of the mouth, and of the line between lips that have come together."""
    if seen is not None and seen.dark is not None:
        return seen.dark
    return light * teeth.dark


def _shut(place: _Place) -> NDArray[np.float32]:
    """(height, width) 1 between lips that have come so close that no light gets between them."""
    narrow = 1 - place.gap / (_NARROW_MM * place.px_per_mm)
    return (smoothstep(narrow) * smoothstep(place.closed / place.px_per_mm)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where every pixel of a box lies in the mouth after the move; planes (height, width)."""

    box: Box
    x: NDArray[np.float32]
    """In the crop of `mouth_alignment`, pixels, and ..."""
    y: NDArray[np.float32]
    down: NDArray[np.float32]
    """0 at the upper lip .. 1 at the lower."""
    across: NDArray[np.float32]
    """-1 at the left corner, 0 in the middle, 1 at the right corner."""
    open_mm: float
    lifted: NDArray[np.float32]
    """Crop pixels by which the upper lip above has risen."""
    widened: float
    """0..1: 0 while the corners of the mouth are where they were, 1 where they have moved aside."""
    gap: NDArray[np.float32]
    """Crop pixels between the lips above and below."""
    closed: NDArray[np.float32]
    """Crop pixels by which these have come closer, or by which the corners have moved in beside them."""
    jaw: Jaw
    jaw_px: NDArray[np.float32]
    """(2,) crop pixels by which the jaw has moved."""
    px_per_mm: float

    @property
    def aside(self) -> NDArray[np.float32]:
        """(height, width) 0 in the middle .. 1 at the corners."""
        return np.abs(self.across)

    @classmethod
    def of(cls, face: Face, warp: Warp, alignment: Alignment, box: Box) -> _Place:
        x0, y0, x1, y1 = box
        columns, rows = np.meshgrid(np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32))
        m = alignment.matrix
        x = m[0, 0] * columns + m[0, 1] * rows + m[0, 2]
        y = m[1, 0] * columns + m[1, 1] * rows + m[1, 2]
        before, after = (alignment.points(places)[:, :2] for places in (face.landmarks, warp.moved))
        top, bottom = (np.interp(x, after[edge, 0], after[edge, 1]) for edge in (UPPER, LOWER))
        left, right = after[UPPER[0], 0], after[UPPER[-1], 0]
        middle, half = (left + right) / 2, max((right - left) / 2, 1)
        lifted = np.interp(x, after[UPPER, 0], (before - after)[UPPER, 1])
        px_per_mm = alignment.scale * face.pose.scale
        corners = UPPER[[0, -1]]
        aside_px = float(np.abs((after - before)[corners, 0]).max())
        gap = np.maximum(bottom - top, 1)
        jaw = jaw_between(face.pose, face.landmarks, warp.moved)
        down = ((y - top) / gap).astype(np.float32)
        return cls(
            box,
            x,
            y,
            down,
            ((x - middle) / half).astype(np.float32),
            float(MOUTH.gaps(warp.moved, face.pose.down).max() / face.pose.scale),
            lifted.astype(np.float32),
            float(smoothstep(np.array(aside_px / px_per_mm))),
            gap.astype(np.float32),
            _closed(before, after, x),
            jaw,
            _jaw_shift(face, jaw, alignment),
            px_per_mm,
        )


def _closed(
    before: NDArray[np.float32], after: NDArray[np.float32], x: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Crop pixels by which lips have come closer at x; at the corners as much as beside them."""
    closer = (before[LOWER, 1] - before[UPPER, 1]) - (after[LOWER, 1] - after[UPPER, 1])
    closer[[0, -1]] = closer[[1, -2]]
    return np.interp(x, after[UPPER, 0], closer).astype(np.float32)


def _jaw_shift(face: Face, jaw: Jaw, alignment: Alignment) -> NDArray[np.float32]:
    """(2,) crop pixels by which the lower incisors go with the jaw."""
    incisors = on_arch(np.zeros(1, np.float32), np.full(1, _INCISORS_MM, np.float32))
    shift = face.pose.vectors_to_frame(jaw.turn(incisors) - incisors)[0, :2]
    return alignment.matrix[:, :2] @ shift


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
    """The upper row of `teeth`, in the shadow of the lip."""
    if seen is not None and seen.teeth > 0:
        light = light + seen.teeth * (seen.enamel - light)
    colour, alpha = teeth.upper.draw(
        face.pose, teeth.upper_edge_mm, light, place.box, aside_mm=teeth.upper_aside_mm
    )
    gap_mm = np.maximum(place.gap, 1) / place.px_per_mm
    below_lip_mm = place.down * gap_mm
    # Some of the shadow of a person's own teeth is in their picture already.
    shadow = _LIP_SHADOW * (1 - 0.8 * teeth.own)
    shade = 1 - shadow + shadow * smoothstep(below_lip_mm / options.lip_shadow_mm)
    side = options.side_shade * (1 - teeth.own)
    colour *= (shade * (1 - side * smoothstep((place.aside - 0.4) / 0.5)))[..., None]
    # A person's own teeth are seen in their light.
    colour = np.minimum(colour * (across + teeth.own * (1 - across)), 255)
    if seen is not None and seen.teeth > 0:
        below_seam = (place.y - seen.line(seen.seam, place.x)) / (options.soft_mm * place.px_per_mm)
        alpha = alpha * (1 - seen.teeth * smoothstep(below_seam + 0.5) * _between_corners(seen, place))
    return mix(inside, colour.astype(np.float32), alpha.astype(np.float32))


def _drawn_floor(
    inside: NDArray[np.float32],
    face: Face,
    warp: Warp,
    teeth: Teeth,
    place: _Place,
    light: NDArray[np.float32],
) -> NDArray[np.float32]:
    """What is known to lie below the upper teeth, carried by the jaw."""
    if teeth.floor is None:
        return inside
    jaw = jaw_of(face.pose, warp.moved, teeth.bridge_mm)
    colour, alpha = teeth.floor.draw(face.pose, teeth.bridge_mm + LINE_MM, light, place.box, jaw.turn)
    return mix(inside, colour, alpha)


def _own_upper(
    inside: NDArray[np.float32], frame: Frame, seen: SeenMouth, place: _Place, options: InsideOptions
) -> NDArray[np.float32]:
    """The upper teeth that the frame shows, which stay where they are: the skull does not move.

    What a risen lip uncovers above them is taken from what was seen beside its old edge.
    """
    if seen.teeth == 0:
        return inside
    mm = place.px_per_mm
    top, seam = seen.line(seen.top, place.x), seen.line(seen.seam, place.x)
    rim = options.rim_mm * mm * smoothstep(place.lifted / mm)
    above = np.maximum(top + rim - place.y, 0)
    colour = seen.sample(frame, place.x, np.where(above > 0, top + rim + options.reuse * above, place.y))
    # Continued for long, every speck would become a stripe.
    blurred = cv2.GaussianBlur(colour, (0, 0), _CONTINUED_BLUR_MM * mm)
    colour = mix(colour, blurred, smoothstep((above - rim) / (1.5 * mm)).astype(np.float32))
    # What is added beyond the height of a tooth is gums.
    height_mm = (seam - place.y) / mm
    crown_mm = max(CROWN_MM, seen.crown_mm + 1)
    gums = smoothstep((height_mm - crown_mm) / 1.5 + 0.5) * smoothstep((above - rim) / (0.5 * mm))
    colour = mix(
        colour,
        np.broadcast_to(gums_above(seen.enamel), colour.shape),
        gums.astype(np.float32),
    )
    # A lip that has come down casts its shadow on what is left to be seen.
    shadow = smoothstep(-place.lifted / mm) * (
        1 - smoothstep(place.down * place.gap / (options.shadow_mm * mm))
    )
    colour *= (1 - _SHADOW * shadow)[..., None]
    added = options.reuse_share * np.maximum(seam - top, 0) + 0.3 * mm
    known = 1 - smoothstep((above - rim) / np.maximum(added, 0.1) - 0.5)
    # The tips that a lip leaves when it comes down over the rest would be a light rim along it.
    left_mm = (seam - (place.y - place.down * place.gap)) / mm
    known = known * (1 - smoothstep(-place.lifted / mm) * (1 - smoothstep(left_mm / options.tips_mm - 0.5)))
    # Beside the teeth there is only the rim of the lip, which goes with the lip.
    known = known * (1 - smoothstep(np.abs(place.lifted) / mm) * (1 - smoothstep((seam - top) / mm - 0.3)))
    edge = smoothstep((seam - place.y) / (options.soft_mm * mm) + 0.5)
    return mix(inside, colour, (seen.teeth * known * edge * _between_corners(seen, place)).astype(np.float32))


def _own_lower(
    inside: NDArray[np.float32], frame: Frame, seen: SeenMouth, place: _Place, options: InsideOptions
) -> NDArray[np.float32]:
    """What the frame shows below the upper teeth, which goes with the jaw: lower teeth and tongue."""
    mm = place.px_per_mm
    x, y = place.x - place.jaw_px[0], place.y - place.jaw_px[1]
    seam, bottom = seen.line(seen.seam, x), seen.line(seen.bottom, x)
    # Nothing changes while the jaw is where it was.
    away = float(smoothstep(np.array(np.abs(place.jaw_px[1]) / mm)))
    rim = options.rim_mm * mm * away
    below = np.maximum(y - (bottom - rim), 0)
    colour = seen.sample(frame, x, np.where(below > 0, bottom - rim - options.reuse * below, y))
    band = np.maximum(bottom - seam, 0)
    known = 1 - smoothstep((below - rim) / (options.reuse_share * band + 0.3 * mm) - 0.5)
    # A thin band below the seam is the tips of the upper teeth rather than anything of the jaw.
    is_jaw = smoothstep(band / (options.least_band_mm * mm) - 0.3)
    is_jaw *= float(smoothstep(np.array(seen.lower_mm / options.least_band_mm - 0.7)))
    known = known * (1 - away * (1 - is_jaw))
    soft = options.soft_mm * mm
    joined = 1 - float(smoothstep(np.array(np.abs(place.jaw_px[1]) / (0.3 * mm))))
    # Where a lip ended what was seen, and no teeth, its rim would be an arc across a mouth of another shape.
    crown = seam - seen.line(seen.top, x)
    lip = away * (1 - seen.teeth * smoothstep(crown / (options.tips_mm * mm)))
    wide = soft * (1 + lip * (options.lip_soft_mm / options.soft_mm - 1))
    edge = smoothstep((y - seam - 1.5 * rim + joined * soft) / wide + 0.5 - lip * 0.6)
    return mix(inside, colour, (known * edge * _between_corners(seen, place)).astype(np.float32))


def _between_corners(seen: SeenMouth, place: _Place) -> NDArray[np.float32]:
    """(height, width) 1 between the corners of the mouth as the frame shows it, 0 beside them."""
    soft = 1.5 * place.px_per_mm
    reach = soft * (2 - place.widened)
    left, right = seen.columns[0] - reach, seen.columns[-1] + reach
    return smoothstep((place.x - left) / soft) * smoothstep((right - place.x) / soft)
