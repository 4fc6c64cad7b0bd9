"""Measures the realism of results as a whole: the Frechet distance to real pictures of other people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from reenact.records import Face, Frame
from train.data.degrade import face_of
from train.data.shards import Shards
from train.evaluate.methods import Method
from train.evaluate.picture_features import Detail, Hog, Vector
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.statistics import frechet_distance

Describe = Callable[[NDArray[np.uint8], Face], Vector]

FEATURES: Mapping[str, Describe] = {"HOG": Hog(), "detail": Detail()}
COMPONENTS = 32


@dataclass(frozen=True, eq=False)
class FaceToChange:
    """A face that is asked for another person's expression."""

    frame: Frame
    face: Face
    measured: AUVector
    change: AUVector


@dataclass(frozen=True, eq=False)
class Reference:
    """The features of real pictures."""

    components: NDArray[np.float32]
    """(32, k) the principal components of the features."""
    scale: NDArray[np.float32]
    """(32, 1) factors that make every component's variance 1."""
    scores: NDArray[np.float32]
    """(n, 32) the scaled components of n pictures."""

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the scaled components (m, 32) of features (m, k)."""
        return features @ (self.components * self.scale).T


@dataclass(frozen=True, eq=False)
class ReferencePictures:
    """Faces to change, and real pictures of other people for comparison."""

    faces: tuple[FaceToChange, ...]
    """The faces to change."""
    references: Mapping[str, Reference]
    """The real pictures' features, by the name of the features."""
    real: int
    """The number of real pictures."""


def choose_reference_pictures(unseen: Shards, count: int, real: int, seed: int) -> ReferencePictures:
    """Chooses faces to change from one half of the people, and real pictures from the other half.

    Each face is asked for the action units of a picture in the other half, from the same collection.
    """
    rng = np.random.default_rng(seed)
    persons = rng.permutation(np.unique(unseen.persons))
    first_half = np.isin(unseen.persons, persons[: len(persons) // 2])
    rows = rng.permutation(np.flatnonzero(~first_half))[:real]
    faces = []
    for row in rng.permutation(np.flatnonzero(first_half))[:count]:
        lenders = rows[unseen.collections[rows] == unseen.collections[row]]
        if len(lenders):
            faces.append(_face_to_change(unseen, int(row), unseen.aus[rng.choice(lenders)]))
    samples = [unseen[int(row)] for row in rows]
    references = {
        name: _refer(np.array([describe(each.image, face_of(each.landmarks)) for each in samples]))
        for name, describe in FEATURES.items()
    }
    return ReferencePictures(tuple(faces), references, len(rows))


def _face_to_change(shards: Shards, row: int, target: AUVector) -> FaceToChange:
    sample = shards[row]
    return FaceToChange(Frame(sample.image), face_of(sample.landmarks), sample.aus, target - sample.aus)


def _refer(features: NDArray[np.float32]) -> Reference:
    centred = features - features.mean(axis=0)
    _, values, components = np.linalg.svd(centred, full_matrices=False)
    count = min(COMPONENTS, len(features) // 3)
    scale = np.sqrt(len(features)) / values[:count, None]
    reference = Reference(components[:count], scale, np.zeros((0, count), np.float32))
    return Reference(reference.components, scale, reference.score(features))


def measure_realism(method: Method, pictures: ReferencePictures) -> dict[str, float]:
    """Returns the Frechet distance by the name of the features."""
    images = [method(each.frame, each.face, each.change, each.measured) for each in pictures.faces]
    return {
        name: frechet_distance(reference.score(_describe(images, pictures, FEATURES[name])), reference.scores)
        for name, reference in pictures.references.items()
    }


def _describe(images: Sequence[NDArray[np.uint8]], pictures: ReferencePictures, describe: Describe) -> Vector:
    pairs = zip(images, pictures.faces, strict=True)
    return np.array([describe(image, each.face) for image, each in pairs], np.float32)


def realism_table(results: Mapping[str, Mapping[str, float]], pictures: ReferencePictures) -> ResultTable:
    """Returns the table of Frechet distances by method."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (method, *(found[name] for name in FEATURES)) for method, found in results.items()
    )
    note = (
        f"Frechet distance between {len(pictures.faces)} faces that were asked for the action units of "
        f"other people's pictures and {pictures.real} real pictures of those people, all held out. Features: "
        f"the first {COMPONENTS} principal components, each scaled to a variance of 1, of HOG (oriented "
        "gradients of a gray 112 px crop) and of detail (log energy of four octaves of a 192 px crop in 8 "
        "x 8 cells). The row `copy`, unchanged pictures of the same number of people, is the lowest expected "
        "distance."
    )
    columns = ("method", *(f"Frechet, {name}" for name in FEATURES))
    return ResultTable("realism", "Realism", note, columns, rows)
