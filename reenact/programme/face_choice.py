"""Which of the faces in the picture to change."""

from __future__ import annotations

from fractions import Fraction

from reenact.programme.options import FaceChoice, RetargetOptions
from reenact.records import Face, Tracked


class Chooser:
    """Names the chosen faces of each frame, by track id."""

    def __init__(self, options: RetargetOptions) -> None:
        self._faces: FaceChoice = options.faces
        self._largest = Largest(options.larger, options.patience_s)

    def restart(self) -> None:
        """Forgets all frames so far."""
        self._largest.restart()

    def __call__(self, tracked: Tracked) -> set[int]:
        present = {face.track_id for face in tracked.faces}
        if self._faces == "all":
            return present
        if self._faces == "largest":
            return present & {self._largest(tracked)}
        return present.intersection(self._faces(tracked) if callable(self._faces) else self._faces)


class Largest:
    """Holds on to the largest face until another is clearly larger, or it has been gone for some time."""

    def __init__(self, larger: float, patience_s: float) -> None:
        self._larger = larger
        self._patience_s = patience_s
        self.restart()

    def restart(self) -> None:
        """Forgets all frames so far."""
        self._chosen: int | None = None
        self._seen = Fraction(0)

    def __call__(self, tracked: Tracked) -> int | None:
        """The track id of the largest face, even if just lost from view; None without any."""
        pts = tracked.frame.pts
        if tracked.cut:
            self._chosen = None
        current = next((face for face in tracked.faces if face.track_id == self._chosen), None)
        # Time that runs backwards is another part of the film, in which nobody is waited for.
        lately = 0 <= pts - self._seen < self._patience_s
        waiting = self._chosen is not None and current is None and lately
        if tracked.largest is not None and not waiting:
            self._chosen = self._clearly_largest(tracked.faces[tracked.largest], current).track_id
            self._seen = pts
        return self._chosen

    def _clearly_largest(self, largest: Face, current: Face | None) -> Face:
        if current is not None and largest.pose.scale < self._larger * current.pose.scale:
            return current
        return largest
