"""A table of results, as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reenact.media.atomic import replacing

Cell = str | int | float | None
"""A cell's value; floats are rounded in Markdown only. None: there is no value."""


@dataclass(frozen=True)
class ResultTable:
    """A table of results with a heading and a note."""

    name: str
    """The name of its files."""
    title: str
    """The heading."""
    note: str
    """How it was measured, and on how many pictures or films."""
    columns: tuple[str, ...]
    """The names of the columns."""
    rows: tuple[tuple[Cell, ...], ...]
    """The rows, with one cell for each column."""
    digits: int = 3
    """The decimals in Markdown."""

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.name

    def to_markdown(self) -> str:
        """Returns the table in Markdown."""
        lines = [f"## {self.title}", "", self.note, "", _row(self.columns), "|" + "---|" * len(self.columns)]
        lines += [_row([_text(cell, self.digits) for cell in row]) for row in self.rows]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, object]:
        """Returns the table as JSON holds it."""
        rows = [dict(zip(self.columns, map(_known, row), strict=True)) for row in self.rows]
        return {"title": self.title, "note": self.note, "rows": rows}

    def write_csv(self, path: Path) -> None:
        """Writes the columns and rows to a CSV file."""
        with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(self.columns)
            writer.writerows([_known(cell) for cell in row] for row in self.rows)


def write_tables(tables: Sequence[ResultTable], folder: Path, heading: str) -> None:
    """Writes report.md and report.json of all tables, and a CSV of each."""
    with replacing(folder / "report.md") as beside:
        beside.write_text("\n".join([heading, *(table.to_markdown() for table in tables)]), encoding="utf-8")
    with replacing(folder / "report.json") as beside:
        document = {table.name: table.to_json() for table in tables}
        beside.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for table in tables:
        table.write_csv(folder / f"{table.name}.csv")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(cell: Cell, digits: int) -> str:
    if isinstance(cell, float):
        if math.isinf(cell):
            return "exact" if cell > 0 else "-"
        return "-" if math.isnan(cell) else f"{cell:.{digits}f}"
    return "-" if cell is None else str(cell)


def _known(cell: Cell) -> Cell:
    """Returns a cell that JSON can hold, which has neither infinity nor NaN."""
    if isinstance(cell, float) and not math.isfinite(cell):
        return None if math.isnan(cell) else "exact"
    return cell
