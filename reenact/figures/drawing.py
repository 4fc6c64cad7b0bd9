"""Drawings of lines, boxes, dots and words, as SVG for pages and as pixels for pictures.

A drawing is a list of shapes in pixels, x right and y down, each over those before it. Both ways to show it
draw the same.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Point: TypeAlias = tuple[float, float]
Anchor: TypeAlias = Literal["start", "middle", "end"]

DASH_PX = (4.0, 3.0)
"""Of a dashed line: drawn, left out."""
_FINER = 3
"""Times that a picture is drawn larger before it is made smooth."""
_PILLOW_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


@dataclass(frozen=True)
class Line:
    points: Sequence[Point]
    """At least two, joined in their order."""
    colour: str
    """#rrggbb, as all colours here."""
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Box:
    corner: Point
    """Top left."""
    width: float
    height: float
    fill: str


@dataclass(frozen=True)
class Dot:
    centre: Point
    radius: float
    colour: str
    hollow: bool = False
    """Only its rim, on white."""


@dataclass(frozen=True)
class Words:
    at: Point
    """On the line that the letters stand on."""
    text: str
    colour: str = "#333333"
    size: float = 11.0
    anchor: Anchor = "start"


Shape: TypeAlias = Line | Box | Dot | Words


@dataclass(frozen=True)
class Drawing:
    width: float
    height: float
    shapes: Sequence[Shape] = field(default_factory=tuple)

    def to_svg(self) -> str:
        """One <svg> element that needs nothing from elsewhere."""
        size = f'width="{_number(self.width)}" height="{_number(self.height)}"'
        view = f'viewBox="0 0 {_number(self.width)} {_number(self.height)}"'
        body = "".join(_ELEMENTS[type(shape)](shape) for shape in self.shapes)
        font = 'font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} {font}>{body}</svg>'

    def to_picture(self) -> NDArray[np.uint8]:
        """(height, width, 3) RGB on white."""
        size = round(self.width), round(self.height)
        large = Image.new("RGB", (size[0] * _FINER, size[1] * _FINER), "white")
        pen = ImageDraw.Draw(large)
        for shape in self.shapes:
            _STROKES[type(shape)](pen, shape)
        return np.asarray(large.resize(size, Image.Resampling.LANCZOS))


def to_data_uri(picture: NDArray[np.uint8], quality: int = 85) -> str:
    """A picture (height, width, 3) RGB as a JPEG inside a URI, for a page that stands alone."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _line_element(line: Line) -> str:
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in line.points)
    dash = f' stroke-dasharray="{DASH_PX[0]:g} {DASH_PX[1]:g}"' if line.dashed else ""
    stroke = f'stroke="{line.colour}" stroke-width="{_number(line.width)}" stroke-linejoin="round"'
    return f'<polyline points="{points}" fill="none" {stroke}{dash}/>'


def _box_element(box: Box) -> str:
    (x, y), size = box.corner, f'width="{_number(box.width)}" height="{_number(box.height)}"'
    return f'<rect x="{_number(x)}" y="{_number(y)}" {size} fill="{box.fill}"/>'


def _dot_element(dot: Dot) -> str:
    paint = f'fill="{"#ffffff" if dot.hollow else dot.colour}" stroke="{dot.colour}" stroke-width="1.2"'
    return f'<circle cx="{_number(dot.centre[0])}" cy="{_number(dot.centre[1])}" r="{dot.radius:g}" {paint}/>'


def _words_element(words: Words) -> str:
    x, y = words.at
    look = f'font-size="{words.size:g}" fill="{words.colour}" text-anchor="{words.anchor}"'
    return f'<text x="{_number(x)}" y="{_number(y)}" {look}>{escape(words.text)}</text>'


def _stroke_line(pen: ImageDraw.ImageDraw, line: Line) -> None:
    width = max(1, round(line.width * _FINER))
    for part in _dashes(line.points) if line.dashed else (line.points,):
        pen.line([_finer(point) for point in part], line.colour, width, joint="curve")


def _stroke_box(pen: ImageDraw.ImageDraw, box: Box) -> None:
    x, y = box.corner
    # Pillow's boxes include their far edge.
    far = (x + box.width) * _FINER - 1, (y + box.height) * _FINER - 1
    pen.rectangle([_finer(box.corner), far], box.fill)


def _stroke_dot(pen: ImageDraw.ImageDraw, dot: Dot) -> None:
    (x, y), radius = _finer(dot.centre), dot.radius * _FINER
    inside = "white" if dot.hollow else dot.colour
    pen.ellipse([x - radius, y - radius, x + radius, y + radius], inside, dot.colour, _FINER)


def _stroke_words(pen: ImageDraw.ImageDraw, words: Words) -> None:
    font = ImageFont.load_default(words.size * _FINER)
    pen.text(_finer(words.at), words.text, words.colour, font, anchor=_PILLOW_ANCHORS[words.anchor])


_ELEMENTS: dict[type, Callable[..., str]] = {
    Line: _line_element,
    Box: _box_element,
    Dot: _dot_element,
    Words: _words_element,
}
_STROKES: dict[type, Callable[..., None]] = {
    Line: _stroke_line,
    Box: _stroke_box,
    Dot: _stroke_dot,
    Words: _stroke_words,
}


def _dashes(points: Sequence[Point]) -> Iterator[tuple[Point, Point]]:
    """The drawn parts of a dashed line; the pattern runs on around its corners."""
    drawn, period = DASH_PX[0], sum(DASH_PX)
    passed = 0.0
    for start, end in pairwise(points):
        length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        first = -(passed % period)
        for begin in np.arange(first, length, period).tolist():
            low, high = max(begin, 0.0), min(begin + drawn, length)
            if low < high:
                yield _between(start, end, low / length), _between(start, end, high / length)
        passed += length


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _finer(point: Point) -> Point:
    return point[0] * _FINER, point[1] * _FINER


def _number(value: float) -> str:
    """To a hundredth of a pixel, without needless zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
