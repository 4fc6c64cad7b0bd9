"""Contact sheets: the same faces and expressions by every method, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.generate.geometry.face_crop import FaceCrop
from reenact.media.atomic import replacing
from train.data.shards import Shards
from train.evaluate.methods import Method, Picture
from train.evaluate.picture_reader import PictureReader
from train.evaluate.sheet_expressions import Expression
from train.evaluate.subjects import Subject, read_subjects, spread_rows

FACES = 24
PAGE_PX = (1200, 1600)
"""The (height, width) of a page, which fits a screen at full size."""

CROP = FaceCrop()
MOST_ZOOMED = 1.8
"""The largest zoom of a face, if there are enough others; with more, the face lacks detail."""
TITLE_PX = 36
LABEL_PX = 18
GAP_PX = 6
_INK, _PAPER = (20, 20, 20), 245


@dataclass(frozen=True, eq=False)
class Sheet:
    """One expression and the faces that it is asked of."""

    expression: Expression
    subjects: tuple[Subject, ...]


def choose_sheet(
    expression: Expression, unseen: Shards, seed: int, reader: PictureReader, faces: int = FACES
) -> Sheet:
    """Chooses faces that the expression suits; those in colour and with detail come first."""
    eligible = expression.eligible(unseen.aus)
    fine = eligible & ~unseen.grey & (unseen.zooms < MOST_ZOOMED)
    rows = spread_rows(unseen, faces, seed, fine)
    if len(rows) < faces:
        others = ~np.isin(unseen.persons, unseen.persons[rows])
        rows += spread_rows(unseen, faces - len(rows), seed, eligible & others)
    return Sheet(expression, tuple(read_subjects(unseen, rows, reader)))


def write_sheet(sheet: Sheet, methods: Mapping[str, Method], folder: Path) -> list[Path]:
    """Writes PNG pages `expression-1.png` and so on, and returns their paths."""
    cells = [_row_of_cells(subject, sheet.expression, methods) for subject in sheet.subjects]
    layout = Layout.of(len(methods), cells[0].shape[0] if cells else 0)
    paths = []
    for number, page in enumerate(layout.pages(cells), start=1):
        title = (
            f"{sheet.expression.name}  ({sheet.expression.spec})  asked of {sheet.expression.of}: "
            f"{', '.join(methods)}"
        )
        path = folder / f"{sheet.expression.name.replace(' ', '-')}-{number}.png"
        _write(path, _titled(page, title))
        paths.append(path)
    return paths


@dataclass(frozen=True)
class Layout:
    """The number of faces beside and below each other on a page."""

    across: int
    down: int

    @classmethod
    def of(cls, methods: int, cell_height: int) -> Layout:
        """Returns the layout of a page for this number of methods and this height of a row."""
        width = methods * CROP.size + 2 * GAP_PX
        height = max(1, cell_height + GAP_PX)
        return cls(max(1, PAGE_PX[1] // width), max(1, (PAGE_PX[0] - TITLE_PX) // height))

    def pages(self, cells: Sequence[Picture]) -> Iterator[Picture]:
        """Yields pages of cells."""
        for start in range(0, len(cells), self.across * self.down):
            rows = [
                cells[first : first + self.across]
                for first in range(start, min(len(cells), start + self.across * self.down), self.across)
            ]
            width = max(sum(cell.shape[1] + GAP_PX for cell in row) for row in rows)
            yield np.vstack([_beside(row, width) for row in rows])


def _row_of_cells(subject: Subject, expression: Expression, methods: Mapping[str, Method]) -> Picture:
    """Returns one face by all methods, with its name above."""
    change = expression.change(subject.measured)
    alignment = CROP.align(subject.face)
    crops = [
        alignment.crop(method(subject.frame, subject.face, change, subject.measured))
        for method in methods.values()
    ]
    strip = np.hstack(crops)
    label = np.full((LABEL_PX, strip.shape[1], 3), _PAPER, np.uint8)
    _print(label, f"{subject.collection}/{subject.name}"[: strip.shape[1] // 7], (4, 13), 0.4)
    return np.vstack([label, strip])


def _beside(row: Sequence[Picture], width: int) -> Picture:
    height = row[0].shape[0]
    gap = np.full((height, GAP_PX, 3), _PAPER, np.uint8)
    joined = np.hstack([part for cell in row for part in (cell, gap)])
    padded = np.full((height + GAP_PX, width, 3), _PAPER, np.uint8)
    padded[:height, : joined.shape[1]] = joined
    return padded


def _titled(page: Picture, title: str) -> Picture:
    bar = np.full((TITLE_PX, page.shape[1], 3), _PAPER, np.uint8)
    _print(bar, title, (6, 24), 0.6)
    return np.vstack([bar, page])


def _print(image: Picture, text: str, place: tuple[int, int], scale: float) -> None:
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    with replacing(path) as beside:
        cv2.imwrite(str(beside), np.ascontiguousarray(image[:, :, ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 4])
