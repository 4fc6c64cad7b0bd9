"""A person's own teeth: the best views of them so far, for mouths that show more than the frame does."""

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
    fade_s: float = 0.25
    """Time constant with which drawn teeth turn into others."""
    learn_s: float = 0.1
    """The least time between two frames of a face that are learnt from, which takes up to 20 ms."""
    glance_s: float = 0.2
    """Seconds between two looks at a face that is not to change."""
    patience_s: float = 2.0
    """Seconds after which a face that is gone is forgotten."""


ExpectedViews = Callable[[Frame, Face], MouthViews]
"""What is known beforehand of a face that comes into view."""


def nothing_expected(frame: Frame, face: Face) -> MouthViews:
    """An Expected: every face is a stranger's."""
    return MouthViews()


class MouthMemory:
    """Remembers each tracked person's teeth and says which to draw; what is drawn never changes at once.

    A film looks ahead and knows the teeth from the first frame on (`expected`); a camera learns them while
    the person talks. Time that stands still or runs backwards, as between pictures that have nothing to do
    with each other, starts afresh.
    """

    def __init__(
        self, expected: ExpectedViews = nothing_expected, options: MemoryOptions = MemoryOptions()
    ) -> None:
        self._expected = expected
        self._options = options
        self._people: dict[int, _Person] = {}
        """By track id."""

    def __call__(self, frame: Frame, face: Face, seen: SeenMouth | None, shape: MouthShape) -> Teeth:
        """Learns from a frame, and gives the teeth to draw in a mouth of this shape."""
        person = self._watched(frame, face, seen)
        return person.teeth(face, seen, shape, self._options)

    def watch(self, frame: Frame, face: Face) -> None:
        """Learns from a frame in which nothing is to be drawn, now and then."""
        person = self._people.get(face.track_id)
        if person is None or not 0 < float(frame.pts) - person.looked_s < self._options.glance_s:
            self._watched(frame, face, see_mouth(frame, face))

    def views(self, track_id: int) -> MouthViews:
        """What is known of a face by now."""
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
        if time_s - person.learnt_s >= self._options.learn_s:
            person.views = person.views.learn(frame, face, seen)
            person.learnt_s = time_s
        self._people[face.track_id] = person
        return person

    def _forget(self, time_s: float) -> None:
        self._people = {
            track_id: person
            for track_id, person in self._people.items()
            if -self._options.patience_s <= time_s - person.time_s <= self._options.patience_s
        }


class _Person:
    """What is known of one tracked face, and what was drawn last."""

    def __init__(self, time_s: float, views: MouthViews) -> None:
        self.time_s = time_s
        self.looked_s = time_s
        self.learnt_s = -math.inf
        self.passed_s = 0.0
        self.views = views
        self._aim = _Aim(views, None)
        self._drawn: _Drawn | None = None

    def teeth(self, face: Face, seen: SeenMouth | None, shape: MouthShape, options: MemoryOptions) -> Teeth:
        """What to draw now, on its way to what is best for a mouth of this shape."""
        before, view = self._aim, self.views.nearest(shape, self._aim.view)
        if view is not before.view or self.views is not before.views:
            self._aim = _Aim(self.views, view)
        aim = self._aim.teeth(face, seen)
        if self._drawn is None:
            self._drawn = _Drawn.of(aim)
        else:
            share = 1 - float(np.exp(-self.passed_s / options.fade_s))
            jump_mm = 0.0
            if before is not self._aim:
                jump_mm = before.teeth(face, seen).upper_edge_mm - aim.upper_edge_mm
            self._drawn = self._drawn.towards(aim, jump_mm, share)
        return self._drawn.teeth(aim)


class _Aim:
    """What is drawn as soon as everything else has faded."""

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
    """A picture on its way from one to another."""

    arch: Arch
    """As it is drawn now."""
    picture: NDArray[np.float32]
    """The same, unrounded."""

    @classmethod
    def of(cls, arch: Arch) -> _Fading:
        return cls(arch, arch.picture.astype(np.float32))

    @classmethod
    def hidden(cls, arch: Arch) -> _Fading:
        """The picture before it is seen."""
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
    """What was drawn last."""

    upper: _Fading
    floor: _Fading | None
    """None: nothing is known of it yet."""
    own: float
    dark: NDArray[np.float32]
    below_mm: float = 0.0
    """By how much the upper teeth are still drawn lower than where they belong."""

    @classmethod
    def of(cls, teeth: Teeth) -> _Drawn:
        floor = None if teeth.floor is None else _Fading.of(teeth.floor)
        return cls(_Fading.of(teeth.upper), floor, teeth.own, teeth.dark)

    def towards(self, aim: Teeth, jump_mm: float, share: float) -> _Drawn:
        """jump_mm: how much lower the upper teeth that were aimed at before lie in this frame."""
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
        """What is drawn now, where `aim` has its own."""
        return replace(
            aim,
            upper=self.upper.arch,
            upper_edge_mm=aim.upper_edge_mm + self.below_mm,
            own=self.own,
            floor=None if self.floor is None else self.floor.arch,
            dark=self.dark,
        )
