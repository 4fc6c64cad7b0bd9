"""Measures whether a face is still the same person, by a proxy for a face recognition network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.media.atomic import replacing
from reenact.recognise.resemblance import unit
from reenact.recognise.upper_face import UpperFace
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
    """The options of the fit of the identity proxy."""

    pictures: int = 2400
    """The most pictures, of people with several, that the descriptor is fitted to."""
    each: int = 4
    """The most pictures of one person."""
    directions: int = 200
    """The number of principal components before the discriminant."""
    kept: int = 80
    """The number of discriminating directions."""
    pairs: int = 1500
    """The pairs of each kind for the figures of the proxy's own quality."""
    seed: int = 0
    """The seed of all choices."""


@dataclass(frozen=True, eq=False)
class IdentityProxy:
    """A linear discriminant (Belhumeur, Hespanha & Kriegman, IEEE PAMI 19(7), 1997) on the upper face."""

    projection: NDArray[np.float32]
    """(kept, k) the discriminating directions."""
    centre: NDArray[np.float32]
    """(k,) the mean of the features."""
    auc: float
    """On the held-out split: the probability that two pictures of one person are more alike than of two."""
    threshold: float
    """The likeness at which both kinds of error are equally frequent there."""
    same: float
    """The mean likeness there of two pictures of one person."""
    different: float
    """The mean likeness there of pictures of two people."""
    describe: UpperFace = field(default_factory=UpperFace)

    def __call__(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """Returns (kept,) of length 1; the likeness of two faces is the dot product, -1..1."""
        return unit(self.projection @ (self.describe(image, face) - self.centre))


def load_identity(
    training: Shards, unseen: Shards, cache: Path, options: IdentityOptions = IdentityOptions()
) -> IdentityProxy:
    """Returns the proxy fitted to `training` and tested on `unseen`; the folder `cache` keeps it."""
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
    """Fits the proxy to `training` and measures its quality on `unseen`."""
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
    """Returns rows of at most `count` pictures, at most `each` of a person, of people with two or more."""
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
    """Returns (kept, k): directions of centred features (n, k) with the largest variance between people,
    relative to that within people."""
    return discriminating(features, persons, directions, kept)[0]


def discriminating(
    features: NDArray[np.float32], persons: NDArray[np.str_], directions: int, kept: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Returns `discriminant`, and (kept,) the variance between people where that within people is 1."""
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
    # The means of people with few pictures still contain a share of the variance within people.
    people = np.maximum(between[best] - (1 / counts).mean(), 0)
    return ((whiten @ turn[:, best]).T @ components).astype(np.float32), people


def _principal(features: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Returns (count, k) orthonormal directions in which features (n, k) vary most."""
    if len(features) > features.shape[1]:
        values, vectors = np.linalg.eigh(features.T @ features)
        return vectors[:, np.argsort(values)[::-1][:count]].T
    values, vectors = np.linalg.eigh(features @ features.T)
    largest = np.argsort(values)[::-1][:count]
    return (vectors[:, largest] / np.sqrt(values[largest])).T @ features


def compared(
    known: NDArray[np.float32], persons: NDArray[np.str_], collections: NDArray[np.str_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns the likenesses of all pairs of one person, and of all pairs of two from one collection."""
    first, second = np.triu_indices(len(known), 1)
    among = collections[first] == collections[second]
    first, second = first[among], second[among]
    alike = (known[first] * known[second]).sum(axis=1)
    same = persons[first] == persons[second]
    return alike[same], alike[~same]


def equal_error(same: NDArray[np.float32], different: NDArray[np.float32]) -> float:
    """Returns the threshold at which the share of `same` below equals the share of `different` above."""
    candidates = np.quantile(same, np.linspace(0, 1, 201))
    missed = np.array([(same < each).mean() - (different >= each).mean() for each in candidates])
    return float(candidates[np.abs(missed).argmin()])


@dataclass(frozen=True, eq=False)
class IdentityKept:
    """How well a method keeps identity."""

    likenesses: NDArray[np.float32]
    """The likeness of each result to its input."""


def measure_identity(method: Method, subjects: Sequence[Subject], proxy: IdentityProxy) -> IdentityKept:
    """Measures all expressions of all subjects."""
    found = []
    for subject in subjects:
        before = proxy(subject.frame.image, subject.face)
        for expression in EXPRESSIONS:
            change = expression.change(subject.measured)
            image = method(subject.frame, subject.face, change, subject.measured)
            found.append(before @ proxy(image, subject.face))
    return IdentityKept(np.array(found, np.float32))


def identity_table(results: Mapping[str, IdentityKept], proxy: IdentityProxy) -> ResultTable:
    """Returns the table of identity by method."""
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
        f"people. On held-out people its AUC for same against different people is {proxy.auc:.3f} (pictures "
        f"of one person {proxy.same:.2f}, of two {proxy.different:.2f} alike on average; threshold at equal "
        f"error {proxy.threshold:.2f}). Likeness of result and input over {len(EXPRESSIONS)} expressions. "
        "Brows and lids are in the crop, so the change itself also lowers it."
    )
    columns = ("method", "results", "mean likeness", "5th percentile", "above threshold")
    return ResultTable("identity", "Identity", note, columns, rows)
