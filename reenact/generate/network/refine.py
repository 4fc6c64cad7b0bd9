"""Networks refine what moving and painting have made of mouth and eyes: light, shade, and the joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import Change
from calib.openings import Opening
from calib.ramp import smoothstep
from engines.engine import Engine
from reenact.alignment import Alignment
from reenact.generate.geometry.warp import Warp
from reenact.generate.network.regions import Region, geometry_planes, masks
from reenact.generate.network.steady import Steady, moment
from reenact.generate.painters.mouth.light import ivory, whiteness
from reenact.generate.painters.paint import lay_over
from reenact.records import Face, Frame

Paint: TypeAlias = NDArray[np.float32]
"""(size, size, 3) over a square crop: what is added to the picture, levels of RGB."""
LIGHTER = 0.6
"""The largest share of a pixel's darkest channel that paint may add to any channel."""


@dataclass(frozen=True)
class RefinementOptions:
    still_mm: float = 0.05
    """An opening whose edges move by less than this looks as before."""
    full_mm: float = 1.5
    """Motion of the edges from which on a network's paint shows in full."""
    strength: float = 0.75
    """The share of a network's paint that is shown at most. Networks learn from portraits, whose teeth are
    lighter than those of people who talk: with all of the paint, teeth in video frames were 6 levels of 255
    too light, without any 6 too dark."""
    shut_px: float = 0.5
    """Edges that are closer than this everywhere show nothing between them."""
    unseen: float = 0.5
    """Paint that changes red, green or blue by no more than this, in levels of 255, is left out."""


@dataclass(frozen=True, eq=False)
class _Place:
    """One opening, the network that refines it, and its paint in time."""

    region: Region
    opening: Opening
    engine: Engine
    steady: Steady


class Refinement:
    """The regional networks of a face, on any engine; a region without one stays as the painters leave it.

    A network's inputs, for a batch of n openings: `warped` (n, height, width, 3) uint8 RGB, the crop after
    the move with all layers in it; `mask` (n, height, width, 2) uint8, see regions.masks, by the second of
    which the network multiplies its alpha; `geometry` (n, height, width, 4) float32, millimetres, see
    regions.geometry_planes.
    Its outputs: `alpha` (n, height, width, 1) float32, 0..1, and `colour` (n, height, width, 3) float32,
    0..255.
    """

    def __init__(
        self, engines: Mapping[Region, Engine], options: RefinementOptions = RefinementOptions()
    ) -> None:
        self._options = options
        self._places = tuple(
            _Place(region, opening, engine, Steady())
            for region, engine in engines.items()
            for opening in region.openings
        )

    def __call__(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        """`warp` with the networks' paint; its region's border pixels stay as they are."""
        return self.lay_over(face, warp, self.paint(frame, face, change, warp))

    def paint(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Sequence[Paint | None]:
        """For each opening what its network makes of it, or has just made of it; None where nothing moves."""
        return [self._paint(place, frame, face, change, warp) for place in self._places]

    def recalled(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Sequence[Paint | None] | None:
        """What was made of a frame before, where the face is now; None where any of it is too old."""
        paints: list[Paint | None] = []
        for place in self._places:
            if self._share(place, face, warp) == 0:
                paints.append(None)
                continue
            now = moment(frame, face, warp.moved, change, _alignment(place, face, warp))
            paint = place.steady.recall(now, fresh=False)
            if paint is None:
                return None
            paints.append(paint)
        return paints

    def lay_over(self, face: Face, warp: Warp, paints: Sequence[Paint | None]) -> Warp:
        """`warp` with the paint over it, at the frame's own resolution."""
        for place, paint in zip(self._places, paints, strict=True):
            if paint is not None:
                warp = lay_over(warp, _alignment(place, face, warp), paint, _add)
        return warp

    def _paint(self, place: _Place, frame: Frame, face: Face, change: Change, warp: Warp) -> Paint | None:
        share = self._share(place, face, warp)
        if share == 0:
            return None
        alignment = _alignment(place, face, warp)
        now = moment(frame, face, warp.moved, change, alignment)
        paint = place.steady.recall(now, fresh=True)
        if paint is None:
            # Networks have not learned what is white beyond what a picture can show.
            share *= 1 - whiteness(frame.image, face)
            paint = place.steady(now, share * self._made(place, frame, face, warp, alignment))
        return paint

    def _made(self, place: _Place, frame: Frame, face: Face, warp: Warp, alignment: Alignment) -> Paint:
        paint = np.zeros((alignment.size, alignment.size, 3), np.float32)
        seen = see(frame, face, warp, place.region, place.opening, alignment)
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
        """0..1: how much of the network's paint shows; 0 where the opening stays as it was, or is shut."""
        if place.opening.gaps(warp.moved, face.pose.down).max() < self._options.shut_px:
            return 0.0
        outline = list(place.opening.outline)
        moved_mm = np.abs((warp.moved - face.landmarks)[outline, :2]).max() / face.pose.scale
        still_mm, full_mm = self._options.still_mm, self._options.full_mm
        shown = float(smoothstep(np.array((moved_mm - still_mm) / (full_mm - still_mm))))
        return self._options.strength * shown


@dataclass(frozen=True, eq=False)
class SeenRegion:
    """What a network sees of one opening; planes are (height, width, channels)."""

    warped: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    geometry: NDArray[np.float32]

    @property
    def inputs(self) -> dict[str, NDArray]:
        """A batch of one."""
        return {"warped": self.warped[None], "mask": self.mask[None], "geometry": self.geometry[None]}


def see(
    frame: Frame, face: Face, warp: Warp, region: Region, opening: Opening, alignment: Alignment
) -> SeenRegion:
    """An opening of `face` after the move, as its network sees it. alignment: that of the region."""
    before, after = (alignment.points(places) for places in (face.landmarks, warp.moved))
    geometry = geometry_planes(region, opening, before, after)
    warped = np.ascontiguousarray(moved_crop(frame, warp, alignment)[region.rows])
    mask = masks(region, opening, geometry, after, warped, ivory(frame.image, face))
    return SeenRegion(warped, mask, geometry)


def moved_crop(frame: Frame, warp: Warp, alignment: Alignment) -> NDArray[np.uint8]:
    """The aligned crop of the frame as the warp leaves it."""
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
    """Rounded and limited to 0..255; what is dark stays dark.

    A pixel gains at most LIGHTER times its darkest channel: the paint of a tooth, sampled between pixels or
    carried from the frame before, reaches the dark beside it.
    """
    red, green, blue = cv2.split(picture)
    most = cv2.multiply(cv2.min(cv2.min(red, green), blue), LIGHTER, dtype=cv2.CV_32F)
    return cv2.add(picture, cv2.min(added, cv2.merge([most] * 3)), dtype=cv2.CV_8U)
