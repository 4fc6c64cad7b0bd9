"""Pictures of a person's teeth in a profile: the one part of it that is not numbers."""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass
from typing import Any

LARGEST_BYTES = 200_000
"""Of one picture; a row of teeth takes about 25,000."""
_KEYS = ("png", "edge_mm", "chin_mm", "quality")
_LARGEST_NUMBER = 1e6


class TeethPictureError(ValueError):
    """A picture of teeth that cannot be read; the message names the key, the value and the right form."""


@dataclass(frozen=True)
class TeethPicture:
    """One row of a person's teeth as a frame showed it (reenact.generate.mouth.memory.View)."""

    png: bytes
    """An RGBA picture in the form of reenact.generate.mouth.arch.Arch."""
    edge_mm: float
    """Canonical y of the edge of the front teeth."""
    chin_mm: float
    """Canonical y of the chin in the same frame."""
    quality: float
    """How much was seen, how sharply and how frontally; larger is better."""


def to_document(picture: TeethPicture) -> dict[str, Any]:
    """The picture as JSON holds it."""
    return {
        "png": base64.b64encode(picture.png).decode("ascii"),
        "edge_mm": round(picture.edge_mm, 2),
        "chin_mm": round(picture.chin_mm, 2),
        "quality": round(picture.quality, 2),
    }


def from_document(document: Any, shown: str) -> TeethPicture:
    """The picture that JSON holds; `shown` is how to name it. Raises TeethPictureError."""
    if not isinstance(document, dict) or set(document) != set(_KEYS):
        raise TeethPictureError(f"{shown} must be an object with the keys {', '.join(_KEYS)}")
    numbers = []
    for key in _KEYS[1:]:
        value = document[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or abs(value) > _LARGEST_NUMBER:
            raise TeethPictureError(f'"{key}" of {shown} is {value!r:.40}; write a number')
        numbers.append(float(value))
    text = document["png"]
    if not isinstance(text, str) or len(text) > 4 * LARGEST_BYTES // 3 + 4:
        raise TeethPictureError(f'"png" of {shown} must be text of at most {LARGEST_BYTES} bytes in base64')
    try:
        png = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TeethPictureError(f'"png" of {shown} is not base64: {error}') from error
    return TeethPicture(png, *numbers)
