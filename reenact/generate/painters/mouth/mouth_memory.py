"""The memory of each person's own teeth, which are drawn in mouths that show more than the frame does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reenact.generate.painters.mouth.arch import Arch
from reenact.generate.painters.mouth.mouth_teeth import Teeth, likely_teeth
from reenact.generate.painters.mouth.mouth_views import MouthShape, MouthView, MouthViews
from reenact.generate.painters.mouth.seen_mouth import SeenMouth, see_mouth
from reenact.records import Face, Frame


@dataclass(frozen=True)
class MemoryOptions:
    """How often the memory learns, and how fast drawn teeth change."""

    fade_s: float = 0.25
    """The time constant, in seconds, with which drawn teeth blend into others."""
    learn_s: float = 0.1
    """The least time, in seconds, between two frames that are learned from, which takes up to 20 ms each."""
    glance_s: float = 0.2
    """The least time, in seconds, between two frames that are learned from while the face does not change."""
    patience_s: float = 2.0
    """The time, in seconds, after which a lost face is forgotten."""


ExpectedViews = Callable[[Frame, Face], MouthViews]
"""A function that returns the known views of the mouth of a new face."""


def nothing_expected(frame: Frame, face: Face) -> MouthViews:
    """The ExpectedViews that knows no face."""
    return MouthViews()


class MouthMemory:
    """Keeps each tracked person's teeth, and returns those to draw, which change gradually only.

    Films are searched ahead, so that teeth are known from the first frame on (`expected`); live, they are
    learned while the person talks. A person starts again where time stands still or runs backwards, as
    between unrelated pictures.
    """

    def __init__(
        self, expected: ExpectedViews = nothing_expected, options: MemoryOptions = MemoryOptions()
    ) -> None:
        self._expected = expected
        self._options = options
        self._people: dict[int, _Person] = {}
        """The people by track id."""

    def __call__(self, frame: Frame, face: Face, seen: SeenMouth | None, shape: MouthShape) -> Teeth:
        """Learns from a frame, and returns the teeth to draw in a mouth of this shape."""
        person = self._watched(frame, face, seen)
        return person.teeth(face, seen, shape, self._options)

    def watch(self, frame: Frame, face: Face) -> None:
        """Learns, at intervals, from a frame in which nothing is drawn."""
        person = self._people.get(face.track_id)
        if person is None or not 0 < float(frame.pts) - person.looked_s < self._options.glance_s:
            self._watched(frame, face, see_mouth(frame, face))

    def views(self, track_id: int) -> MouthViews:
        """The known views of a face's mouth."""
        person = self._people.get(track_id)
        return MouthViews() if person is None else person.views

    def _watched(self, frame: Frame, face: Face, seen: SeenMouth | None) -> _Person:
        time_s = float(frame.pts)
        self._forget(time_s)
        person = self._people.get(face.track_id)
        if person is None or time_s <= person.time_s:
            person = _Person(time_s, self._expected(frame, face))
        person.passed_s = time_s - person.time_s
        person.time_s = time_s
        person.looked_s = time_s
        if time_s - person.learned_s >= self._options.learn_s:
            person.views = person.views.learn(frame, face, seen)
            person.learned_s = time_s
        self._people[face.track_id] = person
        return person

    def _forget(self, time_s: float) -> None:
        self._people = {
            track_id: person
            for track_id, person in self._people.items()
            if -self._options.patience_s <= time_s - person.time_s <= self._options.patience_s
        }


class _Person:
    """The views of one tracked face's mouth, and the teeth that were drawn last."""

    def __init__(self, time_s: float, views: MouthViews) -> None:
        self.time_s = time_s
        self.looked_s = time_s
        self.learned_s = -math.inf
        self.passed_s = 0.0
        self.views = views
        self._goal = _Goal(views, None)
        self._drawn: _Drawn | None = None

    def teeth(self, face: Face, seen: SeenMouth | None, shape: MouthShape, options: MemoryOptions) -> Teeth:
        """The teeth to draw now, on the way to those that are best for a mouth of this shape."""
        before, view = self._goal, self.views.nearest(shape, self._goal.view)
        if view is not before.view or self.views is not before.views:
            self._goal = _Goal(self.views, view)
        aim = self._goal.teeth(face, seen)
        if self._drawn is None:
            self._drawn = _Drawn.of(aim)
        else:
            share = 1 - float(np.exp(-self.passed_s / options.fade_s))
            jump_mm = 0.0
            if before is not self._goal:
                jump_mm = before.teeth(face, seen).upper_edge_mm - aim.upper_edge_mm
            self._drawn = self._drawn.towards(aim, jump_mm, share)
        return self._drawn.teeth(aim)


class _Goal:
    """The teeth that are drawn when the transition is complete."""

    def __init__(self, views: MouthViews, view: MouthView | None) -> None:
        self.views = views
        self.view = view
        self._row = None if view is None else views.row(view)

    def teeth(self, face: Face, seen: SeenMouth | None) -> Teeth:
        if self.view is None:
            return likely_teeth(face, seen)
        return self.views.placed(face, seen, self.view, self._row)


@dataclass(frozen=True, eq=False)
class _Fading:
    """A picture in transition to another."""

    arch: Arch
    """The picture as it is drawn now."""
    picture: NDArray[np.float32]
    """The same picture, unrounded."""

    @classmethod
    def of(cls, arch: Arch) -> _Fading:
        return cls(arch, arch.picture.astype(np.float32))

    @classmethod
    def hidden(cls, arch: Arch) -> _Fading:
        """The transparent picture, from which a picture fades in."""
        picture = arch.picture.copy()
        picture[..., 3] = 0
        return cls.of(replace(arch, picture=picture))

    def towards(self, aim: Arch, share: float) -> _Fading:
        if self.arch is aim:
            return self
        picture = self.picture + np.float32(share) * (aim.picture - self.picture)
        if np.abs(picture - aim.picture).max() < 1:
            return _Fading.of(aim)
        return _Fading(replace(aim, picture=np.rint(picture).astype(np.uint8)), picture)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The teeth that were drawn last."""

    upper: _Fading
    """The upper row."""
    floor: _Fading | None
    """The floor of the mouth. None: it is not known yet."""
    own: float
    """The share of the person's own teeth in the upper row, 0..1."""
    dark: NDArray[np.float32]
    """(3,) RGB of the depth of the mouth, relative to white teeth."""
    below_mm: float = 0.0
    """The distance in millimetres by which the upper teeth are still drawn too low."""

    @classmethod
    def of(cls, teeth: Teeth) -> _Drawn:
        floor = None if teeth.floor is None else _Fading.of(teeth.floor)
        return cls(_Fading.of(teeth.upper), floor, teeth.own, teeth.dark)

    def towards(self, aim: Teeth, jump_mm: float, share: float) -> _Drawn:
        """The next step to `aim`. jump_mm: how much lower the teeth of the earlier goal lie."""
        floor = self.floor
        if aim.floor is not None:
            floor = (floor or _Fading.hidden(aim.floor)).towards(aim.floor, share)
        return _Drawn(
            self.upper.towards(aim.upper, share),
            floor,
            self.own + share * (aim.own - self.own),
            self.dark + np.float32(share) * (aim.dark - self.dark),
            (1 - share) * (self.below_mm + jump_mm),
        )

    def teeth(self, aim: Teeth) -> Teeth:
        """The teeth to draw now, at the place of `aim`."""
        return replace(
            aim,
            upper=self.upper.arch,
            upper_edge_mm=aim.upper_edge_mm + self.below_mm,
            own=self.own,
            floor=None if self.floor is None else self.floor.arch,
            dark=self.dark,
        )
