"""Finds the inside of a mouth in a frame: the visible edges of the lips and of the upper teeth.

Landmarks have errors of a millimetre or two, so edges are located by their appearance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH, OUTER_EDGE
from calib.percentile import median, percentile
from calib.ramp import ramp_of, smoothstep, smoothstep_of
from reenact.alignment import Alignment, align
from reenact.records import Face, Frame

UPPER, LOWER = np.array(MOUTH.upper), np.array(MOUTH.lower)
"""Landmarks along the lips' inner edges, from corner to corner."""
OUTER_UPPER, OUTER_LOWER = (np.array(OUTER_EDGE[edge]) for edge in (MOUTH.upper, MOUTH.lower))
"""Landmarks along the lips' outer edges, one for each of the inner ones."""
PX_PER_MM = 3.0
"""Resolution of the crop in which the mouth is analysed."""
_WIDTH_MM = 84.0
_CENTRE_MM = (0.0, 51.0, 0.0)
_COLUMNS = 33
_TIPS_COLUMNS = 5
"""The number of columns, as far apart as a lip's landmarks, over which the lowest tip of a tooth counts."""
_BEYOND_MM = 7.0
"""Distance, in millimetres, beside the mouth's corners within which its dark is looked for; the last two
count as skin."""
_BEFORE_MM, _AFTER_MM = np.array([1.0, 3.5]), np.array([1.0, 5.0])
"""Distances (x, y), in millimetres, to the left of and above the lips, and to the right of and below them,
within which colours are looked at."""
_INNER, _OUTER = np.concatenate([UPPER, LOWER]), np.concatenate([OUTER_UPPER, OUTER_LOWER])
_DARK_SHARE = 0.62
"""Lightness, as a share of the skin's, below which a place at a corner belongs to the dark of the mouth."""


@dataclass(frozen=True)
class SeenOptions:
    """Distances in millimetres of an average face, colours in CIELAB."""

    least_mm: float = 1.0
    """The gap between the lips up to which their edges stay at the landmarks."""
    full_mm: float = 2.5
    """The gap between the lips from which on their edges are taken from the picture alone."""
    reach_mm: float = 2.0
    """The distance from the landmarks within which an edge is looked for."""
    error_mm: float = 1.1
    """The standard deviation of the landmarks' error."""
    contrast: float = 20.0
    """The scale of the difference of colour across an edge; a difference of this value costs as much as an
    edge at sqrt(2) times `error_mm` from the landmarks."""
    lip_red: float = 0.55
    """The redness, as a share of the lower lip's, from which on the area below the teeth may be lip."""
    lip_light: float = 0.45
    """The lightness, as a share of the lower lip's, from which on the area below the teeth may be lip."""
    lip_mm: float = 3.5
    """The greatest height of a visible rolled-in lip below the teeth; up to twice this it counts in part."""
    edge_stiffness: float = 0.08
    """The cost of a step of a lip's edge between columns; see `cheapest_path`."""
    tips_mm: float = 0.5
    """The distance from the tips of teeth to the edge of a lower lip that they touch."""
    seam_step_mm: float = 0.4
    """The distance between the heights at which the edge of the teeth is looked for."""
    seam_stiffness: float = 0.25
    """The cost of a step of the edge of the teeth between columns."""
    lower_mm: tuple[float, float] = (1.2, 2.2)
    """The heights of a band below the seam from which on it may be a row of lower teeth, and from which on
    its height no longer matters."""
    between_rows: tuple[float, float] = (3.0, 4.5)
    """By how much the seam must be darker than the bands on both sides to begin to tell two rows of teeth
    from one, and to do so entirely."""
    least_crown_mm: float = 0.8
    """The least height of a band above the seam that counts as teeth."""


@dataclass(frozen=True, eq=False)
class SeenMouth:
    """The inside of an open mouth in a frame; lines run from corner to corner, in pixels of the crop."""

    alignment: Alignment
    """The alignment from the frame to an upright crop of PX_PER_MM."""
    columns: NDArray[np.float32]
    """(n,) the x of the lines' points."""
    top: NDArray[np.float32]
    """(n,) the y of the upper lip's edge."""
    bottom: NDArray[np.float32]
    """(n,) the y of the lower lip's edge."""
    seam: NDArray[np.float32]
    """(n,) the y of the lower edge of the upper teeth; it equals `top` where no teeth are visible."""
    open: float
    """The degree of opening, 0..1: at 1 the lips are so far apart that teeth would be visible."""
    teeth: float
    """The confidence that upper teeth are visible, from 0 to `open`."""
    lower: float
    """The confidence that a row of lower teeth is visible close below them, from 0 to `teeth`."""
    enamel: NDArray[np.float32]
    """(3,) RGB of the teeth; it is meaningful where `teeth` is not 0."""
    dark: NDArray[np.float32] | None
    """(3,) RGB of the darkest part of the inside. None: no part is dark."""
    beyond_px: tuple[float, float]
    """The distances, in crop pixels, by which the dark extends beyond the landmarks of the left and the right
    corner."""

    def line(self, heights: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The y of the line of `heights` (n,) at every `x`, continued level beyond the corners."""
        return np.interp(x, self.columns, heights).astype(np.float32)

    def sample(self, frame: Frame, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
        """(..., 3) the frame's colours at places of the crop, at the frame's resolution."""
        m = self.alignment.matrix
        # A similarity's inverse: its transpose over its squared scale.
        back = m[:, :2].T / self.alignment.scale**2
        dx, dy = x - m[0, 2], y - m[1, 2]
        map_x, map_y = (back[row, 0] * dx + back[row, 1] * dy for row in (0, 1))
        found = cv2.remap(
            frame.image,
            map_x.astype(np.float32),
            map_y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return found.astype(np.float32)

    @property
    def crown_mm(self) -> float:
        """The height of the visible upper teeth, in millimetres, in the middle of the mouth."""
        return self._height_mm(self.top, self.seam)

    @property
    def lower_mm(self) -> float:
        """The height in millimetres, in the middle, of the visible area below the upper teeth."""
        return self._height_mm(self.seam, self.bottom)

    def _height_mm(self, upper: NDArray[np.float32], lower: NDArray[np.float32]) -> float:
        middle = _middle(self.columns)
        return median((lower - upper)[middle]) / PX_PER_MM


def _middle(line: NDArray[np.float32]) -> slice:
    """The half of a line's points that is in the middle of the mouth."""
    return slice(len(line) // 4, -(len(line) // 4))


def mouth_alignment(face: Face) -> Alignment:
    """The alignment from the frame to the upright crop in which mouths are analysed."""
    return align(face.pose, round(_WIDTH_MM * PX_PER_MM), _WIDTH_MM, _CENTRE_MM)


def see_mouth(frame: Frame, face: Face, options: SeenOptions = SeenOptions()) -> SeenMouth | None:
    """The inside of the mouth of `face` in a frame. None: the lips are closed."""
    gap_mm = float(MOUTH.gaps(face.landmarks, face.pose.down).max()) / face.pose.scale
    trust = ramp_of(gap_mm, (options.least_mm, options.full_mm))
    if trust == 0:
        return None
    alignment = mouth_alignment(face)
    places = alignment.points(face.landmarks)[:, :2]
    rows, columns = part = _around_lips(places, alignment.size)
    crop = mouth_crop(frame, alignment, part)
    left, top_row = np.float32(columns.start), np.float32(rows.start)
    places -= (left, top_row)
    lines = _Lines.of(places)
    lab = _lab(crop, 0.25 * PX_PER_MM)
    up, down = _edge_offsets(lab, lines, options)
    top = lines.upper + trust * up
    bottom = np.maximum(lines.lower + trust * down, top)
    seam = _seam(lab, lines.columns, top, bottom, options)
    bottom = _without_lip(lab, lines, seam, bottom, options)
    teeth = trust * _teeth(lab, lines, top, seam)
    lower = teeth * _lower_teeth(lab, lines, seam, bottom, options)
    inside = _between(crop, lines.columns, top, bottom)
    return SeenMouth(
        alignment,
        lines.columns + left,
        top + top_row,
        bottom + top_row,
        (top + teeth * (seam - top)).astype(np.float32) + top_row,
        trust,
        teeth,
        lower,
        _enamel(crop, lines.columns, top, seam),
        _dark(inside),
        (trust * _dark_beyond(lab, places, UPPER[0]), trust * _dark_beyond(lab, places, UPPER[-1])),
    )


def on_visible_edges(face: Face, seen: SeenMouth) -> Face:
    """`face` with the landmarks of its lips' inner edges moved to the visible edges."""
    places = seen.alignment.points(face.landmarks)[:, :2]
    landmarks = face.landmarks.copy()
    for edge, heights in ((UPPER[1:-1], seen.top), (LOWER[1:-1], seen.bottom)):
        down_px = (seen.line(heights, places[edge, 0]) - places[edge, 1]) / seen.alignment.scale
        landmarks[edge, :2] += down_px[:, None] * face.pose.down
    for inner, outer, beyond_px in zip(UPPER[[0, -1]], OUTER_UPPER[[0, -1]], seen.beyond_px, strict=True):
        across = face.landmarks[inner, :2] - face.landmarks[UPPER[-1] if inner == UPPER[0] else UPPER[0], :2]
        outwards = beyond_px / seen.alignment.scale * across / max(float(np.hypot(*across)), 1.0)
        landmarks[[inner, outer], :2] += outwards
    return replace(face, landmarks=landmarks)


@dataclass(frozen=True, eq=False)
class _Lines:
    """The lips by their landmarks, in the crop; arrays (columns,) in pixels."""

    columns: NDArray[np.float32]
    upper: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper_lip: NDArray[np.float32]
    """The y of the middle of the upper lip."""
    lower_lip: NDArray[np.float32]

    @classmethod
    def of(cls, places: NDArray[np.float32]) -> _Lines:
        left, right = places[UPPER[0], 0], places[UPPER[-1], 0]
        inset = 0.03 * (right - left)
        columns = np.linspace(left + inset, right - inset, _COLUMNS, dtype=np.float32)

        def at(edge: NDArray[np.intp]) -> NDArray[np.float32]:
            order = np.argsort(places[edge, 0])
            return np.interp(columns, places[edge, 0][order], places[edge, 1][order]).astype(np.float32)

        upper, lower = at(UPPER), at(LOWER)
        return cls(columns, upper, lower, (upper + at(OUTER_UPPER)) / 2, (lower + at(OUTER_LOWER)) / 2)


def mouth_crop(
    frame: Frame, alignment: Alignment, part: tuple[slice, slice] | None = None
) -> NDArray[np.uint8]:
    """(size, size, 3) the crop in which a mouth is analysed, or a part of it.

    part: the (rows, columns) that are wanted. None: all."""
    within = None if part is None else (part[1].start, part[0].start, part[1].stop - 1, part[0].stop - 1)
    left, top, right, bottom = alignment.bounds(frame.size, within)
    return alignment.shifted((left, top)).crop(frame.image[top:bottom, left:right], part=part)


def _around_lips(places: NDArray[np.float32], size: int) -> tuple[slice, slice]:
    """The (rows, columns) of the crop that are looked at, given the landmarks (478, 2) in it.

    Colours are needed up to _BEYOND_MM beside the corners, and from the middle of the upper lip to that of
    the lower one, or to the farthest places that an edge may have. They are a quarter of the crop."""
    corners = places[UPPER[[0, -1]]]
    along = corners[1] - corners[0]
    beyond = _BEYOND_MM * PX_PER_MM / max(float(np.hypot(*along)), 1.0) * along
    middle = (places[_INNER] + places[_OUTER]) / 2
    needed = np.concatenate([places[_INNER], middle, [corners[0] - beyond, corners[1] + beyond]])
    low, high = needed.min(axis=0) - PX_PER_MM * _BEFORE_MM, needed.max(axis=0) + PX_PER_MM * _AFTER_MM
    left, top = np.floor(low).astype(int).tolist()
    right, bottom = np.ceil(high).astype(int).tolist()
    left, top = min(max(left, 0), size - 1), min(max(top, 0), size - 1)
    return slice(top, min(max(bottom, top) + 1, size)), slice(left, min(max(right, left) + 1, size))


def _lab(crop: NDArray[np.uint8], blur_px: float) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(crop, (0, 0), blur_px)
    return cv2.cvtColor(blurred.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _at(
    lab: NDArray[np.float32], columns: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(..., columns, 3) the colours at `columns` and rows (..., columns)."""
    rows = np.atleast_2d(rows).astype(np.float32)
    x = np.broadcast_to(columns, rows.shape).astype(np.float32)
    return cv2.remap(lab, x, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _edge_offsets(
    lab: NDArray[np.float32], lines: _Lines, options: SeenOptions
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(columns,) for the upper and the lower lip, the offset downwards, in pixels, from its edge by landmarks
    to the visible edge.

    At the visible edge the colour on one side is that of the lip, and the colour on the other side differs.
    """
    reach = int(options.reach_mm * PX_PER_MM)
    steps = np.arange(-reach, reach + 1, dtype=np.float32)
    half_mm = 0.5 * PX_PER_MM
    costs = []
    for edge, lip, inwards in ((lines.upper, lines.upper_lip, 1), (lines.lower, lines.lower_lip, -1)):
        rows = edge + steps[:, None]
        outside, inside = (_at(lab, lines.columns, rows + side * inwards * half_mm) for side in (-1, 1))
        contrast = _lengths(inside - outside)
        unlike_lip = _lengths(outside - _at(lab, lines.columns, lip))
        costs.append((0.5 * unlike_lip - contrast) / options.contrast)
    distance = 0.5 * (steps[:, None] / (options.error_mm * PX_PER_MM)) ** 2
    upper, lower = steps[cheapest_path(np.stack(costs) + distance, options.edge_stiffness)]
    return upper, lower


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(...) the lengths of vectors (..., 3)."""
    return np.sqrt(np.einsum("...i,...i", vectors, vectors))


def _seam(
    lab: NDArray[np.float32],
    columns: NDArray[np.float32],
    top: NDArray[np.float32],
    bottom: NDArray[np.float32],
    options: SeenOptions,
) -> NDArray[np.float32]:
    """(columns,) the y of the lower edge of the upper teeth: pale above it, dark close below it."""
    step = options.seam_step_mm * PX_PER_MM
    count = int(np.ceil((bottom - top).max() / step)) + 1
    down = np.arange(count, dtype=np.float32)[:, None] * step
    rows = np.minimum(top + down, bottom + 1.5 * PX_PER_MM)
    above = np.mean([_at(lab, columns, rows - mm * PX_PER_MM) for mm in (0.4, 0.8, 1.2)], axis=0)
    below = np.min([_at(lab, columns, rows + mm * PX_PER_MM)[..., 0] for mm in (0.2, 0.5, 0.8)], axis=0)
    steepness = np.subtract(*(_at(lab, columns, rows + mm * PX_PER_MM)[..., 0] for mm in (-0.3, 0.3)))
    drop = above[..., 0] - below + 0.8 * steepness - 0.35 * np.abs(above[..., 1] - 4)
    cost = -drop / 12 + 0.06 * down / PX_PER_MM
    possible = (rows >= top + options.least_crown_mm * PX_PER_MM) & (rows <= bottom + 0.1 * PX_PER_MM)
    path = cheapest_path(np.where(possible, cost, 6).astype(np.float32), options.seam_stiffness)
    return rows[path, np.arange(len(columns))]


def _without_lip(
    lab: NDArray[np.float32],
    lines: _Lines,
    seam: NDArray[np.float32],
    bottom: NDArray[np.float32],
    options: SeenOptions,
) -> NDArray[np.float32]:
    """`bottom`, raised to just below the upper teeth where only the rolled-in lower lip lies in between.

    A rolled-in lip is as light and as red as the lip itself. It begins below the tips of teeth, which would
    otherwise move with it, as far as the few landmarks of the lip can follow them.
    """
    tips = cv2.dilate(seam[None], np.ones((1, _TIPS_COLUMNS), np.uint8))[0] + options.tips_mm * PX_PER_MM
    band = bottom - seam
    between = np.median(
        [_at(lab, lines.columns, seam + share * band)[0] for share in (0.5, 0.65, 0.8)], axis=0
    )
    # A wet lip has highlights, so the median over all of it is its colour.
    lightness, redness, _ = np.median(_at(lab, lines.columns, lines.lower_lip)[0], axis=0)
    as_light = between[:, 0] / max(float(lightness), 5.0)
    as_red = between[:, 1] / max(float(redness), 5.0)
    is_lip = smoothstep((as_red - options.lip_red) / 0.25) * smoothstep((as_light - options.lip_light) / 0.2)
    is_lip = is_lip * smoothstep(2 - band / (options.lip_mm * PX_PER_MM))
    raised = cv2.blur(is_lip.astype(np.float32)[None], (5, 1), borderType=cv2.BORDER_REPLICATE)[0]
    return (bottom - raised * np.maximum(bottom - tips, 0)).astype(np.float32)


def _teeth(
    lab: NDArray[np.float32], lines: _Lines, top: NDArray[np.float32], seam: NDArray[np.float32]
) -> float:
    """The degree, 0..1, to which the band between upper lip and seam looks like teeth.

    Teeth are at least as light as the lips, and less red.
    """
    middle = _middle(top)
    band = np.mean(
        [_at(lab, lines.columns, top + share * (seam - top)) for share in (0.35, 0.55, 0.8)], axis=0
    )
    lips = np.concatenate([_at(lab, lines.columns, lip) for lip in (lines.upper_lip, lines.lower_lip)])
    lightness, redness, _ = np.median(band[0, middle], axis=0)
    lip_lightness, lip_redness, _ = np.median(lips[:, middle].reshape(-1, 3), axis=0)
    ratio = lightness / max(lip_lightness, 5.0)
    # Redness relative to lightness, because dark areas have little of either.
    paler = lip_redness / max(lip_lightness, 10.0) - redness / max(lightness, 10.0)
    evidence = 0.15 + 1.4 * (ratio - 1) + 2.0 * paler
    return smoothstep_of(evidence) * smoothstep_of((ratio - 0.4) / 0.3)


def _lower_teeth(
    lab: NDArray[np.float32],
    lines: _Lines,
    seam: NDArray[np.float32],
    bottom: NDArray[np.float32],
    options: SeenOptions,
) -> float:
    """The degree, 0..1, to which the band below the seam looks like lower teeth.

    It looks like teeth, and the seam is darker than both rows. Without that, it is the tips of the upper
    teeth.
    """
    middle = _middle(seam)
    band = bottom - seam
    high_enough = ramp_of(median(band[middle]) / PX_PER_MM, options.lower_mm)
    if high_enough == 0:
        return 0.0
    places_px = PX_PER_MM * np.array([[-0.2], [0.0], [0.2], [0.4], [0.6], [-0.5], [-0.9], [-1.3]], np.float32)
    in_band = band * np.array([[0.35], [0.5], [0.65], [0.8]], np.float32)
    rows = np.concatenate([seam + places_px, seam + in_band])
    light = _at(lab, lines.columns, rows)[:, middle, 0]
    valley, above, below = light[:5].min(axis=0), light[5:8].max(axis=0), light[8:].max(axis=0)
    depth = median(np.minimum(above, below) - valley)
    # Half a row would be a grey veil.
    like_teeth = ramp_of(_teeth(lab, lines, seam, bottom), (0.3, 0.55))
    return high_enough * ramp_of(depth, options.between_rows) * like_teeth


def _enamel(
    crop: NDArray[np.uint8], columns: NDArray[np.float32], top: NDArray[np.float32], seam: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(3,) RGB of the lighter half of the band above the seam."""
    band = _between(crop, columns, top, seam)
    light = band.sum(axis=1)
    return band[light >= median(light)].mean(axis=0).astype(np.float32)


def _dark_beyond(lab: NDArray[np.float32], places: NDArray[np.float32], corner: int) -> float:
    """The distance, in crop pixels, from the landmark of a corner outwards to the end of the dark."""
    along = places[corner] - places[UPPER[-1] if corner == UPPER[0] else UPPER[0]]
    along = along / max(float(np.hypot(*along)), 1.0)
    steps = np.arange(0, _BEYOND_MM, 0.5, dtype=np.float32) * PX_PER_MM
    line = places[corner] + steps[:, None] * along
    rows = line[:, 1] + np.array([[-0.5], [0.0], [0.5]], np.float32) * PX_PER_MM
    light = _at(lab, line[:, 0], rows)[..., 0].min(axis=0)
    skin = median(light[-4:])
    is_skin = light > _DARK_SHARE * skin
    return float(steps[is_skin.argmax()]) if is_skin[:-4].any() else 0.0


def _dark(inside: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """(3,) RGB of the darkest part of the mouth. None: it is not dark."""
    light = inside.sum(axis=1)
    darkest = inside[light <= percentile(light, 8)].mean(axis=0)
    return darkest.astype(np.float32) if darkest.max() < 80 else None


def _between(
    crop: NDArray[np.uint8],
    columns: NDArray[np.float32],
    top: NDArray[np.float32],
    bottom: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(n, 3) RGB at eight heights between two lines."""
    shares = (np.arange(8, dtype=np.float32)[:, None] + 0.5) / 8
    return _at(crop.astype(np.float32), columns, top + shares * (bottom - top)).reshape(-1, 3)


def cheapest_path(cost: NDArray[np.float32], stiffness: float) -> NDArray[np.intp]:
    """(..., columns) the row in each column of `cost` (..., rows, columns) on the cheapest path.

    The cost of a path is the sum of its cells' costs and of stiffness * step^2, where a step is the
    difference of rows between neighbouring columns. Viterbi's algorithm (IEEE Trans. Inf. Theory 13(2), 1967)
    finds the best of all paths.
    """
    *several, count, columns = cost.shape
    problems = cost.reshape(-1, count, columns)
    which, rows = np.arange(len(problems)), np.arange(count)
    steps = stiffness * (rows[:, None] - rows) ** 2
    # through[c]: the costs of the best paths to each row of column c (axis -1) by way of each row before it.
    through = np.empty((columns, len(problems), count, count))
    best = problems[..., 0]
    for column in range(1, columns):
        np.add(best[..., None], steps, out=through[column])
        best = through[column].min(axis=-2) + problems[..., column]
    came_from = through[1:].argmin(axis=-2)
    path = np.empty((columns, len(problems)), np.intp)
    path[-1] = best.argmin(axis=-1)
    for column in range(columns - 1, 0, -1):
        path[column - 1] = came_from[column - 1, which, path[column]]
    return path.T.reshape(*several, columns)
