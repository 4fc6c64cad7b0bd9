"""A person's own teeth: the best views of them so far, for mouths that show more than the frame does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reenact.generate.mouth.arch import Arch, completeness, take_lower, take_upper, with_gums
from reenact.generate.mouth.light import ivory
from reenact.generate.mouth.seen import PX_PER_MM, SeenMouth, mouth_crop, see_mouth
from reenact.generate.mouth.surface import bridge_mm, chin_mm, jaw_from_chin, on_arch
from reenact.generate.mouth.teeth import Teeth, likely_teeth, visible_edge
from reenact.types import Face, Frame


@dataclass(frozen=True)
class MemoryOptions:
    sure: float = 0.9
    """Teeth that are seen less surely than this, 0..1, are not remembered."""
    confidence: float = 0.6
    """Faces of which the tracker is less sure, 0..1, are not looked at."""
    turned_rad: float = 0.5
    """Nor are faces that are turned or tilted farther than this."""
    complete: float = 0.85
    """The least share of the front upper teeth that a view must show, 0..1."""
    lower_complete: float = 0.6
    """The same of the lower ones, which are fewer millimetres wide."""
    least_crown_mm: float = 4.0
    """Height of the lowest band of upper teeth worth remembering."""
    least_lower_mm: float = 3.5
    """Height of the lowest band below the upper teeth worth remembering."""
    better: float = 1.2
    """How many times better a view must be to replace another."""
    fade_s: float = 0.25
    """Time constant with which drawn teeth turn into others."""
    glance_s: float = 0.2
    """Seconds between two looks at a face that is not to change."""
    patience_s: float = 2.0
    """Seconds after which a face that is gone is forgotten."""


@dataclass(frozen=True, eq=False)
class View:
    """One row of teeth as a frame showed it."""

    arch: Arch
    edge_mm: float
    """Distance from the bridge of the nose down to the edge of the front teeth, canonical."""
    chin_mm: float
    """Distance from the bridge of the nose down to the chin, which tells where the jaw was."""
    quality: float
    """How much was seen, how sharply and how frontally; larger is better."""


@dataclass(frozen=True, eq=False)
class Views:
    """What is known of a person's teeth. None: never seen well enough."""

    upper: View | None = None
    lower: View | None = None

    def learn(
        self, frame: Frame, face: Face, seen: SeenMouth | None, options: MemoryOptions = MemoryOptions()
    ) -> Views:
        """These views, or better ones where the frame shows them."""
        if seen is None or not _worth_a_look(face, seen, options):
            return self
        upper, lower = self.upper, self.lower
        clear, bridge = _clarity(frame, face, seen), bridge_mm(face)
        quality = clear * seen.crown_mm
        if seen.crown_mm >= options.least_crown_mm and _better(quality, upper, options):
            arch, edge_mm = take_upper(frame, face.pose, seen, ivory(frame.image, face))
            if completeness(arch) >= options.complete:
                upper = View(with_gums(arch), edge_mm - bridge, chin_mm(face) - bridge, quality)
        quality = clear * seen.lower_mm
        if seen.lower_mm >= options.least_lower_mm and _better(quality, lower, options):
            taken = take_lower(frame, face.pose, seen, ivory(frame.image, face))
            if taken is not None:
                arch, edge_mm = taken
                if completeness(arch) >= options.lower_complete:
                    lower = View(arch, edge_mm - bridge, chin_mm(face) - bridge, quality)
        return self if upper is self.upper and lower is self.lower else Views(upper, lower)

    def better(self, other: Views) -> Views:
        """Of each row the better view of the two."""
        return Views(max(self.upper, other.upper, key=_quality), max(self.lower, other.lower, key=_quality))

    def placed(self, face: Face, seen: SeenMouth | None) -> Teeth:
        """The teeth of this person in a frame: their own as far as they are known, else likely ones."""
        teeth = likely_teeth(face, seen)
        if self.upper is not None:
            edge_mm = visible_edge(face, seen, self.upper.edge_mm + bridge_mm(face))
            teeth = replace(teeth, upper=self.upper.arch, upper_edge_mm=edge_mm)
        if self.lower is not None:
            bridge = bridge_mm(face)
            jaw = jaw_from_chin(self.lower.chin_mm + bridge, chin_mm(face))
            edge = on_arch(np.zeros(1, np.float32), np.full(1, self.lower.edge_mm + bridge, np.float32))
            edge_mm = float(jaw.turn(edge)[0, 1])
            teeth = replace(teeth, lower=self.lower.arch, lower_edge_mm=edge_mm)
        return teeth


Expected = Callable[[Frame, Face], Views]
"""What is known beforehand of a face that comes into view."""


def nothing_expected(frame: Frame, face: Face) -> Views:
    """An Expected: every face is a stranger's."""
    return Views()


class MouthMemory:
    """Remembers each tracked person's teeth and says which to draw; what is drawn never changes at once.

    A film looks ahead and knows the teeth from the first frame on (`expected`); a camera learns them while
    the person talks. Time that stands still or runs backwards, as between pictures that have nothing to do
    with each other, starts afresh.
    """

    def __init__(
        self, expected: Expected = nothing_expected, options: MemoryOptions = MemoryOptions()
    ) -> None:
        self._expected = expected
        self._options = options
        self._people: dict[int, _Person] = {}
        """By track id."""

    def __call__(self, frame: Frame, face: Face, seen: SeenMouth | None) -> Teeth:
        """Learns from a frame, and gives the teeth to draw in it."""
        person = self._watched(frame, face, seen)
        aim = person.views.placed(face, seen)
        if person.shown is None:
            person.shown = _Drawn.of(aim)
        else:
            share = 1 - float(np.exp(-person.passed_s / self._options.fade_s))
            person.shown = person.shown.towards(aim, share)
        return person.shown.teeth(aim)

    def watch(self, frame: Frame, face: Face) -> None:
        """Learns from a frame in which nothing is to be drawn, now and then."""
        person = self._people.get(face.track_id)
        if person is None or not 0 < float(frame.pts) - person.looked_s < self._options.glance_s:
            self._watched(frame, face, see_mouth(frame, face))

    def views(self, track_id: int) -> Views:
        """What is known of a face by now."""
        person = self._people.get(track_id)
        return Views() if person is None else person.views

    def _watched(self, frame: Frame, face: Face, seen: SeenMouth | None) -> _Person:
        time_s = float(frame.pts)
        self._forget(time_s)
        person = self._people.get(face.track_id)
        if person is None or time_s <= person.time_s:
            person = _Person(time_s, self._expected(frame, face))
        person.passed_s = time_s - person.time_s
        person.time_s = time_s
        person.looked_s = time_s
        person.views = person.views.learn(frame, face, seen, self._options)
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

    def __init__(self, time_s: float, views: Views) -> None:
        self.time_s = time_s
        self.looked_s = time_s
        self.passed_s = 0.0
        self.views = views
        self.shown: _Drawn | None = None


@dataclass(frozen=True, eq=False)
class _Row:
    """A row's picture on its way from one to another."""

    arch: Arch
    """As it is drawn now."""
    picture: NDArray[np.float32]
    """The same, unrounded."""

    @classmethod
    def of(cls, arch: Arch) -> _Row:
        return cls(arch, arch.picture.astype(np.float32))

    @classmethod
    def hidden(cls, arch: Arch) -> _Row:
        """The row before it is seen."""
        picture = arch.picture.copy()
        picture[..., 3] = 0
        return cls.of(replace(arch, picture=picture))

    def towards(self, aim: Arch, share: float) -> _Row:
        if self.arch is aim:
            return self
        picture = self.picture + np.float32(share) * (aim.picture - self.picture)
        if np.abs(picture - aim.picture).max() < 1:
            return _Row.of(aim)
        return _Row(replace(aim, picture=np.rint(picture).astype(np.uint8)), picture)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Both rows as they were drawn last."""

    upper: _Row
    lower: _Row | None
    """None: no lower row is known yet."""

    @classmethod
    def of(cls, teeth: Teeth) -> _Drawn:
        return cls(_Row.of(teeth.upper), None if teeth.lower is None else _Row.of(teeth.lower))

    def towards(self, aim: Teeth, share: float) -> _Drawn:
        lower = self.lower
        if aim.lower is not None:
            lower = (lower or _Row.hidden(aim.lower)).towards(aim.lower, share)
        return _Drawn(self.upper.towards(aim.upper, share), lower)

    def teeth(self, aim: Teeth) -> Teeth:
        """The pictures as they are now, where `aim` has its own."""
        return replace(aim, upper=self.upper.arch, lower=None if self.lower is None else self.lower.arch)


def _worth_a_look(face: Face, seen: SeenMouth, options: MemoryOptions) -> bool:
    turned = max(map(abs, face.pose.angles[:2]))
    return (
        seen.teeth >= options.sure and face.confidence >= options.confidence and turned <= options.turned_rad
    )


def _quality(view: View | None) -> float:
    return 0.0 if view is None else view.quality


def _better(quality: float, view: View | None, options: MemoryOptions) -> bool:
    return quality > options.better * _quality(view)


def _clarity(frame: Frame, face: Face, seen: SeenMouth) -> float:
    """How well a frame shows the teeth: large, sharp, from the front and across a wide mouth."""
    crop = mouth_crop(frame, seen.alignment)
    top, bottom = int(seen.top.min()), int(seen.bottom.max()) + 1
    left, right = int(seen.columns[0]), int(seen.columns[-1]) + 1
    part = crop[max(top, 0) : bottom, max(left, 0) : right].astype(np.float32).mean(axis=2)
    detail = float(np.abs(np.diff(part, axis=1)).mean()) if part.size else 0.0
    width_mm = (right - left) / PX_PER_MM
    frontal = float(np.cos(face.pose.angles[1])) ** 2
    return width_mm * frontal * min(face.pose.scale / 2, 1.5) * np.sqrt(detail + 1)
