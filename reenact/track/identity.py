"""Gives faces ids that stay the same when faces cross or are lost for a short time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.track.fit import Fit
from reenact.track.region import Region

_SIGNATURE_PX = 8
"""Side of a signature, in pixels."""
_SIGNATURE_S = 0.3
"""Time constant, in seconds, of the low-pass filter on signatures: one odd frame hardly changes them."""
_DRIFT_PER_S = 2.0
"""Growth of the accepted distance from the expected place, per second lost, as a share of that distance."""
_SIGNATURE_WEIGHT = 4.0
"""Cost, in face widths, of a signature difference of 1. The signatures of two people differ by 0.1 to 0.3,
those of one person in neighbouring frames by 0.02."""
_VELOCITY_S = 0.1
"""Time constant, in seconds, of the low-pass filter on a face's velocity."""
_SEARCH_WIDTHS = 3.0
"""Side of the square in which a lost face is searched, in face widths."""
_PREDICTION_S = 0.5
"""Longest time, in seconds, for which a lost face is assumed to move on at its last velocity."""


@dataclass(frozen=True, eq=False)
class Person:
    """The state of one face when it was last seen."""

    track_id: int
    """The face's id; -1 for an observation that has not been matched yet."""
    seen_s: float
    """When the face was last seen, in seconds."""
    centre: NDArray[np.float32]
    """The centre (x, y) of the face in pixels, an array (2,)."""
    velocity: NDArray[np.float32]
    """The velocity of the centre in pixels per second, an array (2,)."""
    width: float
    """The longer side of the face's bounding box, in pixels."""
    signature: NDArray[np.float32]
    """The face's appearance, as `signature` makes it."""

    def expected(self, time_s: float) -> NDArray[np.float32]:
        """The predicted centre (x, y) at `time_s`, in pixels: an array (2,)."""
        return self.centre + self.velocity * min(time_s - self.seen_s, _PREDICTION_S)


class Identities:
    """Called with the fits of every frame, returns an id for each; new ids count from 0."""

    def __init__(self, memory_s: float = 1.0, max_cost: float = 1.0) -> None:
        """memory_s: the time in seconds after which a lost face is forgotten. max_cost: the highest cost, in
        face widths, at which a fit is matched with a known face."""
        self._memory_s = memory_s
        self._max_cost = max_cost
        self._next_id = 0
        self._time_s = float("-inf")
        self._people: list[Person] = []

    def reset(self) -> None:
        """Forgets all faces: every face seen from now on gets a new id."""
        self._people = []

    def missing(self, time_s: float, within_s: float) -> list[Region]:
        """The squares in which to search faces lost at most `within_s` seconds ago, the last lost first."""
        lost = [person for person in self._people if time_s - within_s < person.seen_s < self._time_s]
        lost.sort(key=lambda person: person.seen_s, reverse=True)
        return [_around(person, time_s) for person in lost]

    def __call__(self, fits: Sequence[Fit], time_s: float) -> tuple[int, ...]:
        self._time_s = time_s
        self._people = [person for person in self._people if time_s - person.seen_s <= self._memory_s]
        seen = [_observe(fit, time_s) for fit in fits]
        known = dict(_match(self._people, seen, time_s, self._max_cost))
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
    return Region(float(x), float(y), _SEARCH_WIDTHS * person.width)


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
    """A blurred thumbnail of the upright face, (8, 8, 3) in 0..1.

    It shows skin, hairline and beard but no expression. The crop's outer sixth, which shows the background,
    is left out. crop: (n, n, 3) RGB.
    """
    edge = crop.shape[0] // 6
    crop = crop[edge : crop.shape[0] - edge, edge : crop.shape[1] - edge]
    return (
        cv2.resize(crop, (_SIGNATURE_PX, _SIGNATURE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
        / 255
    )


def _cost(person: Person, seen: Person, time_s: float) -> float:
    """The cost of matching an observation with a known face, in face widths; infinite if sizes differ."""
    ratio = seen.width / person.width
    if not 0.6 < ratio < 1 / 0.6:
        return float("inf")
    away = math.hypot(*(person.expected(time_s) - seen.centre).tolist())
    distance = away / max(person.width, seen.width)
    distance /= 1 + _DRIFT_PER_S * (time_s - person.seen_s)
    unlike = float(np.abs(person.signature - seen.signature).mean())
    return distance + abs(math.log(ratio)) + _SIGNATURE_WEIGHT * unlike


def _match(
    people: Sequence[Person], seen: Sequence[Person], time_s: float, max_cost: float
) -> list[tuple[int, Person]]:
    """Pairs of an observation's index and its known face, the lowest cost first; each occurs at most once."""
    costs = sorted(
        (cost, index, person.track_id, person)
        for index, one in enumerate(seen)
        for person in people
        if (cost := _cost(person, one, time_s)) < max_cost
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
        share = interval_s / (interval_s + _VELOCITY_S)
        velocity = velocity + share * ((now.centre - before.centre) / interval_s - velocity)
    memory = math.exp(-max(interval_s, 0.0) / _SIGNATURE_S)
    return replace(
        now,
        track_id=before.track_id,
        velocity=velocity,
        signature=memory * before.signature + (1 - memory) * now.signature,
    )
