"""Matches the tracked faces of a film with reference pictures that the user gave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np

from reenact.measure.read_aus import read_still
from reenact.media.image_file import load_still
from reenact.recognise.resemblance import Likeness, Resemblance, load_resemblance, unit
from reenact.records import Face, Tracked
from reenact.track import TrackerOptions


@dataclass(frozen=True)
class RecogniserOptions:
    """How often faces are compared, and when a match changes."""

    first_looks: int = 8
    """The number of first comparisons of a new face, which follow each other quickly."""
    soon_s: float = 0.1
    """The least time in seconds between these."""
    later_s: float = 1.0
    """The least time in seconds between later comparisons, which notice if an id moves to another person."""
    memory: int = 16
    """The number of comparisons in the running mean; older ones fade."""
    confidence: float = 0.5
    """The tracker's confidence, 0..1, below which a face is not compared again after the first time."""
    turned_rad: float = 0.6
    """The yaw or pitch in radians above which a face is not compared again after the first time."""
    hysteresis: float = 0.08
    """The similarity by which another face must be ahead to take over a match, and by which a matched face
    may fall below the threshold."""
    patience_s: float = 1.0
    """The time in seconds for which a lost face keeps its match, as it keeps its track id."""


class Recogniser:
    """Called with every record; returns which of its faces match which reference.

    A face matches one reference or none, and a reference at most one face; the most similar pair comes first.
    A still is compared once; in a film the comparisons of each track id are averaged. One comparison takes
    about 2 ms; over a film at 30 fps that is 0.1 ms for each frame and face.
    """

    def __init__(
        self,
        references: Sequence[Likeness],
        resemblance: Resemblance | None = None,
        options: RecogniserOptions = RecogniserOptions(),
    ) -> None:
        self._references = np.array(references, np.float32)
        self._resemblance = resemblance or load_resemblance()
        self._options = options
        self.restart()

    def restart(self) -> None:
        """Forgets all faces so far."""
        self._tracked: dict[int, _TrackedFace] = {}
        self._closest: list[float | None] = [None] * len(self._references)

    def why_unmatched(self, index: int) -> str:
        """The reason why no face has matched the reference of this index, with the best similarity so far."""
        closest, needed = self._closest[index], self._resemblance.threshold
        if closest is None:
            return "there was no face"
        if closest < needed:
            return f"the most similar face has {closest:.2f}, and {needed:.2f} is needed"
        return "the faces similar to it are more similar to another reference"

    def __call__(self, tracked: Tracked) -> dict[int, int]:
        """The indices of references by the track ids of the faces that match them."""
        self._forget(tracked)
        for face in tracked.faces:
            self._see(tracked, face)
        self._assign()
        present = {face.track_id for face in tracked.faces}
        return {
            track_id: known.match
            for track_id, known in self._tracked.items()
            if track_id in present and known.match is not None
        }

    def _forget(self, tracked: Tracked) -> None:
        """Forgets faces that have been lost for too long, and all faces at a cut or where time runs
        backwards, because they get new ids there."""
        now = tracked.frame.pts
        earliest = now - Fraction(self._options.patience_s)
        self._tracked = {
            track_id: known
            for track_id, known in self._tracked.items()
            if earliest <= known.seen <= now and not tracked.cut
        }

    def _see(self, tracked: Tracked, face: Face) -> None:
        options, pts = self._options, tracked.frame.pts
        known = self._tracked.setdefault(face.track_id, _TrackedFace(pts))
        known.seen = pts
        if pts < known.due or (known.looks and not self._is_in_view(face)):
            return
        likeness = self._resemblance(tracked.frame.image, face)
        known.add(likeness, self._references, options.memory)
        wait_s = options.soon_s if known.looks < options.first_looks else options.later_s
        known.due = pts + Fraction(wait_s)
        pairs = zip(self._closest, known.scores, strict=True)
        self._closest = [score if best is None else max(best, score) for best, score in pairs]

    def _is_in_view(self, face: Face) -> bool:
        turned = max(map(abs, face.pose.angles[:2]))
        return face.confidence >= self._options.confidence and turned <= self._options.turned_rad

    def _assign(self) -> None:
        """Assigns every reference to the most similar face, with an advantage for the present one."""
        claims = sorted(self._claims(), key=lambda claim: claim[0], reverse=True)
        for known in self._tracked.values():
            known.match = None
        taken: set[int] = set()
        for _, known, index in claims:
            if known.match is None and index not in taken:
                known.match = index
                taken.add(index)

    def _claims(self) -> Iterable[tuple[float, _TrackedFace, int]]:
        for known, index in product(self._tracked.values(), range(len(self._references))):
            if known.looks:
                score = known.scores[index] + self._options.hysteresis * (known.match == index)
                if score >= self._resemblance.threshold:
                    yield score, known, index


class _TrackedFace:
    """The comparisons of one tracked face."""

    def __init__(self, pts: Fraction) -> None:
        self.seen = pts
        self.due = pts
        """The time in seconds of the next comparison."""
        self.looks = 0
        self.scores: list[float] = []
        """The similarity to each reference."""
        self.match: int | None = None
        """The index of the matching reference. None: there is none."""
        self._evidence: Likeness | None = None

    def add(self, likeness: Likeness, references: Likeness, memory: int) -> None:
        self.looks += 1
        share = 1 / min(self.looks, memory)
        before = likeness if self._evidence is None else self._evidence
        self._evidence = before + share * (likeness - before)
        self.scores = (references @ unit(self._evidence)).tolist()


class ReferencePictureError(ValueError):
    """A reference picture shows no face; the message is one line for the user."""


def load_reference(path: Path, options: TrackerOptions) -> Likeness:
    """The vector (kept,) of the largest face in a picture.

    Raises StillError where the picture cannot be read, ReferencePictureError where it shows no face.
    """
    picture = read_still(load_still(path), options)
    if (largest := picture.largest) is None:
        raise ReferencePictureError(f"{path}: no face was found in it; give a picture of the person")
    return load_resemblance()(picture.frame.image, picture.faces[largest])
