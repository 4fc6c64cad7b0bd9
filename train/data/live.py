"""Examples for the appearance network: faces as the run-time's move leaves them, and what they should be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calib.au import AU_COUNT, MAX_INTENSITY, AUVector, au_index, bilateral, both
from calib.basis import load_basis
from calib.openings import LEFT_EYE, MOUTH, OPENINGS, OUTER_LIPS, RIGHT_EYE, Opening
from calib.ramp import smoothstep
from calib.shape import load_shape
from reenact.generate.appearance import FaceCrop, opening_mask
from reenact.generate.creases import Creases
from reenact.generate.gate import gate
from reenact.geometry import Alignment
from train.data.creases import BROWS
from train.data.degrade import Move, face_of, forth, there_and_back
from train.data.shards import CROP, FaceSample, Shards

_CROP = FaceCrop()
_OPEN_MM = 2.0
"""Lips or lids further apart than this are open."""
_SHUT_EYE_MM = 4.0
_ABOVE_EYES_PX = 12
"""The middle of brows, eyes and the root of the nose lies so far above the eyes."""
_REDNESS = np.array([0.08, -0.18, -0.11], np.float32)
"""Of tongue and gums beside skin: factors of red, green and blue, less 1."""
_TOOTH = 0.62, 0.92
"""Brightness beside the skin's, below which there is no tooth and above which there is."""
_BLURRED = 1.8
"""Zoom of the crop from which a picture lacks detail."""
_FOLDS = tuple(map(au_index, ("AU01", "AU02", "AU04", "AU06", "AU09", "AU10", "AU12", "AU15", "AU17")))
_MOUTH_SHAPES = tuple(map(au_index, ("AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23")))


@dataclass(frozen=True)
class LiveExampleOptions:
    forth: float = 0.1
    """How many of the examples are moves without a truth: only discriminator and action units judge them."""
    shift_px: float = 5.0
    turn_deg: float = 4.0
    zoom: float = 0.06
    """Of the crop, since a tracker is never quite right."""
    grey: float = 0.4
    """How many of the examples are made of grey pictures."""
    tint: float = 0.6
    """How many of the grey pictures are coloured."""


class LiveItems:
    """Example i is a function of the samples, the creases, the seed and i: a draw by `chances`."""

    def __init__(
        self,
        samples: Shards,
        creases: Creases,
        seed: int,
        options: LiveExampleOptions = LiveExampleOptions(),
    ):
        self._samples = samples
        self._until = np.cumsum(chances(samples, options.grey))
        self._creases = creases
        self._seed = seed
        self._options = options

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """`warped` and `truth` (3, 256, 256), `mask` (2, 256, 256), all uint8; `relative_aus`, `aus` (what
        the truth shows) and `aim` (what the moved face should show), each (17,) /5; `centres` (2, 2) of mouth
        and eyes, pixels; `has_truth` 0 or 1."""
        rng = np.random.default_rng((self._seed, index))
        drawn = min(int(np.searchsorted(self._until, rng.random(), "right")), len(self._samples) - 1)
        sample = vary(self._samples[drawn], self._options, rng)
        if rng.random() < self._options.forth:
            other = self._samples.aus[int(rng.integers(len(self._samples)))]
            asked = plausible_change(sample, other, rng)
            move = forth(sample.image, sample.landmarks, bilateral(asked), load_basis())
        else:
            away = plan_away(sample, rng)
            move = there_and_back(sample.image, sample.landmarks, bilateral(away), load_basis())
            move = self._fold(move, sample, rng)
        return _to_tensors(move, sample, has_truth=move.landmarks is sample.landmarks)

    def _fold(self, move: Move, sample: FaceSample, rng: np.random.Generator) -> Move:
        """`move` without the creases that its change would make, and with those that it would smooth."""
        alignment = Alignment(np.eye(2, 3, dtype=np.float32), sample.image.shape[0])
        where = gate(move.landmarks, move.change, alignment).astype(np.float32) / 255
        someone = np.eye(len(self._creases.roughness), dtype=np.float32)[
            rng.integers(len(self._creases.roughness))
        ]
        shade = self._creases.shade(move.landmarks, -move.change, len(where), someone)
        ratio = np.exp(where * np.clip(rng.uniform(0.6, 2.2) * shade, -0.7, 0.7))[..., None]
        more = np.clip(both(move.change)[list(_FOLDS)].max() / 2, 0, 1)
        smooth = (rng.uniform(0.2, 1) * more * where * skin_mask(sample))[..., None]
        picture = move.picture.astype(np.float32)
        mm = sample.image.shape[0] / CROP.width_mm
        fold = cv2.GaussianBlur(picture, (0, 0), 0.6 * mm) - cv2.GaussianBlur(picture, (0, 0), 2.5 * mm)
        picture = np.clip((picture - smooth * fold) * ratio, 0, 255)
        return replace(move, picture=np.rint(picture).astype(np.uint8))


def chances(samples: Shards, grey: float) -> NDArray[np.float64]:
    """(n,) how often each sample is drawn, summing to 1: `grey` of them without colour, where both are there.

    What is rare and matters comes more often: open mouths, shut eyes, frowns; what is blurred or turned,
    less.
    """
    aus = samples.aus
    weights = 1 + 1.5 * (aus[:, au_index("AU25")] > 1) + 3.0 * (aus[:, au_index("AU45")] > 2)
    weights += 1.0 * ((aus[:, au_index("AU04")] > 2) | (aus[:, au_index("AU09")] > 1.5))
    weights *= np.where(samples.zooms > _BLURRED, 0.5, 1.0) * np.where(np.abs(samples.yaws) > 0.6, 0.5, 1.0)
    for which, share in ((samples.grey, grey), (~samples.grey, 1 - grey)):
        weights[which] *= share / max(weights[which].sum(), 1e-9)
    return weights / weights.sum()


def plan_away(sample: FaceSample, rng: np.random.Generator) -> AUVector:
    """(17,) relative action units that lead a face away from what it shows; the way back is the lesson."""
    away = np.zeros(AU_COUNT, np.float32)
    face = face_of(sample.landmarks)
    if rng.random() < 0.75:
        if _gap_mm(face.landmarks, MOUTH, face.pose.scale) > _OPEN_MM:
            away[[au_index("AU25"), au_index("AU26")]] = -rng.uniform(2, 5), -rng.uniform(0, 3)
        else:
            away[[au_index("AU25"), au_index("AU26")]] = rng.uniform(0.5, 4), rng.uniform(0, 2.5)
        shape = rng.choice(_MOUTH_SHAPES, 2, replace=False)
        away[shape] = rng.uniform(-1, 1, 2) * np.where(sample.aus[shape] > 1, 2.5, 1.2)
    lids = min(_gap_mm(face.landmarks, eye, face.pose.scale) for eye in (LEFT_EYE, RIGHT_EYE))
    shut = lids < _SHUT_EYE_MM or sample.aus[au_index("AU45")] > 1.5
    if rng.random() < (0.8 if shut else 0.3):
        away[au_index("AU45")] = -rng.uniform(2, 5) if shut else rng.uniform(1, 5)
        away[au_index("AU05")] = rng.uniform(0, 2) if shut else 0
    if rng.random() < 0.7:
        shown = np.array([k for k in _FOLDS if sample.aus[k] > 0.6], np.intp)
        away[shown] -= rng.uniform(0.4, 1, len(shown)).astype(np.float32) * sample.aus[shown]
        new = rng.choice(_FOLDS)
        away[new] += rng.uniform(0, 2.5) * (rng.random() < 0.5) * (sample.aus[new] < 1)
    return away


_WISHES: tuple[dict[str, float], ...] = (
    {"AU12": 3, "AU06": 1.5, "AU25": 2},
    {"AU12": 2, "AU25": 3, "AU26": 1.5},
    {"AU01": 2, "AU02": 3, "AU05": 2, "AU25": 2, "AU26": 3},
    {"AU45": 4},
    {"AU04": 3, "AU07": 1},
    {"AU09": 3, "AU10": 2, "AU04": 1},
    {"AU01": 2, "AU04": 1, "AU15": 3, "AU17": 1},
    {"AU25": -4, "AU26": -3},
    {"AU25": 3, "AU26": 2},
    {"AU10": 3, "AU25": 2},
    {"AU01": 3, "AU02": 3},
    {"AU17": 3, "AU15": 1},
)
"""What people ask for: smiles, surprise, a blink, a frown, disgust, sadness, speech."""


def plausible_change(sample: FaceSample, other: AUVector, rng: np.random.Generator) -> AUVector:
    """(17,) towards another face's action units, or a common wish, at any strength."""
    if rng.random() < 0.4:
        return (rng.uniform(0.3, 1.2) * (other - sample.aus)).astype(np.float32)
    change = np.zeros(AU_COUNT, np.float32)
    for code, amount in _WISHES[int(rng.integers(len(_WISHES)))].items():
        change[au_index(code)] = amount * rng.uniform(0.4, 1.3)
    return change


def vary(sample: FaceSample, options: LiveExampleOptions, rng: np.random.Generator) -> FaceSample:
    """The sample mirrored, shifted, turned, zoomed, lit and coloured at random."""
    size = sample.image.shape[0]
    centre = (size - 1) / 2
    turn = float(rng.uniform(-options.turn_deg, options.turn_deg))
    matrix = cv2.getRotationMatrix2D((centre, centre), turn, 1 + float(rng.uniform(-1, 1)) * options.zoom)
    matrix[:, 2] += rng.uniform(-options.shift_px, options.shift_px, 2)
    alignment = Alignment(matrix.astype(np.float32), size)
    image = cv2.warpAffine(
        sample.image, alignment.matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    landmarks = alignment.points(sample.landmarks)
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
        landmarks = landmarks[load_shape().mirror] * np.array([-1, 1, 1], np.float32) + np.array(
            [size - 1, 0, 0], np.float32
        )
    return replace(sample, image=_relight(image, landmarks, options, rng), landmarks=landmarks)


def _relight(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    options: LiveExampleOptions,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Exposure, gamma and white balance of another camera; grey pictures get the tint of skin and mouth."""
    balance = rng.uniform(0.92, 1.08, 3)
    grey = np.ptp(image[::8, ::8].astype(np.int16), axis=2).mean() < 4
    if grey and rng.random() < options.tint:
        balance *= 1 + rng.uniform(0.4, 1.3) * np.array([0.16, -0.02, -0.16])
        image = redden_mouth(image, landmarks, float(rng.uniform(0.5, 1.3)))
    levels = np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.8, 1.25) * rng.uniform(0.85, 1.12) * balance
    table = np.rint(np.clip(levels * 255, 0, 255)).astype(np.uint8)
    return cv2.LUT(image, table[None])


def redden_mouth(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32], amount: float
) -> NDArray[np.uint8]:
    """A grey picture (height, width, 3) with what is between the lips redder, but for what is light as teeth.

    Else the many open mouths of grey pictures would teach that tongues and gums are pale.
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(landmarks[list(MOUTH.outline), :2]).astype(np.int32)], 255)
    if not mask.any():
        return image
    x0, y0, width, height = cv2.boundingRect(mask)
    x0, y0, x1, y1 = max(x0 - 2, 0), max(y0 - 2, 0), x0 + width + 2, y0 + height + 2
    inside = cv2.GaussianBlur(mask[y0:y1, x0:x1], (3, 3), 0).astype(np.float32)[..., None] / 255
    part = image[y0:y1, x0:x1].astype(np.float32)
    nose_x, nose_y = np.rint(landmarks[4, :2]).astype(int)
    skin = max(float(np.median(image[nose_y - 8 : nose_y + 8, nose_x - 8 : nose_x + 8])), 1.0)
    white = smoothstep((part.mean(axis=2, keepdims=True) / skin - _TOOTH[0]) / (_TOOTH[1] - _TOOTH[0]))
    part *= 1 + amount * inside * (1 - white) * _REDNESS
    image = image.copy()
    image[y0:y1, x0:x1] = np.rint(np.minimum(part, 255)).astype(np.uint8)
    return image


def skin_mask(sample: FaceSample) -> NDArray[np.float32]:
    """(height, width) 0 on lips, eyes and brows, 1 elsewhere, with soft edges."""
    mask = np.full(sample.image.shape[:2], 255, np.uint8)
    places = np.rint(sample.landmarks[:, :2]).astype(np.int32)
    for outline in (OUTER_LIPS, LEFT_EYE.outline, RIGHT_EYE.outline, *BROWS):
        cv2.fillPoly(mask, [places[list(outline)]], 0)
    return cv2.GaussianBlur(mask, (0, 0), 2.0).astype(np.float32) / 255


def _gap_mm(landmarks: NDArray[np.float32], opening: Opening, scale: float) -> float:
    middle = len(opening.upper) // 2
    apart = landmarks[opening.lower[middle], :2] - landmarks[opening.upper[middle], :2]
    return float(np.hypot(*apart)) / scale


def _to_tensors(move: Move, sample: FaceSample, has_truth: bool) -> dict[str, Tensor]:
    margin = (sample.image.shape[0] - _CROP.size) // 2
    inner = np.s_[margin : margin + _CROP.size, margin : margin + _CROP.size]
    here = Alignment(np.array([[1, 0, -margin], [0, 1, -margin]], np.float32), _CROP.size)
    mask = np.stack([opening_mask(move.landmarks, here), gate(move.landmarks, move.change, here)])
    change = both(move.change)
    aim = sample.aus if has_truth else np.clip(sample.aus + change, 0, MAX_INTENSITY)
    return {
        "warped": _planes(move.picture[inner]),
        "truth": _planes(sample.image[inner]),
        "mask": torch.from_numpy(mask),
        "relative_aus": torch.from_numpy((change / MAX_INTENSITY).astype(np.float32)),
        "centres": torch.from_numpy(_centres(here.points(sample.landmarks))),
        "aus": torch.from_numpy((sample.aus / MAX_INTENSITY).astype(np.float32)),
        "aim": torch.from_numpy((aim / MAX_INTENSITY).astype(np.float32)),
        "has_truth": torch.tensor(float(has_truth)),
    }


def _centres(landmarks: NDArray[np.float32]) -> NDArray[np.int64]:
    """(2, 2) whole pixels: the middle of the mouth, and of the eyes and what is above them."""
    mouth, *eyes = (landmarks[list(opening.outline), :2].mean(axis=0) for opening in OPENINGS)
    return np.rint([mouth, np.mean(eyes, axis=0) - (0, _ABOVE_EYES_PX)]).astype(np.int64)


def _planes(image: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
