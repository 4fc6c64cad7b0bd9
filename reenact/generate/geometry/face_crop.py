"""The upright square crop of a face that networks and the tables of the skin use."""

from __future__ import annotations

from dataclasses import dataclass

from reenact.alignment import Alignment, align
from reenact.records import Face


@dataclass(frozen=True)
class FaceCrop:
    """An upright square of a face."""

    size: int = 256
    """The width and height in pixels."""
    width_mm: float = 190.0
    """The width in millimetres of an average face."""
    centre_mm: tuple[float, float, float] = (0.0, 14.0, 0.0)
    """The canonical place (x, y, z) of the middle in millimetres (reenact.records.Face.pose)."""

    def align(self, face: Face) -> Alignment:
        """The alignment from the frame to the crop of a face. Raises SizeError."""
        return align(face.pose, self.size, self.width_mm, self.centre_mm)
