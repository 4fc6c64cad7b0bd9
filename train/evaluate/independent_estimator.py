"""A second estimator of action units, which sees only pixels and is in no loss: ridge regression on HOG."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, AUVector
from calib.estimator_fit import EstimatorFitOptions, censored_ridge
from calib.metrics import Agreement, agreement
from reenact.media.atomic import replacing
from reenact.records import Face
from train.data.degrade import face_of
from train.data.shards import Shards
from train.evaluate.picture_features import Hog

_FORMAT = 1


@dataclass(frozen=True)
class IndependentEstimatorOptions:
    """The options of the fit of the independent estimator."""

    faces: int = 6000
    """The most faces that it is fitted to, chosen by the seed."""
    test_faces: int = 1500
    """The most faces that it is tested on."""
    ridge: float = 3e-4
    """The penalty on squared weights."""
    seed: int = 0
    """The seed of both choices."""


@dataclass(frozen=True, eq=False)
class IndependentEstimator:
    """A linear model on oriented gradients of the picture."""

    weights: NDArray[np.float32]
    """(17, k) intensity per unit of feature."""
    bias: NDArray[np.float32]
    """(17,) intensity at features of 0."""
    held_out: Agreement
    """The agreement with the labels of the held-out split."""
    hog: Hog = field(default_factory=Hog)

    def __call__(self, image: NDArray[np.uint8], face: Face) -> AUVector:
        """Returns (17,) intensities without cut-off at 0. face: the face's place before any change."""
        return self.weights @ self.hog(image, face) + self.bias


def load_independent_estimator(
    training: Shards,
    unseen: Shards,
    cache: Path,
    options: IndependentEstimatorOptions = IndependentEstimatorOptions(),
) -> IndependentEstimator:
    """Returns the estimator fitted to `training` and tested on `unseen`; the folder `cache` keeps it."""
    kept = cache / f"estimator-{fingerprint(training, unseen, options)}.npz"
    if not kept.is_file():
        fitted = fit_independent_estimator(training, unseen, options)
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as beside:
            known = fitted.held_out
            np.savez(
                beside,
                weights=fitted.weights,
                bias=fitted.bias,
                r=known.r,
                icc=known.icc,
                mae=known.mae,
                count=known.count,
            )
    with np.load(kept, allow_pickle=False) as data:
        known = Agreement(data["r"], data["icc"], data["mae"], int(data["count"]))
        return IndependentEstimator(data["weights"], data["bias"], known)


def fit_independent_estimator(
    training: Shards, unseen: Shards, options: IndependentEstimatorOptions = IndependentEstimatorOptions()
) -> IndependentEstimator:
    """Fits the estimator to `training` and measures its agreement with the labels of `unseen`."""
    rng = np.random.default_rng(options.seed)
    features, aus = _design(training, rng.permutation(len(training))[: options.faces])
    mean = features.mean(axis=0)
    features -= mean
    scale = np.float32(1 / (features.std(axis=0).mean() * np.sqrt(features.shape[1])))
    features *= scale
    solution, constant = censored_ridge(features, aus, EstimatorFitOptions(options.ridge))
    weights = np.ascontiguousarray(solution.T * scale)
    bias = constant - weights @ mean
    test_features, test_aus = _design(unseen, rng.permutation(len(unseen))[: options.test_faces])
    readings = np.clip(test_features @ weights.T + bias, 0, MAX_INTENSITY)
    return IndependentEstimator(weights, bias, agreement(readings, test_aus))


def _design(shards: Shards, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns features (n, k) and labels (n, 17) of the rows."""
    hog = Hog()
    samples = (shards[int(row)] for row in np.sort(rows))
    features = [hog(sample.image, face_of(sample.landmarks)) for sample in samples]
    return np.array(features, np.float32), shards.aus[np.sort(rows)]


def fingerprint(training: Shards, unseen: Shards, *more: object) -> str:
    """Returns a hash that identifies the data and the options of a fit."""
    digest = hashlib.sha256(f"{_FORMAT} {more}".encode())
    for shards in (training, unseen):
        digest.update("\n".join(shards.names.tolist()).encode())
        digest.update(np.ascontiguousarray(shards.aus).tobytes())
    return digest.hexdigest()[:16]
