"""The people that methods are judged on: who, and what they show as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from reenact.records import Face, Frame
from train.data.shards import Shards
from train.evaluate.picture_reader import PictureReader, PictureReading

AHEAD_RAD = 0.35
"""Most yaw of a face that is asked to change: beyond, the estimator reads the head, too."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A picture of a face and what is read in it before anything is changed."""

    frame: Frame
    before: PictureReading
    person: str
    collection: str
    name: str

    @property
    def face(self) -> Face:
        return self.before.face

    @property
    def measured(self) -> AUVector:
        return self.before.aus


def read_subjects(shards: Shards, rows: Sequence[int], reader: PictureReader) -> list[Subject]:
    """The faces in these rows, read as results will be read; those that cannot be are left out."""
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
    """Rows of `count` people who look ahead, one picture each, the collections taken in turn.

    eligible: (n,) further restricts the choice. Fewer where there are not as many people.
    """
    allowed = np.abs(shards.yaws) < AHEAD_RAD
    if eligible is not None:
        allowed &= eligible
    order = np.random.default_rng(seed).permutation(np.flatnonzero(allowed))
    _, first = np.unique(shards.persons[order], return_index=True)
    order = order[np.sort(first)]
    # Each face's place in the queue of its collection: all the firsts come before all the seconds.
    places = np.zeros(len(order), np.int64)
    for name in np.unique(shards.collections[order]):
        of_it = shards.collections[order] == name
        places[of_it] = np.arange(of_it.sum())
    return [int(row) for row in order[np.argsort(places, kind="stable")][:count]]
