"""An appearance network whose work can wait until the frame is out, for when latency counts most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from calib.au import Change
from reenact.generate.appearance import Appearance
from reenact.generate.warp import Warp
from reenact.types import Face, Frame

Care: TypeAlias = Literal["whole", "late", "none"]
"""How much of the network's work there is: before the frame is out; after it is out, its paint carried to the
next frame by the mesh; or none."""


@dataclass(frozen=True, eq=False)
class _Due:
    """What the network has yet to see."""

    frame: Frame
    face: Face
    change: Change
    warp: Warp


class LateAppearance:
    """`Appearance` with as much care as there is time for."""

    def __init__(self, appearance: Appearance, care: Callable[[], Care]) -> None:
        """`care` is asked for every face."""
        self._appearance = appearance
        self._care = care
        self._due: list[_Due] = []

    def __call__(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        """`warp` with the network's paint, or that of a frame before."""
        care = self._care()
        if care == "none":
            return warp
        paint = self._appearance.recalled(frame, face, change, warp) if care == "late" else None
        if paint is None:
            return self._appearance(frame, face, change, warp)
        self._due.append(_Due(frame, face, change, warp))
        return self._appearance.lay_over(face, warp, paint)

    def afterwards(self) -> None:
        """Lets the network work on what it has yet to see."""
        for due in self._due:
            self._appearance.paint(due.frame, due.face, due.change, due.warp)
        self._due = []
