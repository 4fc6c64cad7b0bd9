"""Track: finds the faces in each frame, fits landmarks to them and gives each an id."""

from reenact.track.fit import TrackerError
from reenact.track.tracker import DEFAULT_MAX_FACES, Tracker, TrackerOptions

__all__ = ["DEFAULT_MAX_FACES", "Tracker", "TrackerError", "TrackerOptions"]
