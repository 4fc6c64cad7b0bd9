"""The options of retargeting, with their defaults; the command line reads them from here."""

from __future__ import annotations

from dataclasses import dataclass

from calib.profile import Profile
from reenact.programme.face_choice import FaceChoiceOptions


@dataclass(frozen=True)
class RetargetOptions(FaceChoiceOptions):
    """How targets become changes, and which faces are changed."""

    strength: float = 1.0
    """How far to go from the face's present expression (0) to what the targets say (1) and, with relative
    targets and presets, beyond (up to 1.5). An absolute target is never passed."""
    fade_s: float = 0.3
    """The time in seconds from no change to the full one when a face is found, and back when it is lost."""
    confidence_in: float = 0.5
    """The tracker's confidence, 0..1, from which on a face's change fades in."""
    confidence_out: float = 0.3
    """The tracker's confidence, 0..1, below which a face's change fades out again."""
    min_cutoff_hz: float = 1.0
    """The least cutoff frequency of the One-Euro filter on the measured action units: lower is steadier and
    adds latency."""
    # Measured on two clips of talk: a third to half of the jitter is left, and 94 % of a blink's height.
    beta: float = 1.0
    """The speed coefficient of that filter: higher follows quick changes sooner."""
    profile: Profile | None = None
    """What is known of the person: neutral, gains and limits. None: nothing is known of them."""
    slack: float = 0.25
    """The intensity by which a measurement may vary before the limits of the change move with it."""
    inverted: frozenset[int] = frozenset()
    """Indices of the action units whose own expression is turned into its opposite, before the targets and
    whatever the strength (reenact.programme.inversion)."""
    driven: bool = True
    """Whether absolute targets are written with a gain for faces' weak answer (calib.response_gain)."""
    safe: bool = True
    """Whether expressions stay among those that faces can show, and change no faster (calib.limits)."""
