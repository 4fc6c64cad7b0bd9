"""The regions of a face that networks refine, and the inputs of such a network.

A network takes the painted face and geometry: the edges of the opening after the move, and what the move has
uncovered. It does not take action units.
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
"""The number of planes of `geometry_planes`."""
RIM_MM = 1.5
"""Width, in millimetres, of the rim around an opening that a network may also paint."""
REST_MM = 1.5, 3.5
"""Gaps of an opening in the frame, in millimetres, between which its content begins to be kept: up to the
first none of it, from the second on all of it."""
PALE = 0.2, 0.4
"""Whiteness (`pale`) up to which a pixel is not a tooth, and from which on it is one."""
NARROW_MM = 1.0, 2.5
"""Gaps between lips, in millimetres, up to which no teeth may be painted, and from which on they may."""
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class NetworkRegion:
    """One or several openings of a kind, and the crop in which each of them is refined."""

    name: str
    """The name that model files state."""
    openings: tuple[Opening, ...]
    """The openings."""
    width_px: int
    """The width of the crop in pixels."""
    height_px: int
    """The height of the crop in pixels."""
    width_mm: float
    """The width of the crop in millimetres of an average face."""
    teeth_only: bool = False
    """Whether only teeth in the painted picture may be changed; the dark of a mouth, its tongue, gums and
    corners are then left as they are."""

    @property
    def crop(self) -> FaceCrop:
        """The crop as model files state it; `alignment` centres it on the opening."""
        return FaceCrop(self.width_px, self.width_mm, (0.0, 0.0, 0.0))

    @property
    def px_per_mm(self) -> float:
        """Crop pixels per millimetre of an average face."""
        return self.width_px / self.width_mm

    @property
    def rows(self) -> slice:
        """The rows of the square crop of `alignment` that a network takes."""
        above = (self.width_px - self.height_px) // 2
        return slice(above, above + self.height_px)

    def alignment(self, opening: Opening, pose: Pose, moved: NDArray[np.float32]) -> Alignment:
        """The alignment from the frame to the upright square crop around an opening after the move.

        moved: (478, 3) the landmarks after the move, in frame pixels.
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
"""The regions by name."""


def masks(
    region: NetworkRegion,
    opening: Opening,
    geometry: NDArray[np.float32],
    places: NDArray[np.float32],
    layers: NDArray[np.uint8],
    light: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """(height, width, 2) two masks, 0..255: the opening, with an edge that is soft over a pixel; and the
    pixels that may be painted.

    These are the opening and a rim that fades out, or the teeth alone, without what the frame has shown.
    geometry: the `geometry_planes`. places: (478, 2 or more) the landmarks after the move, in pixels of the
    square crop. layers: (height, width, 3) RGB, the painted crop. light: (3,) RGB of white teeth in its
    light.
    """
    inside = np.zeros((region.width_px, region.width_px), np.uint8)
    points = np.round(places[list(opening.outline), :2] * 16).astype(np.int32)
    cv2.fillPoly(inside, [points], 255, lineType=cv2.LINE_AA, shift=4)
    inside = cv2.GaussianBlur(inside, (3, 3), 0)
    if region.teeth_only:
        teeth = inside[region.rows] * pale(layers, light)
        # A line of one or two pixels along the edge is a highlight on a lip.
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
    """(height, width) the mask of teeth: 1 on teeth, 0 on lips, gums, tongue and in the dark.

    picture: (height, width, 3) RGB. light: (3,) RGB of white teeth in its light. Whiteness is twice the
    smallest less the largest channel, as shares of `light`: 0.4 to 0.8 on teeth, also in shade, 0.1 on gums
    and a lit tongue, below 0 in the dark.
    """
    shares = cv2.multiply(picture, tuple(map(float, 1 / np.maximum(light, 1))), dtype=cv2.CV_32F)
    red, green, blue = cv2.split(shares)
    smallest, largest = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    whiteness = cv2.addWeighted(smallest, 2, largest, -1, 0)
    return smoothstep((whiteness - PALE[0]) / (PALE[1] - PALE[0])).astype(np.float32)


def _shown(geometry: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width) 1 where the opening was clearly open before the move, 0 elsewhere."""
    gap_mm, uncovered_mm = geometry[..., 2], geometry[..., 3]
    return (
        smoothstep((gap_mm - REST_MM[0]) / (REST_MM[1] - REST_MM[0]))
        * (1 - smoothstep(uncovered_mm / RIM_MM))
    ).astype(np.float32)


def geometry_planes(
    region: NetworkRegion, opening: Opening, before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(height, width, PLANES) distances in millimetres, limited to -10..30, for every pixel.

    They are those below the upper edge of the opening, above its lower edge, between the two edges before
    the move, and to what was open before the move.
    before, after: (478, 2 or more) the landmarks before and after the move, in pixels of the square crop.
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
    """(columns,) the y of an edge of an opening."""
    points = places[list(edge), :2]
    return np.interp(x, points[:, 0], points[:, 1]).astype(np.float32)
