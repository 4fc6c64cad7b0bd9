"""Track: the faces in each frame, their landmarks and who is who."""

from reenact.track.fit import TrackerError
from reenact.track.tracker import FOLLOWED, Tracker, TrackerOptions

__all__ = ["FOLLOWED", "Tracker", "TrackerError", "TrackerOptions"]
