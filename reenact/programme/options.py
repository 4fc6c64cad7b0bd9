"""The choices a user can make about a run, with their defaults; the command line reads them from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from calib.profile import Profile
from reenact.records import Tracked

Choose: TypeAlias = Callable[[Tracked], set[int]]
"""The track ids of the faces to change; called with every frame."""
FaceChoice: TypeAlias = "Literal['largest', 'all'] | tuple[int, ...] | Choose"
"""Which faces to change: the largest, all, those with these track ids, or those that a function names."""

MAX_STRENGTH = 1.5


@dataclass(frozen=True)
class RetargetOptions:
    """How targets become changes."""

    strength: float = 1.0
    """How far to go from the face's present expression (0) to what the targets say (1) and, with relative
    targets and presets, beyond (1.5); an absolute target is not passed."""
    faces: FaceChoice = "largest"
    fade_s: float = 0.3
    """Seconds from no change to full change when a face is found, and back when it is lost."""
    confidence_in: float = 0.5
    """At or above this confidence, 0..1, a face's change fades in ..."""
    confidence_out: float = 0.3
    """... and below this one it fades out. In between it stays as it is."""
    larger: float = 1.25
    """How many times larger another face must be to take over as the largest: equal ones never alternate."""
    patience_s: float = 0.5
    """Seconds for which the largest face may be lost before another takes its place."""
    min_cutoff_hz: float = 1.0
    """One-Euro filter on the measured action units: lower is steadier and later ..."""
    # Measured on two clips of talk: a third to half of the jitter is left, and 94 % of a blink's height.
    beta: float = 1.0
    """... and higher follows quick changes sooner."""
    profile: Profile | None = None
    """What is known of the person: absolute targets count from the neutral, gains and limits hold."""
    slack: float = 0.25
    """Intensity by which a face may waver before the limits of its change move with it."""
    inverted: frozenset[int] = frozenset()
    """Indices of the action units of which the face's own expression is turned into its opposite, ahead of
    all else and whatever the strength (reenact.programme.inversion)."""
    driven: bool = True
    """Whether what is held is written with as much more as faces answer too little (calib.response_gain)."""
    safe: bool = True
    """Whether expressions stay among those that faces can show, and come no faster (calib.limits)."""


class FaceChoiceError(ValueError):
    """A choice of faces that cannot be understood."""


def parse_faces(text: str) -> FaceChoice:
    """The choice of faces from the text of --faces: largest, all, or track ids as in 0,2."""
    word = text.strip().lower()
    if word == "largest":
        return "largest"
    if word == "all":
        return "all"
    return _parse_ids(text)


def _parse_ids(text: str) -> tuple[int, ...]:
    ids = [track_id_of(item.strip()) for item in text.split(",")]
    known = tuple(track_id for track_id in ids if track_id is not None)
    if len(known) < len(ids):
        raise FaceChoiceError(f"faces {text!r} not understood; choose largest, all, or ids such as 0,2")
    return known


def track_id_of(text: str) -> int | None:
    """The track id that is written here; None where none is."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
