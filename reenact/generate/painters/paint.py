"""Functions for painting over a warp, which all painters share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.alignment import Alignment
from reenact.generate.geometry.flow import scan, to_pixels
from reenact.generate.geometry.warp import Warp
from reenact.records import Box

_FINER, _LINE_PX = 2, 2
"""Factor by which polygons are drawn larger, and the width of the line around them in these finer pixels. A
polygon filled by cv2 at the pictures' own size jumps at its edge by two fifths of a pixel's share while it
moves by a fiftieth of a pixel; like this by a twentieth, in the same time."""

_Value = TypeVar("_Value", bound=np.generic)


def box_around(outline: NDArray[np.float32], region: Box) -> Box | None:
    """The box around an outline (n, 2), cut to `region`. None: they do not overlap."""
    x0, y0 = np.floor(outline.min(axis=0)).astype(int) - 2
    x1, y1 = np.ceil(outline.max(axis=0)).astype(int) + 3
    x0, y0, x1, y1 = max(x0, region[0]), max(y0, region[1]), min(x1, region[2]), min(y1, region[3])
    return (int(x0), int(y0), int(x1), int(y1)) if x0 < x1 and y0 < y1 else None


def spread(
    places: NDArray[np.float32],
    values: NDArray[np.float32],
    strips: Sequence[tuple[int, int, int]] | NDArray[np.intp],
    box: Box,
    cell_px: int,
) -> NDArray[np.float32]:
    """(k, height, width) the values of vertices, interpolated over the pixels of a box.

    Values are linear in the strips, and those of the nearest strip outside. The lattice of `cell_px` is fixed
    to the frame, so that it does not jump with the box.

    places: (n, 2) vertices in the frame. values: (n, k). strips: triangles of vertices, wound like the mesh.
    """
    x0, y0, x1, y1 = box
    left, top = x0 // cell_px * cell_px, y0 // cell_px * cell_px
    shape = -(-(y1 - top) // cell_px), -(-(x1 - left) // cell_px)
    triangles = np.asarray(strips, np.intp)
    cells = ((places - (left, top) + 0.5) / cell_px - 0.5).astype(np.float32)
    found = scan(cells, triangles, np.zeros(len(places), np.float32), shape)
    field = found.fill(values.T[:, triangles])
    if len(found.cell):
        field = found.nearest(field)
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    return np.stack([to_pixels(plane, cell_px)[inside] for plane in field])


def sample(image: NDArray[np.uint8], offset: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    """(height, width, 3) the frame's pixels at every place of the box plus an offset (2, height, width)."""
    x0, y0, x1, y1 = box
    x = offset[0] + np.arange(x0, x1, dtype=np.float32)
    y = offset[1] + np.arange(y0, y1, dtype=np.float32)[:, None]
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def tone(image: NDArray[np.uint8], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3,) the median colour at places (n, 2 or 3), which may lie outside the picture."""
    middle = len(places) // 2
    return np.partition(pixels_at(image, places), middle, axis=0)[middle].astype(np.float32)


def pixels_at(image: NDArray[_Value], places: NDArray[np.float32]) -> NDArray[_Value]:
    """(n, channels) the pixels at places (n, 2 or 3); places outside the picture get its border's."""
    x, y = np.rint(places[:, :2]).astype(np.intp).T
    x, y = np.minimum(np.maximum(x, 0), image.shape[1] - 1), np.minimum(np.maximum(y, 0), image.shape[0] - 1)
    return image[y, x]


def polygon(outline: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    """(height, width) the share of each pixel that a polygon covers, 0..1, with slightly softened edges.

    It reaches half a pixel farther, over the pixels that mix what is inside with what is outside.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    finer = np.zeros((_FINER * height, _FINER * width), np.uint8)
    points = np.round(((outline - box[:2] + 0.5) * _FINER - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(finer, [points], 255, lineType=cv2.LINE_AA, shift=4)
    cv2.polylines(finer, [points], True, 255, _LINE_PX, cv2.LINE_AA, shift=4)
    mask = cv2.resize(finer, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(mask, (3, 3), 0).astype(np.float32) / 255


def plain(colour: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(height, width, 3) one colour (3,) everywhere. shape: (height, width)."""
    picture = np.empty((*shape, 3), np.float32)
    picture[:] = colour
    return picture


def tinted(
    base: NDArray[np.float32], plane: NDArray[np.float32], added: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(height, width, 3) the colour base (3,) plus a plane (height, width) times the colour added (3,)."""
    return cv2.merge([plane * more + one for one, more in zip(base, added, strict=True)])


def mix(
    below: NDArray[np.float32], above: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """below + weight * (above - below), for colours (height, width, 3) and a weight (height, width).

    cv2 takes a third of numpy's time where one channel is combined with three.
    """
    return cv2.add(below, cv2.multiply(cv2.merge([weight] * 3), cv2.subtract(above, below)))


def blend(warp: Warp, colour: NDArray[np.float32], weight: NDArray[np.float32], box: Box) -> Warp:
    """`warp` with `colour` (height, width, 3) blended over the box by `weight` (height, width)."""
    return blend_all(warp, [(colour, weight, box)])


def blend_all(warp: Warp, parts: Sequence[tuple[NDArray[np.float32], NDArray[np.float32], Box]]) -> Warp:
    """`warp` with several parts blended over it, each a colour, a weight and a box as in `blend`."""
    left, top = warp.region[:2]
    image = warp.image.copy()
    for colour, weight, (x0, y0, x1, y1) in parts:
        part = image[y0 - top : y1 - top, x0 - left : x1 - left]
        cv2.add(mix(part.astype(np.float32), colour, weight), 0, dst=part, dtype=cv2.CV_8U)
    return replace(warp, image=image)


def lay_over(
    warp: Warp,
    alignment: Alignment,
    layers: NDArray[np.float32],
    blend: Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.uint8]],
) -> Warp:
    """`warp` with the layers of a crop laid over it, at the frame's resolution, where they are not 0.

    layers: (height, width[, k]) in the crop, from its first pixel on. blend: returns pixels (height, width,
    3), given pixels and layers.
    """
    # As one channel of k times the width, because one layer after the other takes longer.
    count = layers[0, 0].size
    shown = cv2.compare(layers.reshape(len(layers), -1), 0, cv2.CMP_NE)
    x, y, width, height = cv2.boundingRect(shown)
    if width == 0:
        return warp
    x, width = x // count, (x + width - 1) // count - x // count + 1
    in_region = alignment.shifted(warp.region[:2])
    # Sampling between pixels reaches one crop pixel farther than the layers.
    shape = warp.image.shape[0], warp.image.shape[1]
    x0, y0, x1, y1 = in_region.bounds(shape, (x - 1, y - 1, x + width, y + height))
    matrix = in_region.shifted((x0, y0)).matrix
    matrix[:, 2] -= (x, y)
    there = cv2.warpAffine(
        layers[y : y + height, x : x + width],
        matrix,
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    image = warp.image.copy()
    image[y0:y1, x0:x1] = blend(image[y0:y1, x0:x1], there)
    for border in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        image[border] = warp.image[border]
    return replace(warp, image=image)
