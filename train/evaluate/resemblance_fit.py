"""Fits the run-time's measure of resemblance, which tells a few people apart, and measures its errors.

There are three disjoint groups of people: one to fit the discriminant, one to choose the threshold, and the
held-out split for the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.pose import fit_pose
from calib.shape import load_shape
from reenact.media.atomic import replacing
from reenact.recognise.resemblance import Likeness, Resemblance, unit
from reenact.recognise.upper_face import UpperFace
from train.data.degrade import face_of
from train.data.shards import Shards
from train.evaluate.identity_proxy import compared, discriminating, equal_error, of_people_with_several
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.statistics import area_under_curve

_GROUP_SIZES = (2, 3, 5)
"""The numbers of faces in a picture from which one is picked."""
_PICTURES = 4
"""The number of pictures of a face whose mean stands for a face in a film."""


class ResemblanceError(ValueError):
    """The pictures do not allow a fit."""


@dataclass(frozen=True)
class ResemblanceOptions:
    """The options of the fit of resemblance and of its figures."""

    pictures: int = 8000
    """The most pictures, of people with several, that the discriminant is fitted to."""
    each: int = 12
    """The most pictures of one person."""
    directions: int = 500
    """The number of principal components before the discriminant."""
    kept: int = 120
    """The number of discriminating directions."""
    aside: float = 0.1
    """The share of people who are left out of the fit, to choose the threshold."""
    blur_px: tuple[float, float] = (0.7, 3.0)
    """The smallest and largest standard deviation, in a shard's pixels, of the blur of second pictures."""
    mistaken: float = 0.01
    """The share of pairs of two people that the threshold takes for one person."""
    films: tuple[str, ...] = ("udacity_keypoints",)
    """Collections of frames; frames of one person are from one film, too alike for the figures."""
    draws: int = 4000
    """The random groups of people for the figures."""
    seed: int = 0
    """The seed of all choices."""


def fit_resemblance(training: Shards, options: ResemblanceOptions = ResemblanceOptions()) -> Resemblance:
    """Fits the discriminant, with weights after Ioffe (Probabilistic LDA, ECCV 2006): a direction in which
    the variance between people equals that within people weighs half.

    People with one picture in colour are included twice, sharp and blurred. Most pictures of people with
    several are old and soft; without the others, all people as sharp as in a webcam's picture looked alike.
    Raises ResemblanceError where too few people have several pictures.
    """
    rng = np.random.default_rng(options.seed)
    several = of_people_with_several(training.persons, options.pictures, options.each, rng)
    people = rng.permutation(np.unique(training.persons[several]))
    aside = np.isin(training.persons[several], people[: round(options.aside * len(people))])
    rows = several[~aside]
    if len(np.unique(training.persons[several[aside]])) < 2 or not len(rows):
        raise ResemblanceError(f"{len(people)} people have several pictures; add pictures of 20 or more")
    features, persons = describe(training, rows), training.persons[rows]
    sharp = _once_in_colour(training)
    blurred = describe(training, sharp, rng.uniform(*options.blur_px, len(sharp)))
    features = np.concatenate([features, describe(training, sharp), blurred])
    persons = np.concatenate([persons, *2 * [training.persons[sharp]]])
    centre = features.mean(axis=0)
    axes, between = discriminating(features - centre, persons, options.directions, options.kept)
    weighted = np.sqrt(between / (between + 1))[:, None] * axes
    found = Resemblance(weighted.astype(np.float16).astype(np.float32), centre, 0.0)
    described = DescribedFaces.of(found, _on_occasions(training.where(several[aside]), options))
    _, different = described.pairs()
    return Resemblance(found.projection, centre, float(np.quantile(different, 1 - options.mistaken)))


def _on_occasions(faces: Shards, options: ResemblanceOptions) -> Shards:
    """Returns faces of people with several pictures that are not from one film, as many of each as in the
    fit."""
    faces = faces.where(~np.isin(faces.collections, options.films))
    rng = np.random.default_rng(options.seed)
    return faces.where(of_people_with_several(faces.persons, len(faces), options.each, rng))


def _once_in_colour(faces: Shards) -> NDArray[np.int64]:
    """Returns the rows of people with exactly one picture, which is in colour."""
    _, inverse, counts = np.unique(faces.persons, return_inverse=True, return_counts=True)
    return np.flatnonzero((counts[inverse] == 1) & ~faces.grey)


def describe(
    shards: Shards, rows: NDArray[np.int64], blur_px: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Returns the run-time's descriptors (n, k) of faces. blur_px: (n,) blurs of the pictures; None: none."""
    upper = UpperFace()
    found = np.zeros((len(rows), upper.length), np.float32)
    for index, row in enumerate(rows):
        sample = shards[int(row)]
        image = sample.image
        if blur_px is not None:
            image = cv2.GaussianBlur(image, (0, 0), float(blur_px[index]))
        found[index] = upper.either_way(image, face_of(sample.landmarks))
    return found


def save_resemblance(resemblance: Resemblance, path: Path) -> None:
    """Saves the discriminant and its threshold."""
    with replacing(path) as beside:
        np.savez(
            beside,
            projection=resemblance.projection.astype(np.float16),
            centre=resemblance.centre,
            threshold=np.float32(resemblance.threshold),
        )


@dataclass(frozen=True, eq=False)
class DescribedFaces:
    """Faces of people with several pictures, and their likenesses by the discriminant."""

    likenesses: Likeness
    """(n, kept) projected descriptors."""
    persons: NDArray[np.str_]
    """(n,) names of people."""
    collections: NDArray[np.str_]
    """(n,) names of collections."""
    aus: NDArray[np.float32]
    """(n, 17) intensities, 0..5."""
    yaws: NDArray[np.float32]
    """(n,) radians."""

    @staticmethod
    def of(resemblance: Resemblance, faces: Shards) -> DescribedFaces:
        """Describes the faces by the discriminant."""
        poses = [fit_pose(points, load_shape()) for points in faces.landmarks]
        return DescribedFaces(
            resemblance.of(describe(faces, np.arange(len(faces)))),
            faces.persons,
            faces.collections,
            faces.aus,
            np.array([pose.angles[1] for pose in poses], np.float32),
        )

    def pairs(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns the likenesses of all pairs of one person, and of all pairs of two from one collection."""
        return compared(self.likenesses, self.persons, self.collections)


def resemblance_tables(
    resemblance: Resemblance, unseen: Shards, options: ResemblanceOptions = ResemblanceOptions()
) -> tuple[ResultTable, ...]:
    """Returns tables of the errors on people who are neither in the fit nor in the choice of the
    threshold."""
    described = DescribedFaces.of(resemblance, _on_occasions(unseen, options))
    threshold = resemblance.threshold
    return verification(described, threshold), picking(described, options, threshold)


def verification(described: DescribedFaces, threshold: float) -> ResultTable:
    """Returns the errors of verification, for all pairs and for those that differ in expression or pose."""
    same, different = described.pairs()
    rows = [_verified("all pairs", same, different, threshold)]
    first, second = _same_pairs(described)
    alike = (described.likenesses[first] * described.likenesses[second]).sum(axis=1)
    expression = np.abs(described.aus[first] - described.aus[second]).sum(axis=1)
    turned = np.abs(described.yaws[first] - described.yaws[second])
    for name, apart in (("expression", expression), ("yaw", turned)):
        low, high = np.quantile(apart, [1 / 3, 2 / 3])
        rows.append(_verified(f"{name}: the third most alike", alike[apart <= low], different, threshold))
        rows.append(
            _verified(f"{name}: the third most different", alike[apart >= high], different, threshold)
        )
    note = (
        f"Pictures of {len(np.unique(described.persons))} held-out people. `missed`: pairs of one person "
        f"below the threshold {threshold:.2f}; `mistaken`: pairs of two people above it."
    )
    columns = ("pairs of one person", "pairs", "AUC", "equal error rate", "missed", "mistaken")
    return ResultTable("verification", "The same person?", note, columns, tuple(rows))


def _verified(
    name: str, same: NDArray[np.float32], different: NDArray[np.float32], threshold: float
) -> tuple[Cell, ...]:
    even = equal_error(same, different)
    error = float(((same < even).mean() + (different >= even).mean()) / 2)
    missed, mistaken = float((same < threshold).mean()), float((different >= threshold).mean())
    return name, len(same), area_under_curve(same, different), error, missed, mistaken


def _same_pairs(described: DescribedFaces) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    first, second = np.triu_indices(len(described.persons), 1)
    same = (described.persons[first] == described.persons[second]) & (
        described.collections[first] == described.collections[second]
    )
    return first[same], second[same]


def picking(described: DescribedFaces, options: ResemblanceOptions, threshold: float) -> ResultTable:
    """Returns the errors of picking a person among several by one reference picture."""
    rng = np.random.default_rng(options.seed)
    groups = [np.flatnonzero(described.persons == person) for person in np.unique(described.persons)]
    rows: list[tuple[Cell, ...]] = []
    for pictures in (1, _PICTURES):
        for size in _GROUP_SIZES:
            if len(groups) <= size or max(map(len, groups)) <= pictures:
                continue
            alike = np.array([_draw(described, groups, size, pictures, rng) for _ in range(options.draws)])
            most_similar, similarity = alike[:, :-1].argmax(axis=1), alike[:, :-1].max(axis=1)
            matched = similarity >= threshold
            right, wrong = matched & (most_similar == 0), matched & (most_similar != 0)
            false_match = alike[:, 1:].max(axis=1) >= threshold
            figures = (most_similar == 0, right, wrong, false_match)
            rows.append((size, pictures, *(float(each.mean()) for each in figures)))
    note = (
        f"{options.draws} draws of groups of held-out people, from which one is picked by another picture; "
        "a face is the mean of the given number of pictures. `most similar`: the right person ranks first. "
        f"`matched` and `wrong match`: above the threshold, {threshold:.2f}; the rest match nobody. `false "
        "match`: somebody matches in a group of equal size from which the right person is absent."
    )
    columns = ("faces", "pictures of each", "most similar", "matched", "wrong match", "false match")
    return ResultTable("picking", "Picking one of several people", note, columns, tuple(rows))


def _draw(
    described: DescribedFaces,
    groups: Sequence[NDArray[np.intp]],
    size: int,
    picture_count: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Returns (size + 1,): the similarity of a person's reference to other pictures of the same person, then
    to `size` other people. picture_count: the number of pictures whose mean stands for a face."""
    with_enough = [index for index, group in enumerate(groups) if len(group) > picture_count]
    wanted = int(rng.choice(with_enough))
    others = rng.choice(np.delete(np.arange(len(groups)), wanted), size, replace=False)
    reference, *pictures = rng.permutation(groups[wanted])[: picture_count + 1]
    faces = [np.array(pictures), *(rng.permutation(groups[other])[:picture_count] for other in others)]
    seen = np.array([described.likenesses[rows].mean(axis=0) for rows in faces])
    return unit(seen) @ described.likenesses[reference]
