"""What shows between lips that the warp has parted: the teeth that were there, and the dark behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH
from reenact.flow import nearest, rasterise, to_pixels
from reenact.types import Face, Frame
from reenact.warp import Warp

LOWER_LIP = (15, 16, 86, 316, 85, 315)
"""Landmarks on the red of the lower lip, whose colour tells the light that falls on the mouth."""


@dataclass(frozen=True)
class MouthOptions:
    cell_mm: float = 0.8
    least_mm: float = 0.6
    """Lips parted by less than this keep the warp's stretched pixels."""
    full_mm: float = 2.0
    """Lips parted by more than this show the painted inside alone."""
    upper_share: float = 0.75
    """How much of what the open mouth showed before goes with the upper lip: upper teeth hang high."""
    soft_mm: float = 0.9
    """Width of the shade between teeth and dark."""
    darkness: tuple[float, float, float] = (0.30, 0.17, 0.16)
    """The dark's colour as a part of the lower lip's, R G B."""


def paint_mouth(frame: Frame, face: Face, warp: Warp, options: MouthOptions = MouthOptions()) -> Warp:
    """`warp` with the mouth's inside painted where the lips are further apart than they were.

    Teeth keep their size: the upper ones move with the upper lip, the lower ones with the lower. Stretching
    what was there, as the warp alone does, makes stripes of closed lips and fangs of teeth.
    """
    mm = face.pose.scale
    upper, lower = np.array(MOUTH.upper), np.array(MOUTH.lower)
    down = face.pose.down
    before, after = face.landmarks[:, :2], warp.moved[:, :2]
    gap_before = np.maximum((before[lower] - before[upper]) @ down, 0)
    gap_after = np.maximum((after[lower] - after[upper]) @ down, 0)
    if (gap_after - gap_before).max() < options.least_mm * mm:
        return warp
    box = _box(after[list(MOUTH.outline)], warp.region)
    if box is None:
        return warp

    values = np.zeros((len(before), 7), np.float32)
    shared = np.hstack(
        [before[upper] - after[upper], before[lower] - after[lower], gap_before[:, None], gap_after[:, None]]
    )
    for edge, side in ((upper, 0.0), (lower, 1.0)):
        values[edge, 0], values[edge, 1:] = side, shared
    values[upper[[0, -1]], 0] = 0.5
    field = _field(after, values, box, max(1.0, options.cell_mm * mm))
    inside = _inside(frame, face, field, box, options)
    opened = np.clip((field[..., 6] - field[..., 5]) / mm, 0, None)
    strength = _smoothstep((opened - options.least_mm) / (options.full_mm - options.least_mm))
    weight = (strength * _polygon(after[list(MOUTH.outline)], box))[..., None]
    return _blend(warp, inside, weight, box)


def _box(outline: NDArray[np.float32], region: tuple[int, int, int, int]) -> tuple[int, int, int, int] | None:
    """The pixels around the mouth that lie in `region`, or None where there are none."""
    x0, y0 = np.floor(outline.min(axis=0)).astype(int) - 2
    x1, y1 = np.ceil(outline.max(axis=0)).astype(int) + 3
    x0, y0, x1, y1 = max(x0, region[0]), max(y0, region[1]), min(x1, region[2]), min(y1, region[3])
    return (int(x0), int(y0), int(x1), int(y1)) if x0 < x1 and y0 < y1 else None


def _field(
    after: NDArray[np.float32], values: NDArray[np.float32], box: tuple[int, int, int, int], cell_px: float
) -> NDArray[np.float32]:
    """`values` at the moved mouth's edges, interpolated between them, (height, width, 7) for the box."""
    x0, y0, x1, y1 = box
    low = np.array([x0, y0]) - cell_px
    shape = int(np.ceil((y1 - y0) / cell_px)) + 2, int(np.ceil((x1 - x0) / cell_px)) + 2
    strips = np.array(MOUTH.strips, np.intp)
    places = ((after - low + 0.5) / cell_px - 0.5).astype(np.float32)
    field, covered = rasterise(places, strips, values[strips], np.zeros(len(after), np.float32), shape)
    if covered.any():
        field = nearest(field, covered)[0]
    return to_pixels(field, low, np.array([cell_px, cell_px]), box)


def _inside(
    frame: Frame,
    face: Face,
    field: NDArray[np.float32],
    box: tuple[int, int, int, int],
    options: MouthOptions,
) -> NDArray[np.float32]:
    """(height, width, 3) what the box would show if it were all mouth."""
    soft = options.soft_mm * face.pose.scale
    below_upper = field[..., 0] * field[..., 6]
    above_lower = field[..., 6] - below_upper
    upper_visible = options.upper_share * field[..., 5]
    lower_visible = (1 - options.upper_share) * field[..., 5]
    upper_weight = 1 - _smoothstep((below_upper - upper_visible) / soft)[..., None]
    lower_weight = 1 - _smoothstep((above_lower - lower_visible) / soft)[..., None]
    lip = np.median([_pixel(frame.image, face.landmarks[i]) for i in LOWER_LIP], axis=0)
    # The tongue's side of the dark is a little lighter than the palate's.
    depth = 0.55 + 0.75 * np.clip(field[..., 0], 0, 1)[..., None]
    inside = depth * (lip * options.darkness).astype(np.float32)
    inside = inside + lower_weight * (_sample(frame.image, field[..., 3:5], box) - inside)
    return inside + upper_weight * (_sample(frame.image, field[..., 1:3], box) - inside)


def _sample(
    image: NDArray[np.uint8], offset: NDArray[np.float32], box: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """The frame's pixels at every place of the box plus an offset (height, width, 2)."""
    x0, y0, x1, y1 = box
    maps = offset + np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), axis=-1).astype(np.float32)
    return cv2.remap(image, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def _pixel(image: NDArray[np.uint8], place: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The pixel nearest to a place, which may lie outside the picture."""
    y = int(np.clip(round(float(place[1])), 0, image.shape[0] - 1))
    x = int(np.clip(round(float(place[0])), 0, image.shape[1] - 1))
    return image[y, x]


def _polygon(outline: NDArray[np.float32], box: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """(height, width) coverage 0..1 of a polygon, with soft edges."""
    mask = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    points = np.round((outline - box[:2]) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, lineType=cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(mask, (3, 3), 0).astype(np.float32) / 255


def _blend(
    warp: Warp, inside: NDArray[np.float32], weight: NDArray[np.float32], box: tuple[int, int, int, int]
) -> Warp:
    x0, y0, x1, y1 = box
    left, top = warp.region[:2]
    image = warp.image.copy()
    part = image[y0 - top : y1 - top, x0 - left : x1 - left]
    part[:] = np.round(part + weight * (inside - part)).astype(np.uint8)
    return replace(warp, image=image)


def _smoothstep(x: NDArray[np.float32]) -> NDArray[np.float32]:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
