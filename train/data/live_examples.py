"""Training examples for a region's network: openings after the run-time's move and painters, and the
truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calib.au import AUVector, au_index, bilateral, neutral_aus
from calib.basis import load_basis
from calib.openings import MOUTH, Opening
from reenact.generate.network.network_regions import NetworkRegion, geometry_planes, masks, pale
from train.data.degrade import FaceMove, KnownTeeth, face_of, move_face, there_and_back
from train.data.shards import CROP, FaceSample, Shards

_OPEN_MM = {"mouth": 2.5, "eyes": 4.0}
"""Gap from which an opening shows its inside."""
_WIDE_MM = {"mouth": 6.0, "eyes": 100.0}
"""Gap from which an opening is rare and drawn twice as often."""
_BLURRED = 1.8
"""Zoom of the crop from which a picture lacks detail."""
_TURNED = 0.6
"""Yaw in radians from which a face is drawn half as often."""
_MOUTH_SHAPES = tuple(map(au_index, ("AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23")))


@dataclass(frozen=True)
class LiveExampleOptions:
    """The options of the training examples of a region's network."""

    variants: int = 1
    """The number of different moves of each picture."""
    forth: float = 0.15
    """Share of the examples that are moves without a truth, which only the discriminator scores."""
    own_teeth: float = 0.3
    """Share of the mouths that are opened with the picture's own teeth, as a person's memory has them. The
    others get teeth of the bank in the place of the picture's own: from misplaced teeth the network would
    learn to compensate by a haze, which is all it can do."""
    blurred: float = 0.5
    """Share of the pictures that are blurred."""
    blur_px: float = 0.8
    """Largest standard deviation of that blur."""
    balance: float = 0.06
    """Largest change of a channel's gain."""


@dataclass(frozen=True, eq=False)
class Example:
    """One opening; planes are (height, width, channels)."""

    warped: NDArray[np.uint8]
    """The moved face with its painted layers."""
    truth: NDArray[np.uint8]
    """The original picture; without a truth, the face before the move."""
    mask: NDArray[np.uint8]
    """The masks of the region."""
    geometry: NDArray[np.float16]
    """The planes of geometry."""
    comparable: NDArray[np.uint8]
    """255 where the truth shows what the network paints: in a mouth, teeth."""
    has_truth: bool
    """Whether `truth` is one."""


class LiveItems:
    """The training examples; example i is a function of samples, seed and i, drawn by `chances`.

    Moves are computed once and kept, 0.15 MB each, as they take three times as long as a training step.
    """

    def __init__(
        self,
        samples: Shards,
        region: NetworkRegion,
        seed: int,
        options: LiveExampleOptions = LiveExampleOptions(),
    ):
        self._samples = samples
        self._region = region
        self._seed = seed
        self._options = options
        self._open = [is_open(landmarks, region) for landmarks in samples.landmarks]
        self._until = np.cumsum(chances(samples, region, options))
        self._made: dict[tuple[int, int], Example] = {}

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Returns `warped` and `truth` (3, height, width), `mask` (2, height, width) and `comparable` (1,
        height, width), all uint8; `geometry` (4, height, width) float32; `has_truth` 0 or 1."""
        rng = np.random.default_rng((self._seed, index))
        drawn = min(int(np.searchsorted(self._until, rng.random(), "right")), len(self._samples) - 1)
        key = drawn, int(rng.integers(self._options.variants))
        if key not in self._made:
            self._made[key] = self._make(*key)
        return _to_tensors(vary(self._made[key], self._options, rng))

    def _make(self, number: int, variant: int) -> Example:
        rng = np.random.default_rng((self._seed, number, variant))
        sample = self._samples[number]
        if rng.random() < self._options.blurred:
            sample = replace(sample, image=_blurred(sample.image, rng.uniform(0, self._options.blur_px)))
        opening = self._region.openings[int(rng.integers(len(self._region.openings)))]
        # Not compared by `is`, since in a worker's process the region is a copy.
        has_truth = self._open[number] or opening != MOUTH
        if has_truth:
            away = bilateral(plan_away(self._region, sample, rng))
            teeth: KnownTeeth = "own" if rng.random() < self._options.own_teeth else "place"
            move = there_and_back(sample.image, sample.landmarks, away, load_basis(), teeth)
        else:
            move = move_face(sample.image, sample.landmarks, bilateral(plan_opening(rng)), load_basis())
        return example_of(move, sample.image, self._region, opening, has_truth)


def example_of(
    move: FaceMove, picture: NDArray[np.uint8], region: NetworkRegion, opening: Opening, has_truth: bool
) -> Example:
    """Returns the input of the region's network after a move, and the same crop of `picture`."""
    face = face_of(move.before)
    alignment = region.alignment(opening, face.pose, move.landmarks)
    before, after = (alignment.points(places) for places in (move.before, move.landmarks))
    warped, truth = (alignment.crop(image)[region.rows] for image in (move.picture, picture))
    planes = geometry_planes(region, opening, before, after)
    mask = masks(region, opening, planes, after, warped, move.light)
    teeth = pale(truth, move.light) if region.teeth_only else np.ones(truth.shape[:2], np.float32)
    comparable = np.rint(255 * teeth).astype(np.uint8)[..., None]
    return Example(warped, truth, mask, planes.astype(np.float16), comparable, has_truth)


def is_open(landmarks: NDArray[np.float32], region: NetworkRegion) -> bool:
    """Returns whether the openings of a region show their inside in a sample (478, 3)."""
    return _gap_mm(landmarks, region) > _OPEN_MM[region.name]


def chances(samples: Shards, region: NetworkRegion, options: LiveExampleOptions) -> NDArray[np.float64]:
    """Returns each sample's probability (n,); a share `forth` goes to samples with shut openings.

    Grey pictures have probability 0, blurred and turned ones half that of the others.
    """
    gaps_mm = np.array([_gap_mm(landmarks, region) for landmarks in samples.landmarks])
    opened = gaps_mm > _OPEN_MM[region.name]
    weights = 1.0 + (gaps_mm > _WIDE_MM[region.name])
    weights *= np.where(samples.zooms > _BLURRED, 0.5, 1.0)
    weights *= np.where(np.abs(samples.yaws) > _TURNED, 0.5, 1.0) * ~samples.grey
    for which, share in ((opened, 1 - options.forth), (~opened, options.forth)):
        weights[which] *= share / max(weights[which].sum(), 1e-9)
    return weights / weights.sum()


def plan_away(region: NetworkRegion, sample: FaceSample, rng: np.random.Generator) -> AUVector:
    """Draws relative action units (AU_COUNT,) that move away from the shown opening; the network learns the
    way back."""
    away = neutral_aus()
    if region.name == "eyes":
        shut = not is_open(sample.landmarks, region)
        away[au_index("AU45")] = -rng.uniform(2, 5) if shut else rng.uniform(1, 5)
        return away
    away[[au_index("AU25"), au_index("AU26")]] = -5, -rng.uniform(1, 4)
    # It does not use the picture's labels, so that no label affects the weights.
    away[rng.choice(_MOUTH_SHAPES, 2, replace=False)] = rng.uniform(-1.5, 1.5, 2)
    return away


def plan_opening(rng: np.random.Generator) -> AUVector:
    """Draws relative action units (AU_COUNT,) that open shut lips: speech, a smile, surprise."""
    asked = neutral_aus()
    asked[[au_index("AU25"), au_index("AU26")]] = rng.uniform(1, 4), rng.uniform(0, 2.5)
    if rng.random() < 0.6:
        asked[[au_index("AU12"), au_index("AU06")]] = rng.uniform(0.5, 2.5), rng.uniform(0, 1.5)
    return asked


def vary(example: Example, options: LiveExampleOptions, rng: np.random.Generator) -> Example:
    """Returns the example, mirrored at random, with the light and colours of another camera."""
    balance = 1 + rng.uniform(-options.balance, options.balance, 3)
    levels = np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.85, 1.18) * rng.uniform(0.88, 1.1) * balance
    table = np.rint(np.clip(levels * 255, 0, 255)).astype(np.uint8)[None]
    example = replace(example, warped=cv2.LUT(example.warped, table), truth=cv2.LUT(example.truth, table))
    if rng.random() < 0.5:
        return example
    planes = ("warped", "truth", "mask", "geometry", "comparable")
    return replace(example, **{name: getattr(example, name)[:, ::-1] for name in planes})


def _gap_mm(landmarks: NDArray[np.float32], region: NetworkRegion) -> float:
    """Returns the narrowest opening of a sample in the shards' crop, which is upright."""
    down = np.array([0, 1], np.float32)
    px_per_mm = CROP.size / CROP.width_mm
    return min(float(opening.gaps(landmarks, down).max()) for opening in region.openings) / px_per_mm


def _blurred(image: NDArray[np.uint8], sigma_px: float) -> NDArray[np.uint8]:
    return cv2.GaussianBlur(image, (0, 0), sigma_px) if sigma_px > 0.2 else image


def _to_tensors(example: Example) -> dict[str, Tensor]:
    return {
        "warped": _planes(example.warped),
        "truth": _planes(example.truth),
        "mask": _planes(example.mask),
        "geometry": _planes(example.geometry.astype(np.float32)),
        "comparable": _planes(example.comparable),
        "has_truth": torch.tensor(float(example.has_truth)),
    }


def _planes(image: NDArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
