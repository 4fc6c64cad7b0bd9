"""Time lines: keyframes of action units, and the easing from one to the next."""

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
    """An easing that overshoots by a sixth and settles; 0 at 0, 1 at 1."""
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
"""Easings by name: functions from the share of time between two keyframes to the share of their change."""


@dataclass(frozen=True)
class Keyframe:
    """The value of an action unit at one time."""

    time_s: float
    """The time in seconds, 0 or more."""
    value: float
    """The intensity: -5..5 to add to what the face shows, or 0..5 for it to show."""
    absolute: bool
    """Whether the value is for the face to show, rather than to add."""
    easing: str = "ease"
    """The name in EASINGS of the transition from the keyframe before to this one."""


@dataclass(frozen=True)
class Track:
    """The keyframes of one action unit."""

    index: int
    """The index of the action unit."""
    keys: tuple[Keyframe, ...]
    """The keyframes, at least one, in the order of their times."""
    face: int | None = None
    """The track id of the face. None: every face."""
    side: Side | None = None
    """The side of the face. None: both sides."""

    def at(self, time_s: float) -> tuple[float, float]:
        """The (value, hold), as in Targets, at a time in seconds.

        Before the first keyframe its values hold, after the last one its own.
        """
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
    """A named time, for plots; it does not change the face."""

    time_s: float
    """The time in seconds, 0 or more."""
    name: str
    """The label."""


@dataclass(frozen=True)
class Keyframes(Programme):
    """A programme of keyframes. Action units without a track stay as the face shows them."""

    tracks: Sequence[Track]
    """The keyframes of each action unit."""
    loop_s: float | None = None
    """The time in seconds after which the time line repeats. None: it does not repeat."""
    markers: Sequence[Marker] = ()
    """The markers in the order of their times."""

    def __call__(self, pts: Fraction, track_id: int) -> Targets:
        """The targets of one face at this time, which may lie between frames."""
        time_s = float(pts) if self.loop_s is None else float(pts) % self.loop_s
        targets = no_targets()
        # A track of one face overrides one of all faces, and then one of one side overrides one of both.
        for track in sorted(self.tracks, key=lambda track: (track.face is not None, track.side is not None)):
            if track.face in (None, track_id):
                place = rows(track.side), track.index
                targets.value[place], targets.hold[place] = track.at(time_s)
        return targets
