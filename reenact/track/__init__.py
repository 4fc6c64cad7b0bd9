"""Track: the faces in each frame, their landmarks and who is who."""

from reenact.track.landmarkers import TrackerError
from reenact.track.tracker import Tracker, TrackerOptions

__all__ = ["Tracker", "TrackerError", "TrackerOptions"]
