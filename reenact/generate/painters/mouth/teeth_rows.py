"""Aligns and joins rows of one person's upper teeth from several frames."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.ramp import smoothstep
from reenact.generate.painters.mouth.arch import PX_PER_MM, Arch, with_gums

_DOWN_PX, _ASIDE_PX = round(2.7 * PX_PER_MM), round(2.3 * PX_PER_MM)
"""Greatest distance, in pixels, between the same teeth in the pictures of two frames."""
_LIKE = 0.75
"""Least correlation of two pictures of the same teeth."""
_HALF_WIDTH_PX = round(16 * PX_PER_MM)
"""Half the width of the part of a row that is compared."""
_BELOW_PX = round(1.3 * PX_PER_MM)
"""Height of the area below the teeth that is also compared, because their edge is distinctive."""
_LEAST_PX = round(2 * PX_PER_MM)
"""Least height of a row that is compared."""
_LEAST_OVERLAP_PX = 60
"""Least number of pixels in which two rows overlap for their light to be compared."""
_SIDE_SHADE, _LIT_MM = 0.6, 11.0
"""Share of the light that teeth at the sides lose, and half the width, in millimetres, that is fully lit."""
_FADE_MM = 5.0
"""Width, in millimetres, of the ends of a row that fade into the dark."""
_SOFT_MM = 0.8
"""Standard deviation, in millimetres, of the blur of the sides of a row that is laid over another."""
_DIMMEST, _BRIGHTEST = 0.3, 1.6
"""Limits of the ratio of light between two rows."""


def shift_between(row: Arch, onto: Arch) -> tuple[int, int] | None:
    """The shift (right, down), in pixels, of `row` onto the teeth in `onto`. None: their teeth differ."""
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
    """The row, moved by whole pixels."""
    height, width = row.picture.shape[:2]
    by = np.array([[1, 0, right], [0, 1, down]], np.float32)
    picture = cv2.warpAffine(row.picture, by, (width, height), flags=cv2.INTER_NEAREST)
    return Arch(picture, row.above_mm, row.seen_px_per_mm)


def joined(row: Arch | None, best: Arch, likely: Arch) -> Arch:
    """A complete row: teeth of `row`, then of `best` where a lip hid them in `row`, and gums above.

    row: aligned with `best`. None: a lip hid all of it. The sides, which neither shows, are those of
    `likely`, in the light of the others.
    """
    full = with_gums(best)
    base, rest = (each.picture.astype(np.float32) for each in (likely, full))
    aside_mm = np.abs(np.arange(base.shape[1]) - (base.shape[1] - 1) / 2) / PX_PER_MM
    base[..., :3] *= (1 - _SIDE_SHADE * smoothstep((aside_mm - _LIT_MM) / _LIT_MM))[:, None]
    lay_row_over(base, rest, rest[..., 3] / 255)
    if row is not None and row is not best:
        own = row.picture.astype(np.float32)
        # Without the rim below the lip, and with soft sides.
        alpha = cv2.erode(own[..., 3], np.ones((5, 3), np.uint8))
        alpha = cv2.GaussianBlur(alpha, (0, 0), sigmaX=_SOFT_MM * PX_PER_MM, sigmaY=1.0) / 255
        lay_row_over(base, own, np.minimum(alpha, own[..., 3] / 255))
    base[..., 3] *= _faded_sides(base[..., 3])
    # Otherwise the border would be continued beyond the picture.
    base[-1, :, 3] = 0
    return Arch(np.rint(base).astype(np.uint8), full.above_mm, (row or best).seen_px_per_mm)


def _faded_sides(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """(width,) weights that fade out the ends of a row, where the last teeth lie in the dark."""
    shown = np.flatnonzero((alpha > 128).any(axis=0))
    if not len(shown):
        return np.ones(alpha.shape[1], np.float32)
    every, soft = np.arange(alpha.shape[1], dtype=np.float32), _FADE_MM * PX_PER_MM
    return smoothstep((every - shown[0]) / soft) * smoothstep((shown[-1] - every) / soft)


def lay_row_over(base: NDArray[np.float32], own: NDArray[np.float32], alpha: NDArray[np.float32]) -> None:
    """Lays the picture `own` over `base`, in place, after matching the light of `base`.

    base, own: (height, width, 4). alpha: (height, width) the opacity of `own`, 0..1.
    """
    base[..., :3] = np.minimum(base[..., :3] * _gain(own, base, alpha), 255)
    base[..., :3] += alpha[..., None] * (own[..., :3] - base[..., :3])
    base[..., 3] = np.maximum(base[..., 3], 255 * alpha)


def _gain(
    own: NDArray[np.float32], rest: NDArray[np.float32], alpha: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(3,) the factors from the light of `rest` to that of `own`, where both show teeth."""
    both = (alpha > 0.9) & (rest[..., 3] > 230)
    if both.sum() < _LEAST_OVERLAP_PX:
        return np.ones(3, np.float32)
    gain = np.median(own[both, :3], axis=0) / np.maximum(np.median(rest[both, :3], axis=0), 1)
    return np.clip(gain, _DIMMEST, _BRIGHTEST).astype(np.float32)
