"""Paint that follows the face from frame to frame, so that it does not flicker."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from calib.openings import MOUTH
from calib.ramp import smoothstep
from reenact.generate.flow import nearest, to_pixels
from reenact.generate.mesh import CROP_CELL_PX, over_crop, warp_triangles
from reenact.geometry import Alignment
from reenact.types import Face


@dataclass(frozen=True)
class SteadyOptions:
    time_s: float = 0.08
    """Time constant of the low-pass."""
    longest_s: float = 0.2
    """Paint older than this is forgotten."""
    changed_by: float = 0.75
    """A change that itself changes by so much between two frames is shown at once ..."""
    opened_by_mm: float = 2.2
    """... and so is a mouth that opens or shuts by so much: what was in it before is of no use."""


@dataclass(frozen=True, eq=False)
class _Shown:
    """What a face was painted with."""

    time_s: float
    places: NDArray[np.float32]
    """(478, 3) the landmarks after the move, crop pixels."""
    gaps_mm: NDArray[np.float32]
    """Between the lips."""
    change: AUVector
    paint: NDArray[np.float32]
    """(size, size, k), in the crop."""


class Steady:
    """A low-pass in time over each face's paint, along the face's own motion.

    Time that stands still or runs backwards, as between pictures that have nothing to do with each other,
    starts afresh.
    """

    def __init__(self, options: SteadyOptions = SteadyOptions()) -> None:
        self._options = options
        self._shown: dict[int, _Shown] = {}
        """By track id."""

    def __call__(
        self,
        face: Face,
        time_s: float,
        moved: NDArray[np.float32],
        change: AUVector,
        alignment: Alignment,
        paint: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """The paint to be shown, (size, size, k) float32 in the crop, 0 where there is none.

        moved: (478, 3) the landmarks after the move, frame pixels; change: (17,) what moved them.
        """
        gaps_mm = MOUTH.gaps(moved, face.pose.down) / face.pose.scale
        now = _Shown(time_s, alignment.points(moved), gaps_mm, change, paint)
        before = self._shown.get(face.track_id)
        kept = 0.0 if before is None else self._kept(before, now)
        if before is not None and kept > 0:
            paint = cv2.addWeighted(
                paint, 1 - kept, carried(before.paint, before.places, now.places), kept, 0
            )
        recent = {
            track_id: shown
            for track_id, shown in self._shown.items()
            if 0 <= time_s - shown.time_s <= self._options.longest_s
        }
        self._shown = {**recent, face.track_id: replace(now, paint=paint)}
        return paint

    def _kept(self, before: _Shown, now: _Shown) -> float:
        """0..1: how much of the paint before is of use now."""
        options, passed_s = self._options, now.time_s - before.time_s
        if not 0 < passed_s <= options.longest_s:
            return 0.0
        changed = np.abs(now.change - before.change).max() / options.changed_by
        opened = np.abs(now.gaps_mm - before.gaps_mm).max() / options.opened_by_mm
        alike = 1 - smoothstep(np.array([changed, opened]))
        return float(alike.min() * np.exp(-passed_s / options.time_s))


def carried(
    paint: NDArray[np.float32], before: NDArray[np.float32], now: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`paint` (size, size, k) of a crop, moved as the face's mesh moves.

    before, now: (478, 3) the landmarks in the crop, pixels.
    """
    if not paint.any():  # a twentieth of the work, and usual where little shows
        return paint
    size = len(paint)
    back = (before - now)[:, :2][warp_triangles()].transpose(2, 0, 1)
    field, covered = over_crop(now, back, size)
    if not covered.any():
        return np.zeros_like(paint)
    # Back-facing triangles, as in nostrils, leave holes of a cell.
    field, _ = nearest(field, covered)
    along = np.arange(size, dtype=np.float32)
    x, y = to_pixels(field[0], CROP_CELL_PX) + along, to_pixels(field[1], CROP_CELL_PX) + along[:, None]
    return cv2.remap(paint, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
