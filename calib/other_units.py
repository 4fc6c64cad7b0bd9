"""The motions of the action units that OpenFace does not read, from expressions of scanned people.

No labels of pictures show these action units. ICT-FaceKit (Li et al., Learning Formation of Physically-Based
Face Attributes, CVPR 2020; MIT) holds them, measured in three dimensions. An eye's rotation is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from calib.au import ACTION_UNITS, GAZE_UNIT_DEG, MAX_INTENSITY, OPENFACE_COUNT, au_index
from calib.basis import AUBasis
from calib.basis_fit import with_lips_together, without_folds
from calib.gaze import ROTATION_MM
from calib.openings import LEFT_EYE, RIGHT_EYE
from calib.ramp import smoothstep
from calib.scans import MOST_SHARE, Points
from calib.shape import IRIS_START, FaceShape


@dataclass(frozen=True)
class OtherMotion:
    """The composition of one action unit's motion at the largest intensity."""

    scans: Mapping[str, float]
    """The weight of each scanned expression, both sides together."""
    axes: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factors on the motion to the side, down and back."""
    parts_lips: bool = False
    """Whether it parts the lips."""


OTHER_MOTIONS: Mapping[str, OtherMotion] = {
    # The corners rise without a smile's width, and the cheeks bulge above them.
    "AU13": OtherMotion({"mouthSmile": 0.6, "cheekPuff": 0.3}, (0.25, 1.0, 1.0)),
    "AU16": OtherMotion({"mouthLowerDown": 1.0}, parts_lips=True),
    "AU18": OtherMotion({"mouthPucker": 1.0}),
    "AU22": OtherMotion({"mouthFunnel": 0.7, "mouthPucker": 0.45}, parts_lips=True),
    "AU24": OtherMotion({"mouthPress": 1.0, "mouthRollLower": 0.35, "mouthRollUpper": 0.35}),
    "AU28": OtherMotion({"mouthRollLower": 0.9, "mouthRollUpper": 0.9}),
    "AU29": OtherMotion({"jawForward": 1.0}),
    # The jaw rests while cheeks are puffed; the chin's skin, which rises in the scan, would be taken for it.
    "AU34": OtherMotion({"cheekPuff": 1.0}, (1.0, 0.0, 1.0)),
}
"""The composition of each action unit that moves both sides alike. A scanned expression is as strong as
people can make it."""
LID_FOLLOWS = 0.8
"""The upper lid's share of an iris's vertical motion. From looking down to looking up, 95 degrees, the lid
travels by 15 mm (Wouters, van den Bosch & Lemij, Curr. Eye Res. 26, 2003)."""
_IRIS_MM = float(ROTATION_MM * np.sin(np.radians(GAZE_UNIT_DEG)))
"""The motion of an iris for one unit."""
_CORNER_MM = 9.0
"""The distance from the corners of an eye from which on lids follow the gaze entirely."""
_STEADY = 100.0
"""`furthest` of the gaze: angles are not compressed."""


def fit_others(
    basis: AUBasis, both_sides: Mapping[str, Points], sided: Mapping[str, Points], shape: FaceShape
) -> AUBasis:
    """Returns `basis` with the motions of the action units after OpenFace's.

    both_sides, sided: the scans as `motions_on_landmarks` and `sided_motions` return them.
    """
    motions = {code: _composed(other, both_sides, shape) for code, other in OTHER_MOTIONS.items()}
    motions["AU30"] = _sideways(sided, shape)
    displacements = np.zeros((len(ACTION_UNITS), *shape.canonical.shape), np.float32)
    furthest = np.full(len(ACTION_UNITS), _STEADY, np.float32)
    displacements[:OPENFACE_COUNT] = basis.displacements[:OPENFACE_COUNT]
    furthest[:OPENFACE_COUNT] = basis.furthest[:OPENFACE_COUNT]
    # amounts(5) = furthest tanh(5 / furthest) gives the motion exactly once.
    most = MAX_INTENSITY / float(np.arctanh(MOST_SHARE))
    for code, motion in motions.items():
        displacements[au_index(code)] = motion / (MOST_SHARE * most)
        furthest[au_index(code)] = most
    displacements[au_index("AU61")] = _irises(shape, (1, 0, 0))
    displacements[au_index("AU63")] = _irises(shape, (0, -1, 0)) + _lids(both_sides, shape)
    return AUBasis(displacements, furthest)


def _composed(other: OtherMotion, scans: Mapping[str, Points], shape: FaceShape) -> Points:
    motion = np.sum([weight * scans[name] for name, weight in other.scans.items()], axis=0) * other.axes
    motion[IRIS_START:] = 0
    if not other.parts_lips:
        motion = with_lips_together(motion)
    motion = without_folds(motion, 1.0, shape)
    return (motion + motion[shape.mirror] * [-1, 1, 1]) / 2


def _sideways(sided: Mapping[str, Points], shape: FaceShape) -> Points:
    """The motion of the jaw to the person's left: the part of it that is the reverse of that to the right."""
    left, right = sided["jawLeft"], sided["jawRight"]
    left = (left + right[shape.mirror] * [-1, 1, 1]) / 2
    motion = (left - left[shape.mirror] * [-1, 1, 1]) / 2
    motion[IRIS_START:] = 0
    return without_folds(motion, 1.0, shape)


def _irises(shape: FaceShape, direction: tuple[int, int, int]) -> Points:
    """The motion of the irises for one unit in a direction."""
    motion = np.zeros(shape.canonical.shape)
    motion[IRIS_START:] = _IRIS_MM * np.array(direction)
    return motion


def _lids(scans: Mapping[str, Points], shape: FaceShape) -> Points:
    """The motion of the lids, and of the skin around them, when the eyes turn up by one unit.

    The corners of an eye stay in place. Landmarks there take their motion from the lids beside them, so it is
    reduced near the corners.
    """
    motion = (scans["eyeLookUp"] - scans["eyeLookDown"]) / 2
    motion[IRIS_START:] = 0
    corners = [edge[end] for edge in (LEFT_EYE.upper, RIGHT_EYE.upper) for end in (0, -1)]
    apart = np.linalg.norm(shape.canonical[:, None, :2] - shape.canonical[corners, :2], axis=2).min(axis=1)
    motion *= smoothstep(apart / _CORNER_MM)[:, None]
    middle = LEFT_EYE.upper[len(LEFT_EYE.upper) // 2]
    return motion * (-LID_FOLLOWS * _IRIS_MM / motion[middle, 1])
