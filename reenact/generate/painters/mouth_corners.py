"""Removes from the corners of a narrowed mouth the dark that was there while it was wide."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH
from calib.percentile import percentile
from calib.ramp import smoothstep, smoothstep_of
from reenact.generate.geometry.contour import smiles
from reenact.generate.geometry.warp import Warp
from reenact.generate.painters.paint import blend, box_around, polygon
from reenact.records import Face


@dataclass(frozen=True)
class CornerOptions:
    """Distances in millimetres of an average face."""

    narrowed_mm: float = 3.0
    """The inward motion of a corner at which its dark is removed completely; it starts at half of this."""
    open_mm: float = 2.0
    """The gap between lips at which corners are fully dark; they start to be dark at half of this."""
    reach_mm: float = 11.0
    """The distance from the corner within which dark is looked for."""
    rim_mm: float = 0.5
    """The width of the rim around the inside of the mouth that is not changed."""
    dark: float = 0.78
    """The lightness, as a share of the skin's around, below which a place starts to count as dark."""
    darker: float = 0.55
    """The lightness, as a share of the skin's around, at which a place counts as fully dark."""
    spread_mm: float = 2.5
    """The standard deviation of the blur that spreads skin over the dark."""


def paint_corners(face: Face, warp: Warp, options: CornerOptions = CornerOptions()) -> Warp:
    """`warp` with skin over the dark of the mouth's corners where these have moved inwards.

    A broad smile has a dark pocket in each corner, part of which lies beside the landmarks, on what counts as
    skin. When the mouth becomes narrower, that skin carries the dark along. The same holds for a smile with
    closed lips; the line at the corners of a mouth at rest stays.
    """
    mm = face.pose.scale
    gap_mm = float(MOUTH.gaps(face.landmarks, face.pose.down).max()) / mm
    was_open = smoothstep_of(gap_mm / options.open_mm - 0.5)
    was_dark = was_open if was_open == 1 else max(was_open, smiles(face))
    if was_dark == 0:
        return warp
    corners = MOUTH.upper[0], MOUTH.upper[-1]
    for corner, other, beside in zip(corners, corners[::-1], _BESIDE, strict=True):
        across = (face.landmarks[corner] - face.landmarks[other])[:2]
        across = across / max(float(np.hypot(*across)), 1.0)
        came_mm = -float((warp.moved[corner] - face.landmarks[corner])[:2] @ across) / mm
        share = was_dark * smoothstep_of(2 * came_mm / options.narrowed_mm - 1)
        if share > 0:
            warp = _brightened(warp, warp.moved[[corner, *beside], :2], share, mm, options)
    return warp


_BESIDE = (61, 57, 186), (291, 287, 410)
"""Landmarks of the skin around each corner in which a smile makes a pocket."""


def _brightened(
    warp: Warp, centres: NDArray[np.float32], share: float, mm: float, options: CornerOptions
) -> Warp:
    """`warp` without the dark around `centres` (n, 2), in pixels, by a share 0..1."""
    reach_px = options.reach_mm * mm
    around = np.concatenate([centres - reach_px, centres + reach_px])
    box = box_around(around, warp.region)
    if box is None:
        return warp
    x0, y0, x1, y1 = box
    left, top = warp.region[:2]
    picture = warp.image[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32)
    # Lips are dark in green and blue, the inside of the mouth in all channels.
    red, green, blue = cv2.split(picture)
    light = cv2.max(cv2.max(red, green), blue)
    x = np.arange(x0, x1, dtype=np.float32)
    y = np.arange(y0, y1, dtype=np.float32)[:, None]
    squared = np.min([(x - centre[0]) ** 2 + (y - centre[1]) ** 2 for centre in centres], axis=0)
    near = smoothstep(2 - 2 * np.sqrt(squared) / reach_px)
    inside = polygon(warp.moved[list(MOUTH.outline), :2], box)
    rim = max(1, round(options.rim_mm * mm))
    outside = 1 - cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1)))
    skin = percentile(light[outside > 0.5], 70) if (outside > 0.5).any() else 255.0
    dark = smoothstep((options.dark * skin - light) / ((options.dark - options.darker) * max(skin, 1.0)))
    dark = cv2.GaussianBlur(cv2.dilate(dark, np.ones((3, 3), np.uint8)), (0, 0), max(0.3 * mm, 0.5))
    weight = np.maximum(outside * (1 - dark), 1e-3)
    sigma = options.spread_mm * mm
    total = cv2.GaussianBlur(weight, (0, 0), sigma)
    spread = cv2.GaussianBlur(cv2.multiply(picture, cv2.merge([weight] * 3)), (0, 0), sigma)
    return blend(warp, cv2.divide(spread, cv2.merge([total] * 3)), share * near * outside * dark, box)
