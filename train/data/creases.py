"""Expression ratio images: how skin darkens and brightens with each action unit, as an average over faces.

Folds are neither made nor removed by moving pixels. Liu, Shan & Zhang (SIGGRAPH 2001) carried them from one
face to another as ratios of brightness; here their mean is fitted to labelled faces, by ridge regression of
band-passed log brightness on action units, place by place on the canonical face. Taking it off a face that
shows the action unit, or putting it on one that does not, gives a picture to which the face is the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, AU_COUNT, au_index
from calib.openings import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from calib.pose import fit_pose
from calib.shape import load_shape
from reenact.atomic import replacing
from reenact.generate.creases import ORIGIN_MM, SIZE, Creases
from reenact.generate.flow import rasterise
from reenact.generate.gate import reach
from train.data.shards import FaceSample

_BAND_MM = 6.0
"""Shading wider than this is light and bone rather than folds."""
_FOLDING = ("AU01", "AU02", "AU04", "AU06", "AU09", "AU10", "AU12", "AU14", "AU15", "AU17")
"""Action units that fold skin; the others move lips and lids."""
_AHEAD_RAD = 0.35
"""Faces with less yaw than this are fitted."""
_RIDGE = 50.0
_LIFTING = ("AU01", "AU02", "AU12")
"""Those that lift smooth skin into the light."""
_STRENGTH = 1.7
"""Of what is painted, in units of the mean that was fitted."""
_FLOOR = 12.0
"""Added to grey levels before their logarithm, against noise in the dark."""

BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))


def to_paint(fitted: Creases) -> Creases:
    """Of what was fitted, what may be painted: near each action unit, and strong enough to be seen.

    A mean over people whose folds lie in different places is fainter than any of them. Cheeks that a smile
    lifts, and lids under raised brows, catch the light of the photographers, which is not everybody's: of
    these action units only the folds are taken.
    """
    triangles = load_shape().triangles.astype(np.intp)
    places = (load_shape().canonical[:, :2] - ORIGIN_MM).astype(np.float32)
    near, _ = rasterise(places, triangles, reach()[:, triangles], load_shape().canonical[:, 2], SIZE)
    ratios = _STRENGTH * np.maximum(near, 0) * fitted.ratios
    for code in _LIFTING:
        ratios[au_index(code)] = np.minimum(ratios[au_index(code)], 0)
    return Creases(ratios)


def save_creases(creases: Creases, path: Path) -> None:
    """As reenact.generate.creases.load_creases takes them."""
    folding = [code for code in AU_CODES if creases.ratios[au_index(code)].any()]
    ratios = creases.ratios[[au_index(code) for code in folding]].astype(np.float16)
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, codes=np.array(folding), ratios=ratios)


def fit_creases(samples: Sequence[FaceSample], most: int = 3000) -> Creases:
    """Fitted to at most `most` of the samples, spread evenly."""
    chosen = range(0, len(samples), max(1, len(samples) // most))
    gram = np.zeros((AU_COUNT + 1, AU_COUNT + 1))
    moment = np.zeros((AU_COUNT + 1, SIZE[0] * SIZE[1]))
    for bands, aus in _batches(samples[index] for index in chosen):
        design = np.column_stack([aus, np.ones(len(aus))])
        gram += design.T @ design
        moment += design.T @ bands
    penalty = _RIDGE * np.diag([1.0] * AU_COUNT + [0.0])
    ratios = np.linalg.solve(gram + penalty + 1e-6 * np.eye(AU_COUNT + 1), moment)[:AU_COUNT]
    ratios = ratios.reshape(AU_COUNT, *SIZE) * _skin()
    ratios[[index for index in range(AU_COUNT) if index not in set(map(au_index, _FOLDING))]] = 0
    return Creases(ratios.astype(np.float32))


def _batches(
    samples: Iterable[FaceSample], size: int = 200
) -> Iterable[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """(n, cells) band-passed log brightness and (n, 17) action units, of the faces that look ahead."""
    bands, aus = [], []
    for sample in samples:
        if abs(fit_pose(sample.landmarks, load_shape()).angles[1]) > _AHEAD_RAD:
            continue
        bands.append(_band(sample).ravel())
        aus.append(sample.aus)
        if len(bands) == size:
            yield np.array(bands), np.array(aus)
            bands, aus = [], []
    if bands:
        yield np.array(bands), np.array(aus)


def _band(sample: FaceSample) -> NDArray[np.float32]:
    """(190, 160) log brightness on the canonical face without what is wider than folds, both sides alike."""
    triangles, weights, covered = _cells()
    places = (sample.landmarks[:, :2][triangles] * weights[..., None]).sum(axis=2)
    grey = cv2.cvtColor(sample.image, cv2.COLOR_RGB2GRAY)
    seen = cv2.remap(grey, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    log = np.log(seen + np.float32(_FLOOR)) * covered
    wide = cv2.GaussianBlur(log, (0, 0), _BAND_MM) / np.maximum(
        cv2.GaussianBlur(covered, (0, 0), _BAND_MM), np.float32(1e-3)
    )
    band = np.clip((log - wide) * covered, -1, 1)
    return (band + band[:, ::-1]) / 2


@lru_cache(maxsize=1)
def _cells() -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
    """Of every cell of the canonical face the triangle's landmarks and their weights, both (190, 160, 3), and
    (190, 160) 1 where there is a triangle."""
    shape = load_shape()
    triangles = shape.triangles.astype(np.intp)
    values = np.zeros((4, len(triangles), 3), np.float32)
    values[0] = np.arange(len(triangles))[:, None]
    values[1:] = np.eye(3)[:, None]
    places = (shape.canonical[:, :2] - ORIGIN_MM).astype(np.float32)
    planes, covered = rasterise(places, triangles, values, shape.canonical[:, 2], SIZE)
    return (
        triangles[np.rint(planes[0]).astype(np.intp)],
        np.ascontiguousarray(planes[1:].transpose(1, 2, 0)),
        covered.astype(np.float32),
    )


@lru_cache(maxsize=1)
def _skin() -> NDArray[np.float32]:
    """(190, 160) 1 on skin, 0 on lips, eyes and brows, whose own edges move over the canonical cells."""
    hidden = np.zeros(SIZE, np.uint8)
    places = np.rint(load_shape().canonical[:, :2] - ORIGIN_MM).astype(np.int32)
    for outline in (OUTER_LIPS, LEFT_EYE.outline, RIGHT_EYE.outline, *BROWS):
        cv2.fillPoly(hidden, [places[list(outline)]], 255)
    hidden = cv2.dilate(hidden, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    _, _, covered = _cells()
    inside = cv2.erode(covered, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    return cv2.GaussianBlur(inside * (hidden == 0), (0, 0), 1.5)
