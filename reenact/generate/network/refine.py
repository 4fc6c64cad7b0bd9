"""Refines the moved and painted mouth and eyes by networks: light, shade, and seams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import Change
from calib.openings import Opening
from calib.ramp import ramp_of
from engines.engine import Engine
from reenact.alignment import Alignment
from reenact.generate.geometry.warp import Warp
from reenact.generate.network.network_regions import NetworkRegion, geometry_planes, masks
from reenact.generate.network.paint_filter import PaintFilter, paint_conditions
from reenact.generate.painters.mouth.teeth_light import ivory, overexposed_share
from reenact.generate.painters.paint import lay_over
from reenact.records import Face, Frame

Paint: TypeAlias = NDArray[np.float32]
"""(size, size, 3) levels of RGB to add to the picture of a square crop."""
LIGHTER = 0.6
"""The largest share of a pixel's darkest channel that paint may add to any channel."""


@dataclass(frozen=True)
class RefinementOptions:
    """How much of the networks' paint shows."""

    still_mm: float = 0.05
    """The motion of an opening's edges, in millimetres, below which it is not painted."""
    full_mm: float = 1.5
    """The motion of the edges, in millimetres, from which on a network's paint shows in full."""
    strength: float = 0.75
    """The largest share of a network's paint that shows. Networks learn from portraits, whose teeth are
    lighter than those of people who talk: with all of the paint, teeth in video frames were 6 levels of 255
    too light, without it 6 too dark."""
    shut_px: float = 0.5
    """The gap between edges, in pixels, below which nothing shows between them."""
    unseen: float = 0.5
    """The change of red, green or blue, in levels of 255, up to which paint is left out."""


@dataclass(frozen=True, eq=False)
class _Place:
    """One opening, the network that refines it, and the filter of its paint over time."""

    region: NetworkRegion
    opening: Opening
    engine: Engine
    filter: PaintFilter


class Refinement:
    """Runs the regional networks of a face on any engine; regions without a network are not refined.

    A network's inputs, for a batch of n openings: `warped` (n, height, width, 3) uint8 RGB, the crop after
    the move and all painters; `mask` (n, height, width, 2) uint8, see network_regions.masks, by the second of
    which the network multiplies its alpha; `geometry` (n, height, width, 4) float32, millimetres, see
    network_regions.geometry_planes.
    Its outputs: `alpha` (n, height, width, 1) float32, 0..1, and `colour` (n, height, width, 3) float32,
    0..255.
    """

    def __init__(
        self, engines: Mapping[NetworkRegion, Engine], options: RefinementOptions = RefinementOptions()
    ) -> None:
        self._options = options
        self._places = tuple(
            _Place(region, opening, engine, PaintFilter())
            for region, engine in engines.items()
            for opening in region.openings
        )

    def __call__(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        """`warp` with the networks' paint; its border pixels do not change."""
        return self.lay_over(face, warp, self.paint(frame, face, change, warp))

    def paint(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Sequence[Paint | None]:
        """For each opening its network's paint, new or a few frames old. None: the opening does not move."""
        return [self._paint(place, frame, face, change, warp) for place in self._places]

    def recalled(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Sequence[Paint | None] | None:
        """For each opening the paint of an earlier frame, carried along. None: some of it is too old."""
        paints: list[Paint | None] = []
        for place in self._places:
            if self._share(place, face, warp) == 0:
                paints.append(None)
                continue
            now = paint_conditions(frame, face, warp.moved, change, _alignment(place, face, warp))
            paint = place.filter.recall(now, fresh=False)
            if paint is None:
                return None
            paints.append(paint)
        return paints

    def lay_over(self, face: Face, warp: Warp, paints: Sequence[Paint | None]) -> Warp:
        """`warp` with the paint over it, at the frame's resolution."""
        for place, paint in zip(self._places, paints, strict=True):
            if paint is not None:
                warp = lay_over(warp, _alignment(place, face, warp), paint, _add)
        return warp

    def _paint(self, place: _Place, frame: Frame, face: Face, change: Change, warp: Warp) -> Paint | None:
        share = self._share(place, face, warp)
        if share == 0:
            return None
        alignment = _alignment(place, face, warp)
        now = paint_conditions(frame, face, warp.moved, change, alignment)
        paint = place.filter.recall(now, fresh=True)
        if paint is None:
            # Networks have not learned overexposed faces.
            share *= 1 - overexposed_share(frame.image, face)
            paint = place.filter(now, share * self._made(place, frame, face, warp, alignment))
        return paint

    def _made(self, place: _Place, frame: Frame, face: Face, warp: Warp, alignment: Alignment) -> Paint:
        paint = np.zeros((alignment.size, alignment.size, 3), np.float32)
        seen = region_inputs(frame, face, warp, place.region, place.opening, alignment)
        if not seen.mask[..., 1].any():
            return paint
        outputs = place.engine.run(seen.inputs)
        alpha, colour = outputs["alpha"][0], outputs["colour"][0]
        added = cv2.multiply(
            cv2.subtract(colour, seen.warped, dtype=cv2.CV_32F), cv2.merge([np.ascontiguousarray(alpha)] * 3)
        )
        added[np.abs(added) <= self._options.unseen] = 0
        paint[place.region.rows] = added
        return paint

    def _share(self, place: _Place, face: Face, warp: Warp) -> float:
        """The share of the network's paint that shows, 0..1; 0 for an opening that is closed or still."""
        if place.opening.gaps(warp.moved, face.pose.down).max() < self._options.shut_px:
            return 0.0
        outline = list(place.opening.outline)
        moved_mm = np.abs((warp.moved - face.landmarks)[outline, :2]).max() / face.pose.scale
        return self._options.strength * ramp_of(moved_mm, (self._options.still_mm, self._options.full_mm))


@dataclass(frozen=True, eq=False)
class RegionInputs:
    """The inputs of a network for one opening; planes are (height, width, channels)."""

    warped: NDArray[np.uint8]
    """(height, width, 3) RGB, the crop after the move and all painters."""
    mask: NDArray[np.uint8]
    """(height, width, 2) 0..255, see network_regions.masks."""
    geometry: NDArray[np.float32]
    """(height, width, 4) millimetres, see network_regions.geometry_planes."""

    @property
    def inputs(self) -> dict[str, NDArray]:
        """The inputs as a batch of one."""
        return {"warped": self.warped[None], "mask": self.mask[None], "geometry": self.geometry[None]}


def region_inputs(
    frame: Frame, face: Face, warp: Warp, region: NetworkRegion, opening: Opening, alignment: Alignment
) -> RegionInputs:
    """The inputs of the network for an opening of `face` after the move, given its alignment."""
    before, after = (alignment.points(places) for places in (face.landmarks, warp.moved))
    geometry = geometry_planes(region, opening, before, after)
    warped = np.ascontiguousarray(moved_crop(frame, warp, alignment)[region.rows])
    mask = masks(region, opening, geometry, after, warped, ivory(frame.image, face))
    return RegionInputs(warped, mask, geometry)


def moved_crop(frame: Frame, warp: Warp, alignment: Alignment) -> NDArray[np.uint8]:
    """(size, size, 3) the aligned crop of the frame with the warp in it."""
    left, top, right, bottom = alignment.bounds(frame.size)
    picture = frame.image[top:bottom, left:right].copy()
    x, y = warp.region[:2]
    x0, y0 = np.maximum((left, top), warp.region[:2])
    x1, y1 = np.maximum((x0, y0), np.minimum((right, bottom), warp.region[2:]))
    picture[y0 - top : y1 - top, x0 - left : x1 - left] = warp.image[y0 - y : y1 - y, x0 - x : x1 - x]
    return alignment.shifted((left, top)).crop(picture)


def _alignment(place: _Place, face: Face, warp: Warp) -> Alignment:
    return place.region.alignment(place.opening, face.pose, warp.moved)


def _add(picture: NDArray[np.uint8], added: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture (height, width, 3) plus paint, rounded and limited to 0..255.

    A pixel gains at most LIGHTER times its darkest channel, so that the dark stays dark beside a tooth whose
    paint, sampled between pixels or carried from the frame before, reaches it.
    """
    red, green, blue = cv2.split(picture)
    most = cv2.multiply(cv2.min(cv2.min(red, green), blue), LIGHTER, dtype=cv2.CV_32F)
    return cv2.add(picture, cv2.min(added, cv2.merge([most] * 3)), dtype=cv2.CV_8U)
