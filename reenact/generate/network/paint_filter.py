"""Paint that follows the face from frame to frame: seldom made, carried in between, and never flickering."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import Change
from calib.openings import MOUTH
from calib.ramp import smoothstep
from reenact.alignment import Alignment
from reenact.generate.geometry.flow import nearest, to_pixels
from reenact.generate.geometry.mesh import CROP_CELL_PX, over_crop, warp_triangles
from reenact.records import Face, Frame

Layers = NDArray[np.float32]
"""(size, size, k) over the crop, 0 where there is no paint."""


@dataclass(frozen=True)
class PaintFilterOptions:
    time_s: float = 0.08
    """Time constant of the low-pass."""
    fresh_s: float = 0.07
    """Paint no older than this is as good as new, if little has changed: of 25 frames a second every second
    one needs paint of its own, of 30 every third, and with the low-pass behind it more is not seen. (Smiling
    films: 0.03 levels of 255 in the mean, and a warping error of 1.53 where every frame's own paint has
    1.51.)"""
    longest_s: float = 0.25
    """Paint older than this is forgotten."""
    changed_by: float = 0.75
    """A change that itself changes by so much between two frames is shown at once ..."""
    opened_by_mm: float = 2.2
    """... and so is a mouth that opens or shuts by so much: what was in it before is of no use."""
    alike: float = 0.75
    """0..1: how little may have changed for paint to be as good as new."""


@dataclass(frozen=True, eq=False)
class PaintConditions:
    """What the paint of a face hangs on, at one time."""

    track_id: int
    time_s: float
    places: NDArray[np.float32]
    """(478, 3) the landmarks after the move, crop pixels."""
    gaps_mm: NDArray[np.float32]
    """Between the lips."""
    change: Change


def paint_conditions(
    frame: Frame, face: Face, moved: NDArray[np.float32], change: Change, alignment: Alignment
) -> PaintConditions:
    """moved: (478, 3) the landmarks after the move, frame pixels; change: (2, 17) what moved them."""
    gaps_mm = MOUTH.gaps(moved, face.pose.down) / face.pose.scale
    return PaintConditions(face.track_id, float(frame.pts), alignment.points(moved), gaps_mm, change)


@dataclass(frozen=True, eq=False)
class _Shown:
    """What a face was painted with."""

    at: PaintConditions
    paint: Layers
    empty: bool


class PaintFilter:
    """Remembers each face's paint and carries it along with the face's own motion.

    Time that stands still or runs backwards, as between pictures that have nothing to do with each other,
    starts afresh.
    """

    def __init__(self, options: PaintFilterOptions = PaintFilterOptions()) -> None:
        self._options = options
        self._shown: dict[int, _Shown] = {}
        """By track id."""

    def recall(self, now: PaintConditions, *, fresh: bool) -> Layers | None:
        """The last paint, where the face is now; None where it is too old.

        fresh: only where it is as good as paint made now.
        """
        last = self._shown.get(now.track_id)
        if last is None or not 0 < now.time_s - last.at.time_s <= self._options.longest_s:
            return None
        # Where there was nothing to paint there will be nothing until something changes.
        fresh_s = self._options.longest_s if last.empty else self._options.fresh_s
        too_old = now.time_s - last.at.time_s > fresh_s
        if fresh and (too_old or self._alike(last.at, now) < self._options.alike):
            return None
        return carried(last.paint, last.at.places, now.places)

    def __call__(self, now: PaintConditions, paint: Layers) -> Layers:
        """New paint, low-passed in time: what is to be shown."""
        before = self._shown.get(now.track_id)
        kept = 0.0 if before is None else self._kept(before.at, now)
        if before is not None and kept > 0:
            paint = cv2.addWeighted(
                paint, 1 - kept, carried(before.paint, before.at.places, now.places), kept, 0
            )
        recent = {
            track_id: shown
            for track_id, shown in self._shown.items()
            if 0 <= now.time_s - shown.at.time_s <= self._options.longest_s
        }
        self._shown = {**recent, now.track_id: _Shown(now, paint, empty=not paint.any())}
        return paint

    def _kept(self, before: PaintConditions, now: PaintConditions) -> float:
        """0..1: how much of the paint before is of use now."""
        passed_s = now.time_s - before.time_s
        if not 0 < passed_s <= self._options.longest_s:
            return 0.0
        return self._alike(before, now) * float(np.exp(-passed_s / self._options.time_s))

    def _alike(self, before: PaintConditions, now: PaintConditions) -> float:
        """0..1: how little has changed that no motion of the skin can follow."""
        changed = np.abs(now.change - before.change).max() / self._options.changed_by
        opened = np.abs(now.gaps_mm - before.gaps_mm).max() / self._options.opened_by_mm
        return float(1 - smoothstep(np.array([changed, opened])).max())


def carried(paint: Layers, before: NDArray[np.float32], now: NDArray[np.float32]) -> Layers:
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
    back_x, back_y = (to_pixels(plane, CROP_CELL_PX)[:size, :size] for plane in field)
    x, y = back_x + along, back_y + along[:, None]
    return cv2.remap(paint, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
