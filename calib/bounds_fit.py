"""Fitting the bounds of shape to labelled faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_INDEX
from calib.bounds import Bounds, MouthMeasures, measure_mouth, opening_mm, rest_features
from calib.openings import LEFT_EYE, RIGHT_EYE

CALM = {12: 0.6, 15: 1.0, 17: 1.2, 20: 1.0, 25: 0.6}
"""By FACS number: the intensity below which all of these must be for a mouth to count as at rest."""
SMILING = 1.2
"""Intensity of AU12 from which a face counts as smiling."""
CLOSED_MM = 2.5
"""Opening below which a mouth counts as at rest, in canonical millimetres."""


@dataclass(frozen=True)
class BoundsOptions:
    """The percentiles of labelled faces at which the bounds of `calib.bounds.Bounds` lie."""

    narrowest: float = 0.5
    widest: float = 95.0
    corners: float = 98.0
    mouth_opening: float = 98.0
    eye_opening: float = 98.5
    at_rest: tuple[float, float] = (10.0, 90.0)
    """Percentiles of mouths at rest between which every prediction lies."""
    ridge: float = 1.0
    """The penalty of the regression per face, in mm^2."""


def fit_bounds(
    landmarks_mm: NDArray[np.float32],
    aus: NDArray[np.float32],
    persons: NDArray[np.str_],
    options: BoundsOptions = BoundsOptions(),
) -> tuple[Bounds, str]:
    """Fits the bounds to pose-normalised faces (n, 478, 3), labels (n, 17) and names (n,); adds a report.

    For people who are seen both smiling and at rest, the mouth at rest is regressed on the smile.
    """
    mouths = [measure_mouth(each) for each in landmarks_mm]
    width, opening, corners = np.array([(mouth.width, mouth.opening, mouth.corners) for mouth in mouths]).T
    eyes = [opening_mm(each, eye) for each in landmarks_mm for eye in (LEFT_EYE, RIGHT_EYE)]
    calm = opening < CLOSED_MM
    for number, most in CALM.items():
        calm &= aus[:, AU_INDEX[number]] < most
    at_rest = np.array([_kept(mouth) for mouth in mouths])
    features, targets, people = _pairs(landmarks_mm, at_rest, calm, aus[:, AU_INDEX[12]] > SMILING, persons)
    weights = _ridge(features, targets, options.ridge)
    low, high = np.percentile(at_rest[calm], options.at_rest, axis=0)
    bounds = Bounds(
        float(np.percentile(width, options.narrowest)),
        float(np.percentile(width, options.widest)),
        float(np.percentile(corners, options.corners)),
        float(np.percentile(opening, options.mouth_opening)),
        float(np.percentile(eyes, options.eye_opening)),
        tuple(map(tuple, weights.tolist())),
        tuple(zip(low.tolist(), high.tolist(), strict=True)),
    )
    errors = zip(
        ("width", "corners", "lip"), *_left_out(features, targets, people, options.ridge), strict=True
    )
    report = (
        f"{len(landmarks_mm)} faces, {int(calm.sum())} at rest; {len(features)} smiles of "
        f"{len(set(people.tolist()))} people who are seen at rest as well. Error of the predicted mouth at "
        "rest for people left out of the fit, and the spread of people, mm: "
        + ", ".join(f"{name} {error:.1f} of {spread:.1f}" for name, error, spread in errors)
    )
    return bounds, report


def _kept(mouth: MouthMeasures) -> tuple[float, float, float]:
    return mouth.width, mouth.corners, mouth.lip


def _pairs(
    landmarks_mm: NDArray[np.float32],
    at_rest: NDArray[np.float64],
    calm: NDArray[np.bool_],
    smiling: NDArray[np.bool_],
    persons: NDArray[np.str_],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    """Returns (n, 6) 1 and the features of smiles, (n, 3) people's mean mouths at rest, and (n,) names."""
    means = {
        person: at_rest[calm & (persons == person)].mean(axis=0) for person in set(persons[calm].tolist())
    }
    found: Sequence[int] = [
        index for index in np.flatnonzero(smiling).tolist() if str(persons[index]) in means
    ]
    features = np.array([np.r_[1, rest_features(landmarks_mm[index])] for index in found])
    return features, np.array([means[str(persons[index])] for index in found]), persons[found]


def _ridge(features: NDArray[np.float64], targets: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Returns (targets, features) of a ridge that penalises slopes but not the mean."""
    mean = features.mean(axis=0)
    centred = features[:, 1:] - mean[1:]
    gram = centred.T @ centred + ridge * len(features) * np.eye(centred.shape[1])
    slopes = np.linalg.solve(gram, centred.T @ (targets - targets.mean(axis=0)))
    return np.vstack([targets.mean(axis=0) - mean[1:] @ slopes, slopes]).T


def _left_out(
    features: NDArray[np.float64], targets: NDArray[np.float64], people: NDArray[np.str_], ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns (3,) the RMS error of people left out in five folds, and (3,) the spread of people, in mm."""
    _, person = np.unique(people, return_inverse=True)
    errors = np.zeros_like(targets)
    for part in range(5):
        out = person % 5 == part
        errors[out] = features[out] @ _ridge(features[~out], targets[~out], ridge).T - targets[out]
    return np.sqrt(np.square(errors).mean(axis=0)), targets.std(axis=0)
