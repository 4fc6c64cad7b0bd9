"""What a picture shows between the lips: where the lips really end, and where the upper teeth do.

Landmarks are off by a millimetre or two, so that edges are looked for by what they look like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH, OUTER_EDGE
from calib.ramp import smoothstep
from reenact.alignment import Alignment, align
from reenact.records import Face, Frame

UPPER, LOWER = np.array(MOUTH.upper), np.array(MOUTH.lower)
"""Landmarks along the lips' inner edges, from corner to corner."""
OUTER_UPPER, OUTER_LOWER = (np.array(OUTER_EDGE[edge]) for edge in (MOUTH.upper, MOUTH.lower))
"""Those along their outer edges, one for each of the inner ones."""
PX_PER_MM = 3.0
"""Of the crop in which the mouth is looked at."""
_WIDTH_MM = 84.0
_CENTRE_MM = (0.0, 51.0, 0.0)
_COLUMNS = 33
_BEYOND_MM = 7.0
"""How far beside the mouth's corners its dark is looked for; the last two millimetres count as skin."""
_DARK_SHARE = 0.62
"""Lightness, as a share of the skin's, below which a place at the corner belongs to the dark of the mouth."""


@dataclass(frozen=True)
class SeenOptions:
    """Distances in millimetres of an average face, colours in CIELAB."""

    least_mm: float = 1.0
    """Gap between the lips below which their edges are left where the landmarks are ..."""
    full_mm: float = 2.5
    """... and above which they are taken from the picture alone."""
    reach_mm: float = 2.0
    """Distance from the landmarks within which an edge is looked for."""
    doubt_mm: float = 1.1
    """Standard deviation of the landmarks' error."""
    contrast: float = 20.0
    """Difference of colour that outweighs one standard deviation of `doubt_mm` twice."""
    lip_red: float = 0.55
    """Redness, as a share of the lower lip's, from which on what lies below the teeth may be lip."""
    lip_light: float = 0.45
    """Its lightness, likewise."""
    lip_mm: float = 3.5
    """Height up to which a lip's rolled-in part may be seen below the teeth; up to twice as much, a share."""
    edge_stiffness: float = 0.08
    seam_step_mm: float = 0.4
    seam_stiffness: float = 0.25
    least_crown_mm: float = 0.8
    """Height of the lowest band above the seam that can be teeth."""


@dataclass(frozen=True, eq=False)
class SeenMouth:
    """The inside of an open mouth; lines run from corner to corner of the crop, in its pixels."""

    alignment: Alignment
    """From the frame to an upright crop of PX_PER_MM."""
    columns: NDArray[np.float32]
    """(n,) x of the lines' points."""
    top: NDArray[np.float32]
    """(n,) y of the upper lip's edge."""
    bottom: NDArray[np.float32]
    """(n,) y of the lower lip's edge."""
    seam: NDArray[np.float32]
    """(n,) y of the lower edge of the upper teeth: `top` where none are seen."""
    open: float
    """0..1: 0 for lips that hardly part, 1 where they are so far apart that teeth would be seen."""
    teeth: float
    """0..1: how surely upper teeth are seen; at most `open`."""
    enamel: NDArray[np.float32]
    """(3,) RGB of the teeth, where `teeth` is not 0."""
    dark: NDArray[np.float32] | None
    """(3,) RGB of the darkest part of the inside; None where none of it is dark."""
    beyond_px: tuple[float, float]
    """How far the mouth's dark reaches beyond the landmarks of its left and right corner, crop pixels."""

    def line(self, heights: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
        """y at every `x` of one of the lines, continued level beyond the corners."""
        return np.interp(x, self.columns, heights).astype(np.float32)

    def sample(self, frame: Frame, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
        """(..., 3) the frame's colours at places of the crop, at the frame's own resolution."""
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
        """Height of the upper teeth that are seen, in the middle of the mouth."""
        return self._height_mm(self.top, self.seam)

    @property
    def lower_mm(self) -> float:
        """Height of what is seen below the upper teeth, in the middle of the mouth."""
        return self._height_mm(self.seam, self.bottom)

    def _height_mm(self, upper: NDArray[np.float32], lower: NDArray[np.float32]) -> float:
        middle = np.s_[len(self.columns) // 4 : -(len(self.columns) // 4)]
        return float(np.median((lower - upper)[middle])) / PX_PER_MM


def mouth_alignment(face: Face) -> Alignment:
    """From the frame to the upright crop in which mouths are looked at."""
    return align(face.pose, round(_WIDTH_MM * PX_PER_MM), _WIDTH_MM, _CENTRE_MM)


def see_mouth(frame: Frame, face: Face, options: SeenOptions = SeenOptions()) -> SeenMouth | None:
    """What the frame shows between the lips of `face`; None where they are shut."""
    gap_mm = float(MOUTH.gaps(face.landmarks, face.pose.down).max()) / face.pose.scale
    trust = float(smoothstep(np.array((gap_mm - options.least_mm) / (options.full_mm - options.least_mm))))
    if trust == 0:
        return None
    alignment = mouth_alignment(face)
    crop = mouth_crop(frame, alignment)
    places = alignment.points(face.landmarks)[:, :2]
    lines = _Lines.of(places)
    lab = _lab(crop, 0.25 * PX_PER_MM)
    top = lines.upper + trust * _edge_offset(lab, lines, options, upper=True)
    bottom = np.maximum(lines.lower + trust * _edge_offset(lab, lines, options, upper=False), top)
    seam = _seam(lab, lines.columns, top, bottom, options)
    bottom = _without_lip(lab, lines, seam, bottom, options)
    teeth = trust * _teeth(lab, lines, top, seam)
    inside = _between(crop, lines.columns, top, bottom)
    return SeenMouth(
        alignment,
        lines.columns,
        top,
        bottom,
        (top + teeth * (seam - top)).astype(np.float32),
        trust,
        teeth,
        _enamel(crop, lines.columns, top, seam),
        _dark(inside),
        (trust * _dark_beyond(lab, places, UPPER[0]), trust * _dark_beyond(lab, places, UPPER[-1])),
    )


def on_visible_edges(face: Face, seen: SeenMouth) -> Face:
    """`face` with the landmarks of its lips' inner edges moved to where the picture shows the edges."""
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
    """The lips as the landmarks have them, in the crop."""

    columns: NDArray[np.float32]
    upper: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper_lip: NDArray[np.float32]
    """y of the middle of the upper lip's red."""
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


def mouth_crop(frame: Frame, alignment: Alignment) -> NDArray[np.uint8]:
    """(size, size, 3) the crop in which a mouth is looked at."""
    left, top, right, bottom = alignment.bounds(frame.size)
    return alignment.shifted((left, top)).crop(frame.image[top:bottom, left:right])


def _lab(crop: NDArray[np.uint8], blur_px: float) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(crop, (0, 0), blur_px)
    return cv2.cvtColor(blurred.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _at(
    lab: NDArray[np.float32], columns: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(..., columns, 3) colours at `columns` and rows (..., columns)."""
    rows = np.atleast_2d(rows).astype(np.float32)
    x = np.broadcast_to(columns, rows.shape).astype(np.float32)
    return cv2.remap(lab, x, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _edge_offset(
    lab: NDArray[np.float32], lines: _Lines, options: SeenOptions, *, upper: bool
) -> NDArray[np.float32]:
    """(columns,) pixels, downwards, from the landmarks' edge of a lip to the one that is seen: where what is
    on the lip's side has the lip's colour, and what is on the other has another."""
    inwards = 1 if upper else -1
    edge, lip = (lines.upper, lines.upper_lip) if upper else (lines.lower, lines.lower_lip)
    reach = int(options.reach_mm * PX_PER_MM)
    steps = np.arange(-reach, reach + 1, dtype=np.float32)
    rows = edge + steps[:, None]
    half_mm = 0.5 * PX_PER_MM
    outside, inside = (_at(lab, lines.columns, rows + side * inwards * half_mm) for side in (-1, 1))
    contrast = np.linalg.norm(inside - outside, axis=2)
    unlike_lip = np.linalg.norm(outside - _at(lab, lines.columns, lip), axis=2)
    doubt = 0.5 * (steps[:, None] / (options.doubt_mm * PX_PER_MM)) ** 2
    cost = (0.5 * unlike_lip - contrast) / options.contrast + doubt
    return steps[cheapest_path(cost, options.edge_stiffness)]


def _seam(
    lab: NDArray[np.float32],
    columns: NDArray[np.float32],
    top: NDArray[np.float32],
    bottom: NDArray[np.float32],
    options: SeenOptions,
) -> NDArray[np.float32]:
    """(columns,) y of the lower edge of the upper teeth: light above it that is not red, dark close below."""
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
    """`bottom` raised to the upper teeth's edge where what lies in between is the lower lip, moist and rolled
    in: as light and as red as the lip is."""
    band = bottom - seam
    between = np.median(
        [_at(lab, lines.columns, seam + share * band)[0] for share in (0.5, 0.65, 0.8)], axis=0
    )
    # A lip is wet, and shines here and there: all of it together tells its colour.
    lightness, redness, _ = np.median(_at(lab, lines.columns, lines.lower_lip)[0], axis=0)
    as_light = between[:, 0] / max(float(lightness), 5.0)
    as_red = between[:, 1] / max(float(redness), 5.0)
    is_lip = smoothstep((as_red - options.lip_red) / 0.25) * smoothstep((as_light - options.lip_light) / 0.2)
    is_lip = is_lip * smoothstep(2 - band / (options.lip_mm * PX_PER_MM))
    raised = cv2.blur(is_lip.astype(np.float32)[None], (5, 1), borderType=cv2.BORDER_REPLICATE)[0]
    return (bottom - raised * band).astype(np.float32)


def _teeth(
    lab: NDArray[np.float32], lines: _Lines, top: NDArray[np.float32], seam: NDArray[np.float32]
) -> float:
    """0..1: how much the band between the upper lip and the seam looks like teeth: as light as the lips or
    lighter, and less red."""
    middle = np.s_[len(top) // 4 : -(len(top) // 4)]
    band = np.mean(
        [_at(lab, lines.columns, top + share * (seam - top)) for share in (0.35, 0.55, 0.8)], axis=0
    )
    lips = np.concatenate([_at(lab, lines.columns, lip) for lip in (lines.upper_lip, lines.lower_lip)])
    lightness, redness, _ = np.median(band[0, middle], axis=0)
    lip_lightness, lip_redness, _ = np.median(lips[:, middle].reshape(-1, 3), axis=0)
    ratio = lightness / max(lip_lightness, 5.0)
    # Redness as a share of the lightness: what is dark has little of either.
    paler = lip_redness / max(lip_lightness, 10.0) - redness / max(lightness, 10.0)
    evidence = 0.15 + 1.4 * (ratio - 1) + 2.0 * paler
    return float(smoothstep(np.array(evidence)) * smoothstep(np.array((ratio - 0.4) / 0.3)))


def _enamel(
    crop: NDArray[np.uint8], columns: NDArray[np.float32], top: NDArray[np.float32], seam: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(3,) RGB of the lighter half of what is above the seam."""
    band = _between(crop, columns, top, seam)
    light = band.sum(axis=1)
    return band[light >= np.median(light)].mean(axis=0).astype(np.float32)


def _dark_beyond(lab: NDArray[np.float32], places: NDArray[np.float32], corner: int) -> float:
    """Crop pixels, along the line of both corners, from the landmark of one to the end of the dark."""
    along = places[corner] - places[UPPER[-1] if corner == UPPER[0] else UPPER[0]]
    along = along / max(float(np.hypot(*along)), 1.0)
    steps = np.arange(0, _BEYOND_MM, 0.5, dtype=np.float32) * PX_PER_MM
    line = places[corner] + steps[:, None] * along
    rows = line[:, 1] + np.array([[-0.5], [0.0], [0.5]], np.float32) * PX_PER_MM
    light = _at(lab, line[:, 0], rows)[..., 0].min(axis=0)
    skin = float(np.median(light[-4:]))
    is_skin = light > _DARK_SHARE * skin
    return float(steps[is_skin.argmax()]) if is_skin[:-4].any() else 0.0


def _dark(inside: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """(3,) RGB of the darkest part of the mouth, if it is dark."""
    light = inside.sum(axis=1)
    darkest = inside[light <= np.percentile(light, 8)].mean(axis=0)
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
    """(columns,) the row in each column of `cost` (rows, columns) that makes the sum of the costs and of
    stiffness * step^2 least, where a step is the difference of rows between neighbours.

    Viterbi's algorithm (IEEE Trans. Inf. Theory 13(2), 1967): the best of all paths, not a greedy one.
    """
    rows = np.arange(len(cost))
    steps = stiffness * (rows[:, None] - rows) ** 2
    best = cost[:, 0]
    came_from = np.empty(cost.shape, np.intp)
    for column in range(1, cost.shape[1]):
        through = best + steps
        came_from[:, column] = through.argmin(axis=1)
        best = through[rows, came_from[:, column]] + cost[:, column]
    path = np.empty(cost.shape[1], np.intp)
    path[-1] = best.argmin()
    for column in range(cost.shape[1] - 1, 0, -1):
        path[column - 1] = came_from[path[column], column]
    return path
