"""Removes an expression from a picture and asks for it back; the original picture is the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import HIGHEST, LOWEST, AUVector, as_vector, au_index, both
from calib.basis import AUBasis, load_basis
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.programme.target_syntax import parse_targets
from reenact.records import Face, Frame
from train.data.degrade import applied_change, face_of, move_face
from train.data.shards import Shards
from train.evaluate import comparison_masks
from train.evaluate.comparison import Compared, comparison_table
from train.evaluate.likeness import Likeness, likeness
from train.evaluate.methods import Method
from train.evaluate.result_table import ResultTable
from train.evaluate.subjects import spread_rows

BLUR_MM = 2.5
"""A scale that is larger than the width of folds."""

MaskFunction = Callable[[NDArray[np.float32], int], comparison_masks.Mask]


@dataclass(frozen=True)
class RestorationCase:
    """An expression that is removed and asked for."""

    name: str
    """The name in tables."""
    away: str
    """The change that removes the expression, in the syntax of --target-aus."""
    shows: tuple[tuple[str, float, float], ...]
    """(action unit, least, most) intensities of the faces in this case."""
    region: MaskFunction
    """The region in which the result is compared."""
    creases: bool = False
    """Whether the skin of the region is also smoothed."""


RESTORATION_CASES = (
    RestorationCase(
        "open mouth, shut and asked to open",
        "AU25=0,AU26=0",
        (("AU25", 1.5, 5), ("AU12", 0, 1.5)),
        comparison_masks.inside_mouth,
    ),
    RestorationCase(
        "open smile, taken off and asked for",
        "AU06=0,AU12=0,AU25=0,AU26=0",
        (("AU25", 1.2, 5), ("AU12", 1.5, 5)),
        comparison_masks.inside_mouth,
    ),
    RestorationCase(
        "shut mouth, opened and asked to shut", "AU25=+2,AU26=+2", (("AU25", 0, 0.4),), comparison_masks.mouth
    ),
    RestorationCase(
        "open eyes, shut and asked to open", "AU45=+4", (("AU45", 0, 0.5),), comparison_masks.eyes
    ),
    RestorationCase(
        "shut eyes, opened and asked to shut", "AU45=0", (("AU45", 1.8, 5),), comparison_masks.eyes
    ),
    RestorationCase(
        "brows drawn, smoothed and asked for", "AU04=0", (("AU04", 1.2, 5),), comparison_masks.glabella, True
    ),
    RestorationCase(
        "nose wrinkled, smoothed and asked for",
        "AU09=0",
        (("AU09", 1.0, 5),),
        comparison_masks.nose_root,
        True,
    ),
    RestorationCase(
        "brows raised, smoothed and asked for",
        "AU01=0,AU02=0",
        (("AU02", 1.0, 5),),
        comparison_masks.forehead,
        True,
    ),
    RestorationCase(
        "cheeks raised, smoothed and asked for",
        "AU06=0,AU12=0",
        (("AU06", 1.8, 5),),
        comparison_masks.folds,
        True,
    ),
)


@dataclass(frozen=True, eq=False)
class Restoration:
    """One picture whose expression was removed."""

    case: str
    """The case's name."""
    degraded: Frame
    """The picture without the expression."""
    face: Face
    """The face in this picture."""
    measured: AUVector
    """(17,) the intensities that this picture shows."""
    change: AUVector
    """(17,) the change back to the expression."""
    truth: NDArray[np.uint8]
    """The original picture."""
    inside: comparison_masks.Mask
    """The mask of the comparison, in the run-time's crop."""
    crop: FaceCrop
    """The run-time's crop."""


def choose_restorations(shards: Shards, each: int, seed: int) -> list[Restoration]:
    """Chooses up to `each` faces of every case."""
    basis = load_basis()
    found = []
    for case in RESTORATION_CASES:
        eligible = np.all(
            [
                (shards.aus[:, au_index(code)] >= least) & (shards.aus[:, au_index(code)] <= most)
                for code, least, most in case.shows
            ],
            axis=0,
        )
        for row in spread_rows(shards, each, seed, eligible):
            sample = shards[row]
            found.append(degrade(case, sample.image, sample.landmarks, sample.aus, basis))
    return found


def degrade(
    case: RestorationCase,
    image: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    aus: AUVector,
    basis: AUBasis,
) -> Restoration:
    """Removes the expression of `case` from the picture, with the run-time's own geometry and painters."""
    face = face_of(landmarks)
    away = applied_change(face, parse_targets(case.away).change(as_vector(aus)), basis)
    there = move_face(image, landmarks, away, basis)
    # The original's pose is kept, so that the removed expression does not count as a turn of the head.
    moved = replace(face, landmarks=there.landmarks)
    picture = there.picture
    if case.creases:
        picture = smoothed(picture, case.region(there.landmarks, len(image)), BLUR_MM * face.pose.scale)
    crop = FaceCrop()
    alignment = crop.align(face)
    return Restoration(
        case.name,
        Frame(picture),
        moved,
        np.clip(as_vector(aus) + both(away), LOWEST, HIGHEST),
        -both(away),
        image,
        case.region(alignment.points(landmarks), alignment.size),
        crop,
    )


def smoothed(image: NDArray[np.uint8], inside: comparison_masks.Mask, width_px: float) -> NDArray[np.uint8]:
    """Returns `image` without detail finer than `width_px` in a region, whose edge fades over this width."""
    blurred = cv2.GaussianBlur(image, (0, 0), width_px)
    weight = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), width_px / 2)[..., None]
    return np.rint(image + weight * (blurred - image.astype(np.float32))).astype(np.uint8)


def measure_restoration(method: Method, restorations: Sequence[Restoration]) -> Compared:
    """Compares the results with the truth, by the names of the cases."""
    found: dict[str, list[Likeness | None]] = {case.name: [] for case in RESTORATION_CASES}
    for each in restorations:
        image = method(each.degraded, each.face, each.change, each.measured)
        alignment = each.crop.align(each.face)
        alike = likeness(alignment.crop(image), alignment.crop(each.truth), each.inside)
        found[each.case].append(alike)
    return Compared({name: tuple(alike) for name, alike in found.items()})


def restoration_table(results: Mapping[str, Compared]) -> ResultTable:
    """Returns the table of restorations by case and method."""
    note = (
        "Held-out people. Geometry and painters remove an expression from a picture (for creases the skin "
        f"there is also smoothed over {BLUR_MM:g} mm); the method is asked for the expression; the original "
        "is the truth. Compared inside the mouth, the mouth with its lips where it is shut, the eyes, or "
        "where the fold lies, in the 256 px crop. copy: the degraded picture. The last columns: the share "
        "of pictures on which the method is nearer to the truth."
    )
    return comparison_table("restoration", "Degrade and restore", note, results)
