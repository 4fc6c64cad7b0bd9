"""The upright square around a face that networks and tables of the skin look at."""

from __future__ import annotations

from dataclasses import dataclass

from reenact.alignment import Alignment, align
from reenact.records import Face


@dataclass(frozen=True)
class FaceCrop:
    """An upright square of the face."""

    size: int = 256
    """Width and height in pixels."""
    width_mm: float = 190.0
    """Width on an average face."""
    centre_mm: tuple[float, float, float] = (0.0, 14.0, 0.0)
    """Canonical place of the middle (reenact.records.Face.pose)."""

    def align(self, face: Face) -> Alignment:
        return align(face.pose, self.size, self.width_mm, self.centre_mm)
