"""Profiles: writing them, the pictures of the mouth in them, and measurements beyond a neutral."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from calib.au import AUVector
from calib.mouth_picture import MouthPicture
from calib.profile import Profile, ProfileError, load_profile, to_json
from reenact.generate.painters.mouth import MouthShape, MouthView, MouthViews
from reenact.generate.painters.mouth.arch import SHAPE, UPPER_ABOVE_MM, Arch
from reenact.generate.painters.mouth.mouth_floor import ABOVE_MM, FLOOR_SHAPE
from reenact.media.atomic import replacing
from reenact.records import Measured


def save_profile(profile: Profile, path: Path) -> None:
    """Writes the profile completely, or leaves the file as it was. Raises ProfileError."""
    try:
        with replacing(path) as beside:
            beside.write_text(to_json(profile), encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"profile {str(path)!r} cannot be written: {error.strerror or error}") from error


def profile_to_renew(path: Path) -> Profile:
    """The profile at `path`, or a new one named after the file.

    Raises ProfileError where the profile cannot be read, or could not be written at the end of the work.
    """
    if path.suffix.lower() != ".json":
        raise ProfileError(f"profile {str(path)!r}: give it a name that ends in .json")
    if not path.resolve().parent.is_dir():
        raise ProfileError(f"profile {str(path)!r} cannot be written: its folder does not exist")
    return load_profile(path) if path.exists() else Profile(path.stem)


def renewed(
    profile: Profile,
    how: str,
    neutral: AUVector,
    range_: AUVector | None = None,
    gaze_error_deg: tuple[float, float] | None = None,
) -> Profile:
    """The profile with a new neutral (AU_COUNT,), dated now.

    how: how the neutral was measured. range_: (AU_COUNT,) the new range. gaze_error_deg: the new error of the
    gaze. None: each of these stays as it was.
    """
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    known = profile.range if range_ is None else range_
    error = profile.gaze_error_deg if gaze_error_deg is None else gaze_error_deg
    return replace(profile, neutral=neutral, range=known, how=how, when=when, gaze_error_deg=error)


def with_mouth(profile: Profile, views: MouthViews) -> Profile:
    """The profile with pictures of the mouth.

    Of each opening and yaw the better one of the profile's pictures and `views` counts, and of each opening
    the most frontal one of these is kept.
    """
    if not len(views):
        return profile
    known = mouth_of(profile).better(views).by_opening()
    return replace(profile, mouth=tuple(_picture(view) for view in known))


def mouth_of(profile: Profile | None) -> MouthViews:
    """The views of the mouth in a profile; empty where the profile is None.

    Raises ProfileError for pictures that cannot be decoded.
    """
    return MouthViews.of(() if profile is None else map(_view, profile.mouth))


def _picture(view: MouthView) -> MouthPicture:
    return MouthPicture(
        _png(view.floor),
        None if view.upper is None else _png(view.upper),
        **vars(view.shape),
        edge_mm=view.edge_mm,
        aside_mm=view.aside_mm,
        crown_mm=view.crown_mm,
        quality=view.quality,
        dark=None if view.dark is None else tuple(view.dark.tolist()),
    )


def _png(arch: Arch) -> bytes:
    _, png = cv2.imencode(".png", cv2.cvtColor(arch.picture, cv2.COLOR_RGBA2BGRA))
    return png.tobytes()


def _view(picture: MouthPicture) -> MouthView:
    return MouthView(
        MouthShape(picture.opening_mm, picture.width_mm, picture.yaw_rad, picture.pitch_rad),
        picture.quality,
        _arch(picture.floor_png, FLOOR_SHAPE, ABOVE_MM),
        None if picture.upper_png is None else _arch(picture.upper_png, SHAPE, UPPER_ABOVE_MM),
        picture.edge_mm,
        picture.aside_mm,
        picture.crown_mm,
        None if picture.dark is None else np.array(picture.dark, np.float32),
    )


def _arch(png: bytes, shape: tuple[int, int], above_mm: float) -> Arch:
    rgba = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) if png else None
    if rgba is None or rgba.dtype != np.uint8 or rgba.shape != (*shape, 4):
        height, width = shape
        raise ProfileError(f"a mouth picture in the profile is not an RGBA PNG of {width} x {height} pixels")
    return Arch(cv2.cvtColor(rgba, cv2.COLOR_BGRA2RGBA), above_mm)


def beyond_neutral(profile: Profile) -> Callable[[Measured], Measured]:
    """A stage that replaces measured intensities by those beyond the neutral of the profile's person."""

    def calibrate(measured: Measured) -> Measured:
        return replace(measured, aus=tuple(profile.beyond_neutral(aus) for aus in measured.aus))

    return calibrate
