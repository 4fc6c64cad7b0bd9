"""The table of a report: CSV with a row for each frame, face and action unit."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from calib.au import AU_CODES
from reenact.media.atomic import replacing
from reenact.verify.face_comparison import FaceComparison

COLUMNS = ("frame", "timestamp", "face_id", "au", "before", "wanted", "asked", "after")
"""The columns. `frame` counts from 1 and `timestamp` is in seconds, as in the tables of `reenact aus`.
`after` is empty where the face was not found in the output."""


def write_table(comparisons: Sequence[FaceComparison], path: Path) -> None:
    """Writes all rows to `path`, or leaves the file as it was. Raises OSError."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for comparison in comparisons:
            writer.writerows(_rows(comparison))


def _rows(comparison: FaceComparison) -> Iterator[list[str]]:
    values = np.stack([comparison.before, comparison.wanted, comparison.asked, comparison.after], axis=-1)
    for frame, time_s, of_frame in zip(comparison.frames, comparison.times_s, values, strict=True):
        for code, row in zip(AU_CODES, of_frame, strict=True):
            cells = ("" if np.isnan(value) else f"{value:.3f}" for value in row)
            yield [str(frame + 1), f"{time_s:.6f}", str(comparison.track_id), code, *cells]
