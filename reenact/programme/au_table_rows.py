"""From the rows of a table of action units to the recording of one face: which face, and at which times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from calib.au_table import AUReading
from reenact.programme.au_recording import AURecording, AURecordingError

_MOST_NAMED = 8
"""The most faces that an error names."""


@dataclass(frozen=True, eq=False)
class _Placed:
    """A reading and its frame."""

    reading: AUReading
    frame: float
    """A number that two readings of one frame share; it counts frames where there are no times."""


_Faces = Mapping[str, Sequence[_Placed]]


def au_recording_of_face(
    readings: Sequence[AUReading], face: str | None, rate: float | None, time_column: str | None
) -> AURecording:
    """The recording of one face, not smoothed.

    face, rate: as `read_au_recording` takes them. time_column: the name of the column of times, for errors.
    None: there is no such column. Raises AURecordingError.
    """
    if not readings:
        raise AURecordingError("no row shows a face")
    numbered = all(reading.frame is not None for reading in readings)
    placed = _placed(readings)
    faces = _by_name(placed)
    names = list(faces) if face is None else _named(face, faces)
    _check_apart(names, faces, face)
    chosen = [each for name in names for each in faces[name]]
    _check_one_row_a_frame(chosen, numbered)
    notes = (_taken_for_one(names),) if face is None and len(names) > 1 else ()
    times_s = _times_s(chosen, rate, time_column)
    aus, leans = ([getattr(each.reading, name) for each in chosen] for name in ("aus", "lean"))
    return _recording(times_s, aus, leans, notes)


def _placed(readings: Sequence[AUReading]) -> list[_Placed]:
    """Readings with their frames: by number, else by time, else by counting the rows of each face."""
    numbers = [reading.frame for reading in readings if reading.frame is not None]
    if len(numbers) < len(readings):
        numbers = [reading.time_s for reading in readings if reading.time_s is not None]
        if len(numbers) < len(readings) or len(set(numbers)) == 1:
            numbers = _counted(readings)
    return [_Placed(reading, number) for reading, number in zip(readings, numbers, strict=True)]


def _counted(readings: Sequence[AUReading]) -> list[float]:
    rows: dict[str, int] = defaultdict(int)
    found: list[float] = []
    for reading in readings:
        found.append(float(rows[reading.face]))
        rows[reading.face] += 1
    return found


def _by_name(placed: Sequence[_Placed]) -> _Faces:
    faces: dict[str, list[_Placed]] = defaultdict(list)
    for each in placed:
        faces[each.reading.face].append(each)
    return faces


def _named(face: str, faces: _Faces) -> list[str]:
    """The faces that --driver-face names: one, or several separated by commas."""
    names = [face] if face in faces else list(dict.fromkeys(name.strip() for name in face.split(",")))
    for name in names:
        if name not in faces:
            raise AURecordingError(f"there is no face {name!r:.40}; it has {_list(sorted(faces))}")
    return names


def _check_apart(names: Sequence[str], faces: _Faces, face: str | None) -> None:
    """Raises AURecordingError where two of the faces are in one frame, and so belong to different people."""
    frames = {name: {each.frame for each in faces[name]} for name in names}
    for first, second in combinations(names, 2):
        if frames[first] & frames[second]:
            line = _line_of(faces[second], frames[first])
            if face is not None:
                raise AURecordingError(
                    f"line {line}: the faces {first!r} and {second!r} are in one frame, so they are two "
                    f"people; name one of them with --driver-face"
                )
            counts = sorted(names, key=lambda name: (-len(frames[name]), name))
            raise AURecordingError(
                f"line {line}: several people are in one frame; name one with --driver-face, which is one of "
                + _list(counts, [_counted_frames(len(frames[name])) for name in counts])
            )


def _counted_frames(count: int) -> str:
    return f" ({count} frame{'s' if count > 1 else ''})"


def _line_of(readings: Sequence[_Placed], frames: set[float]) -> int:
    return min(each.reading.line for each in readings if each.frame in frames)


def _list(names: Sequence[str], more: Sequence[str] | None = None) -> str:
    shown = [f"{name!r:.40}{then}" for name, then in zip(names, more or [""] * len(names), strict=True)]
    left = len(shown) - _MOST_NAMED
    return ", ".join(shown[:_MOST_NAMED]) + (f" and {left} more" if left > 0 else "")


def _taken_for_one(names: Sequence[str]) -> str:
    return (
        f"the faces {_list(names)} are never in one frame and are taken for one; "
        "--driver-face takes one of them alone"
    )


def _check_one_row_a_frame(chosen: Sequence[_Placed], numbered: bool) -> None:
    """Raises AURecordingError where two rows of one frame differ: their order must not decide."""
    first_of: dict[float, AUReading] = {}
    for each in chosen:
        first = first_of.setdefault(each.frame, each.reading)
        # Without numbers, the same time may also be two frames whose times were rounded.
        may_be_two = not numbered and each.reading.face != ""
        if not may_be_two and not np.array_equal(first.aus, each.reading.aus, equal_nan=True):
            raise AURecordingError(
                f"lines {first.line} and {each.reading.line} are of one frame and differ; "
                "name the faces in a column face_id, or keep one row for each frame"
            )


def _times_s(chosen: Sequence[_Placed], rate: float | None, column: str | None) -> list[float]:
    """The times of the table in seconds, or the frames divided by the rate.

    Times that most frames share, as whole seconds do, count as none.
    """
    known = {each.reading.time_s for each in chosen} - {None}
    frames = {each.frame for each in chosen}
    if len(known) > len(frames) / 2:
        return [_time_of(each.reading, column) for each in chosen]
    if len(frames) == 1:
        return [0.0] * len(chosen)
    if rate is not None:
        return [each.frame / rate for each in chosen]
    if column is None:
        wrong = "there is no column timestamp"
    elif not known:
        wrong = f"the column {column} has no values"
    elif len(known) == 1:
        wrong = f"{column} is {known.pop():g} in all frames, so it holds no times"
    else:
        wrong = f"{column} has {len(known)} times for {len(frames)} frames, too few to tell them apart"
    raise AURecordingError(f"{wrong}; give --driver-fps, frames per second")


def _time_of(reading: AUReading, column: str | None) -> float:
    if reading.time_s is None:
        raise AURecordingError(f"line {reading.line}, column {column}: there is no time")
    return reading.time_s


def _recording(
    times_s: Sequence[float], aus: Sequence[AUVector], leans: Sequence[AUVector], notes: tuple[str, ...]
) -> AURecording:
    """The recording from readings in any order, averaged at equal times; NaN: there is no value."""
    times, frames = np.unique(np.array(times_s, np.float64), return_inverse=True)
    values = np.array(aus, np.float32)
    measured = np.isfinite(values).any(axis=0)
    filled = np.zeros((len(times), values.shape[1]), np.float32)
    for index in np.flatnonzero(measured):
        filled[:, index] = _filled(times, frames, values[:, index])
    if not np.any(leans):
        return AURecording(times, filled, measured, notes=notes)
    sided = np.stack([_filled(times, frames, each) for each in np.array(leans, np.float32).T], axis=1)
    return AURecording(times, filled, measured, notes=notes, leans=sided.astype(np.float32))


def _filled(
    times: NDArray[np.float64], frames: NDArray[np.intp], values: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(times,) the mean of the values of each time, interpolated where a time has no value."""
    there = np.isfinite(values)
    counts = np.bincount(frames[there], minlength=len(times))
    sums = np.bincount(frames[there], values[there], minlength=len(times))
    known = counts > 0
    return np.interp(times, times[known], sums[known] / counts[known])
