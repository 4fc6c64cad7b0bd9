"""The faces that methods are evaluated on, and what they show before any change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector, as_vector
from reenact.records import Face, Frame
from train.data.shards import Shards
from train.evaluate.picture_reader import PictureReader, PictureReading

AHEAD_RAD = 0.35
"""The largest yaw of a face that is changed; beyond it the turn of the head affects the estimator."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A picture of a face and its reading before any change."""

    frame: Frame
    """The picture."""
    before: PictureReading
    """The reading of the picture."""
    person: str
    """The person's name."""
    collection: str
    """The collection's name."""
    name: str
    """The picture's name."""

    @property
    def face(self) -> Face:
        """The face in the picture."""
        return self.before.face

    @property
    def measured(self) -> AUVector:
        """(AU_COUNT,) the intensities before any change; those that OpenFace does not read are 0."""
        return as_vector(self.before.aus)


def read_subjects(shards: Shards, rows: Sequence[int], reader: PictureReader) -> list[Subject]:
    """Reads the faces in these rows like results; faces that cannot be read are left out."""
    subjects = []
    for row in rows:
        sample = shards[row]
        before = reader(sample.image, sample.landmarks)
        if before is not None:
            subjects.append(
                Subject(Frame(sample.image), before, sample.person, sample.collection, sample.name)
            )
    return subjects


def spread_rows(
    shards: Shards, count: int, seed: int, eligible: NDArray[np.bool_] | None = None
) -> list[int]:
    """Returns rows of `count` people who look ahead, one picture each, from the collections in turn.

    eligible: (n,) further restricts the choice. There are fewer rows where there are fewer people.
    """
    allowed = np.abs(shards.yaws) < AHEAD_RAD
    if eligible is not None:
        allowed &= eligible
    order = np.random.default_rng(seed).permutation(np.flatnonzero(allowed))
    _, first = np.unique(shards.persons[order], return_index=True)
    order = order[np.sort(first)]
    # The number of each face in its collection: all first faces come before all second ones.
    places = np.zeros(len(order), np.int64)
    for name in np.unique(shards.collections[order]):
        of_it = shards.collections[order] == name
        places[of_it] = np.arange(of_it.sum())
    return [int(row) for row in order[np.argsort(places, kind="stable")][:count]]
