"""Words on pictures: captions under the frames of a film, and labelled contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from reenact.timeline import Scene, Timeline, targets_of
from reenact.types import Frame


@dataclass
class Captions:
    """Writes what is asked for under each frame and keeps the frame in the middle of every scene."""

    timeline: Timeline
    kept: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    """Frames without caption, by scene."""

    def __call__(self, frame: Frame) -> Frame:
        time_s = float(frame.pts)
        index = self.timeline.at(time_s)
        if index not in self.kept and time_s >= self.timeline.middle_s(index):
            self.kept[index] = frame.image
        image = frame.image.copy()
        left, right = (
            _label("input", image.shape[1] // 2),
            _label(describe(self.timeline.scenes[index]), image.shape[1] // 2),
        )
        strip = np.hstack([left, right])
        image[-strip.shape[0] :] = strip
        return replace(frame, image=image)


def describe(scene: Scene) -> str:
    """A scene's name and what it asks of the action units."""
    targets = str(targets_of(scene.spec))
    return (
        scene.name if targets == "none" else f"{scene.name}   {targets.replace('=+', '+').replace(',', '  ')}"
    )


@lru_cache(maxsize=32)
def _label(text: str, width: int, height: int = 36, size: int = 17) -> NDArray[np.uint8]:
    """(height, width, 3): light text in the middle of a dark strip."""
    strip = Image.new("RGB", (width, height), (22, 24, 28))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(strip).text((width / 2, height / 2), text, (235, 235, 235), font, anchor="mm")
    return np.asarray(strip)


def contact_sheet(
    kept: dict[int, NDArray[np.uint8]], scenes: Sequence[Scene], columns: int = 4
) -> Image.Image:
    """The kept frames' right halves, labelled, row by row."""
    tiles = []
    for index, scene in enumerate(scenes):
        image = kept[index][:, kept[index].shape[1] // 2 :]
        tile = cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
        tiles.append(np.vstack([tile, _label(describe(scene), tile.shape[1], 30, 13)]))
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return Image.fromarray(np.vstack(rows))
