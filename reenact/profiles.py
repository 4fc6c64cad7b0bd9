"""Profiles on disk, and what they make of a run's readings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from calib.au import AUVector
from calib.profile import Profile, ProfileError, load_profile, to_json
from reenact.atomic import replacing
from reenact.types import Measured


def save_profile(profile: Profile, path: Path) -> None:
    """Writes all of it, or leaves the file as it was. Raises ProfileError."""
    try:
        with replacing(path) as beside:
            beside.write_text(to_json(profile), encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"profile {str(path)!r} cannot be written: {error.strerror or error}") from error


def profile_to_renew(path: Path) -> Profile:
    """What `path` says already, so that it can be kept; otherwise somebody new of that name.

    Refuses now what could not be written when the work is done. Raises ProfileError.
    """
    if path.suffix.lower() != ".json":
        raise ProfileError(f"profile {str(path)!r}: give it a name that ends in .json")
    if not path.resolve().parent.is_dir():
        raise ProfileError(f"profile {str(path)!r} cannot be written: its folder does not exist")
    return load_profile(path) if path.exists() else Profile(path.stem)


def renewed(profile: Profile, how: str, neutral: AUVector, range_: AUVector | None = None) -> Profile:
    """The same person with what is known better by now, and how; a range of None stays as it was."""
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    known = profile.range if range_ is None else range_
    return replace(profile, neutral=neutral, range=known, how=how, when=when)


def beyond_neutral(profile: Profile) -> Callable[[Measured], Measured]:
    """A stage that turns what is measured into what it says of the expression of the profile's person."""

    def calibrate(measured: Measured) -> Measured:
        return replace(measured, aus=tuple(profile.beyond_neutral(aus) for aus in measured.aus))

    return calibrate
