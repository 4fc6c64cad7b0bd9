"""Requests for single faces, as the user states them, before any file is read or any face is tracked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from calib.profile import Profile
from reenact.programme.driver import DriverOptions
from reenact.programme.face_choice import track_id_of
from reenact.programme.target_syntax import TargetError, parse_targets
from reenact.programme.targets import Targets

_FACE = re.compile(r"(?P<id>\d+):(?P<targets>.*)|(?P<picture>.+):(?P<look>[^:]*)", re.DOTALL)
"""The form of --face; a picture's path may contain colons, as C:\\anna.png does."""


class FaceRequestError(ValueError):
    """A request for a face cannot be understood; the message is one line."""


@dataclass(frozen=True)
class DriverRequest:
    """The driver and the time line of a face, and the share of its own expression that it keeps."""

    driver: Path | str | None = None
    """The path or address of a film, a picture or a table of measured action units. None: no driver."""
    how: DriverOptions = field(default_factory=DriverOptions)
    """How the driver's expression becomes targets."""
    driver_face: str | None = None
    """The name or number of the face in the driver. None: the only one, or the one seen most."""
    driver_fps: float | None = None
    """Frames per second of a table without timestamps. None: the table has timestamps."""
    profile: Profile | None = None
    """What is known of the driver's person. None: nothing is known."""
    timeline: Path | None = None
    """The file of a time line. None: there is no time line."""
    neutralise: float = 0.0
    """The share of the face's own expression that is removed first, 0..1."""
    scale: Targets | None = None
    """Targets that multiply the face's own expression before that. None: they do not."""


@dataclass(frozen=True)
class FaceRequest:
    """What one face should show: first its driver and time line, then its targets."""

    face: int | Path | None
    """A track id, or a picture of the person. None: all faces that no other request names."""
    targets: Targets | None = None
    """The targets that come last. None: there are none."""
    driving: DriverRequest = field(default_factory=DriverRequest)
    """The driver and the time line, which come first."""
    strength: float = 1.0
    """How far to go to the targets; see RetargetOptions.strength."""


def parse_face(text: str) -> FaceRequest:
    """The request in the text of --face: 0:AU12=+2 or anna.png:smile. Raises FaceRequestError."""
    match = _FACE.fullmatch(text.strip())
    if match is None:
        raise FaceRequestError(f"{text!r}: write 0:AU12=+2, or anna.png:smile for the person in the picture")
    try:
        targets = parse_targets(match["targets"] if match["id"] else match["look"])
    except TargetError as error:
        raise FaceRequestError(f"face {match['id'] or match['picture']!r}: {error}") from error
    return FaceRequest(face_of(match["id"] or match["picture"]), targets)


def face_of(text: str) -> int | Path:
    """The track id or the picture's path that the text names. Raises FaceRequestError."""
    track_id = track_id_of(text)
    if track_id is None and text.isdigit():
        raise FaceRequestError(f"{text!r:.40} is not the id of a face; `reenact aus` lists the ids")
    return Path(text) if track_id is None else track_id
