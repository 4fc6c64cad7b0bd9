"""Bounds of the mouth's and the eyes' shape: what no action unit moves a face beyond, and a mouth at rest.

Intensities say how strongly something is asked, not where a face ends up: one that smiles already, asked to
laugh, opened its mouth wider than anybody does. Bounds hold for the final shape. Fitted by
`python -m calib bounds`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.json_file import parse_json
from calib.openings import MOUTH, Opening

_PATH = Path(__file__).with_name("data") / "bounds.json"
RIGHT_CORNER, LEFT_CORNER = 61, 291
UPPER_LIP = 0
NOSE_BASE = 2
NOSTRILS = (129, 358)
FREE_SHARE = 0.75
"""Of the way from a face's own shape to a bound; on the rest of it a motion slows down."""


@dataclass(frozen=True)
class MouthShape:
    """What is bounded of a mouth, in canonical millimetres."""

    width: float
    """Between the outer corners."""
    opening: float
    """Between the inner edges of the lips, in the middle."""
    corners: float
    """Height of the corners above the base of the nose; below 0."""
    lip: float
    """Height of the upper lip's upper edge above the base of the nose; below 0."""


def measure_mouth(landmarks_mm: NDArray[np.floating]) -> MouthShape:
    """Of pose-normalised landmarks (478, 3)."""
    right, left = landmarks_mm[RIGHT_CORNER], landmarks_mm[LEFT_CORNER]
    nose = landmarks_mm[NOSE_BASE, 1]
    return MouthShape(
        float(left[0] - right[0]),
        opening_mm(landmarks_mm, MOUTH),
        float(nose - (left[1] + right[1]) / 2),
        float(nose - landmarks_mm[UPPER_LIP, 1]),
    )


def opening_mm(landmarks_mm: NDArray[np.floating], opening: Opening) -> float:
    """How far the edges of an opening of pose-normalised landmarks (478, 3) are apart in its middle."""
    centre = len(opening.upper) // 2
    middle = slice(centre - 1, centre + 2)
    upper, lower = list(opening.upper[middle]), list(opening.lower[middle])
    return float((landmarks_mm[lower, 1] - landmarks_mm[upper, 1]).mean())


@dataclass(frozen=True)
class Bounds:
    """In canonical millimetres."""

    narrowest: float
    """The least width of a mouth."""
    widest: float
    """The largest."""
    corners: float
    """The largest height of a mouth's corners above the base of the nose; below 0."""
    mouth_opening: float
    """The largest opening of a mouth."""
    eye_opening: float
    """The largest opening of an eye."""
    rest: tuple[tuple[float, ...], ...]
    """Rows: width, corners and lip at rest; columns: of 1 and the `rest_features` of a smiling face."""
    rest_range: tuple[tuple[float, float], ...]
    """Between which each of them lies."""

    def at_rest(self, landmarks_mm: NDArray[np.floating]) -> MouthShape:
        """The mouth that a face (478, 3) would have without its smile, as far as its shape tells."""
        expected = np.array(self.rest) @ np.r_[1, rest_features(landmarks_mm)]
        width, corners, lip = np.clip(expected, *np.array(self.rest_range).T).tolist()
        return MouthShape(width, 0.0, corners, lip)


def rest_features(landmarks_mm: NDArray[np.floating]) -> NDArray[np.float64]:
    """(5,) what tells of a smiling face's (478, 3) mouth at rest, in millimetres."""
    mouth = measure_mouth(landmarks_mm)
    right, left = NOSTRILS
    nose_width = landmarks_mm[left, 0] - landmarks_mm[right, 0]
    return np.array([mouth.width, mouth.opening, mouth.corners, mouth.lip, nose_width])


def held_below(wanted: float, own: float, bound: float) -> float:
    """`wanted`, or less where it comes near `bound`, which it never passes. Continuous and increasing.

    own: where the face is by itself. Up to there, and on FREE_SHARE of the way on to the bound, nothing is
    held back; a face that is beyond the bound by itself goes no further.
    """
    bound = max(bound, own)
    free = own + FREE_SHARE * (bound - own)
    rest = bound - free
    if wanted <= free:
        return wanted
    return free + rest * float(np.tanh((wanted - free) / rest)) if rest > 0 else free


def held_above(wanted: float, own: float, bound: float) -> float:
    """The same from below."""
    return -held_below(-wanted, -own, -bound)


def to_json(bounds: Bounds) -> str:
    """The text of the file; four digits say more than is known."""
    rounded = json.loads(json.dumps(asdict(bounds)), parse_float=lambda text: round(float(text), 4))
    return json.dumps({"version": 1, **rounded}, indent=1) + "\n"


def from_json(text: str) -> Bounds:
    document = parse_json(text, ValueError)
    del document["version"]
    rest = tuple(tuple(row) for row in document.pop("rest"))
    rest_range = tuple((low, high) for low, high in document.pop("rest_range"))
    return Bounds(**document, rest=rest, rest_range=rest_range)


@lru_cache(maxsize=1)
def load_bounds() -> Bounds:
    """The bounds that ship with the project (see calib/data/MODEL_CARD.md)."""
    return from_json(_PATH.read_text(encoding="utf-8"))
