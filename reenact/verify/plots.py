"""Plots of what was asked of a face and what was measured before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from calib.au import ACTION_UNITS, AU_CODES, MAX_INTENSITY
from reenact.figures.plots import INK, PIXELS_PER_INCH, Chart, ChartSheet, Curve, draw_sheet, house_style
from reenact.programme.keyframes import Marker
from reenact.verify.face_comparison import FaceComparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEFORE, WANTED, ASKED, AFTER = "#9aa0a6", "#e0a458", "#1f77b4", "#c0392b"
_WIDTH_PX = 960
_BARS_PX = 620
_BAR_ROW_PX = 26
"""The height of a still's bars of one action unit."""


def curves_plot(comparison: FaceComparison, codes: Sequence[str], markers: Sequence[Marker]) -> Figure:
    """A chart over time for each of the action units `codes`, two to a row."""
    times_s = comparison.times_s
    lines = (
        (comparison.before, BEFORE, False),
        (comparison.wanted, WANTED, True),
        (comparison.asked, ASKED, False),
        (comparison.after, AFTER, False),
    )
    charts = [
        Chart(
            code,
            ACTION_UNITS[index].name if index < len(ACTION_UNITS) else "",
            0,
            MAX_INTENSITY,
            [Curve(times_s, values[:, index], colour, dashed=dashed) for values, colour, dashed in lines],
        )
        for code in codes
        for index in [AU_CODES.index(code)]
    ]
    sheet = ChartSheet(
        charts,
        float(times_s[0]),
        float(times_s[-1]),
        _WIDTH_PX,
        chart_px=130 if len(charts) > 1 else 190,
        columns=min(2, max(1, len(charts))),
        markers=markers,
        empty="Nothing was asked.",
    )
    return draw_sheet(sheet)


def bars_plot(comparison: FaceComparison) -> Figure:
    """Three bars for each action unit of a still: before, asked and after."""
    from matplotlib.figure import Figure

    units = [index for index, unit in enumerate(ACTION_UNITS) if unit.read]
    height_px = _BAR_ROW_PX * len(units) + 52
    rows = np.arange(len(units))
    with house_style():
        figure = Figure((_BARS_PX / PIXELS_PER_INCH, height_px / PIXELS_PER_INCH), PIXELS_PER_INCH)
        axes = figure.add_axes(
            (170 / _BARS_PX, 44 / height_px, (_BARS_PX - 190) / _BARS_PX, 1 - 50 / height_px)
        )
        kinds = ((comparison.before, BEFORE), (comparison.asked, ASKED), (comparison.after, AFTER))
        for place, (values, colour) in enumerate(kinds):
            axes.barh(rows + 0.25 * (place - 1), np.nan_to_num(values[0, units]), 0.22, color=colour)
        axes.set_xlim(min(0.0, *(float(np.nanmin(values[0, units])) for values, _ in kinds)), MAX_INTENSITY)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        names = [f"{ACTION_UNITS[index].code}  {ACTION_UNITS[index].name}" for index in units]
        axes.set_yticks(rows, names, color=INK)
        axes.set_xlabel("intensity")
        axes.grid(visible=False, axis="y")
    return figure
