"""Text on pictures: captions under the frames of a film, and a labelled contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from calib.au import au_code
from reenact.programme.targets import TargetItem
from reenact.programme.timeline import Scene, Timeline, targets_of
from reenact.records import Frame

Pixels: TypeAlias = NDArray[np.uint8]
"""(height, width, 3) RGB."""

_DARK, _BRIGHT, _SOFT = (22, 24, 28), (240, 240, 240), (170, 178, 190)
_STRIP_PX = 50
"""The height of a caption."""
_TILE_PX = 400
"""The side of a picture on the contact sheet."""


@dataclass
class Captions:
    """Writes the targets of each scene under frames that show input and output side by side.

    It keeps the output at the middle of each scene for a contact sheet.
    """

    timeline: Timeline
    """The scenes of the film."""
    kept: dict[int, Pixels] = field(default_factory=dict)
    """The kept outputs, without caption, by the index of the scene."""

    def __call__(self, frame: Frame) -> Frame:
        """The frame with a caption in place of its lowest pixels."""
        index = self.timeline.at(float(frame.pts))
        width = frame.image.shape[1] // 2
        if index not in self.kept and frame.pts >= self.timeline.middle_s(index):
            self.kept[index] = frame.image[:, width:]
        strip = np.hstack([label("input", "", width), scene_label(self.timeline.scenes[index], width)])
        return replace(frame, image=np.vstack([frame.image[:-_STRIP_PX], strip]))


def contact_sheet(kept: dict[int, Pixels], scenes: Sequence[Scene], credit: str, columns: int = 4) -> Pixels:
    """(height, width, 3) RGB: the pictures that Captions kept, labelled, row by row, and a line of credit."""
    tiles = [
        np.vstack([_square(kept[index]), scene_label(scene, _TILE_PX)]) for index, scene in enumerate(scenes)
    ]
    tiles += [np.full_like(tiles[0], _DARK)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack([*rows, label("", credit, columns * _TILE_PX)])


def scene_label(scene: Scene, width: int) -> Pixels:
    """A strip with the scene's name and its targets, without those that a preset limits from above."""
    items = list(targets_of(scene.spec).items())
    shown = [item for item in items if item.kind != "at_most"]
    asked = [_short(item) for item in shown or items]
    return label(scene.name, "  ".join(asked), width)


def _short(item: TargetItem) -> str:
    """The item in the notation of --target-aus with fewer signs: AU4+2, AU12L=3 or AU6=2.."""
    number = str(item).partition("=")[2]
    sign = "" if item.kind == "relative" else "="
    return f"{au_code(item.index, item.side).replace('AU0', 'AU')}{sign}{number}"


@lru_cache(maxsize=64)
def label(title: str, text: str, width: int) -> Pixels:
    """(_STRIP_PX, width, 3) RGB: a title and a text, each one line, in the middle of a dark strip."""
    strip = Image.new("RGB", (width, _STRIP_PX), _DARK)
    lines = [(line, size, ink) for line, size, ink in ((title, 18, _BRIGHT), (text, 12, _SOFT)) if line]
    for index, (line, size, ink) in enumerate(lines):
        middle = _STRIP_PX * (0.5 if len(lines) == 1 else (0.34, 0.74)[index])
        font = ImageFont.load_default(size)
        font = ImageFont.load_default(min(size, size * 0.95 * width / font.getlength(line)))
        ImageDraw.Draw(strip).text((width / 2, middle), line, ink, font, anchor="mm")
    return np.asarray(strip)


def _square(image: Pixels) -> Pixels:
    """A square of _TILE_PX from the picture, a little above its centre, where faces are."""
    height, width = image.shape[:2]
    side = round(0.85 * min(height, width))
    top, left = round(0.42 * (height - side)), (width - side) // 2
    middle = image[top : top + side, left : left + side]
    return cv2.resize(middle, (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_AREA)
