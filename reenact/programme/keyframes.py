"""A change written on a time line: keyframes of action units, and how to go from one to the next."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from calib.au import Side, rows
from reenact.programme.programme import Programme
from reenact.programme.targets import Targets, no_targets


def _spring(share: float) -> float:
    """Overshoots by a sixth and swings in; 0 at 0, 1 at 1."""
    settled = 1 - math.exp(-6 * share) * math.cos(10 * share)
    return settled + share * (1 - (1 - math.exp(-6) * math.cos(10)))


EASINGS: Mapping[str, Callable[[float], float]] = {
    "hold": lambda share: float(share >= 1),
    "linear": lambda share: share,
    "ease-in": lambda share: share * share,
    "ease-out": lambda share: share * (2 - share),
    "ease": lambda share: share * share * (3 - 2 * share),
    "spring": _spring,
}
"""From the share of the time between two keyframes that has passed to the share of their change."""


@dataclass(frozen=True)
class Keyframe:
    time_s: float
    value: float
    """-5..5 to be added to what the face does, or 0..5 to be shown."""
    absolute: bool
    easing: str = "ease"
    """How this keyframe is come to from the one before it: one of EASINGS."""


@dataclass(frozen=True)
class Track:
    """What is to become of one action unit."""

    index: int
    """Of the action unit."""
    keys: tuple[Keyframe, ...]
    """At least one, in the order of their times."""
    face: int | None = None
    """The track id of the face; None stands for every face."""
    side: Side | None = None
    """Of the face; None stands for both."""

    def at(self, time_s: float) -> tuple[float, float]:
        """(value, hold), as in Targets: the first keyframe's before its time, the last one's after."""
        after = bisect_right(self.keys, time_s, key=lambda key: key.time_s)
        now = self.keys[min(after, len(self.keys) - 1)]
        if after in (0, len(self.keys)):
            return now.value, float(now.absolute)
        before = self.keys[after - 1]
        share = EASINGS[now.easing]((time_s - before.time_s) / (now.time_s - before.time_s))
        return (
            before.value + share * (now.value - before.value),
            before.absolute + min(max(share, 0.0), 1.0) * (now.absolute - before.absolute),
        )


@dataclass(frozen=True)
class Marker:
    """A moment with a name, for plots; it changes nothing."""

    time_s: float
    name: str


@dataclass(frozen=True)
class Keyframes(Programme):
    """A programme of keyframes. What no track names, the face keeps."""

    tracks: Sequence[Track]
    loop_s: float | None = None
    """After this time it begins anew; None: never."""
    markers: Sequence[Marker] = ()
    """In the order of their times."""

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        """The targets of one face at this time, exactly, also between the frames of a film."""
        time_s = float(pts) if self.loop_s is None else float(pts) % self.loop_s
        targets = no_targets()
        # What is said to one face goes before what is said to all, then one side before both.
        for track in sorted(self.tracks, key=lambda track: (track.face is not None, track.side is not None)):
            if track.face in (None, track_id):
                place = rows(track.side), track.index
                targets.value[place], targets.hold[place] = track.at(time_s)
        return targets
