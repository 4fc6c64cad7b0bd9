"""Tables of action units, read row by row: which face a row shows, at what time, with which intensities."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calib.arkit import BLENDSHAPES, measured_by_blendshapes, to_aus
from calib.au import (
    AU_COUNT,
    MAX_INTENSITY,
    OPENFACE_CODES,
    OPENFACE_COUNT,
    AUVector,
    both,
    lean,
    neutral_aus,
)
from calib.columns import GEOMETRY, AUColumns, au_columns, column_key
from calib.table_file import Row, Table, number_of, open_table

_TIMECODE_COLUMN = "timecode"
_TIMES = {
    "timestamp": 1.0,
    "time": 1.0,
    "frame_time_in_ms": 1e-3,
    "video_time": 1.0,
    _TIMECODE_COLUMN: 1.0,
}
"""Names of time columns, and their factor to seconds. (py-feat's approx_time holds whole seconds only.)"""
_FRAMES = ("frame", "frame_idx")
_FACES = ("face_id", "faceid", "face", "identity")
_CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)", re.ASCII)
_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:[.,]\d*)?)", re.ASCII)
_RATES = (24.0, 25.0, 30.0, 60.0, 120.0)
"""Frames per second of recordings; a second of a timecode counts up to one less."""
_WHOLE_NUMBER = re.compile(r"(\d+)[.,]0*", re.ASCII)


@dataclass(frozen=True)
class Column:
    """A column of a table of action units."""

    name: str
    """The column's name, as the header writes it."""
    places: tuple[int, ...]
    """The column's positions in a row; there are several where the header repeats the name."""
    refusal: type[ValueError]
    """The class of the errors that are raised."""

    def text(self, row: Row) -> str:
        """Returns the cell's text; "" where the row ends before it. Raises `refusal` if repeats disagree."""
        first = row.text(self.places[0])
        for place in self.places[1:]:
            other = row.text(place)
            if other != first:
                raise self.refusal(
                    f"line {row.line}: the table has more than one column {self.name}, with the values "
                    f"{first!r:.40} and {other!r:.40}; keep one of them"
                )
        return first

    def number(self, row: Row) -> float:
        """Returns the cell's number; NaN where the cell is empty. Raises `refusal` for other text."""
        text = self.text(row)
        try:
            return number_of(text)
        except ValueError as error:
            raise self.refusal(f"line {row.line}, column {self.name}: {error}") from error


@dataclass(frozen=True, eq=False)
class AUReading:
    """What one row of a film's table says about one face."""

    line: int
    """The line in the file, from 1."""
    face: str
    """The face's name; "" where the table does not name faces."""
    frame: float | None
    """The frame's number. None: the table has none for this row."""
    time_s: float | None
    """The time in seconds. None: the table has none for this row."""
    aus: AUVector
    """(AU_COUNT,) values; NaN where there is no value."""
    lean: AUVector
    """(AU_COUNT,) the asymmetry as `calib.au.lean` has it; 0 where the table has no sides."""


@dataclass(frozen=True, eq=False)
class AUTable:
    """An open table. Its rows can be read only once."""

    table: Table
    """The rows as text."""
    columns: AUColumns
    """Where the intensities are."""
    refusal: type[ValueError]
    """The class of the errors that are raised."""

    @property
    def time_column(self) -> str | None:
        """The name of the time column. None: the table has none."""
        time = self.find(*_TIMES)
        return None if time is None else time.name

    @property
    def frame_column(self) -> str | None:
        """The name of the column of frame numbers. None: the table has none."""
        frame = self.find(*_FRAMES)
        return None if frame is None else frame.name

    def check_complete(self) -> None:
        """Raises `refusal` if the table lacks an action unit."""
        missing = [code for index, code in enumerate(OPENFACE_CODES) if index not in self.columns.places]
        if missing:
            raise self.refusal(
                f"line {self.table.header_line}: no column holds {', '.join(missing)}; "
                f"a fit needs labels of all {OPENFACE_COUNT} action units"
            )

    def find(self, *keys: str) -> Column | None:
        """Returns the first column that `keys` (see `calib.columns.column_key`) name. None: there is none."""
        return find_column(self.table, keys, self.refusal)

    def faces(self) -> Iterator[tuple[Row, AUVector | None]]:
        """Yields each row with its intensities, (17,) 0..5; NaN where there is no value.

        None in place of intensities: the row shows no face, because its `success` is 0 or because no action
        unit has a value.
        """
        success = self.find("success")
        aus = [
            (index, Column(self.columns.names[index], places, self.refusal))
            for index, places in self.columns.places.items()
        ]
        geometry = [
            (place, factor, column)
            for name, (place, factor) in GEOMETRY.items()
            if (column := self.find(column_key(name))) is not None
        ]
        for row in self.table.rows:
            shown = success is None or not _says_no(success.text(row))
            yield row, self._values(row, aus, geometry) if shown else None

    def readings(self) -> list[AUReading]:
        """Returns the rows that show a face."""
        face, frame, time = self.find(*_FACES), self.find(*_FRAMES), self.find(*_TIMES)
        rows = [(row, aus, lean) for row, aus, lean in self._sided() if aus is not None]
        found = [
            AUReading(
                row.line,
                "" if face is None else _face_name(face.text(row)),
                _frame(row, frame),
                _time_s(row, time),
                aus,
                lean,
            )
            for row, aus, lean in rows
        ]
        if time is None or column_key(time.name) != _TIMECODE_COLUMN:
            return found
        return _with_frames(found, [_frame_of_second(row, time) for row, _, _ in rows])

    def _sided(self) -> Iterator[tuple[Row, AUVector | None, AUVector]]:
        """Yields each row as `faces` does, and the asymmetry (AU_COUNT,)."""
        if not self.columns.blendshapes:
            for row, aus in self.faces():
                yield row, aus, neutral_aus()
            return
        columns = [
            (index, Column(self.table.header[place], (place,), self.refusal))
            for index, place in self.columns.blendshapes.items()
        ]
        told = np.where(measured_by_blendshapes(), 0, np.nan).astype(np.float32)
        for row in self.table.rows:
            weights = np.zeros(len(BLENDSHAPES))
            for index, column in columns:
                weights[index] = _weight(row, column)
            if np.isnan(weights).any():
                yield row, None, neutral_aus()
            else:
                sides = to_aus(weights)
                yield row, both(sides) + told, lean(sides)

    def _values(
        self,
        row: Row,
        columns: Sequence[tuple[int, Column]],
        geometry: Sequence[tuple[int, float, Column]],
    ) -> AUVector | None:
        aus = self._intensities(row, columns)
        if aus is not None:
            for place, factor, column in geometry:
                aus[place] = factor * column.number(row) + (0 if np.isnan(aus[place]) else aus[place])
        return aus

    def _intensities(self, row: Row, columns: Sequence[tuple[int, Column]]) -> AUVector | None:
        aus = np.full(AU_COUNT, np.nan, np.float32)
        for index, column in columns:
            aus[index] = _intensity(row, column, self.columns.scale)
        return None if np.isnan(aus).all() else aus


@contextmanager
def open_au_table(path: Path, refusal: type[ValueError], plain: bool = False) -> Iterator[AUTable]:
    """Opens a table of action units or blendshapes by one of several programs; see `calib.columns`.

    Its columns are AU01_r ... (0..5: OpenFace, `reenact aus`), au_1_intensity ... (0..5: LibreFace), AU01 ...
    (0..1: py-feat) or "Action Unit 01 - ..." (0..1: FaceReader). AU43 is read as AU45. Or they are ARKit's
    blendshapes (0..1: Live Link Face, MediaPipe), which `readings` converts.

    plain: whether AU01_rs ..., the intensities that are not normalised per person, are preferred to AU01_r.
    Raises `refusal`, with the file's name in front; the same holds for a `refusal` raised while it is open.
    """
    try:
        with open_table(path, refusal, lambda names: au_columns(names) is not None) as table:
            columns = au_columns(table.header, plain)
            if columns is None:
                raise refusal(
                    f"line {table.header_line}: no column holds an action unit; "
                    "name the columns AU12_r (0..5) or AU12 (0..1)"
                )
            yield AUTable(table, columns, refusal)
    except refusal as error:
        raise refusal(f"{path}: {error}") from error


def find_column(table: Table, keys: Sequence[str], refusal: type[ValueError]) -> Column | None:
    """Returns the first column of those that `keys` name. None: the table has none of them."""
    there = [column_key(name) for name in table.header]
    found = next((key for key in keys if key in there), None)
    if found is None:
        return None
    places = tuple(place for place, key in enumerate(there) if key == found)
    return Column(table.header[places[0]], places, refusal)


def _says_no(text: str) -> bool:
    try:
        return number_of(text) == 0
    except ValueError:
        return text.lower() in ("false", "no")


def _intensity(row: Row, column: Column, scale: float) -> float:
    """Returns the intensity, 0..5; NaN where the cell is empty."""
    value = scale * column.number(row)
    if not math.isnan(value) and not -0.5 <= value <= 1.5 * MAX_INTENSITY:
        raise column.refusal(
            f"line {row.line}, column {column.name}: {column.text(row)} is out of range; "
            + ("AU12_r runs from 0 to 5" if scale == 1 else "AU12 runs from 0 to 1, AU12_r from 0 to 5")
        )
    return min(max(value, 0.0), MAX_INTENSITY) if not math.isnan(value) else value


def _frame_of_second(row: Row, column: Column) -> float:
    """Returns the last part of a timecode, which counts the frames of a second."""
    timecode = _TIMECODE.fullmatch(column.text(row))
    return 0.0 if timecode is None else float(timecode[4].replace(",", "."))


def _with_frames(readings: Sequence[AUReading], frames: Sequence[float]) -> list[AUReading]:
    """The readings with times from the first on, which are whole seconds of the day so far, and the frames of
    a second added to them."""
    most = max(frames, default=0.0)
    rate = next((each for each in _RATES if most < each), _RATES[-1])
    times_s = (
        np.array([np.nan if each.time_s is None else each.time_s for each in readings], np.float64)
        + np.array(frames, np.float64) / rate
    )
    # A take that runs over midnight goes on.
    times_s += _DAY_S * np.cumsum(np.diff(times_s, prepend=times_s[:1]) < -_DAY_S / 2)
    start_s = np.nanmin(times_s) if np.isfinite(times_s).any() else 0.0
    return [
        reading if np.isnan(time_s) else replace(reading, time_s=time_s - start_s)
        for reading, time_s in zip(readings, times_s.tolist(), strict=True)
    ]


_DAY_S = 86_400.0


def _weight(row: Row, column: Column) -> float:
    """Returns the weight of a blendshape, 0..1; NaN where the cell is empty."""
    value = column.number(row)
    if not math.isnan(value) and not -0.1 <= value <= 1.5:
        raise column.refusal(
            f"line {row.line}, column {column.name}: {column.text(row)} is out of range; blendshapes run "
            "from 0 to 1"
        )
    return min(max(value, 0.0), 1.0) if not math.isnan(value) else value


def _face_name(text: str) -> str:
    """Returns a face's name; pandas writes the id 1 as 1.0 where some ids are missing."""
    whole = _WHOLE_NUMBER.fullmatch(text)
    return whole[1] if whole else text


def _frame(row: Row, column: Column | None) -> float | None:
    number = math.nan if column is None else column.number(row)
    if not math.isnan(number) and number != int(number):
        assert column is not None
        raise column.refusal(
            f"line {row.line}, column {column.name}: {column.text(row)} is not a whole number"
        )
    return None if math.isnan(number) else number


def _time_s(row: Row, column: Column | None) -> float | None:
    """Returns the time in seconds; cells hold seconds, milliseconds (by the header) or 00:01:02.345."""
    if column is None:
        return None
    timecode = _TIMECODE.fullmatch(column.text(row))
    if timecode:
        return 3600.0 * int(timecode[1]) + 60 * int(timecode[2]) + int(timecode[3])
    clock = _CLOCK.fullmatch(column.text(row))
    if clock:
        return 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3].replace(",", "."))
    number = column.number(row)
    return None if math.isnan(number) else number * _TIMES[column_key(column.name)]
