"""Creases of the skin, which moving pixels neither makes nor smooths.

They are expression ratio images (Liu, Shan & Zhang, SIGGRAPH 2001): the change of brightness by an expression
of the same person's skin in the same light. The file holds those of several people, from smooth to lined
skin, and a face gets the lines of the people whose skin is as rough as its own. `python -m train creases`
makes the file; see CREASES_CARD.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import OPENFACE_COUNT, Change, both, lean, openface
from calib.ramp import smoothstep_of
from calib.shape import load_shape
from calib.sides import sidedness
from reenact.alignment import Alignment
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.geometry.flow import Scan, to_pixels
from reenact.generate.geometry.mesh import CROP_CELL_PX, cell_count, over_crop, warp_triangles
from reenact.generate.geometry.warp import FlowGrid, Warp, flow_grid, grid_triangles
from reenact.generate.painters.skin import Skin, see_skin
from reenact.records import Face

SIZE = (380, 320)
"""(height, width) in cells of the grid of the canonical face on which lines are drawn."""
CELL_MM = 0.5
"""The side of these cells in millimetres."""
COARSE = 4
"""The number of cells of SIZE along the side of a cell of the grid of smooth planes."""
COARSE_SIZE = (SIZE[0] // COARSE, SIZE[1] // COARSE)
"""(height, width) in cells of the grid of smooth planes."""
ORIGIN_MM = (-80.0, -95.0)
"""Canonical (x, y) of the corner of the first cell, in millimetres."""
STEP = 1 / 400
"""The unit in which lines are stored: a change of log brightness for one unit of intensity."""

_SKIN = FaceCrop(size=96)
_STEP_MM = 0.75
"""About the side, in millimetres, of the cells on which creases are painted."""
_DARKEST, _LIGHTEST = 0.6, 0.18
"""Limits that the change of log brightness approaches: skin in a crease is dark, not black."""
_HUE = (np.float32(0.86), np.float32(1), np.float32(1.14))
"""Shares of a change of brightness for red, green and blue; equal shares would turn skin grey. Light between
the sides of a real crease makes it redder still: 0.79, 0.98 and 1.23 in the mean over eight people."""
_LEAST = 1 / 256
"""Change of log brightness below which no grey level changes."""
_FINE_MM = 0.5
"""Standard deviation, in millimetres, of the blur that removes pores before creases are looked for."""
_CREASE_MM = 7.0
"""Greatest width, in millimetres, of dark valleys that count as creases."""
_ABOVE_FLOOR = np.arange(256, dtype=np.float32) + np.float32(12)
"""Grey levels as their ratio is taken: 12 is added, against noise in the dark."""
_REACH_MM = 4.5
"""Distance, in millimetres, that the blurs of a picture of creases reach: three standard deviations each."""
_SMOOTHED_BY = 2.0
"""Decrease of intensity that smooths a crease completely."""
_SMOOTHED_MOST = 0.9
"""Largest share of a crease that is smoothed."""
_DEEPEST = 1.0
"""Largest gain, as a share of it, of the darkest colour of a crease; deeper creases remain in part."""
_PATH = Path(__file__).with_name("creases.npz")


@dataclass(frozen=True, eq=False)
class CreaseLines:
    """The lines that one action unit draws, of several people."""

    index: int
    """The index of the action unit, 0..16."""
    corner: tuple[int, int]
    """(row, column) of the first cell on the grid of SIZE."""
    people: NDArray[np.int8]
    """(people, height, width) change of log brightness for one unit of intensity, in multiples of STEP."""

    @property
    def place(self) -> tuple[slice, slice]:
        """The rows and columns of the lines on the grid of SIZE."""
        (row, column), (_, height, width) = self.corner, self.people.shape
        return slice(row, row + height), slice(column, column + width)


@dataclass(frozen=True, eq=False)
class Creases:
    """The changes of the skin's brightness by action units, of several people in the order of roughness."""

    lines: tuple[CreaseLines, ...]
    """The lines of each action unit."""
    shading: NDArray[np.float32]
    """(17, 95, 80) change of log brightness for one unit of intensity that is wider than lines, the same for
    all people."""
    reach: NDArray[np.float32]
    """(17, 95, 80) the mask 0..1 of the skin that each action unit creases."""
    roughness: NDArray[np.float32]
    """(people,) the rising roughness of skin (reenact.generate.painters.skin) for which each person's lines
    are used."""

    @cached_property
    def creasing(self) -> NDArray[np.bool_]:
        """(17,) True for the action units that change the skin's brightness."""
        drawn = np.zeros(OPENFACE_COUNT, bool)
        drawn[[lines.index for lines in self.lines]] = True
        return drawn | self.shading.any(axis=(1, 2))

    def weights(self, roughness: float) -> NDArray[np.float32]:
        """(people,) the weights, which sum to 1, of the people with skin of this roughness.

        At most two neighbours have a weight, and weights change gradually with the roughness, so that no line
        appears suddenly from one frame to the next.
        """
        place = np.interp(np.log(roughness + 1e-6), np.log(self.roughness), np.arange(len(self.roughness)))
        weights = np.zeros(len(self.roughness), np.float32)
        lower = min(int(place), len(weights) - 1)
        share = smoothstep_of(2 * (float(place) - lower) - 0.5)
        weights[lower] = 1 - share
        if share > 0:
            weights[lower + 1] = share
        return weights

    def draw(self, change: Change, people: NDArray[np.float32]) -> NDArray[np.float32]:
        """(380, 320) the change of log brightness by the lines of relative action units (2, AU_COUNT),
        unlimited.

        people: (people,) the weights of the people.
        """
        picture = np.zeros(SIZE, np.float32)
        for lines in self.lines:
            left, right = change[:, lines.index]
            if left == 0 and right == 0:
                continue
            part = picture[lines.place]
            # The left columns get the left side's amount, the right ones the right side's, smoothly blended.
            amount = np.float32(STEP) * (left if left == right else both(change)[lines.index])
            if left != right:
                amount = amount + STEP * lean(change)[lines.index] * _sidedness()[lines.place[1]]
            for weight, drawn in zip(people, lines.people, strict=True):
                if weight > 0:
                    part += (amount * np.float32(weight)) * drawn
        return picture

    def weighted_sum(self, planes: NDArray[np.float32], change: Change) -> NDArray[np.float32]:
        """(95, 80) the sum of planes (17, 95, 80), weighted by relative action units (2, AU_COUNT)."""
        amount, aside = openface(both(change)), openface(lean(change))
        flat = planes.reshape(OPENFACE_COUNT, -1)
        total = (amount @ flat).reshape(COARSE_SIZE)
        if aside.any():
            total += _sidedness()[COARSE // 2 :: COARSE] * (aside @ flat).reshape(COARSE_SIZE)
        return total

    def shade(
        self, places: NDArray[np.float32], change: Change, size: int, people: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(size, size) the change of log brightness by relative action units (2, AU_COUNT) in a square crop.

        places: (478, 3) the landmarks in the crop, in pixels. people: (people,) the weights of the people.
        """
        view = _View.in_crop(places, size)
        picture = self.draw(change, people) + _refined(self.weighted_sum(self.shading, change))
        rows, columns = view.around(picture)
        shade = np.zeros((CROP_CELL_PX * cell_count(size),) * 2, np.float32)
        part = np.s_[
            CROP_CELL_PX * rows.start : CROP_CELL_PX * rows.stop,
            CROP_CELL_PX * columns.start : CROP_CELL_PX * columns.stop,
        ]
        (drawn,) = view.of([picture], (rows, columns), CROP_CELL_PX)
        shade[part] = _limited(drawn)
        return shade[:size, :size]


Remembered = Callable[[Callable[[], Skin]], Skin]
"""Gives the skin of a face: what its argument sees, or what was seen before."""


def _as_seen(look: Callable[[], Skin]) -> Skin:
    return look()


def paint_creases(
    face: Face,
    change: Change,
    warp: Warp,
    creases: Creases | None = None,
    remembered: Remembered = _as_seen,
) -> Warp:
    """`warp` with the creases that `change` (2, AU_COUNT) makes, and without those that it smooths.

    Lines that are drawn are those of people with similar skin; lines that are smoothed are the face's own.
    creases: the creases of people. None: those that ship with the project. remembered: see Remembered.
    """
    creases = creases or load_creases()
    change = openface(change)
    if not (change * creases.creasing).any():
        return warp
    grid = warp.grid or flow_grid(face, warp.moved)
    if grid is None:
        return warp
    in_skin = _SKIN.align(face)

    def look() -> Skin:
        crop = in_skin.shifted(warp.region[:2]).crop(warp.image)
        return see_skin(crop, in_skin.points(warp.moved), _SKIN.size / _SKIN.width_mm)

    skin = remembered(look)
    more, less = np.maximum(change, 0), np.maximum(-change, 0)
    picture = creases.draw(more, creases.weights(skin.roughness))
    picture += _refined(creases.weighted_sum(creases.shading, change))
    smoothed = _refined(np.minimum(creases.weighted_sum(creases.reach, less) / _SMOOTHED_BY, 1))
    view = _View.on(grid)
    place = _Place.of(grid, view.around(cv2.absdiff(picture, -smoothed)), warp, face.pose.scale)
    if place is None:
        return warp
    bare = place.of_crop(skin.bare, in_skin)
    # A weak change shows nowhere.
    smooths = smoothed.max() * _SMOOTHED_MOST > _LEAST
    drawn, *without = view.of([picture, smoothed] if smooths else [picture], place.cells, place.finer)
    gain = cv2.exp(cv2.multiply(_limited(drawn), bare))
    gain -= 1
    gain *= np.abs(gain) >= _LEAST
    factor = _in_hue(gain)
    if smooths:
        _fill_creases(factor, cv2.multiply(without[0], bare, scale=_SMOOTHED_MOST), place, warp)
    return place.lay_over(warp, factor)


def _fill_creases(factor: NDArray[np.float32], share: NDArray[np.float32], place: _Place, warp: Warp) -> None:
    """Multiplies `factor` (height, width, 3) by the gain that fills a share (height, width), 0..1, of the
    creases in a warp. Both are in the finer cells of `place`."""
    # Mostly a third of the face; a crease is filled from what is close around it.
    x, y, width, height = cv2.boundingRect(cv2.compare(share, _LEAST, cv2.CMP_GT))
    if width == 0:
        return
    around, finer = (_CREASE_MM / 2 + _REACH_MM) * place.px_per_mm, place.finer
    rows = slice(int((y - around) // finer), int(-(-(y + height + around) // finer)))
    columns = slice(int((x - around) // finer), int(-(-(x + width + around) // finer)))
    near = place.part((rows, columns))
    left, top = (finer * (near.cells[axis].start - place.cells[axis].start) for axis in (1, 0))
    own = _own_creases(near.of_warp(warp), place.px_per_mm)[y - top :, x - left :]
    part = np.s_[y : y + height, x : x + width]
    filled = cv2.multiply(cv2.merge([share[part]] * 3), own[:height, :width])
    filled += 1
    factor[part] *= filled


def _own_creases(crop: NDArray[np.uint8], px_per_mm: float) -> NDArray[np.float32]:
    """(height, width, 3) the relative gain of each colour that fills the creases in a picture of a face.

    Creases are dark valleys narrower than _CREASE_MM. The light in a crease is red, so that with equal gains,
    or with a limit for each colour, it would become a red line.
    """
    fine = cv2.GaussianBlur(crop, (0, 0), _FINE_MM * px_per_mm)
    # Closing by a square is a maximum and a minimum along rows and columns: a tenth of a disc's time.
    square = np.ones((2 * round(_CREASE_MM * px_per_mm / 2) + 1,) * 2, np.uint8)
    filled = cv2.GaussianBlur(cv2.morphologyEx(fine, cv2.MORPH_CLOSE, square), (0, 0), px_per_mm)
    gain = cv2.divide(cv2.LUT(filled, _ABOVE_FLOOR), cv2.LUT(fine, _ABOVE_FLOOR))
    np.maximum(gain, 1, out=gain)
    gain -= 1
    if gain.max() <= _DEEPEST:  # usual, except in very dark creases
        return gain
    red, green, blue = cv2.split(gain)
    most = cv2.max(cv2.max(red, green), blue)
    share = cv2.min(cv2.divide(_DEEPEST, cv2.max(most, _LEAST)), 1)
    return cv2.multiply(gain, cv2.merge([share] * 3))


def _in_hue(gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width, 3) the factors for each colour of skin of a gain (height, width) of brightness."""
    return cv2.merge([1 + share * gain for share in _HUE])


def _limited(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Changes of log brightness, limited smoothly to -_DARKEST and _LIGHTEST."""
    beyond = cv2.max(picture * np.float32(1 / _LIGHTEST), picture * np.float32(-1 / _DARKEST))
    beyond += 1
    return cv2.divide(picture, beyond)


def _refined(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """A smooth plane (95, 80), interpolated to the grid of SIZE."""
    return cv2.resize(plane, SIZE[::-1], interpolation=cv2.INTER_LINEAR)


_Cells = tuple[slice, slice]
"""The rows and columns of some cells of a grid."""


class _View:
    """The view of the canonical face on the cells of a grid over a picture."""

    def __init__(self, mesh: Scan, triangles: NDArray[np.intp]) -> None:
        """mesh: the triangles of the face that are visible in the cells. triangles: (n, 3) the landmarks at
        their corners."""
        self._covered = mesh.covered
        field = mesh.fill(_canonical().take(triangles, axis=1))
        self._field = mesh.nearest(field) if len(mesh.cell) else field

    @classmethod
    def in_crop(cls, places: NDArray[np.float32], size: int) -> _View:
        """The view in a square crop, whose cells have CROP_CELL_PX.

        places: (478, 3) the landmarks in the crop, in pixels. size: the side of the crop in pixels."""
        return cls(over_crop(places, size), warp_triangles())

    @classmethod
    def on(cls, grid: FlowGrid) -> _View:
        """The view on the grid of a warp."""
        return cls(grid.mesh, grid_triangles())

    def around(self, picture: NDArray[np.float32]) -> _Cells:
        """The cells where a picture of the canonical face (380, 320) is not 0, and one more all around,
        between whose centres pixels are interpolated."""
        left, top, width, height = cv2.boundingRect(cv2.compare(picture, 0, cv2.CMP_NE))
        x, y = self._field
        inside = (x >= left - 1) & (x <= left + width) & (y >= top - 1) & (y <= top + height)
        left, top, width, height = cv2.boundingRect((inside & self._covered).view(np.uint8))
        rows, columns = self._covered.shape
        return (
            slice(max(top - 1, 0), min(top + height + 1, rows)),
            slice(max(left - 1, 0), min(left + width + 1, columns)),
        )

    def of(
        self, pictures: Sequence[NDArray[np.float32]], cells: _Cells, finer: int
    ) -> list[NDArray[np.float32]]:
        """Pictures of the canonical face (380, 320) in some cells, `finer` pixels along each side of a cell;
        0 outside the face."""
        x, y, on_face = (
            to_pixels(np.ascontiguousarray(plane[cells]), finer)
            for plane in (*self._field, self._covered.astype(np.float32))
        )
        return [
            cv2.multiply(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), on_face)
            for picture in pictures
        ]


@dataclass(frozen=True, eq=False)
class _Place:
    """Some cells of the grid of a warp, in finer cells of about _STEP_MM, on which creases are painted.

    They run along the frame's rows and columns, so that all that maps between them and the frame is a change
    of size, which takes a fifth of the time of a rotation.
    """

    cells: _Cells
    """The cells of the grid."""
    finer: int
    """The number of finer cells along the side of a cell."""
    cell_px: int
    """The side of a cell in pixels."""
    origin: tuple[int, int]
    """(x, y) of the first cell's corner in the frame."""
    size: tuple[int, int]
    """(height, width) of the cells in pixels."""
    px_per_mm: float
    """Finer cells per millimetre of an average face."""

    @classmethod
    def of(cls, grid: FlowGrid, cells: _Cells, warp: Warp, scale: float) -> _Place | None:
        """The part of these cells that overlaps the warp. scale: the face's pixels per mm. None: there
        is no such part."""
        region, step = np.array(warp.region).reshape(2, 2), grid.cell_px
        first = np.maximum((region[0] - grid.low) // step, (cells[1].start, cells[0].start))
        last = np.minimum(-((grid.low - region[1]) // step), (cells[1].stop, cells[0].stop))
        if (first >= last).any():
            return None
        finer = max(1, min(step, round(step / scale / _STEP_MM)))
        x, y = grid.low + first * step
        width, height = (last - first) * step
        within = slice(int(first[1]), int(last[1])), slice(int(first[0]), int(last[0]))
        return cls(within, finer, step, (int(x), int(y)), (int(height), int(width)), finer / step * scale)

    def part(self, cells: _Cells) -> _Place:
        """Some of these cells: rows and columns that are counted from the first one, and may reach beyond."""
        (rows, columns), step = self.cells, self.cell_px
        top, left = max(cells[0].start, 0), max(cells[1].start, 0)
        bottom = min(cells[0].stop, rows.stop - rows.start)
        right = min(cells[1].stop, columns.stop - columns.start)
        return replace(
            self,
            cells=(
                slice(rows.start + top, rows.start + bottom),
                slice(columns.start + left, columns.start + right),
            ),
            origin=(self.origin[0] + left * step, self.origin[1] + top * step),
            size=((bottom - top) * step, (right - left) * step),
        )

    @property
    def finer_size(self) -> tuple[int, int]:
        """(width, height) in finer cells."""
        height, width = self.size
        return width * self.finer // self.cell_px, height * self.finer // self.cell_px

    def of_crop(self, plane: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
        """A plane of a crop with this alignment to the frame, in finer cells."""
        step = self.cell_px / self.finer
        to_frame = np.array(
            [[step, 0, self.origin[0] + (step - 1) / 2], [0, step, self.origin[1] + (step - 1) / 2]]
        )
        matrix = alignment.matrix[:, :2] @ to_frame
        matrix[:, 2] += alignment.matrix[:, 2]
        return cv2.warpAffine(
            plane,
            matrix,
            self.finer_size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def of_warp(self, warp: Warp) -> NDArray[np.uint8]:
        """The warp's pixels in finer cells; its border pixels are repeated beyond it."""
        part, (before, after) = self._part(warp)
        around = (
            cv2.copyMakeBorder(part, *before, *after, cv2.BORDER_REPLICATE) if any(before + after) else part
        )
        # Bilinear sampling reads every pixel up to a step of two, in a third of the time of an area's mean.
        coarse = self.cell_px > 2 * self.finer
        return cv2.resize(
            around, self.finer_size, interpolation=cv2.INTER_AREA if coarse else cv2.INTER_LINEAR
        )

    def lay_over(self, warp: Warp, factor: NDArray[np.float32]) -> Warp:
        """`warp` times the factors of its colours (height, width, 3) in finer cells, except for its border
        pixels."""
        height, width = self.size
        there = cv2.resize(factor, (width, height), interpolation=cv2.INTER_LINEAR)
        image = warp.image.copy()
        part, ((top, bottom), (left, right)) = self._part(replace(warp, image=image))
        cv2.multiply(part, there[top : height - bottom, left : width - right], dst=part, dtype=cv2.CV_8U)
        for border in (0, -1, np.s_[:, 0], np.s_[:, -1]):
            image[border] = warp.image[border]
        return replace(warp, image=image)

    def _part(self, warp: Warp) -> tuple[NDArray[np.uint8], tuple[tuple[int, int], tuple[int, int]]]:
        """The warp's pixels in these cells, and the rows (above, below) and the columns (left, right)
        of the cells that lie outside it."""
        (x, y), (height, width) = self.origin, self.size
        x0, y0, x1, y1 = warp.region
        above, below = max(y0 - y, 0), max(y + height - y1, 0)
        left, right = max(x0 - x, 0), max(x + width - x1, 0)
        rows = slice(y + above - y0, y + height - below - y0)
        columns = slice(x + left - x0, x + width - right - x0)
        return warp.image[rows, columns], ((above, below), (left, right))


@lru_cache(maxsize=1)
def load_creases(path: Path = _PATH) -> Creases:
    """The creases that ship with the project (see CREASES_CARD.md beside them)."""
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
    """(320,) the sidedness of every column of the grid of SIZE."""
    return sidedness((ORIGIN_MM[0] + CELL_MM * (0.5 + np.arange(SIZE[1]))).astype(np.float32))


def to_cells(canonical_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 2) canonical places (n, 2 or more), in millimetres, on the grid of SIZE."""
    return ((canonical_mm[:, :2] - ORIGIN_MM) / CELL_MM - 0.5).astype(np.float32)


@lru_cache(maxsize=1)
def _canonical() -> NDArray[np.float32]:
    """(2, 478) the places of the landmarks on the grid of SIZE."""
    return np.ascontiguousarray(to_cells(load_shape().canonical).T)
