"""Charts of intensities over time: curves in a frame with a scale, as shapes of a drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reenact.figures.drawing import Box, Dot, Drawing, Line, Point, Shape, Words
from reenact.programme.keyframes import Marker

INK, SOFT, GRID, GROUND = "#222222", "#777777", "#dddddd", "#fafafa"
_LEFT, _RIGHT, _TOP, _BOTTOM = 30.0, 8.0, 20.0, 18.0
"""Pixels around the curves, for words."""
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
"""Between the ticks of an axis."""
_TICKS_APART_PX = 55.0
_DETAIL_PX = 0.25
"""Points of a curve that lie closer than this are drawn as one: long films make small pages."""


@dataclass(frozen=True, eq=False)
class Curve:
    times_s: NDArray[np.float64]
    values: NDArray[np.floating]
    """Of the same length; NaN where nothing is known, which leaves a gap."""
    colour: str
    width: float = 1.3
    dashed: bool = False


@dataclass(frozen=True)
class Key:
    """A point of a curve that somebody has set."""

    time_s: float
    value: float
    colour: str
    hollow: bool = False


@dataclass(frozen=True, eq=False)
class Chart:
    title: str
    start_s: float
    end_s: float
    low: float
    high: float
    curves: Sequence[Curve] = field(default_factory=tuple)
    keys: Sequence[Key] = field(default_factory=tuple)
    markers: Sequence[Marker] = field(default_factory=tuple)

    def shapes(self, corner: Point, width: float, height: float) -> list[Shape]:
        """The chart in a box of this size, `corner` its top left."""
        frame = _Frame(self, (corner[0] + _LEFT, corner[1] + _TOP), width, height)
        return [*frame.ground(), *frame.marked(), *frame.drawn(), *frame.set_points()]


@dataclass(frozen=True, eq=False)
class _Frame:
    """Where a chart's numbers lie in the drawing."""

    chart: Chart
    inner: Point
    """Top left of the curves."""
    outer_width: float
    outer_height: float

    @property
    def width(self) -> float:
        return self.outer_width - _LEFT - _RIGHT

    @property
    def height(self) -> float:
        return self.outer_height - _TOP - _BOTTOM

    def x(self, times_s: ArrayLike) -> NDArray[np.float64]:
        chart = self.chart
        span_s = max(chart.end_s - chart.start_s, 1e-9)
        return self.inner[0] + self.width * (np.asarray(times_s, np.float64) - chart.start_s) / span_s

    def y(self, values: ArrayLike) -> NDArray[np.float64]:
        chart = self.chart
        shown = np.clip(np.asarray(values, np.float64), chart.low, chart.high)
        return self.inner[1] + self.height * (chart.high - shown) / (chart.high - chart.low)

    def ground(self) -> Iterator[Shape]:
        """Title, grid and the numbers along it."""
        (left, top), right = self.inner, self.inner[0] + self.width
        bottom = top + self.height
        yield Box(self.inner, self.width, self.height, GROUND)
        yield Words((left, top - 6), self.chart.title, INK, 11)
        for value in _ticks(self.chart.low, self.chart.high, self.height / 20):
            y = float(self.y(value))
            yield Line(((left, y), (right, y)), SOFT if value == 0 else GRID, 0.7)
            yield Words((left - 4, y + 3), f"{value:g}", SOFT, 9, "end")
        for time_s in _ticks(self.chart.start_s, self.chart.end_s, self.width / _TICKS_APART_PX):
            x = float(self.x(time_s))
            yield Line(((x, bottom), (x, bottom + 3)), SOFT, 0.7)
            yield Words((x, bottom + 13), f"{time_s:g} s", SOFT, 9, "middle")

    def drawn(self) -> Iterator[Shape]:
        for curve in self.chart.curves:
            for points in _pieces(self.x(curve.times_s), self.y(curve.values), curve.values):
                yield Line(points, curve.colour, curve.width, curve.dashed)

    def marked(self) -> Iterator[Shape]:
        top, bottom = self.inner[1], self.inner[1] + self.height
        for marker in self.chart.markers:
            if self.chart.start_s <= marker.time_s <= self.chart.end_s:
                x = float(self.x(marker.time_s))
                yield Line(((x, top), (x, bottom)), SOFT, 0.8, dashed=True)
                yield Words((x + 3, top + 9), marker.name, SOFT, 9)

    def set_points(self) -> Iterator[Shape]:
        for key in self.chart.keys:
            yield Dot((float(self.x(key.time_s)), float(self.y(key.value))), 2.8, key.colour, key.hollow)


def stacked(
    charts: Sequence[Chart],
    width: float,
    height: float,
    columns: int = 1,
    *,
    head: Sequence[Shape] = (),
    head_height: float = 0.0,
) -> Drawing:
    """The charts in rows of `columns`, each of this size, on white, below a head."""
    rows = -(-len(charts) // columns)
    whole = columns * width, head_height + rows * height
    shapes: list[Shape] = [Box((0, 0), *whole, "#ffffff"), *head]
    for index, chart in enumerate(charts):
        row, column = divmod(index, columns)
        shapes += chart.shapes((column * width, head_height + row * height), width, height)
    return Drawing(*whole, shapes)


def _ticks(low: float, high: float, count: float) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them at most."""
    step = next((step for step in _STEPS if (high - low) / step <= max(count, 1)), high - low or 1.0)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [round(index * step, 6) for index in range(first, last + 1)]


def _pieces(
    x: NDArray[np.float64], y: NDArray[np.float64], values: NDArray[np.floating]
) -> Iterator[list[Point]]:
    """The curve between its gaps, without points that nobody could tell apart."""
    known = np.isfinite(values)
    for is_known, run in groupby(range(len(x)), key=lambda index: bool(known[index])):
        if is_known:
            points = list(_thinned([(float(x[index]), float(y[index])) for index in run]))
            # A reading by itself is a short dash, or it could not be seen.
            yield points if len(points) > 1 else [points[0], (points[0][0] + 1, points[0][1])]


def _thinned(points: Sequence[Point]) -> Iterator[Point]:
    last: Point | None = None
    for point in points:
        if last is None or max(abs(point[0] - last[0]), abs(point[1] - last[1])) >= _DETAIL_PX:
            yield point
            last = point
    if last is not None and last != points[-1]:
        yield points[-1]
