"""Pictures of teeth on the dental arch, taken from a frame and drawn in others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.openings import Opening
from calib.percentile import median
from calib.pose import Pose
from calib.ramp import smoothstep, smoothstep_of
from reenact.generate.painters.mouth.dental_surface import on_arch
from reenact.generate.painters.mouth.seen_mouth import SeenMouth
from reenact.generate.painters.paint import spread
from reenact.records import Box, Frame

PX_PER_MM = 3.0
"""Resolution of the pictures."""
WIDTH_MM, _HEIGHT_MM = 60.0, 16.0
"""Width of the pictures, and height of that of an upper row."""
SHAPE = round(_HEIGHT_MM * PX_PER_MM), round(WIDTH_MM * PX_PER_MM)
"""(height, width) of the picture of an upper row."""
UPPER_ABOVE_MM = 13.0
"""Height, in millimetres, of the part of an upper row's picture above the edge of the teeth."""
FULL = 128
"""The value that stands for the colour of white teeth in full light."""
_STEPS = 13
"""The number of columns of the strip on which an arch is drawn."""
_CELL_MM = 0.8
"""Cell size, in millimetres, of the grid on which places are interpolated."""
_SOFT = 0.55
"""Standard deviation of a camera's blur, in pixels of the frame."""

GUMS = (0.74, 0.43, 0.42)
"""RGB of gums in the shadow of the lip, relative to white teeth in the same light."""
CROWN_MM = 10.5
"""Height, in millimetres, of a middle upper tooth (Magne, Gallucci & Belser, J. Prosthet. Dent. 89(5),
2003)."""


_LEAST_BLUR_PX = 0.3
"""Standard deviation below which a picture is not blurred."""
_FRONT_MM = 14.0
"""Distance, in millimetres, from the midline up to which a row must show teeth to be usable."""
_LEAST_HEIGHT_MM = 2.0
"""Height of teeth, in millimetres, below which a column counts as showing none."""

Turn = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A function from canonical places (..., 3) of a bone at rest to their places after its motion."""


def at_rest(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """The Turn of the skull, which is none, because the face's pose contains it."""
    return places


@dataclass(frozen=True, eq=False)
class Arch:
    """A picture on the dental arch in front view: a row of teeth with gums, or the floor of the mouth."""

    picture: NDArray[np.uint8]
    """(height, WIDTH_MM * PX_PER_MM, 4) RGB relative to white teeth in the same light, which are FULL, and
    alpha. The picture of an upper row has the height of SHAPE."""
    above_mm: float
    """The distance in millimetres from the top of the picture to its reference line, which is the edge of the
    front teeth in an upper row."""
    seen_px_per_mm: float = PX_PER_MM
    """The resolution of the frame that the picture was taken from."""

    def draw(
        self,
        pose: Pose,
        edge_mm: float,
        light: NDArray[np.float32],
        box: Box,
        turn: Turn = at_rest,
        aside_mm: float = 0.0,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """RGB (height, width, 3) and alpha (height, width) over the pixels of a box.

        edge_mm: canonical y of the reference line. light: (3,) RGB of white teeth in the light of the frame.
        turn: the motion of the bone. aside_mm: canonical x of the picture's middle. Colours exceed 255 where
        the frame is overexposed.
        """
        x_mm, row_mm = self._rim_mm
        places = pose.to_frame(turn(on_arch(x_mm + aside_mm, edge_mm + row_mm)))[:, :2]
        values = np.stack([x_mm + WIDTH_MM / 2, row_mm + self.above_mm], axis=1) * PX_PER_MM - 0.5
        cell_px = max(1, round(_CELL_MM * pose.scale))
        x, y = spread(places.astype(np.float32), values.astype(np.float32), _strips(), box, cell_px)
        # Blurred as by the frame's pixels, minus the blur that the picture already has.
        spread_mm = np.sqrt(max(pose.scale**-2 - self.seen_px_per_mm**-2, 0.0))
        sigma_px = _SOFT * PX_PER_MM * float(spread_mm)
        picture = (
            self.picture if sigma_px < _LEAST_BLUR_PX else cv2.GaussianBlur(self.picture, (0, 0), sigma_px)
        )
        drawn = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        *colours, alpha = cv2.split(drawn)
        shares = (light / FULL).tolist()
        rgb = [cv2.multiply(one, share, dtype=cv2.CV_32F) for one, share in zip(colours, shares, strict=True)]
        return cv2.merge(rgb), alpha.astype(np.float32) / 255

    @cached_property
    def _rim_mm(self) -> NDArray[np.float32]:
        """(2, n) the x and the row, in millimetres from the reference line, of vertices along the upper and
        then along the lower edge of the picture."""
        x_mm = np.linspace(-WIDTH_MM / 2, WIDTH_MM / 2, _STEPS, dtype=np.float32)
        rows_mm = np.array([-self.above_mm, len(self.picture) / PX_PER_MM - self.above_mm], np.float32)
        return np.stack([np.tile(x_mm, 2), np.repeat(rows_mm, _STEPS)])


@lru_cache(maxsize=1)
def _strips() -> NDArray[np.intp]:
    """(n, 3) the triangles between the vertices of `Arch._rim_mm`."""
    return np.array(Opening(tuple(range(_STEPS)), tuple(range(_STEPS, 2 * _STEPS))).strips, np.intp)


def tooth_likeness(rgb: NDArray[np.float32], redness: float = 0.0) -> NDArray[np.float32]:
    """(height, width) the degree, 0..1, to which colours (height, width, 3) look like teeth.

    rgb: colours relative to white teeth. redness: the excess of red over the other channels in these teeth.
    """
    red = rgb[..., 0] - rgb[..., 1:].mean(axis=2)
    most_red = 0.22 + max(redness - 0.07, 0)
    return smoothstep((rgb.mean(axis=2) - 0.35) / 0.25) * smoothstep((most_red - red) / 0.12)


def completeness(arch: Arch, enamel: NDArray[np.float32] | None = None) -> float:
    """The share, 0..1, of the front of a row in which the picture shows teeth.

    A lip or a turned head leaves columns without teeth. enamel: (3,) RGB of these teeth relative to white
    ones. None: they are white.
    """
    front = np.abs(np.arange(SHAPE[1]) - (SHAPE[1] - 1) / 2) < _FRONT_MM * PX_PER_MM
    picture = arch.picture[:, front]
    shown = picture[..., 3] > 200
    usual = np.ones(3, np.float32) if enamel is None else enamel
    level = min(float(usual.mean()), 1.0)
    rgb = picture[..., :3].astype(np.float32) / (FULL * level)
    white = shown * tooth_likeness(rgb, float(usual[0] - usual[1:].mean()) / level)
    least_px = _LEAST_HEIGHT_MM * PX_PER_MM
    is_there = white.sum(axis=0) > least_px
    pure = white.sum() / max(float(shown.sum()), 1.0)
    return float(is_there.mean()) * smoothstep_of(pure / 0.7)


@dataclass(frozen=True, eq=False)
class Grid:
    """The places of the pixels of an arch's picture on a face; planes (height, width)."""

    x: NDArray[np.float32]
    """x in the crop of the mouth, in pixels."""
    y: NDArray[np.float32]
    """y in the crop of the mouth, in pixels."""


def take_upper(frame: Frame, pose: Pose, seen: SeenMouth, light: NDArray[np.float32]) -> tuple[Arch, float]:
    """The upper teeth that a frame shows, and the canonical y of their edge in millimetres.

    light: (3,) RGB of white teeth in the light of the frame. What the upper lip hides is transparent.
    """
    edge_mm = edge_of_front_teeth(pose, seen)
    grid = grid_of(pose, seen, edge_mm - UPPER_ABOVE_MM, SHAPE)
    top, seam = seen.line(seen.top, grid.x), seen.line(seen.seam, grid.x)
    mm = seen.alignment.scale * pose.scale
    rim = 0.5 * mm
    shown = smoothstep((grid.y - top - rim) / (0.5 * mm) + 0.5) * smoothstep(
        (seam - grid.y) / (0.6 * mm) + 0.5
    )
    left, right = seen.columns[[0, -1]]
    shown *= smoothstep((grid.x - left) / mm) * smoothstep((right - grid.x) / mm)
    rgb = seen.sample(frame, grid.x, grid.y)
    return Arch(arch_picture(rgb, light, shown), UPPER_ABOVE_MM, pose.scale), edge_mm


def edge_of_front_teeth(pose: Pose, seen: SeenMouth) -> float:
    """The canonical y, in millimetres, of the edge of the visible front teeth."""
    middle = len(seen.columns) // 2
    near = np.s_[middle - 3 : middle + 4]
    place = np.array([seen.columns[middle], median(seen.seam[near])])
    linear = seen.alignment.matrix[:, :2].astype(np.float64)
    frame_px = np.linalg.solve(linear, place - seen.alignment.matrix[:, 2])
    # The y of this place on the middle of the arch, by one step of Newton's method from 50.
    guess = pose.to_frame(on_arch(np.zeros(1, np.float32), np.full(1, 50.0, np.float32)))[0, :2]
    return 50.0 + float((frame_px - guess) @ pose.down) / (
        pose.scale * max(abs(float(pose.rotation[1, 1])), 0.5)
    )


def grid_of(pose: Pose, seen: SeenMouth, top_mm: float, shape: tuple[int, int], turn: Turn = at_rest) -> Grid:
    """The grid of a picture of this shape (height, width), with its top at the canonical y `top_mm`."""
    rows, columns = (np.arange(count, dtype=np.float32) for count in shape)
    x_mm, y_mm = np.meshgrid((columns + 0.5) / PX_PER_MM - WIDTH_MM / 2, top_mm + (rows + 0.5) / PX_PER_MM)
    places = pose.to_frame(turn(on_arch(x_mm, y_mm))).reshape(-1, 3)
    crop = seen.alignment.points(places)[:, :2].reshape(*shape, 2)
    return Grid(np.ascontiguousarray(crop[..., 0]), np.ascontiguousarray(crop[..., 1]))


def arch_picture(
    rgb: NDArray[np.float32], light: NDArray[np.float32], shown: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """The picture of an Arch from colours (height, width, 3) and their visibility `shown`, 0..1."""
    shares = rgb * (FULL / np.maximum(light, 1))
    return np.rint(np.clip(np.dstack([shares, 255 * shown]), 0, 255)).astype(np.uint8)


def gums_above(teeth: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3,) RGB of the gums of teeth of this colour (3,), which are as dim, and paler in a pale picture."""
    return (0.6 * float(teeth.mean()) * np.array(GUMS, np.float32) + 0.25 * teeth).astype(np.float32)


_SIDE_MM = 2.5
"""Width, in millimetres, of the soft edge of a row's sides, where it fades into the dark."""
_RIM_MM = 0.8
"""Height, in millimetres, of the rim below a lip that has the lip's colour and shadow."""


def with_gums(arch: Arch) -> Arch:
    """The arch, completed above the lip's edge by teeth up to their usual height and gums above them."""
    rgb, alpha = arch.picture[..., :3].astype(np.float32), arch.picture[..., 3].astype(np.float32) / 255
    rows = np.arange(SHAPE[0], dtype=np.float32)[:, None]
    solid = alpha > 0.95
    # Without the corners, where lips hide most of the teeth and tinge the rest.
    count = solid.sum(axis=0)
    least_px = (
        max(_LEAST_HEIGHT_MM * PX_PER_MM, 0.5 * float(np.median(count[count > 0]))) if count.any() else 1
    )
    shown = np.flatnonzero(count >= least_px)
    if not len(shown):
        return arch
    every = np.arange(SHAPE[1])
    first, last = (
        np.interp(every, shown, heights[shown]).astype(np.float32)
        for heights in (solid.argmax(axis=0), SHAPE[0] - 1 - solid[::-1].argmax(axis=0))
    )
    # Lower by the rim, and smooth: a jagged line would be visible.
    first = cv2.GaussianBlur(first[None], (0, 0), 0.8 * PX_PER_MM)[0] + _RIM_MM * PX_PER_MM
    alpha = alpha * (rows >= first)
    above = np.maximum(first - rows, 0)
    columns = np.broadcast_to(np.clip(every, shown[0], shown[-1]).astype(np.float32), above.shape)
    source = np.clip(first + 0.35 * above + 1, 0, np.maximum(last - 1, first)).astype(np.float32)
    continued = cv2.remap(rgb, columns, source, cv2.INTER_LINEAR)
    continued += smoothstep(above / (2 * PX_PER_MM))[..., None] * (
        cv2.GaussianBlur(continued, (0, 0), 1.0 * PX_PER_MM) - continued
    )
    height_mm = arch.above_mm - (rows + 0.5) / PX_PER_MM
    # Teeth are at least as high as what was visible of them.
    crown_mm = max(CROWN_MM, arch.above_mm - float(first.min()) / PX_PER_MM + 0.75)
    gum = smoothstep((height_mm - crown_mm) / 1.5 + 0.5) * np.ones_like(above)
    # Gums are as dim as the teeth below them, whose colour tells the amount of light.
    gums = gums_above(np.minimum(np.median(rgb[solid], axis=0), FULL))
    filled = continued + gum[..., None] * (gums - continued)
    mixed = np.where(above[..., None] > 0, filled, rgb)
    soft = _SIDE_MM * PX_PER_MM
    sides = smoothstep((every - shown[0]) / soft) * smoothstep((shown[-1] - every) / soft)
    full = np.where(above > 0, np.maximum(alpha, 1), alpha) * sides
    picture = np.rint(np.clip(np.dstack([mixed, 255 * full]), 0, 255)).astype(np.uint8)
    return Arch(picture, arch.above_mm, arch.seen_px_per_mm)
