"""Profiles on disk, and what they make of a run's readings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from calib.au import AUVector
from calib.profile import Profile, ProfileError, load_profile, to_json
from calib.teeth_picture import TeethPicture
from reenact.atomic import replacing
from reenact.generate.mouth import View, Views
from reenact.generate.mouth.arch import SHAPE, UPPER_ABOVE_MM, Arch
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


def with_teeth(profile: Profile, views: Views) -> Profile:
    """The same person with pictures of the teeth; a row that was not seen stays as the profile has it."""
    upper, lower = (None if view is None else _picture(view) for view in (views.upper, views.lower))
    return replace(
        profile,
        upper_teeth=upper or profile.upper_teeth,
        lower_teeth=lower or profile.lower_teeth,
    )


def teeth_of(profile: Profile | None) -> Views:
    """The teeth that a profile has pictures of. Raises ProfileError for pictures that are none."""
    if profile is None:
        return Views()
    return Views(_view(profile.upper_teeth, UPPER_ABOVE_MM), _view(profile.lower_teeth, LOWER_ABOVE_MM))


def _picture(view: View) -> TeethPicture:
    _, png = cv2.imencode(".png", cv2.cvtColor(view.arch.picture, cv2.COLOR_RGBA2BGRA))
    return TeethPicture(png.tobytes(), view.edge_mm, view.chin_mm, view.quality)


def _view(picture: TeethPicture | None, above_mm: float) -> View | None:
    if picture is None:
        return None
    rgba = cv2.imdecode(np.frombuffer(picture.png, np.uint8), cv2.IMREAD_UNCHANGED)
    if rgba is None or rgba.dtype != np.uint8 or rgba.shape != (*SHAPE, 4):
        height, width = SHAPE
        raise ProfileError(f"a picture of teeth in the profile is no RGBA PNG of {width} x {height} pixels")
    arch = Arch(cv2.cvtColor(rgba, cv2.COLOR_BGRA2RGBA), above_mm)
    return View(arch, picture.edge_mm, picture.chin_mm, picture.quality)


def beyond_neutral(profile: Profile) -> Callable[[Measured], Measured]:
    """A stage that turns what is measured into what it says of the expression of the profile's person."""

    def calibrate(measured: Measured) -> Measured:
        return replace(measured, aus=tuple(profile.beyond_neutral(aus) for aus in measured.aus))

    return calibrate
