"""Words in translucent boxes, to be laid over a live picture: drawn once, kept, and laid on in no time."""

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
Colour: TypeAlias = tuple[int, int, int]

BRIGHT, SOFT, DARK = (246, 247, 249), (178, 187, 199), (12, 14, 18)
GREEN, AMBER, RED = (96, 211, 148), (255, 190, 92), (240, 84, 84)
_SOLID = 176
"""Of 255: how much of a box hides the picture; text on it is legible on white, too."""
_FINE = 4
"""Round corners are drawn so many times larger: Pillow draws them without soft edges."""


@dataclass(frozen=True)
class Words:
    """A piece of text."""

    text: str
    colour: Colour = SOFT


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture with transparency, ready to be laid on."""

    ink: Pixels
    """(height, width, 3) colours times opacity."""
    kept: Pixels
    """(height, width, 3) 0..255: how much of the picture below shows."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.ink.shape[0], self.ink.shape[1]


def lay(panel: Panel, picture: Pixels, x: int, y: int) -> None:
    """Draws the panel into the picture, its top left corner at (x, y); what lies outside is left out."""
    left, top = max(0, -x), max(0, -y)
    x, y = max(0, x), max(0, y)
    part = picture[y : y + panel.size[0] - top, x : x + panel.size[1] - left]
    shown = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
    if part.size:
        part[:] = cv2.add(cv2.multiply(part, panel.kept[shown], scale=1 / 255), panel.ink[shown])


@lru_cache(maxsize=64)
def box(words: tuple[Words, ...], font_px: int, fill: Colour = DARK) -> Panel:
    """One line on a box with round corners, as large as the line."""
    pad = round(0.5 * font_px)
    width = round(_width(words, font_px)) + 2 * pad
    height = round(1.5 * font_px)
    image = _rounded(height, width, round(0.35 * font_px), fill)
    _write(image, words, font_px, pad, height / 2)
    return _to_panel(image)


@lru_cache(maxsize=16)
def band(left: tuple[Words, ...], right: tuple[Words, ...], font_px: int, width: int) -> Panel:
    """A line from one side of the picture to the other; of what is on the right, as much as there is room
    for beside what is on the left, from its start."""
    pad, height = round(0.8 * font_px), round(2 * font_px)
    image = Image.new("RGBA", (width, height), (*DARK, _SOLID))
    _write(image, left, font_px, pad, height / 2)
    room = width - 3 * pad - _width(left, font_px)
    while right and _width(right, font_px) > room:
        right = right[:-1]
    _write(image, right, font_px, width - pad - _width(right, font_px), height / 2)
    return _to_panel(image)


@lru_cache(maxsize=8)
def table(rows: tuple[tuple[Words, Words], ...], font_px: int, room_px: int = 0) -> Panel:
    """Two columns on a box with round corners. room_px: as much is left free beside the second."""
    pad, line = table_layout(font_px)
    first, second = (max(_width((row[side],), font_px) for row in rows) for side in (0, 1))
    x = round(pad + first + font_px)
    image = _rounded(
        line * len(rows) + 2 * pad, round(x + second + room_px + pad), round(0.5 * font_px), DARK
    )
    for index, (one, other) in enumerate(rows):
        middle = pad + line * (index + 0.5)
        _write(image, (one,), font_px, pad, middle)
        _write(image, (other,), font_px, x, middle)
    return _to_panel(image)


def table_layout(font_px: int) -> tuple[int, int]:
    """(free border of a table, height of its rows), pixels."""
    return round(0.9 * font_px), round(1.45 * font_px)


@lru_cache(maxsize=8)
def _font(font_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(font_px)


def _width(words: Sequence[Words], font_px: int) -> float:
    return sum(_font(font_px).getlength(word.text) for word in words)


def _write(image: Image.Image, words: Sequence[Words], font_px: int, x: float, middle: float) -> None:
    draw = ImageDraw.Draw(image)
    for word in words:
        draw.text((x, middle), word.text, (*word.colour, 255), _font(font_px), anchor="lm")
        x += _font(font_px).getlength(word.text)


def _rounded(height: int, width: int, radius: int, fill: Colour) -> Image.Image:
    mask = Image.new("L", (width * _FINE, height * _FINE))
    corners = (0, 0, width * _FINE - 1, height * _FINE - 1)
    ImageDraw.Draw(mask).rounded_rectangle(corners, radius * _FINE, _SOLID)
    image = Image.new("RGBA", (width, height), fill)
    image.putalpha(mask.resize((width, height), Image.Resampling.BOX))
    return image


def _to_panel(image: Image.Image) -> Panel:
    pixels = np.asarray(image).astype(np.float32)
    alpha = pixels[..., 3:] / 255
    ink = np.rint(pixels[..., :3] * alpha).astype(np.uint8)
    return Panel(ink, np.rint(255 * (1 - alpha)).astype(np.uint8).repeat(3, axis=2))
