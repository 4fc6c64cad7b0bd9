"""Postpones the work of networks until the frame is shown, where latency counts most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from calib.au import Change
from reenact.generate.geometry.warp import Warp
from reenact.generate.network.refine import Refinement
from reenact.records import Face, Frame

Effort: TypeAlias = Literal["whole", "late", "none"]
"""The work of the networks: all of it before the frame is shown (whole), after it is shown, with the paint
carried to the next frame by the mesh (late), or none of it (none)."""


@dataclass(frozen=True, eq=False)
class _Due:
    """A face that the networks still have to paint."""

    frame: Frame
    face: Face
    change: Change
    warp: Warp


class LateRefinement:
    """A `Refinement` with as much work as the latency allows."""

    def __init__(self, refinement: Refinement, effort: Callable[[], Effort]) -> None:
        """effort: called for every face; returns how much work the networks do."""
        self._refinement = refinement
        self._effort = effort
        self._due: list[_Due] = []

    def __call__(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        """`warp` with the networks' paint of this frame or of an earlier one."""
        effort = self._effort()
        if effort == "none":
            return warp
        paints = self._refinement.recalled(frame, face, change, warp) if effort == "late" else None
        if paints is None:
            return self._refinement(frame, face, change, warp)
        self._due.append(_Due(frame, face, change, warp))
        return self._refinement.lay_over(face, warp, paints)

    def afterwards(self) -> None:
        """Lets the networks do the work that was postponed."""
        for due in self._due:
            self._refinement.paint(due.frame, due.face, due.change, due.warp)
        self._due = []
