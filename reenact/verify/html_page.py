"""The page of a report: one self-contained HTML file without scripts and without network access."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reenact.figures.plots import to_svg
from reenact.programme.keyframes import Marker
from reenact.verify.agreement import DEFINITIONS, AUFigures, FaceFigures
from reenact.verify.face_comparison import FaceComparison
from reenact.verify.plots import AFTER, ASKED, BEFORE, WANTED, bars_plot, curves_plot
from reenact.verify.reread import BeforeAfter

WARNING = (
    "The same estimator that controls the change measures the result, so these figures say how far this "
    "estimator agrees with itself: errors that it makes in input and output alike do not show. It is fitted "
    "to OpenFace's labels; read its model card (calib/data/MODEL_CARD.md) before you cite it, and check "
    "important results with another instrument or with human coders."
)
"""The warning at the top of every report."""

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#222;max-width:1000px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin:0 0 .3em}h2{font-size:1.15em;margin:1.8em 0 .4em}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.15em .7em;text-align:right;border-bottom:1px solid #e3e3e3}
th:first-child,td:first-child{text-align:left}thead th{border-bottom:2px solid #999;vertical-align:bottom}
.warning{background:#fff4e0;border-left:4px solid #e0a458;padding:.6em 1em}
.about td:first-child{color:#777}.about td{text-align:left}
figure{display:inline-block;margin:0 1em 1em 0}figcaption{color:#777;font-size:.85em}
figure img{display:inline-block;width:160px;margin-right:2px}
dt{font-weight:600}dd{margin:0 0 .4em 1.2em}svg{display:block;max-width:100%;height:auto}
.key span{display:inline-block;width:1.6em;height:.25em;margin:0 .35em .2em 1.2em}
"""


@dataclass(frozen=True, eq=False)
class About:
    """The head of the page: what was verified."""

    source: str
    """The name of the input."""
    output: str
    """The name of the output."""
    recipe: str
    """What was asked."""
    versions: str
    """The programs that made and measured the output, with their versions."""
    markers: Sequence[Marker] = ()
    """Named times, which the charts show."""
    left_out: int = 0
    """The number of faces that are in the table but not on the page."""


@dataclass(frozen=True, eq=False)
class FaceReport:
    """The section of the page about one face."""

    comparison: FaceComparison
    """The face over time."""
    figures: FaceFigures
    """Its figures."""
    pairs: Sequence[BeforeAfter] = ()
    """Its pictures in input and output."""


def to_page(about: About, parts: Sequence[FaceReport]) -> str:
    """The HTML of the page, which defines every figure on it."""
    body = [
        "<h1>Asked and achieved</h1>",
        _about(about),
        f'<p class="warning"><b>One instrument, not two.</b> {escape(WARNING)}</p>',
        *(chain.from_iterable(_face(part, about.markers) for part in parts)),
        *([] if parts else ["<p>Nothing was asked of any face.</p>"]),
        *([f"<p>The table has {about.left_out} more faces.</p>"] if about.left_out else []),
        "<h2>Definitions of the figures</h2>",
        "<p>All are over the frames in which the face was found again, in intensities of 0 (absent) to 5 "
        "(FACS intensity E), as OpenFace's AUxx_r.</p>",
        "<dl>"
        + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in DEFINITIONS.items())
        + "</dl>",
    ]
    title = f"<title>Asked and achieved: {escape(about.output)}</title>"
    head = f'<meta charset="utf-8">{title}<style>{_STYLE}</style>'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _about(about: About) -> str:
    rows = (
        ("input", about.source),
        ("output", about.output),
        ("recipe", about.recipe),
        ("made and read with", about.versions),
    )
    cells = "".join(f"<tr><td>{name}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<table class="about">{cells}</table>'


def _face(part: FaceReport, markers: Sequence[Marker]) -> Iterable[str]:
    figures, comparison = part.figures, part.comparison
    yield f"<h2>Face {figures.track_id}: found again in {figures.found} of {figures.frames} frames</h2>"
    is_still = figures.frames == 1
    yield _asked_table(figures.asked, is_still)
    yield f"<p>Leakage into the {len(figures.leaked)} AUs that were not asked: "
    yield f"<b>{_cell(figures.leakage)}</b> for one unit asked.</p>"
    yield from (_figure(pair, is_still) for pair in part.pairs)
    yield _key()
    codes = [each.code for each in figures.asked]
    figure = bars_plot(comparison) if is_still else curves_plot(comparison, codes, markers)
    yield to_svg(figure, salt=f"face {figures.track_id}")
    if figures.leaked:
        yield "<h2>Not asked</h2>"
        yield _leaked_table(figures.leaked)


def _asked_table(rows: Sequence[AUFigures], is_still: bool) -> str:
    head = ["AU", "wanted change", "asked change", "achieved change", "slope", "error"]
    cells = [
        [each.code, _signed(each.wanted_change), _signed(each.asked_change), _signed(each.achieved_change)]
        + [_cell(each.slope), _cell(each.error)]
        + ([] if is_still else [_cell(each.sd_after), _cell(each.r), _lag(each.lag_s)])
        for each in rows
    ]
    return _table(head + ([] if is_still else ["sd after", "r", "lag"]), cells)


def _leaked_table(rows: Sequence[AUFigures]) -> str:
    ordered = sorted(rows, key=lambda each: -abs(np.nan_to_num(each.achieved_change)))
    return _table(["AU", "achieved change"], [[each.code, _signed(each.achieved_change)] for each in ordered])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{name}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _figure(pair: BeforeAfter, is_still: bool) -> str:
    images = "".join(
        f'<img src="{to_data_uri(picture)}" alt="{name}">'
        for name, picture in (("before", pair.before), ("after", pair.after))
    )
    when = "" if is_still else f" at {pair.time_s:.2f} s"
    return f"<figure>{images}<figcaption>before and after{when}</figcaption></figure>"


def _key() -> str:
    names = (("before", BEFORE), ("wanted", WANTED), ("asked", ASKED), ("after", AFTER))
    return (
        '<p class="key">'
        + "".join(f'<span style="background:{colour}"></span>{name}' for name, colour in names)
        + "</p>"
    )


def to_data_uri(picture: NDArray[np.uint8], quality: int = 85) -> str:
    """A picture (height, width, 3) RGB as a JPEG inside a URI, for a page that stands alone."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _signed(value: float) -> str:
    return "" if np.isnan(value) else f"{value:+.2f}".replace("-", "\u2212")


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}".replace("-", "\u2212")


def _lag(value_s: float) -> str:
    return "" if np.isnan(value_s) else f"{1000 * value_s:.0f} ms".replace("-", "\u2212")
