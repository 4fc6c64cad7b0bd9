"""Where a new scene begins."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_GRID = (32, 18)
"""(width, height) of the thumbnail that is compared."""
_MAX_SIDE_READ = 160
"""Rows and columns are skipped down to about this many before averaging: reading all of a 720p frame costs
more than the comparison is worth."""


class CutDetector:
    """Called with every picture in turn; True on the first one of a new scene.

    A cut changes most of the picture at once, and much more than the frame before it did: motion, flashes of
    exposure and noise change a part, or everything alike.
    """

    def __init__(self, threshold: float = 0.12, ratio: float = 3.0) -> None:
        """`threshold`: the mean change of the thumbnail, 0..1, without the change of overall brightness.
        `ratio`: how many times the recent change it must be."""
        self._threshold = threshold
        self._ratio = ratio
        self._thumbnail: NDArray[np.float32] | None = None
        self._usual_change = 0.0

    def reset(self) -> None:
        self._thumbnail = None
        self._usual_change = 0.0

    def __call__(self, image: NDArray[np.uint8]) -> bool:
        thumbnail = _thumbnail(image)
        before, self._thumbnail = self._thumbnail, thumbnail
        if before is None:
            return False
        change = _change(before, thumbnail)
        cut = change > max(self._threshold, self._ratio * self._usual_change)
        self._usual_change = 0.0 if cut else 0.8 * self._usual_change + 0.2 * change
        return cut


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    step = max(1, max(image.shape[:2]) // _MAX_SIDE_READ)
    # Whole pixels at a time, which takes a third of the time of single bytes.
    pixels = np.ascontiguousarray(image).view("V3")[::step, ::step]
    sparse = np.ascontiguousarray(pixels).view(np.uint8)
    return cv2.resize(sparse, _GRID, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _change(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    difference = after - before
    difference -= np.median(difference)
    return float(np.abs(difference).mean())
