"""Expressions of scanned people as a teacher of the basis: motions that labels of pictures hardly show.

Labels of AU06, AU17, AU20 and AU23 are noisy, and few people show these action units alone. ICT-FaceKit (Li
et al., Learning Formation of Physically-Based Face Attributes, CVPR 2020; MIT) holds expressions of scanned
faces, measured in three dimensions. Here they are carried over to the landmarks, and LESSONS says which of
them an action unit is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, au_index, neutral_aus
from calib.basis import AUBasis
from calib.basis_fit import RECIPES, with_lips_together, without_folds
from calib.gains import FULL_AT
from calib.openings import OUTER_LIPS
from calib.ramp import smoothstep
from calib.shape import IRIS_START, LANDMARK_COUNT, FaceShape

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Lesson:
    """What the motion of one action unit is made of, when it is asked for at FULL_AT."""

    scans: Mapping[str, float]
    """Weight of each scanned expression of both sides."""
    own: float
    """Weight of the motion that the basis had before."""
    own_sideways: float = 0.0
    """Weight of that motion's part along x alone."""
    spares_lips: bool = False
    """Whether the lips stay where they are; cheeks pull at them when they rise, but so little that nothing is
    gained by it, and lips that are pressed together show every tenth of a millimetre."""


LESSONS: Mapping[str, Lesson] = {
    "AU05": Lesson({"eyeWide": 1.3}, 0.0),
    "AU06": Lesson({"cheekRaiser": 0.95}, 0.35, spares_lips=True),
    "AU09": Lesson({"noseSneer": 0.45}, 0.7),
    "AU10": Lesson({"mouthUpperUp": 0.33}, 0.77),
    "AU14": Lesson({"mouthDimple": 0.6}, 0.7),
    "AU15": Lesson({"mouthFrown": 0.62}, 0.87),
    "AU17": Lesson({"mouthShrugLower": 1.0, "mouthShrugUpper": 0.8}, 0.0),
    "AU20": Lesson({"mouthStretch": 1.4}, 0.0),
    # How narrow a tightened mouth is comes from people who are angry (calib.expressions).
    "AU23": Lesson(
        {"mouthRollLower": 0.45, "mouthRollUpper": 0.45, "mouthPress": 0.5}, 0.0, own_sideways=0.8
    ),
}
"""A scanned expression is as strong as people can; AU05, AU17 and AU20 take more than one that is asked for
alone, since the scanned are together with others."""
MOST_SHARE = 0.94
"""The most that FULL_AT reaches of the furthest motion; what is asked beyond hardly adds to it."""

_FEATURES = slice(17, 68)
"""Of Multi-PIE's 68 points all but the edge of the face, which is another place on every head."""
_NEIGHBOURS = 6
"""Vertices of a scan whose motion a landmark takes on."""
_NEAR_MM = 0.5
"""Distances are counted as larger by this, so that no vertex takes all of the weight."""


@dataclass(frozen=True, eq=False)
class Scans:
    """Expressions on the mesh of scanned faces."""

    neutral: Points
    """(n, 3) vertices of the mean face: x to its left, y up, z to the front, in any unit."""
    expressions: Mapping[str, Points]
    """(n, 3) displacements; names end in _L or _R where they are of one side."""
    points: Sequence[tuple[int, int]]
    """Vertex and landmark at each of Multi-PIE's 68 points, in their order."""


def motions_on_landmarks(scans: Scans, shape: FaceShape) -> dict[str, Points]:
    """(478, 3) canonical millimetres: every expression, of both sides together, on the average face."""
    flipped = np.array([1.0, -1.0, -1.0])
    vertices, canonical = scans.neutral * flipped, shape.canonical.astype(np.float64)
    at, of = np.array(scans.points).T
    seen, wanted = vertices[at], canonical[of]
    turn, shift = _similarity(seen[_FEATURES], wanted[_FEATURES])
    placed = _bent(seen @ turn + shift, wanted, vertices @ turn + shift)
    near, weights = _nearest(canonical, placed)
    carried = {
        name: ((motion * flipped @ turn)[near] * weights[..., None]).sum(axis=1)
        for name, motion in scans.expressions.items()
    }
    both: dict[str, Points] = {}
    for name, motion in carried.items():
        stem = name.removesuffix("_L").removesuffix("_R")
        both[stem] = both.get(stem, np.zeros_like(canonical)) + motion
    return {name: (motion + motion[shape.mirror] * [-1, 1, 1]) / 2 for name, motion in both.items()}


def teach_by_scans(basis: AUBasis, motions: Mapping[str, Points], shape: FaceShape) -> AUBasis:
    """`basis` with the action units of LESSONS made of `motions`, as `motions_on_landmarks` returns them."""
    displacements, furthest = basis.displacements.copy(), basis.furthest.copy()
    for code, lesson in LESSONS.items():
        index = au_index(code)
        asked = neutral_aus()
        asked[index] = FULL_AT
        before = basis.displace(np.stack([asked, asked])).astype(np.float64)
        motion = lesson.own * before + sum(weight * motions[name] for name, weight in lesson.scans.items())
        motion[:, 0] += lesson.own_sideways * before[:, 0]
        motion[IRIS_START:] = 0
        if lesson.spares_lips:
            motion *= _off_lips(shape)[:, None]
        if not RECIPES[code].parts_lips:
            motion = with_lips_together(motion)
        motion = without_folds((motion + motion[shape.mirror] * [-1, 1, 1]) / 2, 1.0, shape)
        largest = RECIPES[code].largest_mm
        peak = max(float(np.linalg.norm(motion, axis=1).max()), 1e-3)
        # amounts(FULL_AT) = furthest tanh(FULL_AT / furthest) must show the motion once.
        unit = float(np.arctanh(min(peak / largest, MOST_SHARE))) * largest / (FULL_AT * peak)
        displacements[index], furthest[index] = unit * motion, largest / (unit * peak)
    mirrored = displacements[:, shape.mirror] * np.array([-1, 1, 1], np.float32)
    assert len(displacements) == len(AU_CODES)
    return AUBasis((displacements + mirrored) / 2, furthest)


_OFF_LIPS_MM = (0.5, 7.0)
"""Distance from the lips at which a motion that spares them begins, and at which it is whole."""


def _off_lips(shape: FaceShape) -> Points:
    """(478,) 0 on the lips .. 1 away from them."""
    places = shape.canonical[:, :2]
    ring = places[list(OUTER_LIPS)]
    apart = np.linalg.norm(places[:, None] - ring, axis=2).min(axis=1)
    middle, half = (ring.min(axis=0) + ring.max(axis=0)) / 2, (ring.max(axis=0) - ring.min(axis=0)) / 2
    apart[np.square((places - middle) / half).sum(axis=1) < 1] = 0
    low, high = _OFF_LIPS_MM
    return smoothstep((apart - low) / (high - low))


def _similarity(points: Points, targets: Points) -> tuple[Points, Points]:
    """(3, 3) scaled rotation and (3,) shift that take points (n, 3) to targets by least squares.

    Method: Umeyama, IEEE PAMI 13(4), 1991.
    """
    from_mean, to_mean = points.mean(axis=0), targets.mean(axis=0)
    centred = points - from_mean
    u, stretch, vt = np.linalg.svd(centred.T @ (targets - to_mean))
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    turn = (stretch * signs).sum() / np.square(centred).sum() * (u * signs) @ vt
    return turn, to_mean - from_mean @ turn


def _bent(points: Points, targets: Points, others: Points) -> Points:
    """`others` (m, 3), moved by the smoothest field that takes points (n, 3) near targets: a spline."""
    count = len(points)
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    affine = np.column_stack([np.ones(count), points])
    # What the spline leaves of a distance of 1 mm; landmarks of a person are off by more.
    smooth = np.eye(count)
    system = np.block([[-distance + smooth, affine], [affine.T, np.zeros((4, 4))]])
    solution = np.linalg.solve(system, np.vstack([targets, np.zeros((4, 3))]))
    moved = [
        -np.linalg.norm(part[:, None] - points, axis=2) @ solution[:count]
        + np.column_stack([np.ones(len(part)), part]) @ solution[count:]
        for part in np.array_split(others, max(1, len(others) // 1000))
    ]
    return np.concatenate(moved)


_FLAT = np.array([1.0, 1.0, 0.6])
"""Depth counts less where neighbours are looked for: MediaPipe's is a guess."""


def _nearest(canonical: Points, vertices: Points) -> tuple[NDArray[np.intp], Points]:
    """((478, k) vertices around each landmark, (478, k) their weights)."""
    near = np.empty((LANDMARK_COUNT, _NEIGHBOURS), np.intp)
    weights = np.empty(near.shape)
    for index, place in enumerate(canonical):
        distance = np.linalg.norm((vertices - place) * _FLAT, axis=1)
        near[index] = np.argpartition(distance, _NEIGHBOURS)[:_NEIGHBOURS]
        weights[index] = 1 / np.square(distance[near[index]] + _NEAR_MM)
    return near, weights / weights.sum(axis=1, keepdims=True)
