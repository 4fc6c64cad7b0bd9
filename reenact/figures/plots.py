"""Charts of intensities over time, drawn by matplotlib, as SVG for pages and as pixels for pictures.

matplotlib is imported when something is drawn, because its import takes half a second. Its global state is
not changed: figures are objects of their own, and settings hold inside `house_style` only.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reenact.programme.keyframes import Marker

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, GRID = "#222222", "#6b6f76", "#e4e6e9"
"""The colours of text, of secondary text and of grid lines."""

PIXELS_PER_INCH = 100
"""The resolution in which sizes in pixels are given; `to_svg` keeps it."""
FINER = 2
"""The factor by which `to_picture` has more pixels than that, for printing and for fine screens."""

_LEFT_PX, _RIGHT_PX, _BETWEEN_PX, _TITLE_PX, _TIMES_PX, _MARKER_PX = 34, 14, 46, 24, 26, 15
"""The room left and right of all charts, between two columns, above each chart for its title, below the last
for the times, and for a row of names of markers."""
_HEAD_PX = 50
"""The room for the title of a figure and for its legend."""
_EMPTY_PX = 50
"""The room for the text that stands in place of charts."""
_MARKER_ROWS = 3
"""The largest number of rows of names of markers."""
_DESCENT_POINTS = 2.0
"""The height of a chart's title below the line that its letters stand on."""
_CHARACTER_PX = 6.0
"""The mean width of a character in the names of markers."""
_DECIMALS = re.compile(r"(\.\d\d)\d+")
"""Digits beyond a hundredth of a point, which are a third of a file and cannot be seen."""
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
"""The distances between two ticks of a time axis, of which one is chosen."""
_TICKS_APART_PX = 70
"""The least distance between two ticks of a time axis."""
_OVER_LINES = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
"""The background of texts that are drawn over lines."""
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 8,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": "#b4b8be",
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",  # text stays text: it can be searched, and the file is smaller
}


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of a chart."""

    times_s: NDArray[np.float64]
    """(n,) rising times in seconds."""
    values: NDArray[np.floating]
    """(n,) the intensities; NaN leaves a gap."""
    colour: str
    """The colour as #rrggbb, like all colours of this module."""
    width: float = 1.4
    """The width of the line in points."""
    dashed: bool = False
    """Whether the line is dashed."""
    filled: bool = False
    """Whether the area between the line and 0 is tinted."""


@dataclass(frozen=True)
class Key:
    """A keyframe, drawn as a dot."""

    time_s: float
    """The time in seconds."""
    value: float
    """The intensity."""
    colour: str
    """The colour of the dot."""
    hollow: bool = False
    """Whether only the rim of the dot is drawn."""


@dataclass(frozen=True, eq=False)
class Chart:
    """The curves of one action unit, with axes of their own."""

    title: str
    """The text in bold above the curves."""
    subtitle: str
    """The text in grey to the right of the title; it may be empty."""
    low: float
    """The lowest intensity on the scale; values below it are drawn at it."""
    high: float
    """The highest intensity on the scale; values above it are drawn at it."""
    curves: Sequence[Curve] = field(default_factory=tuple)
    """The lines, later ones above earlier ones."""
    keys: Sequence[Key] = field(default_factory=tuple)
    """The dots, above all lines."""


@dataclass(frozen=True)
class LegendEntry:
    """An entry of a legend: a sample of a kind of line, and its meaning."""

    text: str
    """The meaning."""
    colour: str
    """The colour of the line."""
    dashed: bool = False
    """Whether the line is dashed."""
    dot: bool = False
    """Whether the sample has a dot, for keyframes."""
    hollow: bool = False
    """Whether only the rim of the dot is drawn."""


@dataclass(frozen=True, eq=False)
class ChartSheet:
    """Charts in columns below a title and a legend, all with the same time axis."""

    charts: Sequence[Chart]
    """The charts, row by row."""
    start_s: float
    """The time at the left end of the time axis, in seconds."""
    end_s: float
    """The time at its right end, in seconds."""
    width_px: int
    """The width of the whole sheet."""
    chart_px: int
    """The height of the curves of one chart."""
    columns: int = 1
    """The number of charts beside each other."""
    title: str = ""
    """The title of the sheet; it may be empty."""
    legend: Sequence[LegendEntry] = ()
    """The entries of the legend, from left to right."""
    markers: Sequence[Marker] = ()
    """The named times; those outside the time axis are left out."""
    empty: str = ""
    """The text that stands in place of charts where there are none."""


@contextmanager
def house_style() -> Iterator[None]:
    """Draws everything inside the block in our style, whatever the settings of matplotlib are."""
    from matplotlib import rc_context, style

    with style.context("default"), rc_context(_STYLE):
        yield


def draw_sheet(sheet: ChartSheet) -> Figure:
    """The charts as a matplotlib figure."""
    from matplotlib.figure import Figure

    shown = [each for each in sheet.markers if sheet.start_s <= each.time_s <= sheet.end_s]
    names = _rows_of_names(shown, sheet) if sheet.charts else []
    head_px = _HEAD_PX if sheet.title or sheet.legend else 4
    head_px += _MARKER_PX * (1 + max((row for _, row in names), default=-1))
    rows = max(1, -(-len(sheet.charts) // sheet.columns))
    row_px = _TITLE_PX + sheet.chart_px
    height_px = head_px + rows * row_px + _TIMES_PX if sheet.charts else _HEAD_PX + _EMPTY_PX
    with house_style():
        figure = Figure((sheet.width_px / PIXELS_PER_INCH, height_px / PIXELS_PER_INCH), PIXELS_PER_INCH)
        _draw_head(figure, sheet)
        width_px = _column_px(sheet)
        for index, chart in enumerate(sheet.charts):
            row, column = divmod(index, sheet.columns)
            left_px = _LEFT_PX + column * (width_px + _BETWEEN_PX)
            bottom_px = height_px - head_px - (row + 1) * row_px
            axes = figure.add_axes(
                (
                    left_px / sheet.width_px,
                    bottom_px / height_px,
                    width_px / sheet.width_px,
                    sheet.chart_px / height_px,
                )
            )
            _draw_chart(axes, chart)
            _draw_times(axes, sheet, is_last=index + sheet.columns >= len(sheet.charts))
            for marker in shown:
                axes.axvline(marker.time_s, color=SOFT, linewidth=0.8, linestyle=(0, (3, 3)), zorder=1.5)
            if index < sheet.columns:
                _draw_names(axes, names, sheet.chart_px)
        if not sheet.charts:
            figure.text(
                _LEFT_PX / sheet.width_px, 0.6 * _EMPTY_PX / height_px, sheet.empty, color=SOFT, fontsize=9
            )
    return figure


def to_svg(figure: Figure, salt: str = "reenact") -> str:
    """The figure as one <svg> element without references to other files; the same figure gives the same text.

    salt: a text that makes the identifiers of this element differ from those of others on the same page.
    """
    from matplotlib import rc_context

    text = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with house_style(), rc_context({"svg.hashsalt": salt}), _without_glyph_warnings():
        figure.savefig(text, format="svg", metadata=nothing)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].rstrip()
    # Sizes in pixels in place of points; identifiers of groups would be the same in every element of a page.
    width, height = (round(inches * PIXELS_PER_INCH) for inches in figure.get_size_inches())
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', rf'<svg \1width="{width}"', svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*"', rf'<svg \1height="{height}"', svg, count=1)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    return re.sub(r' d="[^"]*"', lambda path: _DECIMALS.sub(r"\1", path[0].replace("\n", " ")), svg)


def to_picture(figure: Figure) -> NDArray[np.uint8]:
    """The figure as (height, width, 3) RGB on white; each side has FINER times the pixels of the SVG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    with house_style(), _without_glyph_warnings():
        figure.set_dpi(PIXELS_PER_INCH * FINER)
        canvas.draw()
        pixels = np.array(canvas.buffer_rgba())[..., :3]
        figure.set_dpi(PIXELS_PER_INCH)
    return pixels


@contextmanager
def _without_glyph_warnings() -> Iterator[None]:
    """Draws letters that the font lacks as boxes, without a warning for each of them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _column_px(sheet: ChartSheet) -> float:
    """The width of the curves of one chart."""
    room = sheet.width_px - _LEFT_PX - _RIGHT_PX - (sheet.columns - 1) * _BETWEEN_PX
    return room / sheet.columns


def _draw_head(figure: Figure, sheet: ChartSheet) -> None:
    from matplotlib.lines import Line2D

    width_px, height_px = figure.get_size_inches() * PIXELS_PER_INCH
    left = _LEFT_PX / width_px
    if sheet.title:
        figure.text(left, 1 - 22 / height_px, _printable(sheet.title), fontsize=11, fontweight="bold")
    if sheet.legend:
        lines = [
            Line2D(
                [],
                [],
                color=entry.colour,
                linewidth=1.6,
                linestyle=(0, (3, 2)) if entry.dashed else "-",
                marker="o" if entry.dot else "",
                markersize=4.5,
                markerfacecolor="white" if entry.hollow else entry.colour,
            )
            for entry in sheet.legend
        ]
        figure.legend(
            lines,
            [entry.text for entry in sheet.legend],
            loc="upper left",
            bbox_to_anchor=(left, 1 - 30 / height_px),
            ncols=len(lines),
            borderpad=0,
            borderaxespad=0,
            handlelength=2.4,
            columnspacing=2.5,
            labelcolor=SOFT,
        )


def _draw_chart(axes: Axes, chart: Chart) -> None:
    from matplotlib.ticker import MaxNLocator

    for curve in chart.curves:
        values = np.clip(np.asarray(curve.values, np.float64), chart.low, chart.high)
        style = (0, (3, 2)) if curve.dashed else "-"
        axes.plot(curve.times_s, values, color=curve.colour, linewidth=curve.width, linestyle=style)
        lonely = _lonely(values)
        if lonely.any():  # a value between two gaps makes no line, and would not be seen
            axes.plot(curve.times_s[lonely], values[lonely], ".", color=curve.colour, markersize=3)
        if curve.filled:
            axes.fill_between(curve.times_s, values, 0, color=curve.colour, alpha=0.12, linewidth=0)
    for key in chart.keys:
        fill = "white" if key.hollow else key.colour
        axes.plot(
            [key.time_s],
            [key.value],
            "o",
            color=key.colour,
            markersize=4.5,
            markerfacecolor=fill,
            clip_on=False,
            zorder=3,
        )
    if chart.low < 0 < chart.high:
        axes.axhline(0, color="#b4b8be", linewidth=0.8, zorder=1.4)
    margin = 0.04 * (chart.high - chart.low)
    axes.set_ylim(chart.low - margin, chart.high + margin)
    height_px = axes.get_position().height * axes.figure.get_size_inches()[1] * PIXELS_PER_INCH  # type: ignore[union-attr]
    axes.yaxis.set_major_locator(MaxNLocator(max(1, int(height_px / 17)), steps=[1, 2, 5, 10], integer=True))
    _draw_title(axes, chart)


def _draw_title(axes: Axes, chart: Chart) -> None:
    title = axes.annotate(
        _printable(chart.title),
        (0, 1),
        (0, 4),
        "axes fraction",
        "offset points",
        fontweight="bold",
        fontsize=8.5,
        bbox=_OVER_LINES,
        zorder=4,
    )
    axes.annotate(
        _printable(chart.subtitle),
        (1, 0),
        (5, _DESCENT_POINTS),
        title,
        "offset points",
        color=SOFT,
        verticalalignment="baseline",
        annotation_clip=False,
        bbox=_OVER_LINES,
        zorder=4,
    )


def _draw_times(axes: Axes, sheet: ChartSheet, *, is_last: bool) -> None:
    """Draws the time axis; only the lowest chart of a column has times at its ticks."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    span_s = max(sheet.end_s - sheet.start_s, 1e-3)
    axes.set_xlim(sheet.start_s, sheet.start_s + span_s)
    most = max(_column_px(sheet) / _TICKS_APART_PX, 1)
    step_s = next((step for step in _STEPS_S if span_s / step <= most), span_s)
    axes.xaxis.set_major_locator(MultipleLocator(step_s))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: _clock(time_s, step_s)))
    axes.tick_params(axis="x", labelbottom=is_last)


def _clock(time_s: float, step_s: float) -> str:
    """A time as 2.5 s or, where the ticks are 15 s or more apart, as 1:30."""
    if step_s < 15:
        return f"{round(time_s, 3):g} s"
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _rows_of_names(markers: Sequence[Marker], sheet: ChartSheet) -> list[tuple[Marker, int]]:
    """The markers whose names have room above the first chart, each with its row, from the chart up."""
    ends_px = [0.0] * _MARKER_ROWS
    placed = []
    scale = _column_px(sheet) / max(sheet.end_s - sheet.start_s, 1e-3)
    for marker in sorted(markers, key=lambda each: each.time_s):
        start_px = (marker.time_s - sheet.start_s) * scale
        row = next((row for row, end_px in enumerate(ends_px) if end_px <= start_px), None)
        if row is not None:
            ends_px[row] = start_px + _CHARACTER_PX * (len(marker.name) + 2)
            placed.append((marker, row))
    return placed


def _draw_names(axes: Axes, names: Sequence[tuple[Marker, int]], chart_px: int) -> None:
    """Draws the names of markers above the first chart, each beside a line at the marker's time."""
    for marker, row in names:
        bottom, top = (1 + (_TITLE_PX + (row + share) * _MARKER_PX) / chart_px for share in (0.1, 0.8))
        line: dict[str, Any] = {"color": SOFT, "linewidth": 0.8, "linestyle": (0, (3, 3)), "clip_on": False}
        axes.plot([marker.time_s] * 2, [1, top], transform=axes.get_xaxis_transform(), **line)
        axes.annotate(
            _printable(marker.name),
            (marker.time_s, bottom),
            (3, 0),
            ("data", "axes fraction"),
            "offset points",
            color=SOFT,
            fontsize=7.5,
            verticalalignment="bottom",
            annotation_clip=False,
            bbox=_OVER_LINES,
            zorder=4,
        )


def _lonely(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) True for the values that have a gap, or an end, on both sides."""
    known = np.pad(np.isfinite(values), 1)
    return known[1:-1] & ~known[:-2] & ~known[2:]


def _printable(text: str) -> str:
    """The text without characters that XML does not allow."""
    return "".join(each if each.isprintable() else " " for each in text)
