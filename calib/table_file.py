"""Tables that other programs wrote: separators, decimal commas, and cells without a value."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from calib.text_file import ENCODINGS, encoding_of

_SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=.?"?', re.IGNORECASE | re.DOTALL)
"""The line that spreadsheets write above the header."""
_LINES_BEFORE_HEADER = 60
_NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_NO_VALUE = re.compile(
    r"""
    -? | \.                                          # an empty cell
    | [+-]?(?:nan|inf|infinity)(?:\([\w ]*\))?       # C and Python: nan, -nan(ind), inf
    | [+-]?1[.,]\#(?:ind|qnan|snan|inf|j)\d*         # Windows: -1.#IND, 1.#QNAN00
    | na | n/a | <na> | null | none | missing        # R, pandas
    | \#n/a | \#nv | \#num! | \#value! | \#div/0!    # spreadsheets
    | fit_failed | find_failed | unknown             # FaceReader
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Row:
    """A row of a table as text."""

    line: int
    """The number of the line on which the row ends, from 1."""
    cells: Sequence[str]
    """The texts as they are written; a row that ends early has fewer than the header."""

    def text(self, place: int) -> str:
        """Returns a cell's text without surrounding spaces; "" where the row ends before it."""
        return self.cells[place].strip() if place < len(self.cells) else ""


@dataclass(frozen=True)
class Table:
    """An open table; its rows can be read once."""

    header: Sequence[str]
    """The columns' names as they are written, without surrounding spaces."""
    header_line: int
    """The number of the header's line, from 1."""
    rows: Iterator[Row]
    """The rows below the header, without empty ones."""


@contextmanager
def open_table(
    path: Path,
    refusal: type[ValueError],
    is_header: Callable[[Sequence[str]], bool] = lambda names: True,
) -> Iterator[Table]:
    """Opens a table whose cells are separated by commas, semicolons or tabs, in UTF-8 or UTF-16.

    is_header: recognises the header below other lines that some programs write; if it accepts none, the first
    line is the header. Raises `refusal` with what is wrong and on which line, but without the file's name,
    here and from `rows`.
    """
    try:
        with path.open("rb") as file:
            encoding = encoding_of(file.read(4))
        with path.open(newline="", encoding=encoding) as text:
            before, separator = _find_header(list(islice(text, _LINES_BEFORE_HEADER)), is_header)
            text.seek(0)
            lines = islice(text, before, None)
            cells = csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t")
            header = [name.strip() for name in next(cells, [])]
            yield Table(header, before + 1, _rows(cells, before, header, refusal))
    except UnicodeError as error:
        raise refusal(f"is not a table in {ENCODINGS} text") from error
    except csv.Error as error:
        raise refusal(f"is not a table: {error}") from error
    except OSError as error:
        raise refusal(f"cannot be read: {error.strerror or error}") from error


def number_of(text: str) -> float:
    """Returns a cell's number, with a decimal point or comma; NaN where the cell has no value.

    Cells without a value are empty or hold what programs write for it: nan, -nan(ind), -1.#IND, inf, NA.
    Raises ValueError for any other text.
    """
    if _NUMBER.fullmatch(text):
        number = float(text.replace(",", "."))
        return number if math.isfinite(number) else math.nan
    if _NO_VALUE.fullmatch(text):
        return math.nan
    raise ValueError(f"{text!r:.40} is not a number")


def _find_header(lines: Sequence[str], is_header: Callable[[Sequence[str]], bool]) -> tuple[int, str]:
    """Returns the number of lines above the header, and the separator that gives the header most cells."""
    first: tuple[int, str] | None = None
    for index, line in enumerate(lines):
        if not line.strip() or _SEPARATOR_LINE.fullmatch(line.strip()):
            continue
        separator = max(_SEPARATORS, key=lambda each: len(_split(line, each)))
        names = [name.strip() for name in _split(line, separator)]
        # Below the first line, a line with numbers is a row.
        if is_header(names) and (first is None or not any(map(_NUMBER.fullmatch, names))):
            return index, separator
        first = first or (index, separator)
    return first or (0, ",")


def _split(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator, skipinitialspace=separator != "\t"), [])


def _rows(
    cells: Iterator[list[str]], before: int, header: Sequence[str], refusal: type[ValueError]
) -> Iterator[Row]:
    for values in cells:
        line = before + cells.line_num  # type: ignore[attr-defined]
        if any(value.strip() for value in values[len(header) :]):
            raise refusal(
                f"line {line} has {len(values)} cells, and the header {len(header)}; "
                "put numbers with a decimal comma in quotes, or separate cells by semicolons"
            )
        if any(value.strip() for value in values):
            yield Row(line, values)
