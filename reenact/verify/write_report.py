"""The report: measures an output, compares it with what was asked, and writes a table and a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reenact import __version__
from reenact.measure.read_aus import Watch, unwatched
from reenact.media.atomic import replacing
from reenact.media.read.spool import Source
from reenact.programme.keyframes import Marker
from reenact.track import TrackerOptions
from reenact.verify.agreement import FaceFigures, figures_of
from reenact.verify.csv_table import write_table
from reenact.verify.face_comparison import compare_faces
from reenact.verify.html_page import About, FaceReport, to_page
from reenact.verify.request_recorder import RequestRecorder
from reenact.verify.reread import example_pairs, read_output

MOST_FACES = 4
"""The most faces on the page, those of which most was asked. The table has all faces."""


class VerifyError(OSError):
    """A report cannot be written to this path; the message is one line for the user."""


@dataclass(frozen=True)
class ReportPaths:
    """The files of a report."""

    table: Path
    """The CSV file."""
    page: Path
    """The HTML file."""


def report_paths(page: Path | None, output: Path) -> ReportPaths:
    """The paths of a report. page: the path of its page. None: beside the output. Raises VerifyError."""
    page = page or output.with_name(f"{output.stem}.verify.html")
    if page.suffix.lower() not in (".html", ".htm"):
        raise VerifyError(f"{page}: the report is an HTML page; give it a name that ends in .html")
    if not page.parent.is_dir():
        raise VerifyError(f"{page}: the folder {str(page.parent)!r} does not exist")
    return ReportPaths(page.with_suffix(".csv"), page)


def write_report(
    source: Source,
    output: Path,
    recorder: RequestRecorder,
    paths: ReportPaths,
    recipe: str,
    options: TrackerOptions,
    markers: Sequence[Marker] = (),
    watch: Watch = unwatched,
) -> list[FaceFigures]:
    """Writes the table and the page, and returns the figures of every face of which anything was asked.

    source, output: the input and output of the edit. recorder: the requests that were recorded during it.
    recipe: what was asked, for the page. markers: named times, for the page. watch: called after each frame
    with the number of its faces. Raises OSError where a file cannot be written.
    """
    comparisons = compare_faces(recorder.faces, read_output(output, options, watch))
    write_table(comparisons, paths.table)
    figures = [figures_of(each) for each in comparisons]
    shown = comparisons[:MOST_FACES]
    parts = [
        FaceReport(each, its_figures, pairs)
        for each, its_figures, pairs in zip(
            shown, figures[:MOST_FACES], example_pairs(source, output, shown), strict=True
        )
    ]
    about = About(
        source.name, output.name, recipe, f"reenact {__version__}", markers, len(figures) - len(parts)
    )
    with replacing(paths.page) as beside:
        beside.write_text(to_page(about, parts), encoding="utf-8")
    return figures
