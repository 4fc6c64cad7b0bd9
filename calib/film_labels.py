"""Reads one face's action units in a film from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.au import OPENFACE_COUNT, AUVector, openface
from calib.au_table import AUReading, open_au_table


def frame_labels(
    path: Path, refusal: type[ValueError], plain: bool = False, complete: bool = False
) -> Mapping[int, AUVector]:
    """Returns intensities (17,), 0..5, by the frame's index from 0; NaN where there is no value.

    Frames without a face are left out. Of several people the first counts.
    plain: whether AU01_rs, not normalised per person, is preferred to AU01_r.
    complete: whether all 17 action units are required; frames in which one has no value are then left out.
    Raises `refusal` with file, line and column.
    """
    with open_au_table(path, refusal, plain) as table:
        if complete:
            table.check_complete()
        if table.frame_column is None:
            raise refusal(f"line {table.table.header_line}: there is no column frame")
        labels: dict[int, AUReading] = {}
        for reading in _first_face(table.readings()):
            if reading.frame is None:
                raise refusal(f"line {reading.line}, column {table.frame_column}: there is no number")
            index = int(reading.frame) - table.columns.first_frame
            _check_agree(labels.setdefault(index, reading), reading, refusal)
    return {
        index: openface(each.aus)
        for index, each in sorted(labels.items())
        if not complete or not np.isnan(openface(each.aus)).any()
    }


def timed_labels(
    path: Path, refusal: type[ValueError], plain: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns (n,) increasing times in seconds and (n, 17) intensities, 0..5, of rows with all action units.

    Of several people the first counts. plain, refusal: as for `frame_labels`.
    """
    with open_au_table(path, refusal, plain) as table:
        table.check_complete()
        if table.time_column is None:
            raise refusal(f"line {table.table.header_line}: there is no column timestamp")
        labels: dict[tuple[float, float | None], AUReading] = {}
        for reading in _first_face(table.readings()):
            if reading.time_s is None:
                raise refusal(f"line {reading.line}, column {table.time_column}: there is no time")
            _check_agree(labels.setdefault((reading.time_s, reading.frame), reading), reading, refusal)
        _check_times({time_s for time_s, _ in labels}, len(labels), table.time_column, refusal)
    intensities = {time_s: openface(each.aus) for (time_s, _), each in labels.items()}
    chosen = {time_s: aus for time_s, aus in intensities.items() if not np.isnan(aus).any()}
    times_s = sorted(chosen)
    aus = np.array([chosen[time_s] for time_s in times_s], np.float64).reshape(-1, OPENFACE_COUNT)
    return np.array(times_s, np.float64), aus


def _check_times(times_s: Set[float], frames: int, column: str, refusal: type[ValueError]) -> None:
    """Refuses times that are equal in all frames, or in most of them, as in columns of whole seconds."""
    if len(times_s) == 1 < frames:
        raise refusal(f"{column} is {min(times_s):g} in all frames; give a table with a time for each frame")
    if frames > 1 and len(times_s) <= frames / 2:
        raise refusal(f"{column} has {len(times_s)} times for {frames} frames; give one with more decimals")


def _first_face(readings: Sequence[AUReading]) -> list[AUReading]:
    """Returns all readings if no frame has two faces, since trackers rename a face that they lost; otherwise
    those of the face with the lowest name."""
    frames: dict[float | None, str] = {}
    for reading in readings:
        when = reading.time_s if reading.frame is None else reading.frame
        if frames.setdefault(when, reading.face) != reading.face:
            first = min({each.face for each in readings}, key=lambda name: (len(name), name))
            return [each for each in readings if each.face == first]
    return list(readings)


def _check_agree(first: AUReading, second: AUReading, refusal: type[ValueError]) -> None:
    """Refuses rows that disagree about one frame, since the result must not depend on their order."""
    if not np.array_equal(first.aus, second.aus, equal_nan=True):
        raise refusal(
            f"lines {first.line} and {second.line} are of one frame and differ; "
            "name the faces in a column face_id, or keep one row for each frame"
        )
