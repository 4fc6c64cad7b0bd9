"""Words on pictures: captions under the frames of a film, and a labelled contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from calib.au import ACTION_UNITS
from reenact.programme.targets import TargetItem
from reenact.programme.timeline import Scene, Timeline, targets_of
from reenact.records import Frame

Pixels: TypeAlias = NDArray[np.uint8]

_DARK, _BRIGHT, _SOFT = (22, 24, 28), (240, 240, 240), (170, 178, 190)
_STRIP_PX = 50
_TILE_PX = 400


@dataclass
class Captions:
    """Writes under frames of input and output, side by side, what is asked for.

    Keeps, for a contact sheet, the output in the middle of every scene.
    """

    timeline: Timeline
    kept: dict[int, Pixels] = field(default_factory=dict)
    """Output without caption, by the scene's index."""

    def __call__(self, frame: Frame) -> Frame:
        index = self.timeline.at(float(frame.pts))
        width = frame.image.shape[1] // 2
        if index not in self.kept and frame.pts >= self.timeline.middle_s(index):
            self.kept[index] = frame.image[:, width:]
        strip = np.hstack([label("input", "", width), scene_label(self.timeline.scenes[index], width)])
        return replace(frame, image=np.vstack([frame.image[:-_STRIP_PX], strip]))


def contact_sheet(kept: dict[int, Pixels], scenes: Sequence[Scene], credit: str, columns: int = 4) -> Pixels:
    """(height, width, 3): the kept pictures, labelled, row by row, and a line of credit."""
    tiles = [
        np.vstack([_square(kept[index]), scene_label(scene, _TILE_PX)]) for index, scene in enumerate(scenes)
    ]
    tiles += [np.full_like(tiles[0], _DARK)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack([*rows, label("", credit, columns * _TILE_PX)])


def scene_label(scene: Scene, width: int) -> Pixels:
    """A strip with the scene's name and what it asks of the action units.

    What a preset takes away, to make room for what it shows, is left out.
    """
    items = list(targets_of(scene.spec).items())
    shown = [item for item in items if item.kind != "at_most"]
    asked = [_short(item) for item in shown or items]
    return label(scene.name, "  ".join(asked), width)


def _short(item: TargetItem) -> str:
    """AU4+2, AU12L=3 or AU6=2..: `item` as --target-aus takes it, with fewer signs."""
    number = str(item).partition("=")[2]
    sign = "" if item.kind == "relative" else "="
    return f"AU{ACTION_UNITS[item.index].number}{item.side or ''}{sign}{number}"


@lru_cache(maxsize=64)
def label(title: str, text: str, width: int) -> Pixels:
    """(_STRIP_PX, width, 3): one or two lines in the middle of a dark strip."""
    strip = Image.new("RGB", (width, _STRIP_PX), _DARK)
    lines = [(line, size, ink) for line, size, ink in ((title, 18, _BRIGHT), (text, 12, _SOFT)) if line]
    for index, (line, size, ink) in enumerate(lines):
        middle = _STRIP_PX * (0.5 if len(lines) == 1 else (0.34, 0.74)[index])
        font = ImageFont.load_default(size)
        font = ImageFont.load_default(min(size, size * 0.95 * width / font.getlength(line)))
        ImageDraw.Draw(strip).text((width / 2, middle), line, ink, font, anchor="mm")
    return np.asarray(strip)


def _square(image: Pixels) -> Pixels:
    """The middle of a picture, a little above its centre, where faces are."""
    height, width = image.shape[:2]
    side = round(0.85 * min(height, width))
    top, left = round(0.42 * (height - side)), (width - side) // 2
    middle = image[top : top + side, left : left + side]
    return cv2.resize(middle, (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_AREA)
