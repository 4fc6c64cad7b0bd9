"""Translucent text boxes for live pictures; each is rendered once, cached, and then blended quickly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels: TypeAlias = NDArray[np.uint8]
"""A picture, (height, width, 3) RGB."""
Colour: TypeAlias = tuple[int, int, int]
"""An RGB colour, 0..255."""

BRIGHT, SOFT, DARK = (246, 247, 249), (178, 187, 199), (12, 14, 18)
GREEN, AMBER, RED = (96, 211, 148), (255, 190, 92), (240, 84, 84)
_OPACITY = 176
"""The opacity of a box, 0..255; text on it is legible over white."""
_SUPERSAMPLING = 4
"""The factor by which round corners are supersampled, because Pillow draws them without antialiasing."""


@dataclass(frozen=True)
class TextSpan:
    """Text in one colour."""

    text: str
    """The text, one line."""
    colour: Colour = SOFT
    """The colour of the text."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A rendered picture with transparency."""

    premultiplied: Pixels
    """The colours times the opacity, (height, width, 3) RGB."""
    transmittance: Pixels
    """The share of the picture below that is visible, (height, width, 3) 0..255."""

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) in pixels."""
        return self.premultiplied.shape[0], self.premultiplied.shape[1]


def draw_panel(panel: Panel, picture: Pixels, x: int, y: int) -> None:
    """Blends the panel into the picture in place, its top left corner at (x, y), clipped at the edges."""
    left, top = max(0, -x), max(0, -y)
    x, y = max(0, x), max(0, y)
    part = picture[y : y + panel.size[0] - top, x : x + panel.size[1] - left]
    shown = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
    if part.size:
        part[:] = cv2.add(
            cv2.multiply(part, panel.transmittance[shown], scale=1 / 255), panel.premultiplied[shown]
        )


@lru_cache(maxsize=64)
def text_box(spans: tuple[TextSpan, ...], font_px: int, fill: Colour = DARK) -> Panel:
    """A box with round corners around one line of text."""
    pad = round(0.5 * font_px)
    width = round(_width(spans, font_px)) + 2 * pad
    height = round(1.5 * font_px)
    image = _rounded(height, width, round(0.35 * font_px), fill)
    _write(image, spans, font_px, pad, height / 2)
    return _to_panel(image)


@lru_cache(maxsize=16)
def status_bar(left: tuple[TextSpan, ...], right: tuple[TextSpan, ...], font_px: int, width: int) -> Panel:
    """A bar of `width` pixels with text at the left and right; the right text is shortened to fit."""
    pad, height = round(0.8 * font_px), round(2 * font_px)
    image = Image.new("RGBA", (width, height), (*DARK, _OPACITY))
    _write(image, left, font_px, pad, height / 2)
    room = width - 3 * pad - _width(left, font_px)
    while right and _width(right, font_px) > room:
        right = right[:-1]
    _write(image, right, font_px, width - pad - _width(right, font_px), height / 2)
    return _to_panel(image)


@lru_cache(maxsize=8)
def table(rows: tuple[tuple[TextSpan, TextSpan], ...], font_px: int, reserved_px: int = 0) -> Panel:
    """A box with round corners and two columns of text. reserved_px: free width beside the second column."""
    pad, line = table_layout(font_px)
    first, second = (max(_width((row[side],), font_px) for row in rows) for side in (0, 1))
    x = round(pad + first + font_px)
    image = _rounded(
        line * len(rows) + 2 * pad, round(x + second + reserved_px + pad), round(0.5 * font_px), DARK
    )
    for index, (one, other) in enumerate(rows):
        middle = pad + line * (index + 0.5)
        _write(image, (one,), font_px, pad, middle)
        _write(image, (other,), font_px, x, middle)
    return _to_panel(image)


def table_layout(font_px: int) -> tuple[int, int]:
    """The margin of a table and the height of its rows, in pixels."""
    return round(0.9 * font_px), round(1.45 * font_px)


@lru_cache(maxsize=8)
def _font(font_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(font_px)


def _width(spans: Sequence[TextSpan], font_px: int) -> float:
    return sum(_font(font_px).getlength(word.text) for word in spans)


def _write(image: Image.Image, spans: Sequence[TextSpan], font_px: int, x: float, middle: float) -> None:
    draw = ImageDraw.Draw(image)
    for word in spans:
        draw.text((x, middle), word.text, (*word.colour, 255), _font(font_px), anchor="lm")
        x += _font(font_px).getlength(word.text)


def _rounded(height: int, width: int, radius: int, fill: Colour) -> Image.Image:
    mask = Image.new("L", (width * _SUPERSAMPLING, height * _SUPERSAMPLING))
    corners = (0, 0, width * _SUPERSAMPLING - 1, height * _SUPERSAMPLING - 1)
    ImageDraw.Draw(mask).rounded_rectangle(corners, radius * _SUPERSAMPLING, _OPACITY)
    image = Image.new("RGBA", (width, height), fill)
    image.putalpha(mask.resize((width, height), Image.Resampling.BOX))
    return image


def _to_panel(image: Image.Image) -> Panel:
    pixels = np.asarray(image).astype(np.float32)
    alpha = pixels[..., 3:] / 255
    premultiplied = np.rint(pixels[..., :3] * alpha).astype(np.uint8)
    return Panel(premultiplied, np.rint(255 * (1 - alpha)).astype(np.uint8).repeat(3, axis=2))
