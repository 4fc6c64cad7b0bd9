"""From a moved mesh to a backward flow: for every place in the new picture, where its pixel comes from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Flow = NDArray[np.float32]
"""(rows, columns, 2): (x, y) to add to a place in the new picture to get its place in the old one."""


def rasterise(
    places: NDArray[np.float32],
    triangles: NDArray[np.intp],
    corner_values: NDArray[np.float32],
    depth: NDArray[np.float32],
    shape: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values at the corners of triangles, interpolated over the cells of a grid.

    places: (n, 2) vertices in units of cells, cell (0, 0) having its centre at (0, 0).
    triangles: (m, 3), wound positive when facing the viewer; others are culled.
    corner_values: (m, 3, k); two triangles may disagree at a vertex they share.
    depth: (n,), larger is farther; the nearest triangle wins.
    shape: (rows, columns).
    Returns the values (rows, columns, k), zero where nothing covers, and the covered cells.

    All triangles are scanned at once: the candidate cells of every bounding box are laid out in one ragged
    array. A loop over the triangles takes ten times as long.
    """
    rows, columns = shape
    corners = places[triangles]
    low = np.maximum(np.ceil(corners.min(axis=1) - _EDGE), 0).astype(np.int32)
    high = np.minimum(np.floor(corners.max(axis=1) + _EDGE), [columns - 1, rows - 1]).astype(np.int32)
    extent = high - low + 1
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    drawn = np.flatnonzero((area > _MIN_AREA) & (extent > 0).all(axis=1))
    drawn = drawn[np.argsort(-depth[triangles[drawn]].sum(axis=1), kind="stable")]

    owner, row, column = _candidates(low[drawn], extent[drawn])
    # Weights of the second and third corner: cross products over the area, linear in the cell's place.
    toward1 = (edge1[drawn] / area[drawn, None])[owner]
    toward2 = (edge2[drawn] / area[drawn, None])[owner]
    x, y = column - corners[drawn, 0, 0][owner], row - corners[drawn, 0, 1][owner]
    weight1 = x * toward2[:, 1] - y * toward2[:, 0]
    weight2 = y * toward1[:, 0] - x * toward1[:, 1]
    inside = np.flatnonzero((weight1 >= -_EDGE) & (weight2 >= -_EDGE) & (weight1 + weight2 <= 1 + _EDGE))

    owner, cell = drawn[owner[inside]], row[inside] * columns + column[inside]
    first, second, third = corner_values.swapaxes(0, 1)
    values = np.zeros((rows * columns, corner_values.shape[2]), np.float32)
    # Numpy assigns in order, so the nearest triangle, which comes last, stays.
    values[cell] = (
        first[owner]
        + weight1[inside, None] * (second - first)[owner]
        + weight2[inside, None] * (third - first)[owner]
    )
    covered = np.zeros(rows * columns, bool)
    covered[cell] = True
    return values.reshape(rows, columns, -1), covered.reshape(shape)


def _candidates(
    low: NDArray[np.int32], extent: NDArray[np.int32]
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.int32]]:
    """Every cell of every box, box after box: which box it is of, its row and its column."""
    count = extent[:, 0] * extent[:, 1]
    owner = np.repeat(np.arange(len(count)), count)
    step = np.arange(len(owner), dtype=np.int32) - np.repeat(
        (np.cumsum(count) - count).astype(np.int32), count
    )
    row, column = np.divmod(step, extent[owner, 0])
    return owner, row + low[owner, 1], column + low[owner, 0]


_EDGE = 1e-3
"""Tolerance in cells, so that a cell on a shared edge belongs to at least one of its triangles."""
_MIN_AREA = 1e-6


def nearest(
    values: NDArray[np.float32], covered: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Every cell with the value of its nearest covered cell, and the distance to it in cells.

    values: (rows, columns, k); covered: (rows, columns), somewhere true.
    """
    distance, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros((labels.max() + 1, values.shape[2]), np.float32)
    of_label[labels[covered]] = values[covered]
    return of_label[labels], distance


def extend(flow: Flow, covered: NDArray[np.bool_], reach: float) -> Flow:
    """The flow continued outside the mesh: its nearest covered cell's, fading out within `reach` cells."""
    continued, distance = nearest(flow, covered)
    remaining = np.clip(1 - distance / reach, 0, 1)
    weight = remaining * remaining * (3 - 2 * remaining)
    continued *= weight[..., None]
    # The rays of the nearest-cell rule show as streaks unless they are blurred; the mesh itself stays sharp.
    blur = np.clip(distance / 4, 0, 1)[..., None]
    continued += blur * (cv2.blur(continued, (5, 5)) - continued)
    continued[distance >= reach] = 0
    return continued


def to_pixels(
    field: NDArray[np.float32],
    low: NDArray[np.floating] | NDArray[np.integer],
    cell: NDArray[np.floating],
    box: tuple[int, int, int, int],
) -> NDArray[np.float32]:
    """A grid's values at the pixels of a box (x0, y0, x1, y1), bilinear, zero outside the grid.

    low: (x, y) of the grid's corner in pixels; cell: (width, height) of a cell in pixels.
    """
    x0, y0, x1, y1 = box
    shift = (np.array([x0, y0]) - low + 0.5) / cell - 0.5
    to_cell = np.array([[1 / cell[0], 0, shift[0]], [0, 1 / cell[1], shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    layers = [
        cv2.warpAffine(np.ascontiguousarray(field[..., k : k + 4]), to_cell, (x1 - x0, y1 - y0), flags=flags)
        for k in range(0, field.shape[2], 4)  # warpAffine takes at most four channels
    ]
    return layers[0] if len(layers) == 1 else np.dstack(layers)
