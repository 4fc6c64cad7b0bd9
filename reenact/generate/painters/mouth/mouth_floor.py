"""The floor of the mouth: lower teeth, tongue and the dark around them, which move with the jaw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.pose import Pose
from calib.ramp import smoothstep
from reenact.generate.painters.mouth.arch import PX_PER_MM, SHAPE, Arch, arch_picture, grid_of
from reenact.generate.painters.mouth.dental_surface import CHIN, Jaw, bridge_mm, jaw_from_chin
from reenact.generate.painters.mouth.seen_mouth import SeenMouth, on_visible_edges
from reenact.records import Face, Frame

ABOVE_MM = 28.0
"""Height, in millimetres, of the part of a floor's picture above the line between closed lips, which a
dropped jaw carries downwards."""
FLOOR_SHAPE = round(40 * PX_PER_MM), SHAPE[1]
"""(height, width) of the picture of a floor."""
LINE_MM = 60.5
"""Canonical distance, in millimetres, from the bridge of the nose to the line between closed lips."""
_LOWER_LIP = (87, 14, 317)
"""Landmarks in the middle of the inner edge of the lower lip."""
_LIP_LEVER_MM = 63.0
"""Distance, in millimetres, of the lower lip from the axis of the jaw."""
_LIP_SHARE = 0.5
"""Weight of the lower lip in the estimate of the jaw's angle; the chin has the rest. Over five films, the
error in reopened mouths is .712 of that with shipped teeth with the chin alone, .697 with half of each, .705
with the lip."""
REST_CHIN_MM = 98.0
"""Canonical distance, in millimetres, from the bridge of the nose to the chin while the mouth is closed."""
_RIM_MM = 0.7
"""Width, in millimetres, of the rim along lip and teeth that has their colour."""
_LEAST_CROWN_MM = 1.6
"""Height of teeth, in millimetres, below which the area under them has the colour of the lip."""
_CONTINUED = 0.35
"""Distance inside the edge, as a share of the distance beyond it, from which a continued pixel is taken."""
_ABOVE_FADE_MM, _BELOW_FADE_MM = 3.0, 6.0
"""Distances, in millimetres, over which the picture is continued above and below."""
_MOST_MM = 0.8
"""Greatest distance, in millimetres, inside the edge from which a continued pixel is taken."""
_SIDE_MM = 3.0
"""Width, in millimetres, of the soft edge at the corners."""


def jaw_of(pose: Pose, landmarks: NDArray[np.float32], bridge: float) -> Jaw:
    """The rotation of the jaw from closed lips.

    landmarks: (478, 3) in pixels. bridge: the canonical y of the bridge of the nose, in millimetres.
    """
    chin, lip = (
        float(pose.to_canonical(landmarks[list(places)])[:, 1].mean()) - bridge
        for places in (CHIN, _LOWER_LIP)
    )
    by_chin = jaw_from_chin(REST_CHIN_MM, chin).angle
    by_lip = float(np.arcsin(np.clip((lip - LINE_MM) / _LIP_LEVER_MM, -0.7, 0.7)))
    return Jaw(by_chin + _LIP_SHARE * (by_lip - by_chin))


def take_floor(frame: Frame, face: Face, seen: SeenMouth, light: NDArray[np.float32]) -> Arch:
    """The floor of the mouth that a frame shows, with the jaw rotated back to closed lips.

    light: (3,) RGB of white teeth in the light of the frame.
    """
    bridge = bridge_mm(face)
    jaw = jaw_of(face.pose, on_visible_edges(face, seen).landmarks, bridge)
    grid = grid_of(face.pose, seen, bridge + LINE_MM - ABOVE_MM, FLOOR_SHAPE, jaw.turn)
    mm = seen.alignment.scale * face.pose.scale
    rim = _RIM_MM * mm
    # Below a lip, rather than teeth, lie its colour and its shadow.
    seam = seen.line(seen.seam, grid.x)
    crown = seam - seen.line(seen.top, grid.x)
    lip = 1 - seen.teeth * smoothstep(crown / (_LEAST_CROWN_MM * mm))
    first = seam + rim * (1 + lip)
    last = seen.line(seen.bottom, grid.x) - rim
    above, below = np.maximum(first - grid.y, 0), np.maximum(grid.y - last, 0)
    turned = np.minimum(_CONTINUED * np.maximum(above, below), _MOST_MM * mm)
    y = np.where(above > 0, first + turned, np.where(below > 0, last - turned, grid.y))
    y = np.clip(y, np.minimum(first, last), np.maximum(first, last))
    left, right = seen.columns[[0, -1]]
    soft = _SIDE_MM * mm
    shown = smoothstep((grid.x - left) / soft + 0.2) * smoothstep((right - grid.x) / soft + 0.2)
    shown *= 1 - smoothstep(above / (_ABOVE_FADE_MM * mm))
    shown *= 1 - lip * (1 - smoothstep((grid.y - first) / (_ABOVE_FADE_MM * mm)))
    shown *= 1 - smoothstep(below / (_BELOW_FADE_MM * mm))
    shown *= smoothstep((last - first) / mm)
    rgb = seen.sample(frame, grid.x, y.astype(np.float32))
    return Arch(arch_picture(rgb, light, shown.astype(np.float32)), ABOVE_MM, face.pose.scale)
