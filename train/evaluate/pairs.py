"""Pairs of pictures of one person: the first is changed to what the second shows, which is the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from calib.openings import LEFT_EYE, RIGHT_EYE
from calib.shape import INTERPUPILLARY_MM, IRIS_START, load_shape
from reenact.alignment import Alignment
from reenact.generate.geometry.face_crop import FaceCrop
from train.data.degrade import face_of
from train.data.shards import Shards
from train.evaluate import comparison_masks
from train.evaluate.comparison import Compared, comparison_table, landmark_table
from train.evaluate.likeness import Likeness, likeness
from train.evaluate.methods import Method
from train.evaluate.picture_reader import PictureReader
from train.evaluate.result_table import ResultTable
from train.evaluate.subjects import Subject, read_subjects

MOST_TURNED_DEG = 8.0
"""The largest difference in yaw or pitch of two heads that are compared."""
LEAST_DIFFERENCE = 3.0
"""The smallest sum of differences over all action units of a pair."""
LEAST_ALIKE = 0.65
"""SSIM of both pictures' skin below which their age or light differs too much for a truth."""
EACH_PERSON = 3
"""The most pairs of one person's pictures."""
EACH_CLIP = 6
"""The most pairs of one clip, whose frames are the best truth available."""

LANDMARK_GROUPS: Mapping[str, tuple[int, ...]] = {
    "all": tuple(range(IRIS_START)),
    "mouth": comparison_masks.OUTER_LIPS,
    "eyes": LEFT_EYE.outline + RIGHT_EYE.outline,
    "brows": (70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
}
REGIONS = {
    "inside the mouth": comparison_masks.inside_mouth,
    "mouth": comparison_masks.mouth,
    "eyes": comparison_masks.eyes,
    "face": comparison_masks.face,
}


@dataclass(frozen=True, eq=False)
class PicturePair:
    """Two pictures of one person, aligned for comparison."""

    first: Subject
    """The picture that is changed."""
    change: AUVector
    """(17,) the second picture's intensities minus the first one's."""
    truth: NDArray[np.uint8]
    """(256, 256, 3) the second picture in the first one's crop and light."""
    landmarks: NDArray[np.float32]
    """(478, 3) the second picture's landmarks in the first one's frame."""
    known: NDArray[np.bool_]
    """(256, 256) where the second picture has pixels."""


def choose_pairs(shards: Shards, count: int, seed: int, reader: PictureReader) -> list[PicturePair]:
    """Chooses up to `count` pairs with similar pose and the largest difference in expression."""
    rng = np.random.default_rng(seed)
    _, inverse, pictures = np.unique(shards.persons, return_inverse=True, return_counts=True)
    several = rng.permutation(np.flatnonzero(pictures > 1))
    pairs: list[PicturePair] = []
    for person in several:
        rows = np.flatnonzero(inverse == person)
        for first, second in _most_different(shards, rows):
            subjects = read_subjects(shards, (first, second), reader)
            if len(subjects) == 2 and len(pairs) < count:
                pairs += _pair(*subjects)
        if len(pairs) >= count:
            break
    return pairs


def _most_different(shards: Shards, rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Returns the pairs of one person's pictures, of one collection and pose, with the most different
    labels."""
    turns = {int(row): _turn_deg(shards.landmarks[row]) for row in rows}
    close = [
        (first, second)
        for first, second in combinations(turns, 2)
        if np.abs(turns[first] - turns[second]).max() <= MOST_TURNED_DEG
        and shards.collections[first] == shards.collections[second]
    ]
    return sorted(close, key=lambda pair: -_difference(shards.aus[pair[0]], shards.aus[pair[1]]))[
        :EACH_PERSON
    ]


def pairs_of_frames(subjects: Sequence[Subject]) -> list[PicturePair]:
    """Returns pairs of frames of one person's clip; no frame is used twice."""
    ranked = sorted(combinations(subjects, 2), key=lambda pair: -_difference(*(s.measured for s in pair)))
    used: set[str] = set()
    pairs: list[PicturePair] = []
    for first, second in ranked:
        if (
            len(pairs) < EACH_CLIP
            and not {first.name, second.name} & used
            and (found := _pair(first, second))
        ):
            used |= {first.name, second.name}
            pairs += found
    return pairs


def _turn_deg(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns (2,) pitch and yaw in degrees."""
    return np.degrees(face_of(landmarks).pose.angles[:2])


def _difference(first: AUVector, second: AUVector) -> float:
    return float(np.abs(first - second).sum())


def _pair(first: Subject, second: Subject) -> list[PicturePair]:
    """Returns the pair. Empty: the poses differ too much, the expressions too little, or the pictures have
    too little in common."""
    turns = [np.degrees(subject.face.pose.angles[:2]) for subject in (first, second)]
    if np.abs(turns[0] - turns[1]).max() > MOST_TURNED_DEG:
        return []
    if _difference(first.measured, second.measured) < LEAST_DIFFERENCE:
        return []
    to_first = similarity(second.face.landmarks, first.face.landmarks)
    alignment = FaceCrop().align(first.face)
    from_second = Alignment((_square(alignment.matrix) @ _square(to_first.matrix))[:2], alignment.size)
    truth = from_second.crop(second.frame.image)
    full = np.full(second.frame.size, 255, np.uint8)
    known = from_second.crop(full, cv2.BORDER_CONSTANT) == 255
    seen = alignment.crop(first.frame.image)
    skin = comparison_masks.skin(alignment.points(first.face.landmarks), alignment.size) & known
    lit = lit_alike(truth, seen, skin)
    alike = likeness(lit, seen, skin)
    if alike is None or alike.ssim < LEAST_ALIKE:
        return []
    landmarks = to_first.points(second.face.landmarks)
    return [PicturePair(first, second.measured - first.measured, lit, landmarks, known)]


def similarity(source: NDArray[np.float32], target: NDArray[np.float32]) -> Alignment:
    """Fits the planar similarity from landmarks (478, 3) to others, on points that expressions move little.

    Method: Umeyama, IEEE PAMI 13(4), 1991, in complex numbers.
    """
    weights = load_shape().weights
    x, y = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
    x0, y0 = weights @ x, weights @ y
    turn = (weights * np.conj(x - x0)) @ (y - y0) / (weights @ np.abs(x - x0) ** 2)
    shift = y0 - turn * x0
    matrix = [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]]
    return Alignment(np.array(matrix, np.float32), 0)


def _square(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.vstack([matrix, np.array([[0, 0, 1]], np.float32)])


def lit_alike(
    image: NDArray[np.uint8], like: NDArray[np.uint8], skin: comparison_masks.Mask
) -> NDArray[np.uint8]:
    """Returns `image` with the mean and spread of luminance that `like` has on the skin."""
    ours, wanted = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY)[skin].astype(np.float64) for each in (image, like))
    gain = float(np.clip(wanted.std() / max(ours.std(), 1.0), 0.5, 2))
    return np.clip(np.rint((image - ours.mean()) * gain + wanted.mean()), 0, 255).astype(np.uint8)


def measure_pairs(method: Method, pairs: Sequence[PicturePair], reader: PictureReader) -> Compared:
    """Changes the first picture of each pair and compares the result with the second."""
    found: dict[str, list[Likeness | None]] = {name: [] for name in REGIONS}
    errors: dict[str, list[float]] = {name: [] for name in LANDMARK_GROUPS}
    moved: dict[str, list[tuple[float, float]]] = {name: [] for name in LANDMARK_GROUPS}
    for pair in pairs:
        subject = pair.first
        image = method(subject.frame, subject.face, pair.change, subject.measured)
        alignment = FaceCrop().align(subject.face)
        crop, landmarks = alignment.crop(image), alignment.points(pair.landmarks)
        for name, region in REGIONS.items():
            found[name].append(likeness(crop, pair.truth, region(landmarks, alignment.size) & pair.known))
        after = reader(image, subject.face.landmarks)
        for name, group in LANDMARK_GROUPS.items():
            if after is None:
                errors[name].append(float("nan"))
                continue
            now, truth, before = after.face.landmarks, pair.landmarks, subject.face.landmarks
            scale = subject.face.pose.scale
            errors[name].append(_nme(now, truth, group, scale))
            moved[name].append((_nme(now, before, group, scale), _nme(truth, before, group, scale)))
    return Compared(
        {name: tuple(each) for name, each in found.items()},
        {name: tuple(each) for name, each in errors.items()},
        {name: gain for name, each in moved.items() if (gain := _gain(each)) is not None},
    )


def _gain(moved: Sequence[tuple[float, float]]) -> float | None:
    """Returns the sum of the motions divided by the sum of the true motions. None: there was no motion."""
    achieved, real = np.sum(moved, axis=0) if moved else (0.0, 0.0)
    return float(achieved / real) if real > 0 else None


def _nme(
    landmarks: NDArray[np.float32], truth: NDArray[np.float32], group: Iterable[int], scale: float
) -> float:
    """Returns the mean distance of the group's landmarks in percent of the distance between the pupils."""
    rows = list(group)
    apart = np.linalg.norm(landmarks[rows, :2] - truth[rows, :2], axis=1)
    return 100 * float(apart.mean()) / (scale * INTERPUPILLARY_MM)


def pair_tables(results: Mapping[str, Compared], pairs: Sequence[PicturePair]) -> list[ResultTable]:
    """Returns the tables of regions and of landmarks."""
    note = (
        f"{len(pairs)} pairs of pictures of one held-out person ({_sources(pairs)}), yaw and pitch "
        f"within {MOST_TURNED_DEG:g} degrees, skin alike (SSIM {LEAST_ALIKE:g} or more). The first is asked "
        "for the difference of the action units read; the truth is the second, brought into the first "
        "one's 256 px crop by a similarity on points that expressions move little, and to its mean "
        "and spread of luminance on the skin. Regions follow the second one's landmarks. The last "
        "columns: the share of pairs on which the method is nearer to the truth."
    )
    landmarks = (
        "The same pairs: the mean distance of the result's landmarks from the second picture's, in percent "
        "of the distance between the pupils. Gain: the landmarks' motion from the first picture as a share "
        "of their distance in the two pictures."
    )
    return [
        comparison_table("pairs", "Pairs of one person", note, results),
        landmark_table("pairs_landmarks", "Pairs of one person: landmarks", landmarks, results),
    ]


def _sources(pairs: Sequence[PicturePair]) -> str:
    collections = [pair.first.collection for pair in pairs]
    return ", ".join(f"{name} {collections.count(name)}" for name in sorted(set(collections)))
