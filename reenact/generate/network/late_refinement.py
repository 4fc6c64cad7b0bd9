"""Networks whose work can wait until the frame is out, for when latency counts most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from calib.au import Change
from reenact.generate.geometry.warp import Warp
from reenact.generate.network.refine import Refinement
from reenact.records import Face, Frame

Effort: TypeAlias = Literal["whole", "late", "none"]
"""How much of the networks' work there is: before the frame is out; after it is out, their paint carried to
the next frame by the mesh; or none."""


@dataclass(frozen=True, eq=False)
class _Due:
    """What the networks have yet to see."""

    frame: Frame
    face: Face
    change: Change
    warp: Warp


class LateRefinement:
    """`Refinement` with as much effort as there is time for."""

    def __init__(self, refinement: Refinement, effort: Callable[[], Effort]) -> None:
        """`effort` is asked for every face."""
        self._refinement = refinement
        self._effort = effort
        self._due: list[_Due] = []

    def __call__(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        """`warp` with the networks' paint, or that of a frame before."""
        effort = self._effort()
        if effort == "none":
            return warp
        paints = self._refinement.recalled(frame, face, change, warp) if effort == "late" else None
        if paints is None:
            return self._refinement(frame, face, change, warp)
        self._due.append(_Due(frame, face, change, warp))
        return self._refinement.lay_over(face, warp, paints)

    def afterwards(self) -> None:
        """Lets the networks work on what they have yet to see."""
        for due in self._due:
            self._refinement.paint(due.frame, due.face, due.change, due.warp)
        self._due = []
