"""Checks whether a frame shows the mouth well enough to learn from: not covered, and not in deep shade."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.ramp import smoothstep
from reenact.generate.painters.mouth.seen_mouth import OUTER_LOWER, OUTER_UPPER, PX_PER_MM, SeenMouth
from reenact.generate.painters.mouth.teeth_light import redness, skin
from reenact.records import Face, Frame


@dataclass(frozen=True)
class CoveredMouthOptions:
    """Thresholds from which on a mouth counts as covered."""

    inside: float = 0.4
    """The share of a column between the lips from which on it counts as looking like skin."""
    columns: float = 0.05
    """The share of columns which look like skin, and in which a lip does, too, that makes a mouth covered."""
    all_inside: float = 0.6
    """The share of the whole inside with the look of skin that makes a mouth covered, whatever the lips."""
    contrast: float = 10.0
    """The difference of colour between lips and skin, in levels of 255, from which on lips are compared."""


def is_covered(
    frame: Frame,
    face: Face,
    seen: SeenMouth,
    crop: NDArray[np.float32],
    options: CoveredMouthOptions = CoveredMouthOptions(),
) -> bool:
    """Whether a hand, or anything of the colour of skin, hides a part of the mouth, given its crop."""
    bare = skin(frame.image, face)
    inside = _skin_like(_inside(crop, seen), bare).reshape(-1, len(seen.columns)).mean(axis=0)
    covered = (inside > options.inside) & _covered_lips(crop, face, seen, bare, options)
    return bool(covered.mean() > options.columns or inside.mean() > options.all_inside)


def light_below_lip(crop: NDArray[np.float32], seen: SeenMouth) -> float:
    """The level, 0..255, of the lighter parts below the middle of the upper lip, given the crop."""
    middle = np.s_[len(seen.columns) // 4 : -(len(seen.columns) // 4)]
    down = np.arange(0.8, 4.0, 0.4, dtype=np.float32)[:, None] * PX_PER_MM
    rows = np.minimum(seen.top[middle] + down, seen.bottom[middle] - 1)
    return float(np.percentile(_at(crop, seen.columns[middle], rows).mean(axis=1), 80))


def _skin_like(colours: NDArray[np.float32], bare: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) the degree, 0..1, to which colours (n, 3) are as light and as red as skin.

    Teeth are paler than skin, and everything else in a mouth is darker.
    """
    light = colours.mean(axis=1) / max(float(bare.mean()), 1.0)
    red = redness(colours) / max(float(redness(bare)), 0.05)
    return (
        smoothstep((light - 0.65) / 0.1) * smoothstep((red - 0.75) / 0.1) * smoothstep((1.5 - red) / 0.1)
    ).astype(np.float32)


def _inside(crop: NDArray[np.float32], seen: SeenMouth) -> NDArray[np.float32]:
    """(n, 3) colours between the lips."""
    shares = (np.arange(8, dtype=np.float32)[:, None] + 0.5) / 8
    return _at(crop, seen.columns, seen.top + shares * (seen.bottom - seen.top))


def _covered_lips(
    crop: NDArray[np.float32],
    face: Face,
    seen: SeenMouth,
    bare: NDArray[np.float32],
    options: CoveredMouthOptions,
) -> NDArray[np.bool_]:
    """(columns,) True where one of the lips is more similar to skin than to the rest of that lip."""
    places = seen.alignment.points(face.landmarks)[:, :2]
    covered = np.zeros(len(seen.columns), bool)
    for outer, inner in ((OUTER_UPPER, seen.top), (OUTER_LOWER, seen.bottom)):
        order = np.argsort(places[outer, 0])
        edge = np.interp(seen.columns, places[outer, 0][order], places[outer, 1][order])
        red = _at(crop, seen.columns, (inner + edge)[None] / 2)
        usual = np.median(red, axis=0)
        if np.linalg.norm(usual - bare) > options.contrast:
            covered |= np.linalg.norm(red - bare, axis=1) < np.linalg.norm(red - usual, axis=1)
    return covered


def _at(
    crop: NDArray[np.float32], columns: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n, 3) colours at `columns` and rows (m, columns), to the nearest pixel."""
    height, width = crop.shape[:2]
    y = np.clip(np.rint(rows).astype(int), 0, height - 1)
    x = np.clip(np.rint(np.broadcast_to(columns, rows.shape)).astype(int), 0, width - 1)
    return crop[y, x].reshape(-1, 3)
