"""Fitting the AU basis: how landmarks move with action units, learned from labelled faces.

Labels of single pictures are noisy, and a regression on noisy labels leaks: a smile ends up in the brow. So
the basis is fitted to two kinds of labels, under one constraint. The labels are AU intensities and the scores
of MediaPipe's expression model ("blendshapes"), which are less noisy and follow the mesh but are not action
units; MOTION_SOURCES says, for each action unit, which of them show its motion. The constraint is anatomy: an
action unit moves only what its muscles reach (Ekman, Friesen & Hager, FACS, 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, OPENFACE_CODES, OPENFACE_COUNT
from calib.basis import AUBasis, with_others
from calib.openings import MOUTH
from calib.ramp import smoothstep
from calib.shape import IRIS_START, LANDMARK_COUNT, FaceShape, load_shape

SCORES = (
    "browDown",
    "browInnerUp",
    "browOuterUp",
    "cheekPuff",
    "cheekSquint",
    "eyeBlink",
    "eyeLookDown",
    "eyeLookIn",
    "eyeLookOut",
    "eyeLookUp",
    "eyeSquint",
    "eyeWide",
    "jawForward",
    "jawOpen",
    "mouthClose",
    "mouthDimple",
    "mouthFrown",
    "mouthFunnel",
    "mouthLowerDown",
    "mouthPress",
    "mouthPucker",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmile",
    "mouthStretch",
    "mouthUpperUp",
    "noseSneer",
)
"""MediaPipe's blendshapes, left and right combined, without "Left" and "Right"; one-sided ones are left
out."""


@dataclass(frozen=True)
class Reach:
    """The part of the canonical face that an action unit moves: weight 1 inside, 0 outside, smooth between.

    Each pair is (mm where the weight is 0, mm where it is 1). None: no limit on that side.
    """

    top: tuple[float, float] | None = None
    """Limits of y, which points downwards, at the upper end."""
    bottom: tuple[float, float] | None = None
    """Limits of y at the lower end."""
    inner: tuple[float, float] | None = None
    """Limits of the distance from the midline at the inner end."""
    outer: tuple[float, float] | None = None
    """Limits of the distance from the midline at the outer end."""
    eye: tuple[float, float] | None = None
    """Limits of the distance from the nearer eye."""

    def weights(self, shape: FaceShape) -> NDArray[np.float64]:
        """Returns the weight of each landmark, (478,) 0..1."""
        x, y = np.abs(shape.canonical[:, 0]), shape.canonical[:, 1]
        # Eyes are wider than high, and so is the skin that moves with the lids.
        eye = np.hypot((x - 31) / 1.45, y + 19)
        weights = np.ones(LANDMARK_COUNT)
        for values, ramp in (
            (y, self.top),
            (y, self.bottom),
            (x, self.inner),
            (x, self.outer),
            (eye, self.eye),
        ):
            if ramp is not None:
                weights *= smoothstep((values - ramp[0]) / (ramp[1] - ramp[0]))
        return weights


@dataclass(frozen=True)
class MotionSource:
    """The labels and limits that one action unit's motion is fitted with."""

    largest_mm: float
    """The largest motion of any landmark at any intensity, in canonical millimetres."""
    reach: Reach
    """The part of the face that moves."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """The weight of each blendshape's motion, from absent to the strength that one face in 200 shows."""
    labels: float = 0.0
    """The weight of the motion that goes with one unit of the action unit's own label."""
    parts_lips: bool = False
    """Whether FACS lets it part the lips. Where others do in pictures, they are seen together with AU25."""
    strongest: float = MAX_INTENSITY
    """The intensity up to which the motion must not fold the skin."""


MOTION_SOURCES: Mapping[str, MotionSource] = {
    "AU01": MotionSource(
        11.0, Reach(bottom=(-10, -18), outer=(56, 14)), {"browInnerUp": 0.35, "browOuterUp": 0.5}
    ),
    "AU02": MotionSource(12.0, Reach(bottom=(-10, -18), inner=(4, 46)), {"browOuterUp": 0.35}, 0.7),
    "AU04": MotionSource(9.0, Reach(bottom=(-12, -22)), {"browDown": 0.5}),
    "AU05": MotionSource(4.5, Reach(bottom=(-14, -20), eye=(20, 12)), {"eyeWide": 0.5, "eyeBlink": -0.35}),
    "AU06": MotionSource(
        7.0,
        Reach(top=(-19, -12), bottom=(46, 26), inner=(10, 22), outer=(70, 56)),
        {"mouthSmile": 0.3, "eyeSquint": 0.25},
        0.6,
    ),
    "AU07": MotionSource(5.0, Reach(eye=(21, 13)), {"eyeSquint": 0.35, "eyeBlink": 0.08}),
    "AU09": MotionSource(7.0, Reach(top=(-30, -6), bottom=(48, 30), outer=(44, 26)), {"browDown": 0.12}, 2.0),
    "AU10": MotionSource(
        8.0, Reach(top=(8, 24), bottom=(56, 50), outer=(46, 30)), {"mouthUpperUp": 0.35}, 0.3, parts_lips=True
    ),
    "AU12": MotionSource(21.0, Reach(top=(0, 30), bottom=(92, 72), outer=(64, 40)), {"mouthSmile": 0.2}, 0.6),
    "AU14": MotionSource(
        7.0, Reach(top=(18, 34), bottom=(82, 66), outer=(70, 46)), {"mouthDimple": 0.5}, 1.0
    ),
    "AU15": MotionSource(
        10.0, Reach(top=(18, 34), bottom=(82, 66), outer=(70, 46)), {"mouthFrown": 0.5}, 0.8
    ),
    "AU17": MotionSource(10.0, Reach(top=(34, 46)), {"mouthShrugLower": 0.3}, 0.8),
    "AU20": MotionSource(
        10.0, Reach(top=(18, 34), bottom=(82, 66), outer=(70, 46)), {"mouthStretch": 0.35}, 0.5
    ),
    "AU23": MotionSource(
        8.0,
        Reach(top=(18, 34), bottom=(82, 66), outer=(70, 46)),
        {"mouthPress": 0.3, "mouthRollLower": 0.2, "mouthRollUpper": 0.2},
    ),
    "AU25": MotionSource(
        13.0, Reach(top=(20, 36)), {"mouthLowerDown": 0.12, "mouthUpperUp": 0.08}, 0.5, parts_lips=True
    ),
    "AU26": MotionSource(22.0, Reach(top=(0, 30)), {"jawOpen": 0.3}, parts_lips=True),
    "AU45": MotionSource(
        20.0, Reach(eye=(21, 13)), {"eyeBlink": 0.6}, 1.0, strongest=3.0
    ),  # The eye is shut at less than full intensity.
}

SMALL_MM2 = 4.0
"""Triangles of less than half this area, as in corners and nostrils, may fold: the fold is not visible."""
BROW = ((70, 46), (63, 53), (105, 52), (66, 65), (107, 55))
"""Landmarks on the upper and lower side of the picture's left brow, from the temple inwards."""
LABELS_ALONE = 2.0
"""Factor on the motion by labels where there are no blendshape scores: noise in labels halves slopes."""


@dataclass(frozen=True, eq=False)
class LabelledShapes:
    """Pose-normalised faces with their labels."""

    landmarks_mm: NDArray[np.float32]
    """(n, 478, 3) canonical millimetres."""
    aus: NDArray[np.float32]
    """(n, 17) intensities, 0..5."""
    persons: NDArray[np.str_]
    """(n,) names. Faces of one person are compared with each other, which removes the person's own shape."""
    groups: NDArray[np.str_]
    """(n,) the collection of each face. People with one face are compared with their collection."""
    scores: NDArray[np.float32] | None = None
    """(n, 29) blendshape scores in the order of SCORES. None: there are none."""


def fit_basis(faces: LabelledShapes, shape: FaceShape) -> AUBasis:
    """Fits the AU basis by ridge regression within persons; it is symmetric and local to each AU's reach."""
    symmetric = (
        faces.landmarks_mm + faces.landmarks_mm[:, shape.mirror] * np.array([-1, 1, 1], np.float32)
    ) / 2
    weights = _weights(faces)
    motion = _within(symmetric.reshape(len(symmetric), -1).astype(np.float64), faces)
    by_label = _ridge(_within(faces.aus.astype(np.float64), faces), motion, weights)
    by_score = _score_motions(faces, motion, weights)
    displacements = np.zeros((OPENFACE_COUNT, LANDMARK_COUNT, 3))
    for index, code in enumerate(OPENFACE_CODES):
        source = MOTION_SOURCES[code]
        own = source.labels if by_score else LABELS_ALONE
        flat = own * by_label[index] + sum(
            weight * by_score[name] for name, weight in source.scores.items() if by_score
        )
        local = localised(flat.reshape(LANDMARK_COUNT, 3), source, shape)
        displacements[index] = without_folds(local, source.strongest, shape)
    # The result is not quite symmetric, because the diagonals of the mesh are not.
    mirrored = displacements[:, shape.mirror] * [-1, 1, 1]
    return bounded(((displacements + mirrored) / 2).astype(np.float32))


def bounded(displacements: NDArray[np.float32]) -> AUBasis:
    """Returns a basis that moves no landmark further than its source's `largest_mm`."""
    peak = np.linalg.norm(displacements, axis=2).max(axis=1)
    largest = np.array([MOTION_SOURCES[code].largest_mm for code in OPENFACE_CODES], np.float32)
    return with_others(displacements, largest / np.maximum(peak, 1e-3))


def explained_variance(faces: LabelledShapes, shape: FaceShape) -> dict[str, float]:
    """Returns the share of the within-person landmark variance that labels, and scores if given, explain."""
    motion = _within(faces.landmarks_mm.reshape(len(faces.aus), -1).astype(np.float64), faces)
    weights = _weights(faces)
    features = {"labels": _within(faces.aus.astype(np.float64), faces)}
    if faces.scores is not None:
        features["scores"] = _within(faces.scores.astype(np.float64), faces)
    total = (weights[:, None] * motion**2).sum()
    return {
        name: float(1 - (weights[:, None] * (motion - x @ _ridge(x, motion, weights)) ** 2).sum() / total)
        for name, x in features.items()
    }


def localised(
    displacement: NDArray[np.float64], source: MotionSource, shape: FaceShape
) -> NDArray[np.float64]:
    """Returns `displacement` (478, 3) within its reach, with rigid brows, and with lips together unless
    parted."""
    local = _with_whole_brows(displacement, shape)
    if not source.parts_lips:
        local = with_lips_together(local)
    local = local * source.reach.weights(shape)[:, None]
    local[IRIS_START:] = 0
    return local


def _with_whole_brows(displacement: NDArray[np.float64], shape: FaceShape) -> NDArray[np.float64]:
    """Returns `displacement` (478, 3) with both rows of each brow moving alike, so that it keeps its
    width."""
    rigid = displacement.copy()
    for upper, lower in BROW:
        for u, v in ((upper, lower), (shape.mirror[upper], shape.mirror[lower])):
            rigid[[u, v]] = (displacement[u] + displacement[v]) / 2
    return rigid


def with_lips_together(displacement: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns `displacement` (478, 3) with the inner edges of both lips moving alike.

    Each lip follows its edge. When only the edge moved, the red of the lip was squeezed to nothing or turned
    over.
    """
    upper, lower = list(MOUTH.upper), list(MOUTH.lower)
    edge = (displacement[upper] + displacement[lower]) / 2
    near, above, share = _around_shut_lips()
    added = np.where(
        above[:, None],
        (edge - displacement[list(_INNER_UPPER_LIP)])[near],
        (edge - displacement[list(_INNER_LOWER_LIP)])[near],
    )
    together = displacement + share[:, None] * added
    together[upper] = together[lower] = edge
    return together


_INNER_UPPER_LIP = (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292)
_INNER_LOWER_LIP = (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292)
"""The red of each lip, beside MOUTH.upper and MOUTH.lower."""
_LIPS_MM = 9.0
"""The distance from the line between the lips within which skin follows it: about the height of a lip."""


@lru_cache(maxsize=1)
def _around_shut_lips() -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.float64]]:
    """Returns, for every landmark, the nearest place on the line between the lips, whether the landmark lies
    above that line, and the share 0..1 by which it follows the line."""
    canonical = load_shape().canonical[:, :2].astype(np.float64)
    line = (canonical[list(MOUTH.upper)] + canonical[list(MOUTH.lower)]) / 2
    near, share = load_shape().along_with(line, _LIPS_MM)
    return near, canonical[:, 1] < line[near, 1], share


def without_folds(
    displacement: NDArray[np.float64], strongest: float, shape: FaceShape
) -> NDArray[np.float64]:
    """Returns `displacement` (478, 3), smoothed over the mesh only as much as keeps its triangles from
    folding.

    Smoothing is (1 + strength * graph Laplacian)^-1, scaled back to the same largest motion.
    """
    if not displacement.any():
        return displacement
    laplacian = _laplacian(shape)
    before = _areas(shape.canonical[:, :2], shape.triangles)
    wide = before > SMALL_MM2
    for strength in (0.0, *np.geomspace(0.1, 3, 11)):
        smooth = np.linalg.solve(np.eye(LANDMARK_COUNT) + strength * laplacian, displacement)
        smooth *= np.linalg.norm(displacement, axis=1).max() / np.linalg.norm(smooth, axis=1).max()
        after = _areas((shape.canonical + strongest * smooth)[:, :2], shape.triangles)
        if (after > 0)[wide].all():
            break
    return smooth


def _laplacian(shape: FaceShape) -> NDArray[np.float64]:
    """Returns the Laplacian (478, 478) of the mesh's graph; edges weigh 1 / length in mm, openings are
    holes."""
    links = np.zeros((LANDMARK_COUNT, LANDMARK_COUNT))
    for first, second in ((0, 1), (1, 2), (2, 0)):
        a, b = shape.triangles[:, first], shape.triangles[:, second]
        length = np.linalg.norm(shape.canonical[a] - shape.canonical[b], axis=1)
        links[a, b] = links[b, a] = 1 / np.maximum(length, 1)
    return np.diag(links.sum(axis=1)) - links


def _areas(places: NDArray[np.floating], triangles: NDArray[np.int32]) -> NDArray[np.floating]:
    """Returns twice the signed area of each triangle."""
    first, second, third = (places[triangles[:, k]] for k in range(3))
    a, b = second - first, third - first
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _score_motions(
    faces: LabelledShapes, motion: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Returns the motion (478 * 3,) of each blendshape from absent to strong, with all others constant."""
    if faces.scores is None:
        return {}
    strong = np.maximum(np.percentile(faces.scores, 99.5, axis=0), 0.02)
    features = _within(faces.scores / strong, faces)
    return dict(zip(SCORES, _ridge(features, motion, weights), strict=True))


def _weights(faces: LabelledShapes) -> NDArray[np.float64]:
    """Returns weights (n,): people with one face weigh less, since their landmarks hold their own shape."""
    _, inverse, counts = np.unique(faces.persons, return_inverse=True, return_counts=True)
    return np.where(counts[inverse] == 1, 0.35, 1.0)


def _within(values: NDArray[np.float64], faces: LabelledShapes) -> NDArray[np.float64]:
    """Returns `values` (n, k) minus the person's mean, or minus the group's mean for people with one face."""
    _, person, counts = np.unique(faces.persons, return_inverse=True, return_counts=True)
    alone = counts[person] == 1
    cluster = np.where(alone, np.char.add("group ", faces.groups.astype(str)), faces.persons.astype(str))
    _, index = np.unique(cluster, return_inverse=True)
    sums = np.zeros((index.max() + 1, values.shape[1]))
    np.add.at(sums, index, values)
    return values - (sums / np.bincount(index)[:, None])[index]


def _ridge(
    features: NDArray[np.float64], targets: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns (features, targets): weighted ridge through the origin, penalised on each feature's own
    scale."""
    weighted = features * weights[:, None]
    penalty = np.diag((weighted * features).mean(axis=0) * 50 + 1e-6)
    return np.linalg.solve(weighted.T @ features + penalty, weighted.T @ targets)
