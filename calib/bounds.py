"""Bounds of mouth and eye shape that no edit exceeds, and the expected shape of a mouth at rest.

An intensity says how strong a motion is, not which shape results: a face that already smiled and was asked to
laugh opened its mouth wider than any real face. Bounds hold for the final shape.
`python -m calib bounds` fits them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.json_file import parse_json
from calib.openings import MOUTH, Opening
from calib.ramp import within

_PATH = Path(__file__).with_name("data") / "bounds.json"
RIGHT_CORNER, LEFT_CORNER = 61, 291
UPPER_LIP = 0
NOSE_BASE = 2
NOSTRILS = (129, 358)
FREE_SHARE = 0.75
"""Share of the way from a face's own shape to a bound on which motion is free; after it the motion slows."""


@dataclass(frozen=True)
class MouthMeasures:
    """The measured shape of a mouth, in canonical millimetres."""

    width: float
    """The distance between the outer corners."""
    opening: float
    """The distance between the inner edges of the lips, in the middle."""
    corners: float
    """The height of the corners above the base of the nose; it is below 0."""
    lip: float
    """The height of the upper lip's upper edge above the base of the nose; it is below 0."""


def measure_mouth(landmarks_mm: NDArray[np.floating]) -> MouthMeasures:
    """Measures the mouth of pose-normalised landmarks (478, 3), canonical millimetres."""
    right, left = landmarks_mm[RIGHT_CORNER], landmarks_mm[LEFT_CORNER]
    nose = landmarks_mm[NOSE_BASE, 1]
    return MouthMeasures(
        float(left[0] - right[0]),
        opening_mm(landmarks_mm, MOUTH),
        float(nose - (left[1] + right[1]) / 2),
        float(nose - landmarks_mm[UPPER_LIP, 1]),
    )


def opening_mm(landmarks_mm: NDArray[np.floating], opening: Opening) -> float:
    """Returns the gap of an opening in its middle, mm; landmarks are (478, 3), pose-normalised."""
    return opening.height(landmarks_mm)


@dataclass(frozen=True)
class Bounds:
    """The bounds of shape, in canonical millimetres."""

    narrowest: float
    """The smallest width of a mouth."""
    widest: float
    """The largest width of a mouth."""
    corners: float
    """The largest height of a mouth's corners above the base of the nose; it is below 0."""
    mouth_opening: float
    """The largest opening of a mouth."""
    eye_opening: float
    """The largest opening of an eye."""
    rest: tuple[tuple[float, ...], ...]
    """(3, 6) weights: predict width, corners and lip at rest from 1 and the `rest_features` of a smile."""
    rest_range: tuple[tuple[float, float], ...]
    """The lowest and highest value that each of these three predictions may have."""

    def at_rest(self, landmarks_mm: NDArray[np.floating]) -> MouthMeasures:
        """Predicts the mouth at rest of a smiling face, from its pose-normalised landmarks (478, 3)."""
        weights, (low, high) = self._rest
        expected = weights[:, 0] + weights[:, 1:] @ rest_features(landmarks_mm)
        width, corners, lip = within(expected, low, high).tolist()
        return MouthMeasures(width, 0.0, corners, lip)

    @cached_property
    def _rest(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`rest` (3, 6), and `rest_range` (2, 3)."""
        return np.array(self.rest), np.array(self.rest_range).T


def rest_features(landmarks_mm: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns (5,) mm, computed from a smiling face's landmarks (478, 3), that predict its mouth at rest."""
    mouth = measure_mouth(landmarks_mm)
    right, left = NOSTRILS
    nose_width = landmarks_mm[left, 0] - landmarks_mm[right, 0]
    return np.array([mouth.width, mouth.opening, mouth.corners, mouth.lip, nose_width])


def held_below(wanted: float, own: float, bound: float) -> float:
    """Returns `wanted`, reduced where it comes near `bound`, which it never exceeds. Continuous, increasing.

    own: the face's own value. `wanted` is not reduced up to `own` and for FREE_SHARE of the way from there to
    the bound. A face whose own value exceeds the bound goes no further than that value.
    """
    bound = max(bound, own)
    free = own + FREE_SHARE * (bound - own)
    rest = bound - free
    if wanted <= free:
        return wanted
    return free + rest * float(np.tanh((wanted - free) / rest)) if rest > 0 else free


def held_above(wanted: float, own: float, bound: float) -> float:
    """Does the same for a lower bound."""
    return -held_below(-wanted, -own, -bound)


def to_json(bounds: Bounds) -> str:
    """Returns the text of the file, rounded to four digits, which is finer than the fit's error."""
    rounded = json.loads(json.dumps(asdict(bounds)), parse_float=lambda text: round(float(text), 4))
    return json.dumps({"version": 1, **rounded}, indent=1) + "\n"


def from_json(text: str) -> Bounds:
    """Reads the text that `to_json` writes."""
    document = parse_json(text, ValueError)
    del document["version"]
    rest = tuple(tuple(row) for row in document.pop("rest"))
    rest_range = tuple((low, high) for low, high in document.pop("rest_range"))
    return Bounds(**document, rest=rest, rest_range=rest_range)


@lru_cache(maxsize=1)
def load_bounds() -> Bounds:
    """Loads the bounds that ship with the project (see calib/data/MODEL_CARD.md)."""
    return from_json(_PATH.read_text(encoding="utf-8"))
