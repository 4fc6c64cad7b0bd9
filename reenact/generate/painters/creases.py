"""Folds of the skin, which moving pixels neither makes nor smooths.

Expression ratio images (Liu, Shan & Zhang, SIGGRAPH 2001): what an expression does to the brightness of the
same person's skin in the same light. The file holds those of several people, from smooth skin to lined, and
a face gets the lines of those whose skin is as rough as its own. `python -m train creases` makes the file;
see FOLDS_CARD.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AU_COUNT, Change, both, lean
from calib.ramp import smoothstep
from calib.shape import load_shape
from calib.sides import sidedness
from reenact.alignment import Alignment
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.geometry.flow import nearest, to_pixels
from reenact.generate.geometry.mesh import CROP_CELL_PX, cell_count, over_crop, warp_triangles
from reenact.generate.geometry.warp import Warp
from reenact.generate.painters.paint import lay_over
from reenact.generate.painters.skin import see_skin
from reenact.records import Face

SIZE = (380, 320)
"""(height, width) in cells of the canonical face, which lines are drawn on."""
CELL_MM = 0.5
COARSE = 4
"""Cells of SIZE along the side of a cell of the grid of smooth planes."""
COARSE_SIZE = (SIZE[0] // COARSE, SIZE[1] // COARSE)
ORIGIN_MM = (-80.0, -95.0)
"""Canonical (x, y) of the corner of the first cell."""
STEP = 1 / 400
"""Change of log brightness for one unit of intensity that lines are stored in multiples of."""

_CROP = FaceCrop()
_SKIN = FaceCrop(size=96)
_DARKEST, _LIGHTEST = 0.6, 0.18
"""Limits that the change of log brightness approaches: skin in a fold is dark, not black."""
_HUE = (np.float32(0.86), np.float32(1), np.float32(1.14))
"""Share of a change of brightness that red, green and blue take: alike, they turn skin grey. Light that goes
from one side of a real fold to the other makes it redder still: 0.79, 0.98 and 1.23 in the mean over eight
people."""
_LEAST = 1 / 256
"""A change of log brightness below this changes no grey level."""
_FINE_MM = 0.5
"""Standard deviation of the blur that takes pores away before a face's own folds are looked for."""
_FOLD_MM = 7.0
"""Dark valleys up to this wide are folds."""
_FLOOR = np.float32(12)
"""Added to grey levels before a logarithm, against noise in the dark."""
_SMOOTHED_BY = 2.0
"""Units of intensity that have to be taken away to smooth a fold altogether."""
_SMOOTHED_MOST = 0.9
_DEEPEST = np.float32(1.0)
"""What the darkest colour of a fold gains at most, as a share of it: beyond, the fold stays in part."""
_PATH = Path(__file__).with_name("creases.npz")


@dataclass(frozen=True, eq=False)
class CreaseLines:
    """The lines that one action unit draws, as several people have them."""

    index: int
    """Of the action unit."""
    corner: tuple[int, int]
    """(row, column) of the first cell on the grid of SIZE."""
    people: NDArray[np.int8]
    """(people, height, width) change of log brightness for one unit of intensity, in multiples of STEP."""

    @property
    def place(self) -> tuple[slice, slice]:
        """Their cells on the grid of SIZE."""
        (row, column), (_, height, width) = self.corner, self.people.shape
        return slice(row, row + height), slice(column, column + width)


@dataclass(frozen=True, eq=False)
class Creases:
    """What action units do to the skin's brightness, for several people in the order of their skin's
    roughness."""

    lines: tuple[CreaseLines, ...]
    shading: NDArray[np.float32]
    """(17, 95, 80) change of log brightness for one unit of intensity that is wider than lines, for all
    people alike."""
    reach: NDArray[np.float32]
    """(17, 95, 80) 0..1, where each action unit folds skin."""
    roughness: NDArray[np.float32]
    """(people,) of the skin (reenact.generate.painters.skin) that each person's lines suit best, rising."""

    @cached_property
    def folding(self) -> NDArray[np.bool_]:
        """(17,) the action units that change anything."""
        drawn = np.zeros(AU_COUNT, bool)
        drawn[[lines.index for lines in self.lines]] = True
        return drawn | self.shading.any(axis=(1, 2))

    def likest(self, roughness: float) -> NDArray[np.float32]:
        """(people,) weights of the people, summing to 1: one person's, or, half way, two neighbours'.

        They change gradually with the roughness, so that no line pops up from one frame to the next.
        """
        place = np.interp(np.log(roughness + 1e-6), np.log(self.roughness), np.arange(len(self.roughness)))
        weights = np.zeros(len(self.roughness), np.float32)
        lower = min(int(place), len(weights) - 1)
        share = float(smoothstep(np.array(2 * (place - lower) - 0.5)))
        weights[lower] = 1 - share
        if share > 0:
            weights[lower + 1] = share
        return weights

    def draw(self, change: Change, people: NDArray[np.float32]) -> NDArray[np.float32]:
        """(380, 320) change of log brightness by the lines of relative action units (2, 17), without a limit.

        people: (people,) weights.
        """
        picture = np.zeros(SIZE, np.float32)
        for lines in self.lines:
            left, right = change[:, lines.index]
            if left == 0 and right == 0:
                continue
            part = picture[lines.place]
            # In the mesh's own columns: what the left side does, what the right does, smooth between.
            amount = np.float32(STEP) * (left if left == right else both(change)[lines.index])
            if left != right:
                amount = amount + STEP * lean(change)[lines.index] * _sidedness()[lines.place[1]]
            for weight, drawn in zip(people, lines.people, strict=True):
                if weight > 0:
                    part += (amount * np.float32(weight)) * drawn
        return picture

    def cast(self, planes: NDArray[np.float32], change: Change) -> NDArray[np.float32]:
        """(95, 80) the sum of planes (17, 95, 80), weighted with relative action units (2, 17)."""
        amount, aside = both(change), lean(change)
        asked = np.flatnonzero((amount != 0) | (aside != 0))
        total = np.tensordot(amount[asked], planes[asked], 1)
        if aside.any():
            total += _sidedness()[COARSE // 2 :: COARSE] * np.tensordot(aside[asked], planes[asked], 1)
        return total

    def shade(
        self, places: NDArray[np.float32], change: Change, size: int, people: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(size, size) change of log brightness that relative action units (2, 17) make in a square crop.

        places: (478, 3) the landmarks in the crop, pixels; people: (people,) weights.
        """
        shown = _View(places, size)
        picture = self.draw(change, people) + _refined(self.cast(self.shading, change))
        place = shown.around(picture)
        shade = np.zeros((size, size), np.float32)
        shade[place] = _limited(shown.of(picture, place))
        return shade


def paint_creases(face: Face, change: Change, warp: Warp, creases: Creases | None = None) -> Warp:
    """`warp` with the folds that `change` (2, 17) makes, and without those that it smooths.

    Lines that are made are those of people with like skin; lines that are smoothed are the face's own.
    """
    creases = creases or load_creases()
    if not (change * creases.folding).any():
        return warp
    alignment, in_skin = _CROP.align(face), _SKIN.align(face)
    skin = see_skin(
        in_skin.shifted(warp.region[:2]).crop(warp.image),
        in_skin.points(warp.moved),
        _SKIN.size / _SKIN.width_mm,
    )
    more, less = np.maximum(change, 0), np.maximum(-change, 0)
    picture = creases.draw(more, creases.likest(skin.roughness))
    picture += _refined(creases.cast(creases.shading, change))
    smoothed = _refined(np.minimum(creases.cast(creases.reach, less) / _SMOOTHED_BY, 1))
    shown = _View(alignment.points(warp.moved), alignment.size)
    place = shown.around(cv2.absdiff(picture, -smoothed))
    bare = cv2.resize(skin.bare, (alignment.size, alignment.size), interpolation=cv2.INTER_LINEAR)[place]
    shade = cv2.multiply(_limited(shown.of(picture, place)), bare)
    gain = cv2.exp(shade) - 1
    if (less * creases.folding).any():
        without = cv2.multiply(shown.of(smoothed, place), bare, scale=_SMOOTHED_MOST)
        filled = cv2.multiply(cv2.merge([without] * 3), _own_folds(warp, alignment, place))
        gain = cv2.multiply(_in_hue(gain), filled + 1) - 1
    gain[cv2.absdiff(gain, 0) < _LEAST] = 0
    gains = np.zeros((alignment.size, alignment.size, *gain.shape[2:]), np.float32)
    gains[place] = gain
    return lay_over(warp, alignment, gains, _brightened)


def _own_folds(warp: Warp, alignment: Alignment, place: tuple[slice, slice]) -> NDArray[np.float32]:
    """(height, width, 3) what each colour of a part of the crop would gain without the folds in it, as a
    share of it: what fills dark valleys that are narrower than _FOLD_MM.

    Light that goes from one side of a fold to the other is red: made brighter alike, a fold would become a
    red line. And so it would if each colour stopped at a limit of its own.
    """
    px_per_mm = alignment.size / _CROP.width_mm
    crop = alignment.shifted(warp.region[:2]).crop(warp.image)[place]
    fine = cv2.GaussianBlur(crop, (0, 0), _FINE_MM * px_per_mm)
    # A square's closing is a maximum and a minimum along rows and columns: a tenth of a disc's time.
    square = np.ones((2 * round(_FOLD_MM * px_per_mm / 2) + 1,) * 2, np.uint8)
    filled = cv2.GaussianBlur(cv2.morphologyEx(fine, cv2.MORPH_CLOSE, square), (0, 0), px_per_mm)
    gain = (filled.astype(np.float32) + _FLOOR) / (fine.astype(np.float32) + _FLOOR) - 1
    gain = np.maximum(gain, 0)
    return gain * np.minimum(_DEEPEST / np.maximum(gain.max(axis=2, keepdims=True), _LEAST), 1)


def _brightened(picture: NDArray[np.uint8], gain: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(1 + gain) picture, rounded and limited to 0..255; a gain (height, width) has the hue of shadows."""
    return cv2.multiply(picture, _in_hue(gain) if gain.ndim == 2 else 1 + gain, dtype=cv2.CV_8U)


def _in_hue(gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width, 3) what a gain (height, width) of brightness multiplies each colour of skin by."""
    return cv2.merge([1 + share * gain for share in _HUE])


def _limited(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Changes of log brightness that approach -_DARKEST and _LIGHTEST."""
    darker = cv2.min(picture, 0)
    lighter = cv2.max(picture, 0)
    return cv2.add(
        cv2.divide(darker, cv2.addWeighted(darker, -1 / _DARKEST, darker, 0, 1)),
        cv2.divide(lighter, cv2.addWeighted(lighter, 1 / _LIGHTEST, lighter, 0, 1)),
    )


def _refined(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """A smooth plane (95, 80) on the grid of SIZE."""
    return cv2.resize(plane, SIZE[::-1], interpolation=cv2.INTER_LINEAR)


class _View:
    """Where the canonical face is seen in a square crop."""

    def __init__(self, places: NDArray[np.float32], size: int) -> None:
        """places: (478, 3) the landmarks in the crop of `size` pixels."""
        self._size = size
        field, self._covered = over_crop(places, _canonical(), size)
        self._field = nearest(field, self._covered)[0] if self._covered.any() else field

    def around(self, picture: NDArray[np.float32]) -> tuple[slice, slice]:
        """The (rows, columns) of the crop outside which a picture of the canonical face (380, 320) is 0."""
        left, top, width, height = cv2.boundingRect(cv2.compare(picture, 0, cv2.CMP_NE))
        x, y = self._field
        inside = (x >= left - 1) & (x <= left + width) & (y >= top - 1) & (y <= top + height)
        left, top, width, height = cv2.boundingRect((inside & self._covered).view(np.uint8))
        # One cell more all around, between whose centres pixels are interpolated.
        bottom, right = (min(end + 1, cell_count(self._size)) for end in (top + height, left + width))
        return (
            slice(CROP_CELL_PX * max(top - 1, 0), min(CROP_CELL_PX * bottom, self._size)),
            slice(CROP_CELL_PX * max(left - 1, 0), min(CROP_CELL_PX * right, self._size)),
        )

    def of(self, picture: NDArray[np.float32], place: tuple[slice, slice]) -> NDArray[np.float32]:
        """A picture of the canonical face (380, 320) as seen in a place of the crop, 0 off the face."""
        cells = tuple(slice(part.start // CROP_CELL_PX, cell_count(part.stop)) for part in place)
        height, width = (part.stop - part.start for part in place)
        x, y, on_face = (
            np.ascontiguousarray(to_pixels(np.ascontiguousarray(plane[cells]), CROP_CELL_PX)[:height, :width])
            for plane in (*self._field, self._covered.astype(np.float32))
        )
        return cv2.multiply(
            cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), on_face
        )


@lru_cache(maxsize=1)
def load_creases(path: Path = _PATH) -> Creases:
    """Those that ship with the project (see FOLDS_CARD.md beside them)."""
    with np.load(path, allow_pickle=False) as data:
        lines = tuple(
            CreaseLines(int(index), (int(row), int(column)), data[f"lines_{index}"])
            for index, row, column in data["corners"]
        )
        return Creases(
            lines,
            data["shading"].astype(np.float32) * np.float32(STEP),
            data["reach"].astype(np.float32) / 255,
            data["roughness"],
        )


@lru_cache(maxsize=1)
def _sidedness() -> NDArray[np.float32]:
    """(320,) of every column."""
    return sidedness((ORIGIN_MM[0] + CELL_MM * (0.5 + np.arange(SIZE[1]))).astype(np.float32))


def to_cells(canonical_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Canonical places (n, 2 or more) in millimetres on the grid of SIZE, cell centres at whole numbers."""
    return ((canonical_mm[:, :2] - ORIGIN_MM) / CELL_MM - 0.5).astype(np.float32)


@lru_cache(maxsize=1)
def _canonical() -> NDArray[np.float32]:
    """(2, n, 3) the places of the mesh's corners on the grid of SIZE."""
    return to_cells(load_shape().canonical)[warp_triangles()].transpose(2, 0, 1)
