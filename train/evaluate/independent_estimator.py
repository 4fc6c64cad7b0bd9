"""A second reader of action units that sees only pixels and was never a loss: ridge on gradients."""

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
    faces: int = 6000
    """Fitted to at most so many faces, chosen by seed."""
    test_faces: int = 1500
    ridge: float = 3e-4
    seed: int = 0


@dataclass(frozen=True, eq=False)
class IndependentEstimator:
    weights: NDArray[np.float32]
    """(17, k)."""
    bias: NDArray[np.float32]
    """(17,)."""
    held_out: Agreement
    """With the labels of people that the fit has not seen."""
    hog: Hog = field(default_factory=Hog)

    def __call__(self, image: NDArray[np.uint8], face: Face) -> AUVector:
        """(17,) intensities, not cut off at 0; `face` is where the face was before anything was changed."""
        return self.weights @ self.hog(image, face) + self.bias


def load_independent_estimator(
    training: Shards,
    unseen: Shards,
    cache: Path,
    options: IndependentEstimatorOptions = IndependentEstimatorOptions(),
) -> IndependentEstimator:
    """The judge fitted to `training` and tested on `unseen`; kept in the folder `cache`."""
    kept = cache / f"judge-{fingerprint(training, unseen, options)}.npz"
    if not kept.is_file():
        judge = fit_independent_estimator(training, unseen, options)
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as beside:
            known = judge.held_out
            np.savez(
                beside,
                weights=judge.weights,
                bias=judge.bias,
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
    """Features (n, k) and labels (n, 17) of the rows."""
    hog = Hog()
    samples = (shards[int(row)] for row in np.sort(rows))
    features = [hog(sample.image, face_of(sample.landmarks)) for sample in samples]
    return np.array(features, np.float32), shards.aus[np.sort(rows)]


def fingerprint(training: Shards, unseen: Shards, *more: object) -> str:
    """Tells apart what was fitted to what, how."""
    digest = hashlib.sha256(f"{_FORMAT} {more}".encode())
    for shards in (training, unseen):
        digest.update("\n".join(shards.names.tolist()).encode())
        digest.update(np.ascontiguousarray(shards.aus).tobytes())
    return digest.hexdigest()[:16]
