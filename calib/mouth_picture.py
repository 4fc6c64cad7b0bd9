"""Pictures of the inside of a person's mouth in a profile, which otherwise holds numbers only."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, fields
from typing import Any

from calib.json_file import number_in

LARGEST_BYTES = 200_000
"""The largest size of one PNG; a usual one has about 25,000 bytes."""
MOST = 6
"""The largest number of pictures in one profile."""
_LARGEST_NUMBER = 1e6


class MouthPictureError(ValueError):
    """A picture of a mouth cannot be read; the message names the key, the value and the right form."""


@dataclass(frozen=True)
class MouthPicture:
    """The inside of a mouth as one frame showed it (painters.mouth.mouth_views.MouthView)."""

    floor_png: bytes
    """An RGBA picture of what lies below the upper teeth (painters.mouth.mouth_floor)."""
    upper_png: bytes | None
    """An RGBA picture of the upper teeth (see reenact.generate.painters.mouth.arch). None: lips hid them."""
    opening_mm: float
    """The distance between the inner edges of the lips."""
    width_mm: float
    """The width of the mouth."""
    yaw_rad: float
    """The yaw of the head."""
    pitch_rad: float
    """The pitch of the head."""
    edge_mm: float
    """The canonical distance from the bridge of the nose down to the edge of the upper front teeth."""
    aside_mm: float
    """The canonical x of the middle of the upper row."""
    crown_mm: float
    """The height of the visible part of the upper teeth."""
    quality: float
    """A score of how much was visible, how sharply and how frontally; larger is better."""
    dark: tuple[float, float, float] | None
    """The RGB colour of the depth of the mouth as shares of white teeth. None: no part of it was dark."""


_PNGS = ("floor_png", "upper_png")
_NUMBERS = tuple(each.name for each in fields(MouthPicture) if each.name not in (*_PNGS, "dark"))
_KEYS = (*_PNGS, *_NUMBERS, "dark")


def to_document(picture: MouthPicture) -> dict[str, Any]:
    """Returns the picture as JSON holds it."""
    upper = picture.upper_png
    return {
        "floor_png": base64.b64encode(picture.floor_png).decode("ascii"),
        "upper_png": None if upper is None else base64.b64encode(upper).decode("ascii"),
        **{name: round(getattr(picture, name), 3) for name in _NUMBERS},
        "dark": None if picture.dark is None else [round(part, 3) for part in picture.dark],
    }


def from_document(document: Any, shown: str) -> MouthPicture:
    """Reads the picture from JSON; `shown` names it in errors. Raises MouthPictureError."""
    if not isinstance(document, dict) or set(document) != set(_KEYS):
        raise MouthPictureError(f"{shown} must be an object with the keys {', '.join(_KEYS)}")
    upper, dark = document["upper_png"], document["dark"]
    return MouthPicture(
        _png(document["floor_png"], f'"floor_png" of {shown}'),
        None if upper is None else _png(upper, f'"upper_png" of {shown}'),
        dark=None if dark is None else _colour(dark, f'"dark" of {shown}'),
        **{name: _number(document[name], f'"{name}" of {shown}') for name in _NUMBERS},
    )


def _png(text: Any, shown: str) -> bytes:
    if not isinstance(text, str) or len(text) > 4 * LARGEST_BYTES // 3 + 4:
        raise MouthPictureError(f"{shown} must be text of at most {LARGEST_BYTES} bytes in base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MouthPictureError(f"{shown} is not base64: {error}") from error


def _number(value: Any, shown: str) -> float:
    number = number_in(value)
    if not abs(number) <= _LARGEST_NUMBER:  # This also catches NaN.
        raise MouthPictureError(f"{shown} is {value!r:.40}; write a number")
    return number


def _colour(value: Any, shown: str) -> tuple[float, float, float]:
    if not isinstance(value, list) or len(value) != 3:
        raise MouthPictureError(f"{shown} is {value!r:.40}; write three numbers, or null")
    red, green, blue = (_number(part, shown) for part in value)
    return red, green, blue
