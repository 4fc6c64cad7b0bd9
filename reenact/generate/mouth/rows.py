"""Upper rows of one person's teeth from several frames: laid over each other, and joined."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.generate.mouth.arch import PX_PER_MM, Arch, with_gums

_DOWN_PX, _ASIDE_PX = round(2.7 * PX_PER_MM), round(2.3 * PX_PER_MM)
"""How far apart two frames may have placed the same teeth."""
_LIKE = 0.75
"""The least correlation of two pictures of the same teeth."""
_HALF_WIDTH_PX = round(16 * PX_PER_MM)
_BELOW_PX = round(1.3 * PX_PER_MM)
"""How much of what lies below the teeth is compared, too: their edge tells most."""
_LEAST_PX = round(2 * PX_PER_MM)
_LEAST_OVERLAP_PX = 60
_SOFT_MM = 0.8
_DIMMEST, _BRIGHTEST = 0.6, 1.6
"""By how much the light on one row may differ from that on another."""


def shift_between(row: Arch, onto: Arch) -> tuple[int, int] | None:
    """(right, down) pixels by which `row` is to be moved to lie on the same teeth in `onto`; None where they are
    not the same, as far as one can see."""
    shown = row.picture[..., 3] > 200
    middle = shown.shape[1] // 2
    rows = np.flatnonzero(shown[:, middle - _HALF_WIDTH_PX : middle + _HALF_WIDTH_PX].mean(axis=1) > 0.3)
    columns = np.flatnonzero(shown.mean(axis=0) > 0.08)
    if len(rows) < _LEAST_PX or len(columns) < _HALF_WIDTH_PX:
        return None
    top, bottom = rows[0], min(rows[-1] + 1 + _BELOW_PX, len(shown))
    left = max(columns[0], middle - _HALF_WIDTH_PX)
    right = min(columns[-1] + 1, middle + _HALF_WIDTH_PX)
    light, other = (each.picture[..., :3].astype(np.float32).mean(axis=2) for each in (row, onto))
    around = cv2.copyMakeBorder(other, _DOWN_PX, _DOWN_PX, _ASIDE_PX, _ASIDE_PX, cv2.BORDER_REPLICATE)
    around = around[top : bottom + 2 * _DOWN_PX, left : right + 2 * _ASIDE_PX]
    likeness = cv2.matchTemplate(around, light[top:bottom, left:right], cv2.TM_CCOEFF_NORMED)
    down, aside = np.unravel_index(int(likeness.argmax()), likeness.shape)
    if likeness.max() < _LIKE:
        return None
    return int(aside) - _ASIDE_PX, int(down) - _DOWN_PX


def shifted(row: Arch, right: int, down: int) -> Arch:
    """The row moved by whole pixels."""
    height, width = row.picture.shape[:2]
    by = np.array([[1, 0, right], [0, 1, down]], np.float32)
    picture = cv2.warpAffine(row.picture, by, (width, height), flags=cv2.INTER_NEAREST)
    return Arch(picture, row.above_mm, row.seen_px_per_mm)


def joined(row: Arch | None, best: Arch) -> Arch:
    """The teeth as `row` shows them, above what its lip left free as `best` does, and gums above that.

    Both lie over each other; None: the lip left nothing free.
    """
    full = with_gums(best)
    if row is None or row is best:
        return full
    own, rest = (each.picture.astype(np.float32) for each in (row, full))
    # Without the rim below the lip, and softly.
    alpha = cv2.erode(own[..., 3], np.ones((5, 3), np.uint8))
    alpha = cv2.GaussianBlur(alpha, (0, 0), sigmaX=_SOFT_MM * PX_PER_MM, sigmaY=1.0) / 255
    alpha = np.minimum(alpha, own[..., 3] / 255)
    rest[..., :3] = np.minimum(rest[..., :3] * _gain(own, rest, alpha), 255)
    rest[..., :3] += alpha[..., None] * (own[..., :3] - rest[..., :3])
    rest[..., 3] = np.maximum(rest[..., 3], 255 * alpha)
    # Beyond the picture its border would be continued.
    rest[-1, :, 3] = 0
    return Arch(np.rint(rest).astype(np.uint8), full.above_mm, row.seen_px_per_mm)


def _gain(
    own: NDArray[np.float32], rest: NDArray[np.float32], alpha: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(3,) what the light on `rest` is to be multiplied by to be that on `own`, where both show teeth."""
    both = (alpha > 0.9) & (rest[..., 3] > 230)
    if both.sum() < _LEAST_OVERLAP_PX:
        return np.ones(3, np.float32)
    gain = np.median(own[both, :3], axis=0) / np.maximum(np.median(rest[both, :3], axis=0), 1)
    return np.clip(gain, _DIMMEST, _BRIGHTEST).astype(np.float32)
