"""Corrects the basis by expressions of scanned people: motions that labels of pictures hardly show.

Labels of AU06, AU17, AU20 and AU23 are noisy, and few people show these action units alone. ICT-FaceKit (Li
et al., Learning Formation of Physically-Based Face Attributes, CVPR 2020; MIT) holds expressions of scanned
faces, measured in three dimensions. Here they are transferred to the landmarks, and SCAN_MOTIONS says which
of them an action unit is composed of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import OPENFACE_COUNT, au_index, neutral_aus
from calib.basis import AUBasis
from calib.basis_fit import MOTION_SOURCES, with_lips_together, without_folds
from calib.gains import FULL_AT
from calib.openings import OUTER_LIPS
from calib.ramp import smoothstep
from calib.shape import IRIS_START, LANDMARK_COUNT, FaceShape

Points = NDArray[np.float64]


@dataclass(frozen=True)
class ScanMotion:
    """The composition of one action unit's motion at an intensity of FULL_AT."""

    scans: Mapping[str, float]
    """The weight of each scanned expression, both sides together."""
    own: float
    """The weight of the motion that the basis had before."""
    own_sideways: float = 0.0
    """An additional weight of that motion's x component."""
    spares_lips: bool = False
    """Whether the lips stay in place. Rising cheeks pull at them, but too little to matter, and lips that are
    pressed together show every tenth of a millimetre."""


SCAN_MOTIONS: Mapping[str, ScanMotion] = {
    "AU05": ScanMotion({"eyeWide": 1.3}, 0.0),
    "AU06": ScanMotion({"cheekRaiser": 0.95}, 0.35, spares_lips=True),
    "AU09": ScanMotion({"noseSneer": 0.45}, 0.7),
    "AU10": ScanMotion({"mouthUpperUp": 0.33}, 0.77),
    "AU14": ScanMotion({"mouthDimple": 0.6}, 0.7),
    "AU15": ScanMotion({"mouthFrown": 0.62}, 0.87),
    "AU17": ScanMotion({"mouthShrugLower": 1.0, "mouthShrugUpper": 0.8}, 0.0),
    "AU20": ScanMotion({"mouthStretch": 1.4}, 0.0),
    # The width of a tightened mouth comes from people who are angry (calib.expressions).
    "AU23": ScanMotion(
        {"mouthRollLower": 0.45, "mouthRollUpper": 0.45, "mouthPress": 0.5}, 0.0, own_sideways=0.8
    ),
}
"""The composition of each corrected action unit. A scanned expression is as strong as people can make it.
AU05, AU17 and AU20 take more than one, since in the scans they occur together with others."""
MOST_SHARE = 0.94
"""The largest share of the furthest motion that FULL_AT reaches; higher intensities add little to it."""

_FEATURES = slice(17, 68)
"""Multi-PIE's 68 points without the edge of the face, whose place differs between heads."""
_NEIGHBOURS = 6
"""The number of a scan's vertices from which a landmark takes its motion."""
_NEAR_MM = 0.5
"""A distance added to all others, so that no vertex takes all of the weight."""


@dataclass(frozen=True, eq=False)
class Scans:
    """Expressions on the mesh of scanned faces."""

    neutral: Points
    """(n, 3) vertices of the mean face: x to its left, y up, z to the front, in any unit."""
    expressions: Mapping[str, Points]
    """(n, 3) displacements by name; names end in _L or _R for one side."""
    points: Sequence[tuple[int, int]]
    """The vertex and the landmark at each of Multi-PIE's 68 points, in their order."""


def motions_on_landmarks(scans: Scans, shape: FaceShape) -> dict[str, Points]:
    """Returns the motion (478, 3), canonical mm, of every expression, both sides together, on the mean
    face."""
    both: dict[str, Points] = {}
    for name, motion in sided_motions(scans, shape).items():
        stem = name.removesuffix("_L").removesuffix("_R")
        both[stem] = both.get(stem, np.zeros_like(motion)) + motion
    return {name: (motion + motion[shape.mirror] * [-1, 1, 1]) / 2 for name, motion in both.items()}


def sided_motions(scans: Scans, shape: FaceShape) -> dict[str, Points]:
    """Returns the motion (478, 3), canonical mm, of every expression on the mean face, as it was scanned."""
    flipped = np.array([1.0, -1.0, -1.0])
    vertices, canonical = scans.neutral * flipped, shape.canonical.astype(np.float64)
    at, of = np.array(scans.points).T
    seen, wanted = vertices[at], canonical[of]
    turn, shift = _similarity(seen[_FEATURES], wanted[_FEATURES])
    placed = _bent(seen @ turn + shift, wanted, vertices @ turn + shift)
    near, weights = _nearest(canonical, placed)
    return {
        name: ((motion * flipped @ turn)[near] * weights[..., None]).sum(axis=1)
        for name, motion in scans.expressions.items()
    }


def fit_to_scans(basis: AUBasis, motions: Mapping[str, Points], shape: FaceShape) -> AUBasis:
    """Returns `basis` with the AUs of SCAN_MOTIONS composed of `motions`, as `motions_on_landmarks` returns
    them."""
    displacements, furthest = basis.displacements.copy(), basis.furthest.copy()
    for code, composed in SCAN_MOTIONS.items():
        index = au_index(code)
        asked = neutral_aus()
        asked[index] = FULL_AT
        before = basis.displace(np.stack([asked, asked])).astype(np.float64)
        motion = composed.own * before + sum(
            weight * motions[name] for name, weight in composed.scans.items()
        )
        motion[:, 0] += composed.own_sideways * before[:, 0]
        motion[IRIS_START:] = 0
        if composed.spares_lips:
            motion *= _off_lips(shape)[:, None]
        if not MOTION_SOURCES[code].parts_lips:
            motion = with_lips_together(motion)
        motion = without_folds((motion + motion[shape.mirror] * [-1, 1, 1]) / 2, 1.0, shape)
        largest = MOTION_SOURCES[code].largest_mm
        peak = max(float(np.linalg.norm(motion, axis=1).max()), 1e-3)
        # amounts(FULL_AT) = furthest tanh(FULL_AT / furthest) must give the motion exactly once.
        unit = float(np.arctanh(min(peak / largest, MOST_SHARE))) * largest / (FULL_AT * peak)
        displacements[index], furthest[index] = unit * motion, largest / (unit * peak)
    openface = displacements[:OPENFACE_COUNT]
    displacements[:OPENFACE_COUNT] = (
        openface + openface[:, shape.mirror] * np.array([-1, 1, 1], np.float32)
    ) / 2
    return AUBasis(displacements, furthest)


_OFF_LIPS_MM = (0.5, 7.0)
"""Distances from the lips at which a motion that spares them is 0 and at which it is complete."""


def _off_lips(shape: FaceShape) -> Points:
    """Returns weights (478,): 0 on the lips, 1 away from them."""
    places = shape.canonical[:, :2]
    ring = places[list(OUTER_LIPS)]
    apart = np.linalg.norm(places[:, None] - ring, axis=2).min(axis=1)
    middle, half = (ring.min(axis=0) + ring.max(axis=0)) / 2, (ring.max(axis=0) - ring.min(axis=0)) / 2
    apart[np.square((places - middle) / half).sum(axis=1) < 1] = 0
    low, high = _OFF_LIPS_MM
    return smoothstep((apart - low) / (high - low))


def _similarity(points: Points, targets: Points) -> tuple[Points, Points]:
    """Returns the (3, 3) scaled rotation and (3,) shift from points (n, 3) to targets, by least squares.

    Method: Umeyama, IEEE PAMI 13(4), 1991.
    """
    from_mean, to_mean = points.mean(axis=0), targets.mean(axis=0)
    centred = points - from_mean
    u, stretch, vt = np.linalg.svd(centred.T @ (targets - to_mean))
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    turn = (stretch * signs).sum() / np.square(centred).sum() * (u * signs) @ vt
    return turn, to_mean - from_mean @ turn


def _bent(points: Points, targets: Points, others: Points) -> Points:
    """Moves `others` (m, 3) by a smoothing spline that takes points (n, 3) near targets (n, 3)."""
    count = len(points)
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    affine = np.column_stack([np.ones(count), points])
    # The smoothing leaves part of a distance of 1 mm; a person's landmarks are off by more.
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
"""Weights of x, y and z in distances; depth counts less because MediaPipe's depth is only estimated."""


def _nearest(canonical: Points, vertices: Points) -> tuple[NDArray[np.intp], Points]:
    """Returns (478, k) vertices around each landmark and (478, k) their weights."""
    near = np.empty((LANDMARK_COUNT, _NEIGHBOURS), np.intp)
    weights = np.empty(near.shape)
    for index, place in enumerate(canonical):
        distance = np.linalg.norm((vertices - place) * _FLAT, axis=1)
        near[index] = np.argpartition(distance, _NEIGHBOURS)[:_NEIGHBOURS]
        weights[index] = 1 / np.square(distance[near[index]] + _NEAR_MM)
    return near, weights / weights.sum(axis=1, keepdims=True)
