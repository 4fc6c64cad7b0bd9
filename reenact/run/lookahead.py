"""A film's people, known before its first frame is edited: a few glances at frames spread over it."""

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
    frames: int = 48
    """The number of frames that are sampled at most."""
    budget_s: float = 3.0
    """Seconds after which no further frame is looked at."""


@dataclass(frozen=True, eq=False)
class _Person:
    likeness: Likeness
    views: MouthViews


class Album:
    """The teeth of everybody in a film, found again by what the faces look like."""

    def __init__(self, resemblance: Resemblance | None = None, known: MouthViews = MouthViews()) -> None:
        """known: what is known beforehand of everybody, as by a profile."""
        self._resemblance = resemblance or load_resemblance()
        self._known = known
        self._people: list[_Person] = []

    def learn(self, frame: Frame, face: Face) -> None:
        """Adds what a frame shows of a face's teeth to what is known of the person."""
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
        """What is known of the person whose face this is; of a stranger, what is known of everybody."""
        if not self._people:
            return self._known
        index = self._index(self._resemblance(frame.image, face))
        return self._known if index is None else self._known.better(self._people[index].views)

    def __len__(self) -> int:
        return len(self._people)

    def _index(self, likeness: Likeness) -> int | None:
        """Of the likest person; None where nobody is like enough."""
        scores = [float(person.likeness @ likeness) for person in self._people]
        best = max(range(len(scores)), key=scores.__getitem__, default=None)
        return None if best is None or scores[best] < self._resemblance.threshold else best


def look_ahead(
    capture: FileCapture,
    tracker: TrackerOptions,
    known: MouthViews = MouthViews(),
    options: LookAheadOptions = LookAheadOptions(),
) -> Album:
    """The album of a film. Costs at most about the budget, and the film's decoder is left alone."""
    album = Album(known=known)
    with Tracker(replace(tracker, smoothing=False)) as track:
        return _learnt(album, capture.sampled_frames(options.frames), track, options.budget_s)


def _learnt(album: Album, frames: Iterable[Frame], track: Tracker, budget_s: float) -> Album:
    end = time.monotonic() + budget_s
    for frame in frames:
        for face in track(frame).faces:
            album.learn(frame, face)
        if time.monotonic() >= end:
            break
    return album


def film_memory(
    capture: FileCapture, tracker: TrackerOptions, known: MouthViews = MouthViews()
) -> MouthMemory:
    """A memory of mouths that knows a film's people from its first frame on."""
    return MouthMemory(look_ahead(capture, tracker, known))
