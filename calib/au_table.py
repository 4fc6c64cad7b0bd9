"""Tables of action units, row by row: whom a row shows and when, and what it says of the face."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calib.au import AU_CODES, MAX_INTENSITY, AUVector
from calib.columns import AUColumns, au_columns, column_key
from calib.table_file import Row, Table, number_of, open_table

_TIMES = {"timestamp": 1.0, "time": 1.0, "frame_time_in_ms": 1e-3, "video_time": 1.0}
"""The columns of times, and the factor to seconds. (py-feat's approx_time has whole seconds only.)"""
_FRAMES = ("frame", "frame_idx")
_FACES = ("face_id", "faceid", "face", "identity")
_CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)", re.ASCII)
_WHOLE_NUMBER = re.compile(r"(\d+)[.,]0*", re.ASCII)


@dataclass(frozen=True)
class Column:
    name: str
    places: tuple[int, ...]
    """Where it is in a row; more than one place where the header repeats its name."""
    refusal: type[ValueError]

    def text(self, row: Row) -> str:
        """The cell; "" where the row breaks off before it."""
        first = row.text(self.places[0])
        for place in self.places[1:]:
            other = row.text(place)
            if other != first:
                raise self.refusal(
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
            raise self.refusal(f"line {row.line}, column {self.name}: {error}") from error


@dataclass(frozen=True, eq=False)
class AUReading:
    """What a row of a film's table says of a face."""

    line: int
    face: str
    """The face's name; "" where the table does not name faces."""
    frame: float | None
    """The number of the frame; None: the table does not say."""
    time_s: float | None
    """None: the table does not say."""
    aus: AUVector
    """(17,) 0..5; NaN where there is no value."""


@dataclass(frozen=True, eq=False)
class AUTable:
    """An open table; the rows can be read once."""

    table: Table
    columns: AUColumns
    refusal: type[ValueError]

    @property
    def time_column(self) -> str | None:
        """The name of the column of times; None: there is none."""
        time = self.find(*_TIMES)
        return None if time is None else time.name

    @property
    def frame_column(self) -> str | None:
        """The name of the column of frames' numbers; None: there is none."""
        frame = self.find(*_FRAMES)
        return None if frame is None else frame.name

    def check_complete(self) -> None:
        """Refuses a table that lacks an action unit."""
        missing = [code for index, code in enumerate(AU_CODES) if index not in self.columns.places]
        if missing:
            raise self.refusal(
                f"line {self.table.header_line}: no column holds {', '.join(missing)}; "
                f"labels to fit to need all {len(AU_CODES)} action units"
            )

    def find(self, *keys: str) -> Column | None:
        """The column that the first of the keys names that there is, as `calib.columns.column_key` has it."""
        return find_column(self.table, keys, self.refusal)

    def faces(self) -> Iterator[tuple[Row, AUVector | None]]:
        """Each row, and its action units, (17,) 0..5, NaN where there is no value.

        None: the row shows no face, because `success` is 0 or because no action unit has a value.
        """
        success = self.find("success")
        aus = [
            (index, Column(self.columns.names[index], places, self.refusal))
            for index, places in self.columns.places.items()
        ]
        for row in self.table.rows:
            shown = success is None or not _says_no(success.text(row))
            yield row, self._intensities(row, aus) if shown else None

    def readings(self) -> list[AUReading]:
        """The rows that show a face."""
        face, frame, time = self.find(*_FACES), self.find(*_FRAMES), self.find(*_TIMES)
        return [
            AUReading(
                row.line,
                "" if face is None else _face_name(face.text(row)),
                _frame(row, frame),
                _time_s(row, time),
                aus,
            )
            for row, aus in self.faces()
            if aus is not None
        ]

    def _intensities(self, row: Row, columns: Sequence[tuple[int, Column]]) -> AUVector | None:
        aus = np.full(len(AU_CODES), np.nan, np.float32)
        for index, column in columns:
            aus[index] = _intensity(row, column, self.columns.scale)
        return None if np.isnan(aus).all() else aus


@contextmanager
def open_au_table(path: Path, refusal: type[ValueError], plain: bool = False) -> Iterator[AUTable]:
    """A table with AU01_r ... (0..5: OpenFace, `reenact aus`), au_1_intensity ... (0..5: LibreFace),
    AU01 ... (0..1: py-feat) or "Action Unit 01 - ..." (0..1: FaceReader); AU43 stands for AU45.

    plain: whether AU01_rs ..., intensities that are not normalised per person, go before AU01_r.
    Raises `refusal`, and gives what raises it while the table is open, the file's name in front.
    """
    try:
        with open_table(path, refusal, lambda names: au_columns(names) is not None) as table:
            columns = au_columns(table.header, plain)
            if columns is None:
                raise refusal(
                    f"line {table.header_line}: no column holds an action unit; "
                    "call them AU12_r (0..5) or AU12 (0..1)"
                )
            yield AUTable(table, columns, refusal)
    except refusal as error:
        raise refusal(f"{path}: {error}") from error


def find_column(table: Table, keys: Sequence[str], refusal: type[ValueError]) -> Column | None:
    """The column that the first of `keys` names that the table has; None where it has none of them."""
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
    """0..5; NaN where the cell has no value."""
    value = scale * column.number(row)
    if not math.isnan(value) and not -0.5 <= value <= 1.5 * MAX_INTENSITY:
        raise column.refusal(
            f"line {row.line}, column {column.name}: {column.text(row)} is out of range; "
            + ("AU12_r runs from 0 to 5" if scale == 1 else "AU12 runs from 0 to 1, AU12_r from 0 to 5")
        )
    return min(max(value, 0.0), MAX_INTENSITY) if not math.isnan(value) else value


def _face_name(text: str) -> str:
    """The name of a face; pandas turns the id 1 into 1.0 where some are missing."""
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
    """From seconds, milliseconds (by the column's name) or a clock's 00:01:02.345."""
    if column is None:
        return None
    clock = _CLOCK.fullmatch(column.text(row))
    if clock:
        return 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3].replace(",", "."))
    number = column.number(row)
    return None if math.isnan(number) else number * _TIMES[column_key(column.name)]
