"""Collects pictures of a film's mouths from a few sampled frames before the film is edited."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from reenact.generate.painters.mouth import MouthMemory, MouthViews, see_mouth
from reenact.media.read import FileCapture
from reenact.recognise.resemblance import Likeness, Resemblance, load_resemblance
from reenact.records import Face, Frame
from reenact.track import Tracker, TrackerOptions


@dataclass(frozen=True)
class LookAheadOptions:
    """The limits of the look ahead."""

    frames: int = 48
    """The number of frames that are sampled at most."""
    budget_s: float = 3.0
    """The time in seconds after which no further frame is read."""


@dataclass(frozen=True, eq=False)
class _Person:
    likeness: Likeness
    """The face's embedding."""
    views: MouthViews
    """The pictures of the inside of the mouth."""


class MouthViewsByPerson:
    """The pictures of mouths of all people in a film, retrieved by the similarity of faces."""

    def __init__(self, resemblance: Resemblance | None = None, known: MouthViews = MouthViews()) -> None:
        """resemblance: measures the similarity of faces. None: the one installed with reenact.
        known: pictures that belong to everybody, such as those of a profile."""
        self._resemblance = resemblance or load_resemblance()
        self._known = known
        self._people: list[_Person] = []

    def add(self, frame: Frame, face: Face) -> None:
        """Adds the picture of a face's mouth, if the frame shows teeth in it, to those of the person."""
        views = MouthViews().learn(frame, face, see_mouth(frame, face))
        if not len(views):
            return
        likeness = self._resemblance(frame.image, face)
        index = self._index(likeness)
        if index is None:
            self._people.append(_Person(likeness, views))
        else:
            person = self._people[index]
            self._people[index] = replace(person, views=person.views.better(views))

    def __call__(self, frame: Frame, face: Face) -> MouthViews:
        """The pictures of this person's mouth; those of everybody where the person is unknown."""
        if not self._people:
            return self._known
        index = self._index(self._resemblance(frame.image, face))
        return self._known if index is None else self._known.better(self._people[index].views)

    def __len__(self) -> int:
        """The number of people."""
        return len(self._people)

    def _index(self, likeness: Likeness) -> int | None:
        """The index of the most similar person. None: nobody's similarity reaches the threshold."""
        scores = [float(person.likeness @ likeness) for person in self._people]
        best = max(range(len(scores)), key=scores.__getitem__, default=None)
        return None if best is None or scores[best] < self._resemblance.threshold else best


def look_ahead(
    capture: FileCapture,
    tracker: TrackerOptions,
    known: MouthViews = MouthViews(),
    options: LookAheadOptions = LookAheadOptions(),
) -> MouthViewsByPerson:
    """Samples a film and returns its mouths. It takes little longer than the budget at most."""
    mouths = MouthViewsByPerson(known=known)
    with Tracker(replace(tracker, smoothing=False)) as track:
        return _with_frames(mouths, capture.sampled_frames(options.frames), track, options.budget_s)


def _with_frames(
    mouths: MouthViewsByPerson, frames: Iterable[Frame], track: Tracker, budget_s: float
) -> MouthViewsByPerson:
    end = time.monotonic() + budget_s
    for frame in frames:
        for face in track(frame).faces:
            mouths.add(frame, face)
        if time.monotonic() >= end:
            break
    return mouths


def film_memory(
    capture: FileCapture, tracker: TrackerOptions, known: MouthViews = MouthViews()
) -> MouthMemory:
    """A memory of mouths that knows the people of a film from the first frame on."""
    return MouthMemory(look_ahead(capture, tracker, known))
