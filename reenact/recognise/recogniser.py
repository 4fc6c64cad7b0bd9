"""Which face in the picture is whose, by pictures that the user gave."""

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
    first_looks: int = 8
    """A new face is looked at so many times, ..."""
    soon_s: float = 0.1
    """... with at least this time between, ..."""
    later_s: float = 1.0
    """... and from then on after this time: should an id ever move to somebody else, it is noticed."""
    memory: int = 16
    """Looks that the evidence is a mean of; older ones fade."""
    confidence: float = 0.5
    """A face of which the tracker is less sure is looked at once, and not again before it is surer."""
    turned_rad: float = 0.6
    """Nor is one that is turned or tilted farther than this."""
    hysteresis: float = 0.08
    """Likeness by which another face must be ahead to take over, and by which a face may fall below the
    threshold before it is given up."""
    patience_s: float = 1.0
    """A face that is lost keeps its part for so long, as it keeps its track id."""


class Recogniser:
    """Called with every record; says which of its faces look like which reference.

    A face is nobody or one of the references, and no two faces are the same one: the likest pair goes first.
    A still gets one look; in a film evidence accumulates over the looks at each track id. One look takes
    about 2 ms; over a film at 30 fps that is 0.1 ms a frame and face.
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
        self._sightings: dict[int, _Sighting] = {}
        self._closest: list[float | None] = [None] * len(self._references)

    def doubt(self, index: int) -> str:
        """How far the likest face so far was from being taken for a reference."""
        closest, needed = self._closest[index], self._resemblance.threshold
        if closest is None:
            return "there was no face"
        if closest < needed:
            return f"the likest is {closest:.2f} alike, and {needed:.2f} is needed"
        return "whoever is like it is more like another reference"

    def __call__(self, tracked: Tracked) -> dict[int, int]:
        """The index of a reference by the track id of the face that looks like it."""
        self._forget(tracked)
        for face in tracked.faces:
            self._see(tracked, face)
        self._cast()
        present = {face.track_id for face in tracked.faces}
        return {
            track_id: sighting.part
            for track_id, sighting in self._sightings.items()
            if track_id in present and sighting.part is not None
        }

    def _forget(self, tracked: Tracked) -> None:
        """Those who have been away for too long, and everybody at a cut and where time runs backwards: there
        they get new ids."""
        now = tracked.frame.pts
        earliest = now - Fraction(self._options.patience_s)
        self._sightings = {
            track_id: sighting
            for track_id, sighting in self._sightings.items()
            if earliest <= sighting.seen <= now and not tracked.cut
        }

    def _see(self, tracked: Tracked, face: Face) -> None:
        options, pts = self._options, tracked.frame.pts
        sighting = self._sightings.setdefault(face.track_id, _Sighting(pts))
        sighting.seen = pts
        if pts < sighting.due or (sighting.looks and not self._is_in_view(face)):
            return
        likeness = self._resemblance(tracked.frame.image, face)
        sighting.add(likeness, self._references, options.memory)
        wait_s = options.soon_s if sighting.looks < options.first_looks else options.later_s
        sighting.due = pts + Fraction(wait_s)
        pairs = zip(self._closest, sighting.scores, strict=True)
        self._closest = [score if best is None else max(best, score) for best, score in pairs]

    def _is_in_view(self, face: Face) -> bool:
        turned = max(map(abs, face.pose.angles[:2]))
        return face.confidence >= self._options.confidence and turned <= self._options.turned_rad

    def _cast(self) -> None:
        """Gives every reference to the face that is most like it, with a lead for the one that has it."""
        claims = sorted(self._claims(), key=lambda claim: claim[0], reverse=True)
        for sighting in self._sightings.values():
            sighting.part = None
        taken: set[int] = set()
        for _, sighting, part in claims:
            if sighting.part is None and part not in taken:
                sighting.part = part
                taken.add(part)

    def _claims(self) -> Iterable[tuple[float, _Sighting, int]]:
        for sighting, part in product(self._sightings.values(), range(len(self._references))):
            if sighting.looks:
                score = sighting.scores[part] + self._options.hysteresis * (sighting.part == part)
                if score >= self._resemblance.threshold:
                    yield score, sighting, part


class _Sighting:
    """What is known of one tracked face."""

    def __init__(self, pts: Fraction) -> None:
        self.seen = pts
        self.due = pts
        """When to look again."""
        self.looks = 0
        self.scores: list[float] = []
        """How alike it is to each reference."""
        self.part: int | None = None
        """The reference that it is taken for."""
        self._evidence: Likeness | None = None

    def add(self, likeness: Likeness, references: Likeness, memory: int) -> None:
        self.looks += 1
        share = 1 / min(self.looks, memory)
        before = likeness if self._evidence is None else self._evidence
        self._evidence = before + share * (likeness - before)
        self.scores = (references @ unit(self._evidence)).tolist()


class ReferencePictureError(ValueError):
    """A picture by which nobody can be picked; the message is one line for the user."""


def load_reference(path: Path, options: TrackerOptions) -> Likeness:
    """What the largest face in a picture looks like.

    Raises StillError where the picture cannot be read, ReferencePictureError where it shows no face.
    """
    picture = read_still(load_still(path), options)
    if (largest := picture.largest) is None:
        raise ReferencePictureError(f"{path}: no face was found in it to look for")
    return load_resemblance()(picture.frame.image, picture.faces[largest])
