"""Corrects the basis by people's whole expressions: how their action units must move together.

Regression on single labels divides a motion badly among action units: depressed lip corners widened the
mouth, and a dropping jaw kept its width. Here the same people are seen at rest and with an expression, and
the part of the motion that the expression's prototypical action units do not explain yet is added to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, MAX_INTENSITY, OPENFACE_CODES, OPENFACE_COUNT, AUVector, as_vector, au_index
from calib.basis import AUBasis
from calib.basis_fit import BROW, MOTION_SOURCES, bounded, localised, with_lips_together, without_folds
from calib.openings import LEFT_EYE, MOUTH, OUTER_LIPS, RIGHT_EYE
from calib.shape import IRIS_START, LANDMARK_COUNT, FaceShape

AT_REST = "neutral"
"""The name of the expression with which all others are compared."""

MOST_SHARE = 0.88
"""Largest share of an action unit's `furthest` that is asked for; a higher intensity adds almost nothing."""
MOST_SHOWN = 3.0
"""Multiple of a displacement up to which it must not fold the skin: about the basis's `furthest`."""

PROTOTYPES: Mapping[str, Mapping[str, float]] = {
    "happy": {"AU06": 1.5, "AU07": 0.9, "AU10": 0.3, "AU12": 2.5, "AU14": 0.4, "AU25": 1.0, "AU26": 0.6},
    "smug": {"AU06": 0.7, "AU07": 0.3, "AU12": 1.0, "AU14": 0.5},
    "surprised": {"AU01": 1.2, "AU02": 1.2, "AU05": 1.4, "AU23": 1.0, "AU25": 0.7, "AU26": 2.0},
    "shocked": {"AU01": 1.3, "AU02": 1.2, "AU05": 1.4, "AU23": 1.0, "AU25": 1.0, "AU26": 2.5},
    "sad": {"AU01": 1.5, "AU04": 1.2, "AU07": 0.2, "AU15": 1.6, "AU17": 0.8},
    "angry": {"AU04": 2.1, "AU05": 0.6, "AU07": 0.9, "AU09": 0.3, "AU15": 0.3, "AU17": 0.5, "AU23": 2.0},
    "disgusted": {
        "AU04": 1.8,
        "AU06": 0.6,
        "AU07": 1.2,
        "AU09": 2.3,
        "AU10": 1.5,
        "AU17": 0.6,
        "AU23": 1.2,
        "AU25": 0.7,
    },
    "scared": {"AU01": 1.6, "AU02": 0.9, "AU04": 0.6, "AU05": 1.4, "AU20": 0.8, "AU25": 0.3, "AU26": 0.8},
    "confused": {"AU04": 1.8, "AU05": 0.3, "AU07": 0.4, "AU15": 0.5, "AU23": 0.8},
}
"""The action units of each expression in multiples of the basis's displacements: FACS prototypes, and what
goes with them in the labels of these pictures."""


@dataclass(frozen=True)
class ExpressionFitOptions:
    """Weights of the fit, relative to the mean square of the basis's own motions."""

    prior: float = 2.0
    """The weight of the prototype's intensities against the landmarks."""
    ridge: float = 1.0
    """The weight of the present basis: the squared amount at which half of the missing motion is added."""
    rounds: int = 6
    """How often amounts and basis are fitted in turn."""


@dataclass(frozen=True, eq=False)
class PosedShapes:
    """Pose-normalised faces of several people with several expressions."""

    landmarks_mm: NDArray[np.float32]
    """(n, 478, 3) canonical millimetres."""
    persons: NDArray[np.str_]
    """(n,) names of people."""
    expressions: NDArray[np.str_]
    """(n,) names as in PROTOTYPES, or AT_REST; other names are ignored."""

    def motions(self, shape: FaceShape) -> dict[str, NDArray[np.float64]]:
        """Returns people's mean motion (478, 3), mm, from rest to each of PROTOTYPES that they show."""
        at_rest = dict(self._showing(AT_REST))
        motions = {}
        for name in PROTOTYPES:
            each = [faces - at_rest[person] for person, faces in self._showing(name) if person in at_rest]
            if each:
                motions[name] = symmetric(np.mean(each, axis=0, dtype=np.float64), shape)
        return motions

    def _showing(self, expression: str) -> Iterator[tuple[str, NDArray[np.float32]]]:
        for index in np.flatnonzero(self.expressions == expression):
            yield str(self.persons[index]), self.landmarks_mm[index]

    def where(self, chosen: NDArray[np.bool_]) -> PosedShapes:
        """Returns the faces that `chosen` (n,) selects."""
        return PosedShapes(self.landmarks_mm[chosen], self.persons[chosen], self.expressions[chosen])


def symmetric(motion: NDArray[np.float64], shape: FaceShape) -> NDArray[np.float64]:
    """Returns `motion` (478, 3) made symmetric, and 0 at the irises, which move with the gaze."""
    motion = (motion + motion[shape.mirror] * [-1, 1, 1]) / 2
    motion[IRIS_START:] = 0
    return motion


@dataclass(frozen=True, eq=False)
class ExpressionFit:
    """A basis corrected by whole expressions."""

    basis: AUBasis
    """The corrected basis."""
    amounts: Mapping[str, NDArray[np.float64]]
    """For each expression, (17,): the multiple of each action unit's displacement that it shows."""

    def change(self, expression: str) -> AUVector:
        """Returns the relative action units (AU_COUNT,) of the expression."""
        furthest = self.basis.furthest[:OPENFACE_COUNT]
        share = np.clip(self.amounts[expression] / furthest, 0, MOST_SHARE)
        return as_vector(np.clip(furthest * np.arctanh(share), 0, MAX_INTENSITY))

    def spec(self, expression: str) -> str:
        """Returns the expression in the syntax of --target-aus."""
        values = zip(AU_CODES, self.change(expression), strict=True)
        return ",".join(f"{code}=+{value:.1f}" for code, value in values if value >= 0.05)

    def displacement(self, expression: str) -> NDArray[np.float64]:
        """Returns the motion (478, 3), mm, of the expression on an average face."""
        return np.tensordot(self.amounts[expression], self.basis.displacements[:OPENFACE_COUNT], 1)


def fit_to_expressions(
    basis: AUBasis,
    motions: Mapping[str, NDArray[np.float64]],
    shape: FaceShape,
    options: ExpressionFitOptions = ExpressionFitOptions(),
) -> ExpressionFit:
    """Corrects `basis` so that whole expressions move landmarks as in people.

    Two fits alternate: the amounts of each expression's action units (least squares, with the prototype as
    prior), and the motion that these units lack (ridge regression of the residual, within each unit's reach).

    motions: (478, 3) mm from rest to each expression, on an average face.
    """
    before = basis.displacements[:OPENFACE_COUNT].astype(np.float64)
    displacements = before
    for _ in range(options.rounds):
        shown = np.stack([_amounts(displacements, motions[name], name, shape, options) for name in motions])
        left = np.stack(list(motions.values())) - np.tensordot(shown, before, 1)
        gram = shown @ shown.T + options.ridge * np.eye(len(shown))
        missing = np.tensordot(np.linalg.solve(gram, shown).T, left, 1)
        displacements = np.array(
            [
                each + localised(more, MOTION_SOURCES[code], shape)
                for code, each, more in zip(OPENFACE_CODES, before, missing, strict=True)
            ]
        )
    displacements = np.array(
        [
            without_folds(each, MOST_SHOWN, shape)
            for code, each in zip(OPENFACE_CODES, displacements, strict=True)
        ]
    )
    displacements = (displacements + displacements[:, shape.mirror] * [-1, 1, 1]) / 2
    for index, code in enumerate(OPENFACE_CODES):
        if not MOTION_SOURCES[code].parts_lips:
            displacements[index] = with_lips_together(displacements[index])
    amounts = {
        name: _amounts(displacements, motion, name, shape, options) for name, motion in motions.items()
    }
    fitted = bounded(displacements.astype(np.float32))
    # A smaller displacement is as people move; a larger `furthest` must not make up for it.
    return ExpressionFit(AUBasis(fitted.displacements, np.minimum(fitted.furthest, basis.furthest)), amounts)


def _amounts(
    displacements: NDArray[np.float64],
    motion: NDArray[np.float64],
    expression: str,
    shape: FaceShape,
    options: ExpressionFitOptions,
) -> NDArray[np.float64]:
    """Returns (17,): the amount, 0 or more, of each action unit of the prototype in this motion."""
    prototype = PROTOTYPES[expression]
    shown = [au_index(code) for code in prototype]
    weights = np.sqrt(_importance(shape))[:, None]
    units = np.stack([(weights * displacements[index, :, :2]).ravel() for index in shown], axis=1)
    amounts = np.zeros(OPENFACE_COUNT)
    gram = units.T @ units
    held = options.prior * np.diag(gram)
    amounts[shown] = _least_squares(
        gram + np.diag(held),
        units.T @ (weights * motion[:, :2]).ravel() + held * np.array(list(prototype.values())),
    )
    return amounts


def _least_squares(gram: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the x >= 0 that minimises x gram x / 2 - target x, by coordinate descent."""
    x = np.zeros(len(target))
    for _ in range(300):
        for index in range(len(x)):
            slope = gram[index] @ x - target[index]
            x[index] = max(x[index] - slope / gram[index, index], 0)
    return x


def _importance(shape: FaceShape) -> NDArray[np.float64]:
    """Returns weights (478,), higher on the lines that viewers notice: lips, lids and brows."""
    importance = np.ones(LANDMARK_COUNT)
    importance[IRIS_START:] = 0
    importance[[*OUTER_LIPS, *MOUTH.outline]] = 3
    importance[[*LEFT_EYE.outline, *RIGHT_EYE.outline]] = 4
    brows = np.array(BROW).ravel()
    importance[[*brows, *shape.mirror[brows]]] = 3
    return importance
