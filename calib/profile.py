"""A person's profile: the neutral, the range, and the gains and limits of edits to this face."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from calib.au import (
    AU_CODES,
    AU_COUNT,
    GAZE,
    GAZE_UNIT_DEG,
    HIGHEST,
    LOWEST,
    AUVector,
    UnknownAUError,
    au_index,
    beyond,
)
from calib.json_file import has_version, number_in, parse_json
from calib.mouth_picture import MOST, MouthPicture, MouthPictureError, from_document, to_document
from calib.text_file import read_text

VERSION = 1
MAX_GAIN = 4.0
MOST_STRETCH = 3.0
"""The largest factor, up or down, from a driver's intensities to those of another face; ranges are
estimates."""
_LIMIT_BYTES = 1_000_000
MOST_GAZE_ERROR_DEG = 20.0
"""The largest error of a gaze that a profile may state, degrees."""
_MOUTH, _GAZE_ERROR = "pictures_of_mouth", "gaze_error_deg"
_KEYS = ("version", "name", "how", "when", "neutral", "range", "gain", "limit", _GAZE_ERROR, _MOUTH)
_FORM = '{"version": 1, "neutral": {"AU12": 0.4}}'


class ProfileError(ValueError):
    """A profile cannot be read or written; the message is one line for the user."""


def _none_known() -> AUVector:
    return np.full(AU_COUNT, np.nan, np.float32)


@dataclass(frozen=True, eq=False)
class Profile:
    """The profile of one person for one estimator. All arrays are (AU_COUNT,), in the order of AU_CODES."""

    name: str = ""
    """The person's name."""
    neutral: AUVector = field(default_factory=lambda: np.zeros(AU_COUNT, np.float32))
    """The readings of the face at rest."""
    range: AUVector = field(default_factory=_none_known)
    """The largest readings above the neutral; NaN where unknown."""
    gain: AUVector = field(default_factory=lambda: np.ones(AU_COUNT, np.float32))
    """The factors, 0..4, on what is added to this face. An absolute target is not multiplied, but a gain of 0
    leaves the action unit unchanged."""
    limit: AUVector = field(default_factory=_none_known)
    """The largest intensities above the neutral that may be asked for; NaN: the range, where known."""
    how: str = ""
    """How the profile was made, in one line."""
    when: str = ""
    """When the profile was made, in ISO 8601."""
    mouth: tuple[MouthPicture, ...] = ()
    """Pictures of the inside of the person's mouth; empty unless the person asked to keep them."""
    gaze_error_deg: tuple[float, float] = (0.0, 0.0)
    """What is read of the person's gaze beyond where they look: to their left and up, degrees."""

    def with_true_gaze(self, aus: AUVector) -> AUVector:
        """Returns the readings (AU_COUNT,) without the error of this person's gaze."""
        if not any(self.gaze_error_deg):
            return aus
        true = aus.copy()
        true[GAZE] -= np.array(self.gaze_error_deg, np.float32) / np.float32(GAZE_UNIT_DEG)
        return true

    def beyond_neutral(self, aus: AUVector) -> AUVector:
        """Returns what readings (AU_COUNT,) show above the neutral."""
        return beyond(aus, self.neutral)

    @property
    def ceiling(self) -> AUVector:
        """The highest readings that may be asked for, (AU_COUNT,)."""
        most = np.where(np.isnan(self.limit), self.range, self.limit)
        highest = np.where(np.isnan(most), HIGHEST, self.neutral + most)
        return np.minimum(highest, HIGHEST).astype(np.float32)


def with_neutral(profile: Profile | None, neutral: AUVector | None) -> Profile | None:
    """Returns the profile with this neutral, or a new profile if it is None. None as neutral: no change."""
    if neutral is None:
        return profile
    return replace(profile or Profile(), neutral=neutral)


def stretch(driver: Profile | None, driven: Profile | None) -> AUVector:
    """Returns (AU_COUNT,) ratios of the driven face's range to the driver's; 1 where either is unknown."""
    if driver is None or driven is None:
        return np.ones(AU_COUNT, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = driven.range / driver.range
    return np.clip(np.where(np.isfinite(ratio), ratio, 1), 1 / MOST_STRETCH, MOST_STRETCH).astype(np.float32)


def to_json(profile: Profile) -> str:
    """Returns the text of a profile's file, without unknown values."""
    document: dict[str, object] = {
        "version": VERSION,
        "name": profile.name,
        "how": profile.how,
        "when": profile.when,
    }
    for table in (_NEUTRAL, _RANGE, _GAIN, _LIMIT):
        values = getattr(profile, table.key)
        document[table.key] = {
            code: round(value, 3)
            for code, value in zip(AU_CODES, values.tolist(), strict=True)
            if value != table.default and not math.isnan(value)
        }
    if any(profile.gaze_error_deg):
        document[_GAZE_ERROR] = [round(angle, 2) for angle in profile.gaze_error_deg]
    if profile.mouth:
        document[_MOUTH] = [to_document(picture) for picture in profile.mouth]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def load_profile(path: Path) -> Profile:
    """Reads a profile from a JSON file, which holds only numbers, names and small PNGs and so is safe to
    open.

        {"version": 1, "name": "Ana", "neutral": {"AU12": 0.4}, "range": {"AU12": 2.8},
         "gain": {"AU12": 1.5}, "limit": {"AU04": 2}, "how": "...", "when": "2026-11-23T10:00:00+00:00"}

    Only "version" is required; "gaze_error_deg": [1.5, -3] is the error of the gaze, to the person's left and
    up, and "pictures_of_mouth" holds the pictures, in base64.
    Raises ProfileError naming the file, the key, the value and the right form.
    """
    shown = f"profile {str(path)!r}"
    try:
        return parse_profile(read_text(path, ProfileError, _LIMIT_BYTES))
    except ProfileError as error:
        raise ProfileError(f"{shown}: {error}") from error


def parse_profile(text: str) -> Profile:
    """Reads a profile from its file's text. Raises ProfileError naming key, value and the right form."""
    document = parse_json(text, ProfileError)
    if not isinstance(document, dict):
        raise ProfileError(f"must be an object: {_FORM}")
    if not has_version(document, VERSION):
        raise ProfileError(f'"version" is {document.get("version")!r:.40}; this release reads {VERSION}')
    for key in document.keys() - set(_KEYS):
        raise ProfileError(f"unknown key {key!r:.40}; choose from {', '.join(_KEYS)}")
    return Profile(
        name=_text(document, "name"),
        neutral=_vector(document, _NEUTRAL),
        range=_vector(document, _RANGE),
        gain=_vector(document, _GAIN),
        limit=_vector(document, _LIMIT),
        how=_text(document, "how"),
        when=_text(document, "when"),
        mouth=_mouth(document),
        gaze_error_deg=_gaze_error(document),
    )


def _gaze_error(document: dict[str, Any]) -> tuple[float, float]:
    given = document.get(_GAZE_ERROR, [0, 0])
    angles = [number_in(angle) for angle in given] if isinstance(given, list) else []
    # NaN is not in any range.
    if len(angles) != 2 or not all(abs(angle) <= MOST_GAZE_ERROR_DEG for angle in angles):
        most = f"{MOST_GAZE_ERROR_DEG:g}"
        right = f"two numbers from -{most} to {most}, left and up in degrees"
        raise ProfileError(f'"{_GAZE_ERROR}" is {given!r:.40}; write {right}')
    return angles[0], angles[1]


def _mouth(document: dict[str, Any]) -> tuple[MouthPicture, ...]:
    pictures = document.get(_MOUTH, [])
    if not isinstance(pictures, list) or len(pictures) > MOST:
        raise ProfileError(f'"{_MOUTH}" must be a list of at most {MOST} pictures')
    try:
        return tuple(
            from_document(picture, f'picture {number} in "{_MOUTH}"')
            for number, picture in enumerate(pictures, start=1)
        )
    except MouthPictureError as error:
        raise ProfileError(str(error)) from error


@dataclass(frozen=True)
class _Table:
    """A key of the file that holds one number for each action unit."""

    key: str
    default: float
    """The value of action units that the file leaves out."""
    least: AUVector
    """(AU_COUNT,) the smallest values."""
    most: AUVector
    """(AU_COUNT,) the largest values."""

    def form(self, index: int = 0) -> str:
        """The values that are right for one place in an AU array."""
        return f"numbers from {self.least[index]:g} to {self.most[index]:g}"


_NOTHING = np.zeros(AU_COUNT, np.float32)
_NEUTRAL = _Table("neutral", 0.0, LOWEST, HIGHEST)
_RANGE = _Table("range", math.nan, _NOTHING, HIGHEST)
_GAIN = _Table("gain", 1.0, _NOTHING, np.full(AU_COUNT, MAX_GAIN, np.float32))
_LIMIT = _Table("limit", math.nan, _NOTHING, HIGHEST)


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key, "")
    if not isinstance(value, str) or not value.isprintable():
        raise ProfileError(f'"{key}" is {value!r:.40}; write a line of text, "{key}": "..."')
    return value


def _vector(document: dict[str, Any], table: _Table) -> AUVector:
    values = document.get(table.key, {})
    if not isinstance(values, dict):
        raise ProfileError(
            f'"{table.key}" is {values!r:.40}; write action units and {table.form()}, {{"AU12": 1}}'
        )
    vector = np.full(AU_COUNT, table.default, np.float32)
    given: set[int] = set()
    for name, value in values.items():
        shown = f'{name!r:.40} in "{table.key}"'
        try:
            index = au_index(name)
        except UnknownAUError as error:
            raise ProfileError(f"{shown}: {error}") from error
        if index in given:
            raise ProfileError(f"{shown}: {AU_CODES[index]} is given twice")
        given.add(index)
        vector[index] = _number(value, table, index, shown)
    return vector


def _number(value: object, table: _Table, index: int, shown: str) -> float:
    number = number_in(value)
    if not table.least[index] <= number <= table.most[index]:  # This also catches NaN.
        raise ProfileError(f"{shown} is {value!r:.40}; write {table.form(index)}")
    return number
