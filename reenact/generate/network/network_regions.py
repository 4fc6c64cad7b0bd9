"""The parts of a face that networks refine, and what such a network sees of one.

A network sees the face as the painters leave it, and geometry: where the edges of the opening are after the
move, and how much the move has uncovered. It is not told any action units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE, Opening
from calib.pose import Pose
from calib.ramp import smoothstep
from reenact.alignment import Alignment, align
from reenact.generate.geometry.face_crop import FaceCrop

PLANES = 4
"""Planes of `geometry_planes`."""
RIM_MM = 1.5
"""Width of the rim around an opening that a network may paint, too."""
REST_MM = 1.5, 3.5
"""An opening with a gap up to the first has shown nothing worth keeping, with the second all there is."""
PALE = 0.2, 0.4
"""Whiteness (`pale`) up to which a pixel is no tooth, and from which on it is one."""
NARROW_MM = 1.0, 2.5
"""Lips that are no further apart than the first are all that shows there, from the second on teeth may."""
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class NetworkRegion:
    """One or several openings that look alike, and the crop in which each of them is refined."""

    name: str
    openings: tuple[Opening, ...]
    width_px: int
    height_px: int
    width_mm: float
    """Width of the crop on an average face."""
    teeth_only: bool = False
    """Whether paint is allowed only where the layers show teeth: the dark of a mouth, its tongue, gums and
    corners stay as the layers leave them."""

    @property
    def crop(self) -> FaceCrop:
        """What a model file says of the crop; `alignment` centres it on the opening."""
        return FaceCrop(self.width_px, self.width_mm, (0.0, 0.0, 0.0))

    @property
    def px_per_mm(self) -> float:
        return self.width_px / self.width_mm

    @property
    def rows(self) -> slice:
        """The rows of the square crop of `alignment` that a network sees."""
        above = (self.width_px - self.height_px) // 2
        return slice(above, above + self.height_px)

    def alignment(self, opening: Opening, pose: Pose, moved: NDArray[np.float32]) -> Alignment:
        """From the frame to the upright square crop around an opening after the move.

        moved: (478, 3) landmarks after the move, frame pixels.
        """
        outline = pose.to_canonical(moved[list(opening.outline)])
        x, y, z = (outline.min(axis=0) + outline.max(axis=0)) / 2
        return align(pose, self.width_px, self.width_mm, (float(x), float(y), float(z)))


REGIONS: Mapping[str, NetworkRegion] = {
    region.name: region
    for region in (
        NetworkRegion("mouth", (MOUTH,), 128, 96, 72.0, teeth_only=True),
        NetworkRegion("eyes", (LEFT_EYE, RIGHT_EYE), 64, 48, 44.0),
    )
}
"""By name."""


def masks(
    region: NetworkRegion,
    opening: Opening,
    geometry: NDArray[np.float32],
    places: NDArray[np.float32],
    layers: NDArray[np.uint8],
    light: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """(height, width, 2) 255 inside the opening, with an edge that is soft over a pixel; and the same where
    paint is allowed: in the opening and on a rim that fades out, or on the teeth alone; but not on what the
    frame has shown there.

    geometry: `geometry_planes`. places: (478, 2 or more) landmarks after the move, pixels of the square crop.
    layers: (height, width, 3) RGB, the crop after the move. light: (3,) RGB of white teeth in its light.
    """
    inside = np.zeros((region.width_px, region.width_px), np.uint8)
    points = np.round(places[list(opening.outline), :2] * 16).astype(np.int32)
    cv2.fillPoly(inside, [points], 255, lineType=cv2.LINE_AA, shift=4)
    inside = cv2.GaussianBlur(inside, (3, 3), 0)
    if region.teeth_only:
        teeth = inside[region.rows] * pale(layers, light)
        # A line of one or two pixels along the edge is the gleam of a lip.
        allowed = cv2.GaussianBlur(cv2.morphologyEx(teeth, cv2.MORPH_OPEN, _SQUARE), (3, 3), 0)
        apart_mm = geometry[..., 0] + geometry[..., 1]
        allowed = allowed * smoothstep((apart_mm - NARROW_MM[0]) / (NARROW_MM[1] - NARROW_MM[0]))
    else:
        across = 2 * round(RIM_MM * region.px_per_mm) - 1
        allowed = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (across, across)))
        allowed = cv2.GaussianBlur(allowed, (5, 5), 0)[region.rows]
    allowed = allowed * (1 - _shown(geometry))
    return cv2.merge([inside[region.rows], np.rint(allowed).astype(np.uint8)])


def pale(picture: NDArray[np.uint8], light: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width) 1 on teeth, 0 on lips, gums, tongue and in the dark.

    Whiteness is twice the smallest less the largest channel, as shares of `light`, the (3,) RGB of white
    teeth: 0.4 to 0.8 on teeth, also shaded ones, 0.1 on gums and a lit tongue, below 0 in the dark.
    """
    shares = cv2.multiply(picture, tuple(map(float, 1 / np.maximum(light, 1))), dtype=cv2.CV_32F)
    red, green, blue = cv2.split(shares)
    smallest, largest = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    whiteness = cv2.addWeighted(smallest, 2, largest, -1, 0)
    return smoothstep((whiteness - PALE[0]) / (PALE[1] - PALE[0])).astype(np.float32)


def _shown(geometry: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width) 1 where the opening was open before the move, and not just parted; 0 elsewhere."""
    gap_mm, uncovered_mm = geometry[..., 2], geometry[..., 3]
    return (
        smoothstep((gap_mm - REST_MM[0]) / (REST_MM[1] - REST_MM[0]))
        * (1 - smoothstep(uncovered_mm / RIM_MM))
    ).astype(np.float32)


def geometry_planes(
    region: NetworkRegion, opening: Opening, before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(height, width, PLANES) millimetres, for every pixel: how far it lies below the upper edge of the
    opening, how far above the lower one, how far apart the two were before the move, and how far it lies
    outside of what was open then.

    before, after: (478, 2 or more) landmarks before and after the move, pixels of the square crop.
    """
    x = np.arange(region.width_px, dtype=np.float32)
    y = np.arange(region.width_px, dtype=np.float32)[region.rows, None]
    (top, bottom), (old_top, old_bottom) = (
        [_height(places, edge, x) for edge in (opening.upper, opening.lower)] for places in (after, before)
    )
    uncovered = np.maximum(np.maximum(old_top - y, y - old_bottom), 0)
    gap = np.broadcast_to(np.maximum(old_bottom - old_top, 0), uncovered.shape)
    planes = np.stack([y - top, bottom - y, gap, uncovered], axis=-1) / region.px_per_mm
    return np.clip(planes, -10, 30).astype(np.float32)


def _height(
    places: NDArray[np.float32], edge: tuple[int, ...], x: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(columns,) y of an edge of an opening."""
    points = places[list(edge), :2]
    return np.interp(x, points[:, 0], points[:, 1]).astype(np.float32)
