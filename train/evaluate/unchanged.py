"""Measures whether no change leaves the picture unchanged, and any change the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from calib.au import neutral_aus
from train.evaluate import comparison_masks
from train.evaluate.likeness import Likeness, likeness
from train.evaluate.methods import Method
from train.evaluate.result_table import Cell, ResultTable
from train.evaluate.sheet_expressions import BY_NAME
from train.evaluate.statistics import mean
from train.evaluate.subjects import Subject

BEYOND_MM = 12.0
"""The distance from the face at which background begins."""
ASKED = BY_NAME["surprise"]


@dataclass(frozen=True)
class Unchanged:
    """A method's results for no change, and its effect on the background."""

    faces: tuple[Likeness, ...]
    """The likeness of each picture and its result for no change, inside the face."""
    background: tuple[float, ...]
    """The mean absolute change of grey levels outside the face, when surprise is asked for."""

    @property
    def exact(self) -> int:
        """The number of results that equal their input bit for bit."""
        return sum(each.psnr == float("inf") for each in self.faces)


def measure_unchanged(method: Method, subjects: Sequence[Subject]) -> Unchanged:
    """Measures every subject with a change of zero and with surprise."""
    faces, background = [], []
    for subject in subjects:
        still = method(subject.frame, subject.face, neutral_aus(), subject.measured)
        inside = comparison_masks.face(subject.face.landmarks, subject.frame.size[0])
        alike = likeness(still, subject.frame.image, inside)
        assert alike is not None
        faces.append(alike)
        moved = method(subject.frame, subject.face, ASKED.change(subject.measured), subject.measured)
        reach = 2 * round(BEYOND_MM * subject.face.pose.scale) + 1
        outside = cv2.dilate(inside.astype(np.uint8), np.ones((reach, reach), np.uint8)) == 0
        background.append(float(cv2.absdiff(moved, subject.frame.image)[outside].mean()))
    return Unchanged(tuple(faces), tuple(background))


def unchanged_table(results: Mapping[str, Unchanged]) -> ResultTable:
    """Returns the table of unchanged faces and backgrounds by method."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            method,
            len(result.faces),
            result.exact,
            mean([each.psnr for each in result.faces]),
            mean([each.ssim for each in result.faces]),
            mean(result.background),
        )
        for method, result in results.items()
    )
    note = (
        "The result for a change of 0 against the input, inside the face, for held-out people; and the "
        f"change in grey levels of the background, {BEYOND_MM:g} mm and more outside the face, for surprise."
    )
    columns = ("method", "faces", "bit for bit the input", "PSNR dB", "SSIM", "background")
    return ResultTable("unchanged", "Zero change, and the background", note, columns, rows)
