"""The upper lids that the warp has lowered: skin over the eye, and the lashes along its edge."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import LEFT_EYE, RIGHT_EYE, Opening
from calib.ramp import smoothstep
from calib.shape import load_shape
from reenact.generate.paint import blend, box_around, mix, polygon, sample, spread
from reenact.generate.warp import Warp
from reenact.types import Face, Frame


@dataclass(frozen=True)
class LidOptions:
    cell_mm: float = 0.8
    least_mm: float = 1.5
    """Lids lowered by less than this keep the warp's pixels."""
    full_mm: float = 4.5
    """Lids lowered by more than this show painted skin alone."""
    lashes_mm: float = 0.9
    """Height of the dark line of lashes that the edge of the lid keeps."""
    soft_mm: float = 1.2
    """Width of the shade between lashes and skin."""
    blur_mm: float = 1.5
    """The mirrored skin is stretched to two or three times its height; this takes its streaks away."""
    skin_share: float = 0.75
    """How much of the skin between the crease and the brow a shut lid may show."""


# From the corner at the temple inwards, for the picture's left eye; its edge is LEFT_EYE.upper.
CREASE = (130, 247, 30, 29, 27, 28, 56, 190, 243)
ORBIT = (226, 113, 225, 224, 223, 222, 221, 189, 244)


def paint_lids(frame: Frame, face: Face, warp: Warp, options: LidOptions = LidOptions()) -> Warp:
    """`warp` with the upper lids painted where they have come down.

    An open eye's lid is folded away, so that the warp has only its edge to stretch: lashes smear into bars.
    The lid shows instead the skin above its crease, mirrored in the crease, down to the lashes, which move
    with the edge and keep their height.
    """
    mirror = load_shape().mirror
    for eye, mirrored in ((LEFT_EYE, False), (RIGHT_EYE, True)):
        rows = (np.array(CREASE), np.array(ORBIT))
        crease, orbit = (mirror[row][::-1] if mirrored else row for row in rows)
        warp = _paint_lid(frame, face, warp, eye, crease, orbit, options)
    return warp


def _paint_lid(
    frame: Frame,
    face: Face,
    warp: Warp,
    eye: Opening,
    crease: NDArray[np.intp],
    orbit: NDArray[np.intp],
    options: LidOptions,
) -> Warp:
    mm, down = face.pose.scale, face.pose.down
    edge = np.array(eye.upper)
    before, after = face.landmarks[:, :2], warp.moved[:, :2]
    lowered = (after[edge] - before[edge]) @ down
    if lowered.max() < options.least_mm * mm:
        return warp
    outline = after[np.concatenate([crease, edge[::-1]])]
    box = box_around(outline, warp.region)
    if box is None:
        return warp

    values = np.zeros((len(before), 7), np.float32)
    skin = before[crease] + options.skin_share * (before[orbit] - before[crease])
    height = np.linalg.norm(after[edge] - after[crease], axis=1)
    # Down the lid from the crease to the edge: 0..1 and the way to the mirrored skin; along it: the rest.
    values[crease, 0], values[edge, 0] = 0, 1
    values[crease, 1:3], values[edge, 1:3] = before[crease] - after[crease], skin - after[edge]
    values[crease, 3:] = values[edge, 3:] = np.column_stack([before[edge] - after[edge], height, lowered])
    corners = edge[[0, -1]]
    values[corners, 1:3] = before[corners] - after[corners]
    strips = Opening(tuple(crease.tolist()), eye.upper).strips
    field = spread(after, values, strips, box, max(1, round(options.cell_mm * mm)))

    above_edge = (1 - field[0]) * field[5]
    lashes = 1.0 - smoothstep((above_edge / mm - options.lashes_mm) / options.soft_mm)
    colour = cv2.GaussianBlur(sample(frame.image, field[1:3], box), (0, 0), options.blur_mm * mm)
    colour = mix(colour, sample(frame.image, field[3:5], box), lashes)
    shut = smoothstep((field[6] / mm - options.least_mm) / (options.full_mm - options.least_mm))
    return blend(warp, colour, shut * polygon(outline, box), box)
