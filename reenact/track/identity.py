"""Which face is whose: ids that stay with people through crossings and short losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.track.fit import Fit
from reenact.track.region import Region

_SIGNATURE_PX = 8
_SIGNATURE_S = 0.3
"""Time constant with which a person's signature follows what is seen: one odd frame does not rewrite it."""
_DRIFT_PER_S = 2.0
"""How much farther than a face just seen one may be found from its expected place, for every second lost."""
_UNLIKE_WEIGHT = 4.0
"""Face widths that a signature difference of 1 is worth. Two people differ by 0.1 to 0.3, one person between
frames by 0.02."""
_STEADY_S = 0.1
"""Time constant of the velocity that carries a face forward."""
_AROUND = 3.0
"""Side of the square around a lost face, in face widths."""
_COAST_S = 0.5
"""No face is predicted to move on for longer than this."""


@dataclass(frozen=True, eq=False)
class Person:
    """What is remembered of one face."""

    track_id: int
    seen_s: float
    centre: NDArray[np.float32]
    """(2,) pixels."""
    velocity: NDArray[np.float32]
    """(2,) pixels per second."""
    width: float
    """Pixels."""
    signature: NDArray[np.float32]

    def expected(self, time_s: float) -> NDArray[np.float32]:
        """Where its centre should be by now."""
        return self.centre + self.velocity * min(time_s - self.seen_s, _COAST_S)


class Identities:
    """Called with the fits of every frame; answers an id for each, new ones counting from 0."""

    def __init__(self, memory_s: float = 1.0, reach: float = 1.0) -> None:
        """`memory_s`: how long a lost face may come back. `reach`: the worst match, in face widths."""
        self._memory_s = memory_s
        self._reach = reach
        self._next_id = 0
        self._time_s = float("-inf")
        self._people: list[Person] = []

    def forget(self) -> None:
        """Whoever is seen from now on is somebody new."""
        self._people = []

    def missing(self, time_s: float, within_s: float) -> list[Region]:
        """Squares around the expected places of faces lost within that time, the last lost first."""
        lost = [person for person in self._people if time_s - within_s < person.seen_s < self._time_s]
        lost.sort(key=lambda person: person.seen_s, reverse=True)
        return [_around(person, time_s) for person in lost]

    def __call__(self, fits: Sequence[Fit], time_s: float) -> tuple[int, ...]:
        self._time_s = time_s
        self._people = [person for person in self._people if time_s - person.seen_s <= self._memory_s]
        seen = [_observe(fit, time_s) for fit in fits]
        known = dict(_match(self._people, seen, time_s, self._reach))
        ids = []
        for index, person in enumerate(seen):
            before = known.get(index)
            if before is None:
                person = replace(person, track_id=self._next_id)
                self._next_id += 1
                self._people.append(person)
            else:
                person = _merged(before, person)
                self._people = [person if other is before else other for other in self._people]
            ids.append(person.track_id)
        return tuple(ids)


def _around(person: Person, time_s: float) -> Region:
    x, y = person.expected(time_s)
    return Region(float(x), float(y), _AROUND * person.width)


def _observe(fit: Fit, time_s: float) -> Person:
    points = fit.landmarks[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    return Person(
        track_id=-1,
        seen_s=time_s,
        centre=(low + high) / 2,
        velocity=np.zeros(2, np.float32),
        width=float((high - low).max()),
        signature=signature(fit.crop),
    )


def signature(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A tiny blurred picture of the upright face, (n, n, 3) 0..1: skin, hairline and beard, not expression.

    Without the crop's outer sixth, which shows what is behind the head.
    """
    edge = crop.shape[0] // 6
    crop = crop[edge : crop.shape[0] - edge, edge : crop.shape[1] - edge]
    return (
        cv2.resize(crop, (_SIGNATURE_PX, _SIGNATURE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
        / 255
    )


def _cost(person: Person, seen: Person, time_s: float) -> float:
    """How badly two sightings fit, in face widths; infinite for sizes that no head reaches so fast."""
    ratio = seen.width / person.width
    if not 0.6 < ratio < 1 / 0.6:
        return float("inf")
    distance = float(np.linalg.norm(person.expected(time_s) - seen.centre)) / max(person.width, seen.width)
    distance /= 1 + _DRIFT_PER_S * (time_s - person.seen_s)
    unlike = float(np.abs(person.signature - seen.signature).mean())
    return distance + abs(np.log(ratio)) + _UNLIKE_WEIGHT * unlike


def _match(
    people: Sequence[Person], seen: Sequence[Person], time_s: float, reach: float
) -> list[tuple[int, Person]]:
    """Pairs of a sighting's index and a person, the best fitting first; nobody twice."""
    costs = sorted(
        (cost, index, person.track_id, person)
        for index, one in enumerate(seen)
        for person in people
        if (cost := _cost(person, one, time_s)) < reach
    )
    pairs: dict[int, Person] = {}
    for _, index, _, person in costs:
        if index not in pairs and all(person is not other for other in pairs.values()):
            pairs[index] = person
    return list(pairs.items())


def _merged(before: Person, now: Person) -> Person:
    interval_s = now.seen_s - before.seen_s
    velocity = before.velocity
    if interval_s > 0:
        share = interval_s / (interval_s + _STEADY_S)
        velocity = velocity + share * ((now.centre - before.centre) / interval_s - velocity)
    memory = float(np.exp(-max(interval_s, 0.0) / _SIGNATURE_S))
    return replace(
        now,
        track_id=before.track_id,
        velocity=velocity,
        signature=memory * before.signature + (1 - memory) * now.signature,
    )
