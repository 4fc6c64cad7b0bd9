"""Filters the paint of networks over time: carried along with the face, low-passed, seldom renewed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import Change
from calib.openings import MOUTH
from calib.ramp import smoothstep_of
from reenact.alignment import Alignment
from reenact.generate.geometry.flow import to_pixels
from reenact.generate.geometry.mesh import CROP_CELL_PX, over_crop, warp_triangles
from reenact.records import Face, Frame

Layers = NDArray[np.float32]
"""(size, size, k) layers over a crop, 0 where there is no paint."""


@dataclass(frozen=True)
class PaintFilterOptions:
    """Times of the filter, and the changes that reset it."""

    time_s: float = 0.08
    """The time constant of the low-pass in seconds."""
    fresh_s: float = 0.07
    """The age of paint, in seconds, up to which it is used instead of new paint if little has changed. At 25
    frames a second every second frame needs new paint, at 30 every third. (In smiling films the difference is
    0.03 levels of 255 in the mean, and the warping error 1.53 instead of 1.51 with new paint in every
    frame.)"""
    longest_s: float = 0.25
    """The age of paint, in seconds, from which on it is dropped."""
    changed_by: float = 0.75
    """The difference between the changes of two frames, in intensity, from which on old paint is not used."""
    opened_by_mm: float = 2.2
    """The difference between the lip gaps of two frames, in millimetres, from which on old paint is not
    used."""
    alike: float = 0.75
    """The least similarity of two frames, 0..1, at which old paint is used instead of new paint."""


@dataclass(frozen=True, eq=False)
class PaintConditions:
    """What the paint of a face depends on, at one time."""

    track_id: int
    """The track id of the face."""
    time_s: float
    """The presentation time in seconds."""
    places: NDArray[np.float32]
    """(478, 3) the landmarks after the move, in crop pixels."""
    gaps_mm: NDArray[np.float32]
    """(n,) the gaps between the lips in millimetres."""
    change: Change
    """(2, AU_COUNT) the relative action units that moved the landmarks."""


def paint_conditions(
    frame: Frame, face: Face, moved: NDArray[np.float32], change: Change, alignment: Alignment
) -> PaintConditions:
    """The conditions of a face in a frame.

    moved: (478, 3) the landmarks after the move, in frame pixels. change: (2, AU_COUNT) the action units of
    the move. alignment: the alignment to the crop that is painted.
    """
    gaps_mm = MOUTH.gaps(moved, face.pose.down) / face.pose.scale
    return PaintConditions(face.track_id, float(frame.pts), alignment.points(moved), gaps_mm, change)


@dataclass(frozen=True, eq=False)
class _Shown:
    """The paint that a face was last shown with."""

    at: PaintConditions
    paint: Layers
    empty: bool


class PaintFilter:
    """Keeps the paint of each face and carries it along with the face's motion.

    It starts again where time stands still or runs backwards, as between unrelated pictures.
    """

    def __init__(self, options: PaintFilterOptions = PaintFilterOptions()) -> None:
        self._options = options
        self._shown: dict[int, _Shown] = {}
        """The paint by track id."""

    def recall(self, now: PaintConditions, *, fresh: bool) -> Layers | None:
        """The last paint, carried to the face's present place. None: there is none, or it is too old.

        fresh: whether the paint must be as good as new.
        """
        last = self._shown.get(now.track_id)
        if last is None or not 0 < now.time_s - last.at.time_s <= self._options.longest_s:
            return None
        # Empty paint stays valid until something changes.
        fresh_s = self._options.longest_s if last.empty else self._options.fresh_s
        too_old = now.time_s - last.at.time_s > fresh_s
        if fresh and (too_old or self._alike(last.at, now) < self._options.alike):
            return None
        return carried(last.paint, last.at.places, now.places)

    def __call__(self, now: PaintConditions, paint: Layers) -> Layers:
        """New paint, low-passed over time: the paint to show."""
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
        """The share of the earlier paint to keep, 0..1."""
        passed_s = now.time_s - before.time_s
        if not 0 < passed_s <= self._options.longest_s:
            return 0.0
        return self._alike(before, now) * float(np.exp(-passed_s / self._options.time_s))

    def _alike(self, before: PaintConditions, now: PaintConditions) -> float:
        """The similarity of two conditions, 0..1, apart from the motion of the skin."""
        changed = np.abs(now.change - before.change).max() / self._options.changed_by
        opened = np.abs(now.gaps_mm - before.gaps_mm).max() / self._options.opened_by_mm
        return 1 - smoothstep_of(max(changed, opened))


def carried(paint: Layers, before: NDArray[np.float32], now: NDArray[np.float32]) -> Layers:
    """`paint` (size, size, k) of a crop, moved along with the face's mesh.

    before, now: (478, 3) the landmarks in the crop, in pixels.
    """
    if not paint.any():  # usual where little shows, and a twentieth of the work
        return paint
    size = len(paint)
    back = (before - now)[:, :2][warp_triangles()].transpose(2, 0, 1)
    mesh = over_crop(now, size)
    if not len(mesh.cell):
        return np.zeros_like(paint)
    # Back-facing triangles, as in nostrils, leave holes of a cell.
    field = mesh.nearest(mesh.fill(back))
    along = np.arange(size, dtype=np.float32)
    back_x, back_y = (to_pixels(plane, CROP_CELL_PX)[:size, :size] for plane in field)
    x, y = back_x + along, back_y + along[:, None]
    return cv2.remap(paint, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
