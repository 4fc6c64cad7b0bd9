"""Performances from tables: what OpenFace, py-feat or `reenact aus` have measured in a film."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calib.au import AU_CODES, MAX_INTENSITY, AUVector
from calib.columns import AUColumns, au_columns
from reenact.retarget.performance import Performance, performance_of

_TIMES = ("timestamp", "time")
_FACES = ("face_id", "FaceID", "face")
_LARGEST_FILE = 500_000_000


class PerformanceError(ValueError):
    """A driver that cannot be used; the message is one line for the user."""


@dataclass(frozen=True)
class _Columns:
    """Where things stand in a table."""

    time: str | None
    face: str | None
    aus: AUColumns


@dataclass(frozen=True, eq=False)
class _Reading:
    face: str
    time_s: float
    aus: AUVector


def is_performance(path: Path) -> bool:
    """Whether a file looks like a table of measured action units: by its first line."""
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            header = {name.strip() for name in next(csv.reader(file), [])}
    except (OSError, csv.Error):
        return False
    return au_columns(header) is not None


def read_performance(path: Path, face: str | None = None, rate: float | None = None) -> Performance:
    """The performance of one face of a table, smoothed.

    path: a CSV with AU01_r ... (0..5: OpenFace, `reenact aus`) or AU01 ... (0..1: py-feat, whose AU43 stands
    for AU45). Spaces after commas, missing action units and rows without a face (success 0, or no numbers)
    are taken as they come. face: its face_id; None takes the one that is there most of the time. rate: frames
    per second, for tables without a timestamp.

    Raises PerformanceError, with line and column where there is one.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise PerformanceError(f"{path} is larger than {_LARGEST_FILE // 1_000_000} MB; is it a table?")
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = [name.strip() for name in next(csv.reader(file), [])]
            columns = _find(header, path, rate)
            readings = list(_readings(file, header, columns, path, rate))
    except UnicodeDecodeError as error:
        raise PerformanceError(f"{path} is not a table in UTF-8 text") from error
    except csv.Error as error:
        raise PerformanceError(f"{path} is not a CSV: {error}") from error
    except OSError as error:
        raise PerformanceError(f"{path} cannot be read: {error.strerror}") from error
    chosen = _of_one_face(readings, face, path)
    measured = np.isin(np.arange(len(AU_CODES)), list(columns.aus.names))
    return replace(performance_of([(each.time_s, each.aus) for each in chosen]), measured=measured).smoothed()


def _find(header: list[str], path: Path, rate: float | None) -> _Columns:
    aus = au_columns(header)
    if aus is None:
        raise PerformanceError(
            f"{path}, line 1: no column holds an action unit; call them AU12_r (0..5) or AU12 (0..1)"
        )
    time = next((name for name in _TIMES if name in header), None)
    if time is None and rate is None:
        raise PerformanceError(
            f"{path}, line 1: there is no column timestamp; give --driver-fps, frames per second"
        )
    face = next((name for name in _FACES if name in header), None)
    return _Columns(time, face, aus)


def _readings(
    file: Iterator[str], header: list[str], columns: _Columns, path: Path, rate: float | None
) -> Iterator[_Reading]:
    """Those of the rows that show a face. `rate` counts frames, or rows where those are not numbered."""
    rows = csv.reader(file, skipinitialspace=True)
    for index, values in enumerate(rows):
        if not any(value.strip() for value in values):
            continue
        row = dict(zip(header, values, strict=False))
        where = f"{path}, line {index + 2}"
        aus = _intensities(row, columns.aus, where)
        if aus is None or row.get("success", "1").strip() in ("0", "0.0", "False"):
            continue
        if columns.time is not None:
            time_s = _number(row, columns.time, where)
        else:
            assert rate is not None
            time_s = (_number(row, "frame", where) if "frame" in row else index) / rate
        if not math.isfinite(time_s):
            raise PerformanceError(f"{where}, column {columns.time or 'frame'}: there is no time")
        yield _Reading(row.get(columns.face or "", "").strip(), time_s, aus)


def _intensities(row: Mapping[str, str], columns: AUColumns, where: str) -> AUVector | None:
    """(17,) 0..5; None where one is missing."""
    aus = np.zeros(len(AU_CODES), np.float32)
    for index, name in columns.names.items():
        value = columns.scale * _number(row, name, where)
        if math.isnan(value):
            return None
        if not -0.5 <= value <= 1.5 * MAX_INTENSITY:
            raise PerformanceError(
                f"{where}, column {name}: {row[name].strip()} is out of range; "
                + (
                    "AU12_r runs from 0 to 5"
                    if columns.scale == 1
                    else "AU12 runs from 0 to 1, AU12_r from 0 to 5"
                )
            )
        aus[index] = min(max(value, 0), MAX_INTENSITY)
    return aus


def _number(row: Mapping[str, str], column: str, where: str) -> float:
    """NaN where the cell is empty or says nan."""
    text = row.get(column, "").strip()
    try:
        return float(text) if text else math.nan
    except ValueError as error:
        raise PerformanceError(f"{where}, column {column}: {text!r:.40} is not a number") from error


def _of_one_face(readings: list[_Reading], face: str | None, path: Path) -> list[_Reading]:
    faces: dict[str, list[_Reading]] = defaultdict(list)
    for reading in readings:
        faces[reading.face].append(reading)
    if not faces:
        raise PerformanceError(f"{path}: no row shows a face")
    if face is None:
        return max(faces.values(), key=len)
    if face not in faces:
        raise PerformanceError(
            f"{path}: there is no face {face!r}; it has {', '.join(map(repr, sorted(faces)))}"
        )
    return faces[face]
