"""Fits expression ratio images of single people: how skin darkens and brightens with each action unit.

Folds are neither made nor removed by moving pixels. Liu, Shan & Zhang (SIGGRAPH 2001) transferred them from
one face to another as ratios of brightness. Here every person who is seen at rest and with several
expressions in the same light gives a ratio image for each expression, on the canonical face. The contribution
of each action unit is fitted cell by cell, by ridge regression on the changes of the action units that reach
the cell. Only shading that is wider than lines is averaged over people, so that lines stay sharp.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import OPENFACE_CODES, OPENFACE_COUNT, AUVector, au_index
from calib.openings import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from calib.ramp import smoothstep
from calib.shape import LANDMARK_COUNT, load_shape
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.geometry.flow import rasterise
from reenact.generate.geometry.mesh import border, warp_triangles
from reenact.generate.painters.creases import (
    CELL_MM,
    COARSE_SIZE,
    ORIGIN_MM,
    SIZE,
    STEP,
    CreaseLines,
    Creases,
    to_cells,
)
from reenact.generate.painters.skin import Skin, see_skin
from reenact.media.atomic import replacing
from reenact.records import Face, Frame

BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
_FOREHEAD = (10, 151, 67, 297, 69, 299, 104, 333, 108, 337)
_NASOLABIAL = (129, 358, 203, 423, 206, 426, 216, 436, 212, 432)
_MOUTH_CORNERS = (57, 287, 61, 291, 43, 273, 202, 422)
_LOWER_LIDS = (226, 446, 31, 261, 228, 448, 229, 449)

REGIONS: dict[str, tuple[tuple[int, ...], float]] = {
    "AU01": ((*_FOREHEAD, 66, 296, 107, 336), 22),
    "AU02": ((*_FOREHEAD, 105, 334, 52, 282, 63, 293, 68, 298), 26),
    "AU04": ((9, 8, 168, 107, 336, 55, 285, 66, 296, 151), 24),
    "AU06": ((*_LOWER_LIDS, 116, 345, 117, 346, 35, 265, 143, 372, 34, 264, 130, 359), 24),
    "AU09": ((6, 168, 197, 195, 122, 351, 49, 279, 193, 417, *_NASOLABIAL[:4]), 22),
    "AU10": (_NASOLABIAL, 18),
    "AU12": ((*_NASOLABIAL, 57, 287, 205, 425), 20),
    "AU14": ((*_MOUTH_CORNERS, *_NASOLABIAL[4:]), 18),
    "AU15": ((*_MOUTH_CORNERS, 204, 424, 212, 432, 194, 418), 18),
    "AU17": ((17, 18, 200, 199, 175, 83, 313, 182, 406, 201, 421), 20),
    "AU20": ((*_MOUTH_CORNERS, 204, 424, 212, 432, 214, 434, 192, 416, 32, 262, 194, 418), 22),
}
"""The landmarks around which each action unit folds skin, and the distance from them in canonical
millimetres."""


STRENGTH = {
    "AU04": 1.0,
    "AU06": 2.1,
    "AU09": 1.3,
    "AU14": 1.4,
    "AU15": 1.1,
    "AU17": 1.5,
    "AU20": 1.4,
}
"""Factors on the fitted folds, found in closed loop: noise in the labels of single pictures shrinks the
slopes of a regression."""

BORROWED: dict[str, dict[str, float]] = {"AU23": {"AU15": 0.35, "AU17": 0.45}}
"""Action units that are rarely seen alone, and the weights of the other folds that they take: pressed lips
wrinkle the skin below them and beside their corners as those action units do (FACS, AU23 and AU24)."""

DIMPLES = 0.045
"""Change of log brightness for one unit of AU17 in the dimples of a chin. They are synthetic, as the fit
keeps folds, which are long, and removes round shapes as pores."""
_DIMPLE_MM = 2.8
"""The distance between dimples."""
_CHIN_MM = ((0.0, 76.0), (17.0, 10.0))
"""The canonical centre of the chin's boss, and half its width and height."""


@dataclass(frozen=True)
class CreaseOptions:
    """The options of the fit of folds."""

    ridge: float = 0.4
    """Penalty on the squared change for one unit. The sum of an action unit's squared changes over one
    person's pictures is about 10."""
    band_mm: float = 6.0
    """Standard deviation of the blur that separates lines from shading."""
    widest_mm: float = 22.0
    """Standard deviation of the blur that removes differences of light."""
    noise: float = 0.002
    """Change of log brightness for one unit below which lines count as pores and noise."""
    least_pictures: int = 6
    """The number of pictures in the same light that a person needs for a fit."""
    same_light: float = 0.2
    """RMS ratio, in log brightness blurred to `widest_mm`, of a picture to the person's median picture, above
    which the light counts as different."""
    lines: tuple[float, float] = (1.05, 1.6)
    """Factors on the fitted lines for the smoothest and for the roughest skin."""
    shading: float = 0.8
    """Factor on the fitted shading."""


@dataclass(frozen=True, eq=False)
class Look:
    """The skin in one picture of a person."""

    aus: AUVector
    """(17,) intensities, 0..5."""
    log: NDArray[np.float16]
    """(380, 320) log brightness on the canonical face."""
    bare: NDArray[np.float16]
    """(380, 320) 1 on bare skin, 0 on hair."""


_FLOOR = 12.0
"""Grey levels that are added before the logarithm, against noise in dark places."""
_SKIN = FaceCrop(size=96)


def skin_of(frame: Frame, face: Face) -> Skin:
    """Returns the skin of a face in the run-time's crop."""
    alignment = _SKIN.align(face)
    return see_skin(
        alignment.crop(frame.image), alignment.points(face.landmarks), _SKIN.size / _SKIN.width_mm
    )


def to_look(frame: Frame, face: Face, aus: AUVector) -> Look:
    """Returns the skin of a face with known action units, on the canonical face."""
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    log = np.log(_unwrapped(grey, face.landmarks) + _FLOOR)
    bare = _unwrapped(skin_of(frame, face).bare, _SKIN.align(face).points(face.landmarks))
    return Look(aus, log.astype(np.float16), bare.astype(np.float16))


def fit_creases(
    people: Iterable[Sequence[Look]], roughness: Sequence[float], options: CreaseOptions = CreaseOptions()
) -> Creases:
    """Fits the folds of every person with enough pictures, ordered by the depth of their lines.

    people: the pictures of each person. roughness: the roughness of the skin of other people, which gives its
    usual distribution; the person with the faintest lines is assigned to the smoothest skin.
    Raises ValueError where no person has enough pictures in the same light.
    """
    fitted = [fit_person(looks, options) for looks in people]
    found = [person for person in fitted if person is not None]
    if not found:
        raise ValueError(
            f"no person has {options.least_pictures} pictures in the same light; add people who show "
            "several expressions, such as those of openpeople"
        )
    found.sort(key=lambda person: float(np.abs(person.lines).mean()))
    usual = np.quantile(roughness, (np.arange(len(found)) + 0.5) / len(found))
    shading = np.mean([_symmetric(person.shading) for person in found], axis=0)
    strength = np.array([STRENGTH.get(code, 1.0) for code in OPENFACE_CODES], np.float32)[:, None, None]
    depth = np.linspace(*options.lines, len(found), dtype=np.float32)[:, None, None, None]
    lines = strength * _without_beards(found)
    lines, shading, reach = _with_borrowed(lines), _with_borrowed(strength * shading), fold_reach()
    # Pressed lips leave the chin smooth, so only fitted folds are taken over, not dimples.
    lines[:, au_index("AU17")] += DIMPLES * dimples()
    lines = depth * lines
    return Creases(
        tuple(_cut(index, lines[:, index]) for index in range(OPENFACE_COUNT) if lines[:, index].any()),
        (options.shading * _coarse(shading)).astype(np.float32),
        np.minimum(_coarse(_with_borrowed(reach)), 1),
        np.maximum.accumulate(usual + 1e-6 * np.arange(len(found))).astype(np.float32),
    )


def _with_borrowed(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns `planes` (..., 17, 380, 320) with those of BORROWED composed of others."""
    filled = planes.copy()
    for code, shares in BORROWED.items():
        filled[..., au_index(code), :, :] = sum(
            share * planes[..., au_index(other), :, :] for other, share in shares.items()
        )
    return filled


@lru_cache(maxsize=1)
def dimples() -> NDArray[np.float32]:
    """Returns (380, 320), about -2..1: irregular dark dents and light bumps in the boss of a raised chin."""
    noise = np.random.default_rng(3).normal(size=SIZE).astype(np.float32)
    fine, wide = (cv2.GaussianBlur(noise, (0, 0), share * _DIMPLE_MM / CELL_MM) for share in (0.27, 0.45))
    bumps = fine - wide
    bumps /= bumps.std()
    uneven = 0.25 * np.clip(-bumps - 0.2, 0, 2) - np.clip(bumps - 0.2, 0, 2.2)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] * CELL_MM + CELL_MM / 2
    (middle_x, middle_y), (half_width, half_height) = _CHIN_MM
    away = np.hypot((x + ORIGIN_MM[0] - middle_x) / half_width, (y + ORIGIN_MM[1] - middle_y) / half_height)
    return (uneven * smoothstep((1.25 - away) / 0.7)).astype(np.float32)


def _coarse(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Resamples planes (k, 380, 320) to (k, 95, 80), the grid of smooth planes."""
    size = COARSE_SIZE[::-1]
    return np.array([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes], np.float32)


@dataclass(frozen=True, eq=False)
class PersonFolds:
    """The change of one person's skin for one unit of each action unit."""

    lines: NDArray[np.float32]
    """(17, 380, 320) change of log brightness by lines."""
    shading: NDArray[np.float32]
    """(17, 380, 320) change of log brightness by wider shading."""
    bare: NDArray[np.float32]
    """(380, 320) 1 on bare skin, 0 on hair."""


def fit_person(looks: Sequence[Look], options: CreaseOptions) -> PersonFolds | None:
    """Fits the folds of one person. None: too few pictures are in the light of the one at rest."""
    usual = np.median([look.log.astype(np.float32) for look in looks], axis=0)
    changes, lines, shadings = [], [], []
    for look in looks:
        ratio = np.clip(look.log.astype(np.float32) - usual, -0.9, 0.9)
        light = _blurred(ratio, options.widest_mm)
        if float(np.sqrt((light[_cells().covered] ** 2).mean())) > options.same_light:
            continue
        wide = _blurred(ratio, options.band_mm)
        changes.append(look.aus)
        lines.append(ratio - wide)
        shadings.append(wide - light)
    if len(changes) < options.least_pictures:
        return None
    # Hair is in every picture; a deep fold, which is as dark and rough, is only in some.
    bare = np.quantile([look.bare.astype(np.float32) for look in looks], 0.8, axis=0)
    design = np.array(changes)
    drawn = _solve(design, np.array(lines), options.ridge) * skin_masks()
    drawn = np.array([along_lines(plane) if plane.any() else plane for plane in drawn])
    return PersonFolds(
        np.sign(drawn) * np.maximum(np.abs(drawn) - options.noise, 0),
        _solve(design, np.array(shadings), options.ridge),
        bare,
    )


def _solve(changes: NDArray[np.float32], ratios: NDArray[np.float32], ridge: float) -> NDArray[np.float32]:
    """Returns the change for one unit, (17, 380, 320), from changes (n, 17) and ratio images (n, 380, 320).

    In every cell only the action units that reach it are fitted.
    """
    folding = [au_index(code) for code in REGIONS]
    reach = fold_reach()[folding].reshape(len(folding), -1).T
    changes, ratios = changes - changes.mean(axis=0), ratios - ratios.mean(axis=0)
    moment = (changes[:, folding].T @ ratios.reshape(len(ratios), -1)).T * reach
    gram = (changes[:, folding].T @ changes[:, folding]) * reach[:, :, None] * reach[:, None]
    solution = np.linalg.solve(gram + ridge * np.eye(len(folding), dtype=np.float32), moment[..., None])
    fitted = np.zeros((OPENFACE_COUNT, *SIZE), np.float32)
    fitted[folding] = (solution[..., 0] * reach).T.reshape(len(folding), *SIZE)
    return fitted


def along_lines(
    plane: NDArray[np.float32], length_mm: float = 1.6, width_mm: float = 0.45, directions: int = 12
) -> NDArray[np.float32]:
    """Returns a plane (rows, columns) blurred along its lines: folds stay sharp, pores and noise vanish.

    The direction in each cell is the one in which the blurred plane differs most from 0, over a fold's
    length. length_mm, width_mm: standard deviations of the blur along a line and across it.
    """
    blurred = np.array(
        [
            cv2.filter2D(plane, cv2.CV_32F, _elongated(np.pi * k / directions, length_mm, width_mm))
            for k in range(directions)
        ]
    )
    strength = np.array([cv2.GaussianBlur(one**2, (0, 0), length_mm / CELL_MM) for one in blurred])
    return np.take_along_axis(blurred, strength.argmax(axis=0)[None], axis=0)[0]


def _elongated(angle: float, length_mm: float, width_mm: float) -> NDArray[np.float32]:
    """Returns a Gaussian elongated in the direction of the angle, radians, with sum 1, in cells of SIZE."""
    radius = int(3 * length_mm / CELL_MM)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1] * CELL_MM
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * ((along / length_mm) ** 2 + (across / width_mm) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)


def _without_beards(people: Sequence[PersonFolds]) -> NDArray[np.float32]:
    """Returns the lines of all people, (people, 17, 380, 320); where hair covers them, those of the next
    person in order without hair there."""
    lines = np.array([person.lines for person in people])
    bare = np.array([smoothstep((person.bare - 0.5) / 0.4) for person in people])
    bare = np.array([_blurred(cv2.erode(plane, _disc(2.0)), 1.5) for plane in bare])
    filled = np.empty_like(lines)
    for number in range(len(people)):
        donors = sorted(range(len(people)), key=lambda other: abs(other - number))
        left, total = np.ones(SIZE, np.float32), np.zeros_like(lines[0])
        for donor in donors:
            share = left * bare[donor]
            total += share * lines[donor]
            left = left - share
        filled[number] = total
    return filled


def _cut(index: int, lines: NDArray[np.float32]) -> CreaseLines:
    """Crops the lines of an action unit (people, 380, 320) to the part that is saved."""
    drawn = np.clip(np.rint(lines / STEP), -127, 127).astype(np.int8)
    rows = np.flatnonzero(drawn.any(axis=(0, 2)))
    columns = np.flatnonzero(drawn.any(axis=(0, 1)))
    return CreaseLines(
        index,
        (int(rows[0]), int(columns[0])),
        drawn[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy(),
    )


def save_creases(creases: Creases, path: Path) -> None:
    """Saves the folds in the format of reenact.generate.painters.creases.load_creases."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(
            file,
            corners=np.array([(lines.index, *lines.corner) for lines in creases.lines]),
            shading=np.clip(np.rint(creases.shading / STEP), -127, 127).astype(np.int8),
            reach=np.rint(255 * creases.reach).astype(np.uint8),
            roughness=creases.roughness,
            **{f"lines_{lines.index}": lines.people for lines in creases.lines},
        )


@lru_cache(maxsize=1)
def fold_reach() -> NDArray[np.float32]:
    """Returns (17, 380, 320), 0..1: where each action unit folds skin."""
    canonical = load_shape().canonical
    reach = np.zeros((OPENFACE_COUNT, LANDMARK_COUNT), np.float32)
    for code, (landmarks, radius_mm) in REGIONS.items():
        apart = np.linalg.norm(canonical[:, None] - canonical[list(landmarks)], axis=2).min(axis=1)
        reach[au_index(code)] = smoothstep(2 - 2 * apart / radius_mm)
    reach[:, border(warp_triangles())] = 0
    cells = _cells()
    return (reach[:, cells.triangles] * cells.weights).sum(axis=3) * cells.covered


@lru_cache(maxsize=1)
def skin_masks() -> NDArray[np.float32]:
    """Returns (17, 380, 320): 1 on skin, 0 on lips, eyes, nostrils and brows, whose edges move over the
    canonical cells. For action units that move brows it is also 0 between brows and eyes."""
    features = (OUTER_LIPS, LEFT_EYE.outline, RIGHT_EYE.outline, *BROWS, *_NOSTRILS)
    sockets = tuple((*eye.outline, *brow) for eye, brow in zip((LEFT_EYE, RIGHT_EYE), BROWS, strict=True))
    of_brows = {au_index("AU01"), au_index("AU02")}
    with_sockets, without = _outside((*features, *sockets, _GLABELLA)), _outside(features)
    inside = cv2.distanceTransform(_cells().covered.astype(np.uint8), cv2.DIST_L2, 5) * CELL_MM
    masks = [with_sockets if index in of_brows else without for index in range(OPENFACE_COUNT)]
    return np.array(masks) * smoothstep((inside - _EDGE_MM[0]) / (_EDGE_MM[1] - _EDGE_MM[0])).astype(
        np.float32
    )


def _outside(outlines: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Returns (380, 320): 0 within the convex hulls of landmarks, 1 outside, with a soft edge."""
    blocked = np.zeros(SIZE, np.float32)
    places = to_cells(load_shape().canonical)
    for outline in outlines:
        hull = cv2.convexHull(np.round(places[list(outline)]).astype(np.int32))
        cv2.fillConvexPoly(blocked, hull, 1.0)
    return cv2.GaussianBlur(1 - cv2.dilate(blocked, _disc(1.0)), (0, 0), 0.8 / CELL_MM)


_GLABELLA = (107, 336, 55, 285, 8, 9)
_EDGE_MM = (3.0, 12.0)
"""Distances from the mesh's edge, which lies on hair and background, at which lines begin and are
complete."""
_NOSTRILS = ((98, 97, 2, 99, 240, 75), (327, 326, 2, 328, 460, 305))


@dataclass(frozen=True, eq=False)
class _Cells:
    triangles: NDArray[np.intp]
    """(380, 320, 3) the landmarks around each cell."""
    weights: NDArray[np.float32]
    """(380, 320, 3) the weights of these landmarks."""
    covered: NDArray[np.bool_]
    """(380, 320) whether a triangle covers the cell."""


@lru_cache(maxsize=1)
def _cells() -> _Cells:
    """Returns the canonical face on the grid of SIZE."""
    triangles = load_shape().triangles.astype(np.intp)
    values = np.zeros((4, len(triangles), 3), np.float32)
    values[0] = np.arange(len(triangles))[:, None]
    values[1:] = np.eye(3)[:, None]
    canonical = load_shape().canonical
    planes, covered = rasterise(to_cells(canonical), triangles, values, canonical[:, 2], SIZE)
    return _Cells(
        triangles[np.rint(planes[0]).astype(np.intp)],
        np.ascontiguousarray(planes[1:].transpose(1, 2, 0)),
        covered,
    )


def _unwrapped(picture: NDArray[np.float32], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (380, 320): a picture on the canonical face, by its landmarks (478, 2 or 3)."""
    cells = _cells()
    places = (landmarks[:, :2][cells.triangles] * cells.weights[..., None]).sum(axis=2).astype(np.float32)
    return cv2.remap(
        picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _blurred(plane: NDArray[np.float32], sigma_mm: float) -> NDArray[np.float32]:
    """Returns the plane blurred within the face."""
    covered = _cells().covered.astype(np.float32)
    sigma = sigma_mm / CELL_MM
    total = cv2.GaussianBlur(plane * covered, (0, 0), sigma)
    return covered * total / np.maximum(cv2.GaussianBlur(covered, (0, 0), sigma), np.float32(1e-3))


def _symmetric(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    return (planes + planes[:, :, ::-1]) / 2


def _disc(radius_mm: float) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(radius_mm / CELL_MM) + 1,) * 2)
