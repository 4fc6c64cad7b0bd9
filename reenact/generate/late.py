"""An appearance network whose work can wait until the frame is out, for when latency counts most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from reenact.generate.appearance import Appearance, Paint, composite
from reenact.generate.steady import carried
from reenact.generate.warp import Warp
from reenact.types import Face, Frame

Care: TypeAlias = Literal["whole", "late", "alternate", "none"]
"""How much of the network's work there is: for every frame before it is out; after it is out, its paint
carried to the next frame by the mesh; that for every second frame; or none."""

LONGEST_S = 0.25
"""Paint older than this is not carried on: the network then works before the frame is out, once."""


@dataclass(frozen=True, eq=False)
class _Kept:
    """The last paint of a face."""

    frame: Frame
    places: NDArray[np.float32]
    """(478, 3) the landmarks after the move, crop pixels."""
    paint: Paint | None
    shown: int = 0
    """How many frames it has been carried to."""


@dataclass(frozen=True, eq=False)
class _Due:
    """What the network has yet to see."""

    frame: Frame
    face: Face
    change: AUVector
    warp: Warp


class LateAppearance:
    """`Appearance` with as much care as there is time for."""

    def __init__(self, appearance: Appearance, care: Callable[[], Care]) -> None:
        """`care` is asked for every face."""
        self._appearance = appearance
        self._care = care
        self._kept: dict[int, _Kept] = {}
        """By track id."""
        self._due: list[_Due] = []

    def __call__(self, frame: Frame, face: Face, change: AUVector, warp: Warp) -> Warp:
        """`warp` with the network's paint, or that of a frame before."""
        care = self._care()
        if care == "none":
            return warp
        kept = self._kept.get(face.track_id)
        due = _Due(frame, face, change, warp)
        if care == "whole" or kept is None or not 0 < frame.pts - kept.frame.pts <= LONGEST_S:
            kept = self._painted(due)
        else:
            kept = replace(kept, shown=kept.shown + 1)
            if care == "late" or kept.shown % 2 == 0:
                self._due.append(due)
        self._remember(face.track_id, kept, frame)
        if kept.paint is None:
            return warp
        alignment = self._appearance.align(face)
        paint = carried(kept.paint, kept.places, alignment.points(warp.moved)) if kept.shown else kept.paint
        return composite(warp, alignment, paint)

    def afterwards(self) -> None:
        """Lets the network work on what it has yet to see."""
        for due in self._due:
            self._kept[due.face.track_id] = self._painted(due)
        self._due = []

    def _painted(self, due: _Due) -> _Kept:
        alignment = self._appearance.align(due.face)
        paint = self._appearance.paint(due.frame, due.face, due.change, due.warp, alignment)
        return _Kept(due.frame, alignment.points(due.warp.moved), paint)

    def _remember(self, track_id: int, kept: _Kept, now: Frame) -> None:
        """Keeps this, and of other faces what is not too old to be used."""
        recent = {
            other: one for other, one in self._kept.items() if 0 <= now.pts - one.frame.pts <= LONGEST_S
        }
        self._kept = {**recent, track_id: kept}
