"""What a face is to do, as it is asked for: before any file is read, and before anybody has seen the face."""

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
"""A picture's path may hold colons, as C:\\anna.png does."""


class FaceRequestError(ValueError):
    """A plan for a face that cannot be understood."""


@dataclass(frozen=True)
class DriverRequest:
    """Whose expression a face takes over, and how much it keeps of its own."""

    driver: Path | str | None = None
    """A film, a picture or a table of measured action units: a file, or the address of one."""
    how: DriverOptions = field(default_factory=DriverOptions)
    driver_face: str | None = None
    driver_fps: float | None = None
    """Frames per second of a table that has no timestamps."""
    profile: Profile | None = None
    """What is known of the driver."""
    timeline: Path | None = None
    neutralise: float = 0.0
    """0..1: the share of its own expression that is taken away first."""
    scale: Targets | None = None
    """What multiplies its own expression before that."""


@dataclass(frozen=True)
class FaceRequest:
    """What one face is to do: what it is driven to, then its targets on top."""

    face: int | Path | None
    """A track id, a picture of whom it looks like, or None for all faces that no other plan names."""
    targets: Targets | None = None
    driving: DriverRequest = field(default_factory=DriverRequest)
    strength: float = 1.0
    """How far to go to the targets, as RetargetOptions.strength."""


def parse_face(text: str) -> FaceRequest:
    """A plan from the text of --face: 0:AU12=+2 or anna.png:smile. Raises FacePlanError."""
    match = _FACE.fullmatch(text.strip())
    if match is None:
        raise FaceRequestError(f"{text!r}: write 0:AU12=+2, or anna.png:smile for who looks like the picture")
    try:
        targets = parse_targets(match["targets"] if match["id"] else match["look"])
    except TargetError as error:
        raise FaceRequestError(f"face {match['id'] or match['picture']!r}: {error}") from error
    return FaceRequest(face_of(match["id"] or match["picture"]), targets)


def face_of(text: str) -> int | Path:
    """The track id or the picture that is named."""
    track_id = track_id_of(text)
    if track_id is None and text.isdigit():
        raise FaceRequestError(f"{text!r:.40} is no face's id; `reenact aus` lists them")
    return Path(text) if track_id is None else track_id
