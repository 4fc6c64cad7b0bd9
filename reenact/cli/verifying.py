"""--verify, which reports the asked and the achieved change, and --passes, which corrects the output by
them."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from reenact.cli.errors import Unusable, say, unusable_input, warn
from reenact.cli.grouped import CommandT, option
from reenact.cli.parameters import FILE
from reenact.cli.progress import progress_bar
from reenact.media.read.spool import Source
from reenact.programme import Programme
from reenact.programme.timeline_file import load_markers
from reenact.run.files import EditOptions, edited_with
from reenact.verify.agreement import FaceFigures
from reenact.verify.closed_loop import Corrections, close_loop
from reenact.verify.request_recorder import RequestRecorder
from reenact.verify.write_report import ReportPaths, report_paths, write_report

_BESIDE = "beside the output"
"""The value of --verify without a path."""
MOST_PASSES = 5
"""The largest number of passes."""


def verify_option(command: CommandT) -> CommandT:
    """--verify, the path of the report; `open_verification` takes it."""
    return option(
        "--verify",
        "verify_page",
        group="Report",
        type=FILE,
        is_flag=False,
        flag_value=_BESIDE,
        metavar="[HTML]",
        help="Measure OUT again and report what was asked and what was achieved.",
        detail="Writes a page with figures and plots (OUT.verify.html, or the file you name) and a table "
        "beside it, OUT.verify.csv.",
    )(command)


def passes_option(command: CommandT) -> CommandT:
    """--passes, the number of passes; `find_corrections` makes those before the last."""
    return option(
        "--passes",
        group="Expression",
        type=click.IntRange(1, MOST_PASSES),
        metavar="COUNT",
        default=1,
        show_default=True,
        help="Number of edits; each corrects the errors of the one before.",
    )(command)


def find_corrections(
    source: Source, output: Path, targets: Programme, options: EditOptions, passes: int
) -> Corrections:
    """The corrections for the last pass. passes: the number of passes before it."""
    with unusable_input(), progress_bar(None) as advance:
        return close_loop(source, output, targets, options, passes, advance)


class Verification:
    """The work of --verify: it records what is asked during the edit, and writes the report afterwards."""

    def __init__(self, page: Path, output: Path, options: EditOptions, timeline: Path | None) -> None:
        """Raises Unusable if the report could not be written, or with --compare.

        page: the path of the page. timeline: the time line whose markers the plots show. None: there is none.
        """
        if options.compare:
            raise Unusable(
                "--verify does not go with --compare, which shows each face twice; give one of them"
            )
        with unusable_input():
            self.paths: ReportPaths = report_paths(None if str(page) == _BESIDE else page, output)
            self._markers = () if timeline is None else load_markers(timeline)
        self.recorder = RequestRecorder()
        self._options = options

    def report(self, source: Source, output: Path, targets: Programme) -> dict[str, Any]:
        """Writes the table and the page, and prints the figures; returns them for --json."""
        recipe = edited_with(targets, self._options.retarget)
        with progress_bar(None) as advance:
            found = write_report(
                source,
                output,
                self.recorder,
                self.paths,
                recipe,
                self._options.tracker,
                self._markers,
                advance,
            )
        for figures in found:
            say(_summary(figures))
        if not found:
            warn("nothing was asked of any face: the report is empty")
        faces = [_plain(asdict(figures) | {"leakage": figures.leakage}) for figures in found]
        return {"page": str(self.paths.page), "table": str(self.paths.table), "faces": faces}


def open_verification(
    page: Path | None, output: Path, options: EditOptions, timeline: Path | None
) -> Verification | None:
    """The verification. None: no report is asked for."""
    return None if page is None else Verification(page, output, options, timeline)


def _summary(figures: FaceFigures) -> str:
    """The figures of a face in one line: the asked and the achieved change of each action unit."""
    asked = ", ".join(
        f"{each.code} {each.asked_change:+.2f} -> {each.achieved_change:+.2f}" for each in figures.asked
    )
    return f"face {figures.track_id}, asked -> achieved change: {asked}; leakage {figures.leakage:.2f}"


def _plain(value: Any) -> Any:
    """The value rounded to 4 decimals, with None for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value
