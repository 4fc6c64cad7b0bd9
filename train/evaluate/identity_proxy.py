"""Is it still the same person? A proxy, since no face recognition network is at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.media.atomic import replacing
from reenact.recognise.descriptors import UpperFace
from reenact.recognise.resemblance import unit
from reenact.records import Face
from train.data.degrade import face_of
from train.data.shards import Shards
from train.evaluate.independent_estimator import fingerprint
from train.evaluate.methods import Method
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.sheet_expressions import EXPRESSIONS
from train.evaluate.statistics import area_under_curve, mean
from train.evaluate.subjects import Subject


@dataclass(frozen=True)
class IdentityOptions:
    pictures: int = 2400
    """Of people with several, that the descriptor is fitted to, at most."""
    each: int = 4
    """Of one person, at most."""
    directions: int = 200
    """Principal components before, and ..."""
    kept: int = 80
    """... discriminating directions after people are told apart."""
    pairs: int = 1500
    """Of each kind, for the figures that say how good the proxy is."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class IdentityProxy:
    """A linear discriminant (Belhumeur, Hespanha & Kriegman, IEEE PAMI 19(7), 1997) on the upper face."""

    projection: NDArray[np.float32]
    """(kept, k)."""
    centre: NDArray[np.float32]
    """(k,)."""
    auc: float
    """On unseen people: the chance that two pictures of one are more alike than pictures of two."""
    threshold: float
    """Likeness at which both kinds of error are equally frequent there."""
    same: float
    """Mean likeness of two pictures of one person there, and ..."""
    different: float
    """... of two people."""
    describe: UpperFace = field(default_factory=UpperFace)

    def __call__(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """(kept,) of length 1; their scalar product is the likeness of two faces, -1..1."""
        return unit(self.projection @ (self.describe(image, face) - self.centre))


def load_identity(
    training: Shards, unseen: Shards, cache: Path, options: IdentityOptions = IdentityOptions()
) -> IdentityProxy:
    """The proxy fitted to `training` and tested on `unseen`; kept in the folder `cache`."""
    kept = cache / f"identity-{fingerprint(training, unseen, options)}.npz"
    if not kept.is_file():
        proxy = fit_identity(training, unseen, options)
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as beside:
            figures = np.array([proxy.auc, proxy.threshold, proxy.same, proxy.different])
            np.savez(beside, projection=proxy.projection, centre=proxy.centre, figures=figures)
    with np.load(kept, allow_pickle=False) as data:
        auc, threshold, same, different = data["figures"].tolist()
        return IdentityProxy(data["projection"], data["centre"], auc, threshold, same, different)


def fit_identity(
    training: Shards, unseen: Shards, options: IdentityOptions = IdentityOptions()
) -> IdentityProxy:
    rng = np.random.default_rng(options.seed)
    rows = of_people_with_several(training.persons, options.pictures, options.each, rng)
    features = _describe(training, rows)
    centre = features.mean(axis=0)
    projection = discriminant(features - centre, training.persons[rows], options.directions, options.kept)
    rows = of_people_with_several(unseen.persons, 2 * options.pairs, options.each, rng)
    if len(rows) < 2:
        unknown = float("nan")
        return IdentityProxy(projection, centre, unknown, unknown, unknown, unknown)
    known = unit((_describe(unseen, rows) - centre) @ projection.T)
    same, different = compared(known, unseen.persons[rows], unseen.collections[rows])
    return IdentityProxy(
        projection,
        centre,
        area_under_curve(same, different),
        equal_error(same, different),
        mean(same),
        mean(different),
    )


def of_people_with_several(
    persons: NDArray[np.str_], count: int, each: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows of at most `count` pictures, at most `each` of a person and none of those with only one."""
    _, inverse, pictures = np.unique(persons, return_inverse=True, return_counts=True)
    chosen: list[NDArray[np.int64]] = []
    for person in rng.permutation(np.flatnonzero(pictures > 1)):
        if sum(map(len, chosen)) >= count:
            break
        chosen.append(rng.permutation(np.flatnonzero(inverse == person))[:each])
    return np.concatenate(chosen) if chosen else np.zeros(0, np.int64)


def _describe(shards: Shards, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    describe = UpperFace()
    samples = (shards[int(row)] for row in rows)
    return np.array([describe(sample.image, face_of(sample.landmarks)) for sample in samples], np.float32)


def discriminant(
    features: NDArray[np.float32], persons: NDArray[np.str_], directions: int, kept: int
) -> NDArray[np.float32]:
    """(kept, k) the directions of centred features (n, k) in which people differ most for how they vary."""
    return discriminating(features, persons, directions, kept)[0]


def discriminating(
    features: NDArray[np.float32], persons: NDArray[np.str_], directions: int, kept: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(`discriminant`, (kept,) the variance between people along each where that within them is 1)."""
    components = _principal(features, min(directions, len(features) // 3))
    scores = features @ components.T
    _, inverse = np.unique(persons, return_inverse=True)
    counts = np.bincount(inverse)
    sums = np.zeros((len(counts), scores.shape[1]))
    np.add.at(sums, inverse, scores)
    means = sums / counts[:, None]
    within = np.cov(scores - means[inverse], rowvar=False)
    within += 0.1 * np.trace(within) / len(within) * np.eye(len(within))
    spread, axes = np.linalg.eigh(within)
    whiten = axes / np.sqrt(spread)
    between, turn = np.linalg.eigh(np.cov(means @ whiten, rowvar=False))
    best = np.argsort(between)[::-1][:kept]
    # What people's pictures vary by leaves its share in the means of few of them.
    people = np.maximum(between[best] - (1 / counts).mean(), 0)
    return ((whiten @ turn[:, best]).T @ components).astype(np.float32), people


def _principal(features: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(count, k) orthonormal: the directions in which features (n, k) vary most."""
    if len(features) > features.shape[1]:
        values, vectors = np.linalg.eigh(features.T @ features)
        return vectors[:, np.argsort(values)[::-1][:count]].T
    values, vectors = np.linalg.eigh(features @ features.T)
    largest = np.argsort(values)[::-1][:count]
    return (vectors[:, largest] / np.sqrt(values[largest])).T @ features


def compared(
    known: NDArray[np.float32], persons: NDArray[np.str_], collections: NDArray[np.str_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Likenesses of all pairs of one person, and of all pairs of two from one collection."""
    first, second = np.triu_indices(len(known), 1)
    among = collections[first] == collections[second]
    first, second = first[among], second[among]
    alike = (known[first] * known[second]).sum(axis=1)
    same = persons[first] == persons[second]
    return alike[same], alike[~same]


def equal_error(same: NDArray[np.float32], different: NDArray[np.float32]) -> float:
    """The threshold at which as large a share of `same` lies below as of `different` above."""
    candidates = np.quantile(same, np.linspace(0, 1, 201))
    missed = np.array([(same < each).mean() - (different >= each).mean() for each in candidates])
    return float(candidates[np.abs(missed).argmin()])


@dataclass(frozen=True, eq=False)
class IdentityKept:
    """Likeness of each result to the picture it was made of."""

    likenesses: NDArray[np.float32]


def measure_identity(method: Method, subjects: Sequence[Subject], proxy: IdentityProxy) -> IdentityKept:
    """All expressions of all subjects."""
    found = []
    for subject in subjects:
        before = proxy(subject.frame.image, subject.face)
        for expression in EXPRESSIONS:
            change = expression.change(subject.measured)
            image = method(subject.frame, subject.face, change, subject.measured)
            found.append(before @ proxy(image, subject.face))
    return IdentityKept(np.array(found, np.float32))


def identity_table(results: Mapping[str, IdentityKept], proxy: IdentityProxy) -> ResultTable:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            method,
            len(result.likenesses),
            mean(result.likenesses),
            float(np.quantile(result.likenesses, 0.05)),
            float((result.likenesses >= proxy.threshold).mean()),
        )
        for method, result in results.items()
    )
    note = (
        "A proxy: linear discriminant on gradients and binary patterns of the upper face, fitted to other "
        f"people. On people held out its AUC for same against different people is {proxy.auc:.3f} (pictures "
        f"of one person {proxy.same:.2f}, of two {proxy.different:.2f} alike on average; threshold at equal "
        f"error {proxy.threshold:.2f}). Likeness of result and input over {len(EXPRESSIONS)} expressions; "
        "brows and lids are in view, so that what was asked for lowers it, too."
    )
    columns = ("method", "results", "mean likeness", "5th percentile", "above threshold")
    return ResultTable("identity", "Identity", note, columns, rows)
