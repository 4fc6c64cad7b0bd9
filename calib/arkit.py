"""ARKit's 52 blendshapes, which Live Link Face and MediaPipe write, and what they are in action units.

The table is linear both ways. A blendshape at 1 is as much as a face can do, which is an intensity of 5 here.
What is lost: action units 13 and 23 have no blendshape. mouthLeft, mouthRight, mouthShrugUpper and tongueOut
have no action unit. browInnerUp, cheekPuff and the lips' blendshapes have no sides, so the sides of AU01,
AU18, AU22, AU28 and AU34 are lost. Sources: Apple, ARFaceAnchor.BlendShapeLocation; Ekman, Friesen & Hager,
FACS, 2002.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.au import (
    AU_COUNT,
    HIGHEST,
    JAW_DROP,
    LID_GAP,
    LIP_GAP,
    LOWEST,
    MAX_INTENSITY,
    SIDES,
    Sided,
    sided_au,
)
from calib.opening_sizes import STANDARD_LIDS_MM

_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
_MIDDLE = (
    *("jawForward", "jawRight", "jawLeft", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft"),
)
_PAIRS = ("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch")
_LIPS = ("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper")


def _both(*stems: str) -> tuple[str, ...]:
    return tuple(f"{stem}{side}" for stem in stems for side in ("Left", "Right"))


BLENDSHAPES = (
    *(f"{stem}{side}" for side in ("Left", "Right") for stem in _EYE),
    *_MIDDLE,
    *_both(*_PAIRS),
    *_LIPS,
    *_both("mouthPress", "mouthLowerDown", "mouthUpperUp", "browDown"),
    "browInnerUp",
    *_both("browOuterUp"),
    "cheekPuff",
    *_both("cheekSquint", "noseSneer"),
    "tongueOut",
)
"""The names of the blendshapes in the order of Live Link Face. Left and right are the person's own."""
BLENDSHAPE_INDEX = {name: index for index, name in enumerate(BLENDSHAPES)}

SIDED: Mapping[str, str] = {
    "AU02": "browOuterUp",
    "AU04": "browDown",
    "AU05": "eyeWide",
    "AU06": "cheekSquint",
    "AU07": "eyeSquint",
    "AU09": "noseSneer",
    "AU10": "mouthUpperUp",
    "AU12": "mouthSmile",
    "AU14": "mouthDimple",
    "AU15": "mouthFrown",
    "AU16": "mouthLowerDown",
    "AU20": "mouthStretch",
    "AU24": "mouthPress",
    "AU45": "eyeBlink",
    "AU63": "eyeLookUp",
    "AU64": "eyeLookDown",
}
"""The blendshape, without Left or Right, of each action unit with sides."""
MIDDLE: Mapping[str, tuple[str, ...]] = {
    "AU01": ("browInnerUp",),
    "AU17": ("mouthShrugLower",),
    "AU18": ("mouthPucker",),
    "AU22": ("mouthFunnel",),
    "AU26": ("jawOpen",),
    "AU28": ("mouthRollLower", "mouthRollUpper"),
    "AU29": ("jawForward",),
    "AU30L": ("jawLeft",),
    "AU30R": ("jawRight",),
    "AU34": ("cheekPuff",),
    "AU61L": ("eyeLookOutLeft",),
    "AU62L": ("eyeLookInLeft",),
    "AU61R": ("eyeLookInRight",),
    "AU62R": ("eyeLookOutRight",),
}
"""The blendshapes of each other action unit; with several it is their mean."""
OPENED_MM: Mapping[str, float] = {
    "jawOpen": 28.9,
    "mouthClose": -28.9,
    "mouthFunnel": 9.0,
    **dict.fromkeys(_both("mouthLowerDown"), 3.2),
    **dict.fromkeys(_both("mouthUpperUp"), 3.4),
}
"""The lip gap, in millimetres, that each blendshape makes: measured on the shapes of ICT-FaceKit."""
DROPPED_MM = 23.3
"""The jaw drop, in millimetres, that jawOpen makes, measured likewise."""


def measured_by_blendshapes() -> NDArray[np.bool_]:
    """Returns (AU_COUNT,): True for what blendshapes tell."""
    told = _table().any(axis=(0, 2))
    told[[LIP_GAP, JAW_DROP, LID_GAP]] = True
    return told


def to_aus(weights: NDArray[np.floating]) -> Sided:
    """Returns (2, AU_COUNT) the values of both sides for the weights (52,), 0..1, of BLENDSHAPES.

    The openings are those of an average face whose jaw drop is 0 at rest.
    """
    sides = MAX_INTENSITY * (_table() @ weights)
    sides[:, LIP_GAP] = max(_opened_mm(weights), 0.0)
    sides[:, JAW_DROP] = DROPPED_MM * weights[BLENDSHAPE_INDEX["jawOpen"]]
    shut = weights[[BLENDSHAPE_INDEX[name] for name in _both("eyeBlink")]]
    sides[:, LID_GAP] = STANDARD_LIDS_MM * (1 - shut)
    return np.clip(sides, LOWEST, HIGHEST).astype(np.float32)


def from_aus(sides: Sided) -> NDArray[np.float32]:
    """Returns the weights (52,), 0..1, of BLENDSHAPES for the values (2, AU_COUNT) of both sides.

    Where lips are open, jawOpen opens them as far as the other blendshapes do not; mouthClose, which would
    take that back, is 0.
    """
    weights = np.zeros(len(BLENDSHAPES))
    for (side, place, sign), shares in _shares().items():
        value = np.maximum(sign * sides[side, place], 0) / MAX_INTENSITY
        for blendshape, share in shares:
            weights[blendshape] += share * value
    jaw, close = BLENDSHAPE_INDEX["jawOpen"], BLENDSHAPE_INDEX["mouthClose"]
    weights[[jaw, close]] = 0
    weights[jaw] = max(float(sides[0, LIP_GAP]) - _opened_mm(weights), 0.0) / OPENED_MM["jawOpen"]
    return np.clip(weights, 0, 1).astype(np.float32)


def _opened_mm(weights: NDArray[np.floating]) -> float:
    """The lip gap that blendshapes make, in millimetres; below 0 where they press lips together."""
    return float(sum(mm * weights[BLENDSHAPE_INDEX[name]] for name, mm in OPENED_MM.items()))


@lru_cache(maxsize=1)
def _table() -> NDArray[np.float64]:
    """(2, AU_COUNT, 52) the share of each action unit that each blendshape is, with the sign of the place."""
    table = np.zeros((len(SIDES), AU_COUNT, len(BLENDSHAPES)))
    for code, stem in SIDED.items():
        found = sided_au(code)
        for side, name in enumerate(_both(stem)):
            table[side, found.place, BLENDSHAPE_INDEX[name]] = found.sign
    for code, names in MIDDLE.items():
        found = sided_au(code)
        for side, each in enumerate(SIDES):
            if found.side in (None, each):
                for name in names:
                    table[side, found.place, BLENDSHAPE_INDEX[name]] = found.sign / len(names)
    return table


@lru_cache(maxsize=1)
def _shares() -> Mapping[tuple[int, int, int], tuple[tuple[int, float], ...]]:
    """For each side, place and sign of an AU array, the blendshapes that show it, with their shares of it."""
    table = _table()
    shown: dict[tuple[int, int, int], list[tuple[int, float]]] = {}
    for blendshape in range(len(BLENDSHAPES)):
        entries = list(zip(*np.nonzero(table[:, :, blendshape]), strict=True))
        for side, place in entries:
            sign = int(np.sign(table[side, place, blendshape]))
            shown.setdefault((int(side), int(place), sign), []).append((blendshape, 1 / len(entries)))
    return {key: tuple(shares) for key, shares in shown.items()}
