"""Which of the faces in the picture to change: the choice, its notation, and the faces of each frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from reenact.records import Face, Tracked

ChooseFaces: TypeAlias = Callable[[Tracked], set[int]]
"""Returns the track ids of the faces to change; it is called once with every frame, in order."""
FaceChoice: TypeAlias = "Literal['largest', 'all'] | tuple[int, ...] | ChooseFaces"
"""Which faces to change: the largest, all, those with these track ids, or those that a function returns."""


class FaceChoiceError(ValueError):
    """The text of a choice of faces cannot be understood; the message is one line."""


@dataclass(frozen=True)
class FaceChoiceOptions:
    """Which faces are changed, and how steadily the largest one is followed."""

    faces: FaceChoice = "largest"
    """The faces that are changed."""
    larger: float = 1.25
    """The ratio of sizes from which on another face takes over as the largest: equal ones never alternate."""
    patience_s: float = 0.5
    """The time in seconds that the largest face may be lost before another takes its place."""


class FaceChooser:
    """Returns the track ids of the chosen faces of each frame."""

    def __init__(self, options: FaceChoiceOptions) -> None:
        self._faces: FaceChoice = options.faces
        self._largest = LargestFace(options.larger, options.patience_s)

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


class LargestFace:
    """Keeps to the largest face until another is clearly larger, or until it has been lost for some time."""

    def __init__(self, larger: float, patience_s: float) -> None:
        """`larger` and `patience_s` are those of FaceChoiceOptions."""
        self._larger = larger
        self._patience_s = patience_s
        self.restart()

    def restart(self) -> None:
        """Forgets all frames so far."""
        self._chosen: int | None = None
        self._seen = Fraction(0)

    def __call__(self, tracked: Tracked) -> int | None:
        """The track id of the largest face, which may just be lost. None: no face was seen lately."""
        pts = tracked.frame.pts
        if tracked.cut:
            self._chosen = None
        current = next((face for face in tracked.faces if face.track_id == self._chosen), None)
        # Time that runs backwards is another part of the film, in which no lost face is waited for.
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


def parse_faces(text: str) -> FaceChoice:
    """The choice of faces from the text of --faces: largest, all, or track ids as in 0,2.

    Raises FaceChoiceError.
    """
    word = text.strip().lower()
    if word == "largest":
        return "largest"
    if word == "all":
        return "all"
    return _parse_ids(text)


def _parse_ids(text: str) -> tuple[int, ...]:
    ids = [track_id_of(item.strip()) for item in text.split(",")]
    known = tuple(track_id for track_id in ids if track_id is not None)
    if len(known) < len(ids):
        raise FaceChoiceError(f"faces {text!r} not understood; choose largest, all, or ids such as 0,2")
    return known


def track_id_of(text: str) -> int | None:
    """The track id that the text spells. None: it spells none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
