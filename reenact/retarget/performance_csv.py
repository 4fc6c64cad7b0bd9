"""Performances from tables: what OpenFace, py-feat, LibreFace or `reenact aus` have measured in a film."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calib.au import AU_CODES, MAX_INTENSITY
from calib.columns import au_columns, column_key
from calib.table_file import Row, Table, number_of, open_table
from reenact.retarget.performance import Performance, PerformanceError
from reenact.retarget.table_readings import TableReading, performance_of_face

TABLES = frozenset({".csv", ".tsv", ".txt"})
"""The endings of files that are tables."""
_TIMES = {"timestamp": 1.0, "time": 1.0, "frame_time_in_ms": 1e-3, "video_time": 1.0}
"""The columns of times, and the factor to seconds. (py-feat's approx_time has whole seconds only.)"""
_FRAMES = ("frame", "frame_idx")
_FACES = ("face_id", "faceid", "face", "identity")
_CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)", re.ASCII)
_WHOLE_NUMBER = re.compile(r"(\d+)[.,]0*", re.ASCII)
_LARGEST_FILE = 500_000_000


@dataclass(frozen=True)
class _Column:
    name: str
    places: tuple[int, ...]
    """Where it is in a row; more than one place where the header repeats its name."""

    def text(self, row: Row) -> str:
        """The cell; "" where the row breaks off before it."""
        first = row.text(self.places[0])
        for place in self.places[1:]:
            other = row.text(place)
            if other != first:
                raise PerformanceError(
                    f"line {row.line}: the table has more than one column {self.name}, and they say "
                    f"{first!r:.40} and {other!r:.40}; keep one of them"
                )
        return first

    def number(self, row: Row) -> float:
        """NaN where the cell has no value."""
        text = self.text(row)
        try:
            return number_of(text)
        except ValueError as error:
            raise PerformanceError(f"line {row.line}, column {self.name}: {error}") from error


@dataclass(frozen=True)
class _Columns:
    """Where things are in a table; None: it has no such column."""

    time: _Column | None
    frame: _Column | None
    face: _Column | None
    success: _Column | None
    aus: Mapping[int, _Column]
    """By position of the action unit."""
    au_scale: float
    """From the table's intensities to 0..5."""


def is_performance(path: Path) -> bool:
    """Whether a file looks like a table of measured action units: by its header."""
    try:
        with _open(path) as table:
            return au_columns(table.header) is not None
    except PerformanceError:
        return False


def read_performance(path: Path, face: str | None = None, rate: float | None = None) -> Performance:
    """The performance of one face of a table, smoothed.

    path: a table with AU01_r ... (0..5: OpenFace, `reenact aus`), au_1_intensity ... (0..5: LibreFace),
    AU01 ... (0..1: py-feat) or "Action Unit 01 - ..." (0..1: FaceReader); AU43 stands for AU45. Commas,
    semicolons or tabs between the cells, decimal commas, missing action units, rows in any order and rows
    without a face (success 0, or no values) are taken as they come. An action unit that has no value in some
    rows is interpolated there; one that has none at all was not measured.

    face: the name of the face in the column face_id or Identity, or several names of one face: "0,2". None
    takes all names for one face, unless some of them are in one frame. rate: frames per second, for tables
    without times; one frame alone needs none.

    Raises PerformanceError, with line and column where there is one.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise PerformanceError(f"is larger than {_LARGEST_FILE // 1_000_000} MB; is it a table?")
        with _open(path) as table:
            columns = _find(table)
            readings = [reading for row in table.rows if (reading := _reading(row, columns)) is not None]
        time = None if columns.time is None else columns.time.name
        return performance_of_face(readings, face, rate, time).smoothed()
    except PerformanceError as error:
        raise PerformanceError(f"{path}: {error}") from error
    except OSError as error:
        raise PerformanceError(f"{path}: cannot be read: {error.strerror or error}") from error


def _open(path: Path) -> AbstractContextManager[Table]:
    return open_table(path, PerformanceError, lambda names: au_columns(names) is not None)


def _find(table: Table) -> _Columns:
    aus = au_columns(table.header)
    if aus is None:
        raise PerformanceError(
            f"line {table.header_line}: no column holds an action unit; "
            "call them AU12_r (0..5) or AU12 (0..1)"
        )
    keys = [column_key(name) for name in table.header]

    def first_of(*names: str) -> _Column | None:
        found = next((name for name in names if name in keys), None)
        if found is None:
            return None
        places = tuple(place for place, key in enumerate(keys) if key == found)
        return _Column(table.header[places[0]], places)

    return _Columns(
        first_of(*_TIMES),
        first_of(*_FRAMES),
        first_of(*_FACES),
        first_of("success"),
        {index: _Column(aus.names[index], places) for index, places in aus.places.items()},
        aus.scale,
    )


def _reading(row: Row, columns: _Columns) -> TableReading | None:
    """None where the row shows no face."""
    if columns.success is not None and _says_no(columns.success.text(row)):
        return None
    aus = np.full(len(AU_CODES), np.nan, np.float32)
    for index, column in columns.aus.items():
        aus[index] = _intensity(row, column, columns.au_scale)
    if np.isnan(aus).all():
        return None
    face = "" if columns.face is None else columns.face.text(row)
    return TableReading(row.line, _name(face), _frame(row, columns.frame), _time_s(row, columns.time), aus)


def _says_no(text: str) -> bool:
    try:
        return number_of(text) == 0
    except ValueError:
        return text.lower() in ("false", "no")


def _intensity(row: Row, column: _Column, scale: float) -> float:
    """0..5; NaN where the cell has no value."""
    value = scale * column.number(row)
    if not math.isnan(value) and not -0.5 <= value <= 1.5 * MAX_INTENSITY:
        raise PerformanceError(
            f"line {row.line}, column {column.name}: {column.text(row)} is out of range; "
            + ("AU12_r runs from 0 to 5" if scale == 1 else "AU12 runs from 0 to 1, AU12_r from 0 to 5")
        )
    return min(max(value, 0.0), MAX_INTENSITY) if not math.isnan(value) else value


def _name(text: str) -> str:
    """The name of a face; pandas turns the id 1 into 1.0 where some are missing."""
    whole = _WHOLE_NUMBER.fullmatch(text)
    return whole[1] if whole else text


def _frame(row: Row, column: _Column | None) -> float | None:
    number = math.nan if column is None else column.number(row)
    if not math.isnan(number) and number != int(number):
        assert column is not None
        raise PerformanceError(
            f"line {row.line}, column {column.name}: {column.text(row)} is not a whole number"
        )
    return None if math.isnan(number) else number


def _time_s(row: Row, column: _Column | None) -> float | None:
    """From seconds, milliseconds (by the column's name) or a clock's 00:01:02.345."""
    if column is None:
        return None
    clock = _CLOCK.fullmatch(column.text(row))
    if clock:
        return 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3].replace(",", "."))
    number = column.number(row)
    return None if math.isnan(number) else number * _TIMES[column_key(column.name)]
