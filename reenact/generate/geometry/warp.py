"""The warp: moves the face's own pixels, at their own resolution, to where the action units move them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import LIP_GAP, Change
from calib.basis import AUBasis
from calib.gaze import EYES, EyeLandmarks
from calib.openings import MOUTH, OPENINGS, OUTER_EDGE, Opening
from calib.shape import IRIS_START, LANDMARK_COUNT
from reenact.generate.geometry.asked_openings import with_asked_openings
from reenact.generate.geometry.chin import even_out
from reenact.generate.geometry.contact import keep_apart, limit_closing
from reenact.generate.geometry.contour import natural_lips
from reenact.generate.geometry.flow import Flow, Nearest, Scan, extend, scan, to_pixels
from reenact.generate.geometry.lip_thickness import keep_thickness
from reenact.generate.geometry.mesh import strip_count, warp_triangles
from reenact.generate.geometry.mesh_overlap import prevent_overlap
from reenact.generate.geometry.shape_bounds import bound_mouth, limit_opening
from reenact.records import Face, Frame, Patch


@dataclass(frozen=True)
class WarpOptions:
    """How pixels are moved."""

    cell_mm: float = 1.6
    """The cell size of the flow in millimetres, finer than the triangles of 3 to 15 mm."""
    reach_mm: float = 28.0
    """The distance in millimetres outside the face over which the flow fades out."""
    sharp: bool = False
    """Whether sampling is cubic, for stills; it takes seven times the time of linear sampling."""
    still_px: float = 1 / 64
    """The flow in pixels below which a pixel does not move; the resolution of cv2.remap is 1/32 pixel."""


@dataclass(frozen=True, eq=False)
class Warp(Patch):
    """The moved pixels of a face, and its new geometry."""

    moved: NDArray[np.float32]
    """(478, 3) the landmarks after the move, in pixels."""
    grid: FlowGrid | None = None
    """The grid of the flow that moved them. None: it is not known."""


def move_landmarks(face: Face, change: Change, basis: AUBasis) -> NDArray[np.float32]:
    """(478, 3) the places of the landmarks, in pixels, after relative action units `change` (2, AU_COUNT).

    Lips and lids do not cross, lips keep their thickness, mouth and eyes stay within people's bounds
    (calib.bounds), and the mesh does not fold over.
    """
    amounts = with_asked_openings(basis.amounts(change), change, basis)
    is_asked = bool(change[:, LIP_GAP].any())
    amounts = limit_opening(face, limit_closing(face, amounts, basis), basis, is_asked=is_asked)
    motion_mm = basis.move(amounts) + bound_mouth(face, amounts, basis)
    motion_mm += natural_lips(face, motion_mm)
    displacement = face.pose.vectors_to_frame(motion_mm)
    displacement = prevent_overlap(face.landmarks, even_out(face, displacement))
    moved = keep_apart(face.landmarks, face.landmarks + displacement, face.pose.down)
    return keep_thickness(face.landmarks, moved, face.pose.down)


def corner_flow(face: Face, moved: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2, n, 3) the backward flow, in pixels, at the corners of `warp_triangles()`.

    Skin moves with its landmarks. Behind a closing lid the eyeball keeps its place and is covered. Behind an
    opening lid it is stretched, because the frame does not show what is uncovered.
    """
    flow = (face.landmarks - moved)[:, :2]
    corners = flow[warp_triangles()]
    down = face.pose.down
    behind = flow.copy()
    for opening in OPENINGS:
        for edge, closing in ((opening.upper, -1), (opening.lower, 1)):
            inner = np.array(edge[1:-1])
            travel = flow[inner] @ down
            behind[inner] -= np.where(travel * closing > 0, travel, 0)[:, None] * down
    corners[-strip_count() :] = behind[warp_triangles()[-strip_count() :]]
    return corners.transpose(2, 0, 1)


def warp(
    frame: Frame, face: Face, change: Change, basis: AUBasis, options: WarpOptions = WarpOptions()
) -> Warp | None:
    """The warp of a face by relative action units `change` (2, AU_COUNT). None: no pixel moves."""
    return warp_to(frame, face, move_landmarks(face, change, basis), options)


def warp_to(
    frame: Frame, face: Face, moved: NDArray[np.float32], options: WarpOptions = WarpOptions()
) -> Warp | None:
    """The warp of a face whose landmarks move to `moved` (478, 3), in pixels. None: no pixel moves."""
    grid = flow_grid(face, moved, options)
    return None if grid is None else _remap(frame, face, grid, moved, options)


@dataclass(frozen=True, eq=False)
class FlowGrid:
    """A backward flow on the cells of a lattice over a part of the frame."""

    field: Flow
    """(2, rows, columns) the flow in pixels at the centres of the cells."""
    low: NDArray[np.int_]
    """(x, y) of the frame's pixel at the lattice's top left corner, a multiple of `cell_px`."""
    cell_px: int
    """The side of a cell in pixels."""
    mesh: Scan
    """The triangles that are visible in the cells: those of `grid_triangles`."""


def flow_grid(
    face: Face, moved: NDArray[np.float32], options: WarpOptions = WarpOptions()
) -> FlowGrid | None:
    """The flow that moves the landmarks of a face to `moved` (478, 3), in pixels. None: it covers no cell.

    The lattice is fixed to the frame: one that started at the face would jump by whole pixels with it, and so
    would the flow between its cells.
    """
    cell_px = max(1, round(options.cell_mm * face.pose.scale))
    reach = options.reach_mm * face.pose.scale / cell_px
    # Two cells of zero flow all around, so that the border of what moves is the frame's own pixels.
    low = (np.floor(moved[:, :2].min(axis=0) / cell_px).astype(int) - (int(reach) + 2)) * cell_px
    columns, rows = np.ceil((moved[:, :2].max(axis=0) - low) / cell_px).astype(int) + int(reach) + 2
    cells = ((moved[:, :2] - low + 0.5) / cell_px - 0.5).astype(np.float32)
    flaps = _flaps(face, moved)
    places = np.concatenate([cells, ((flaps.places - low + 0.5) / cell_px - 0.5).astype(np.float32)])
    depth = np.concatenate([moved[:, 2], flaps.depth])
    mesh = scan(places, _with_flaps(), depth, (rows, columns))
    if not mesh.covered.any():
        return None
    flow = mesh.fill(np.concatenate([corner_flow(face, moved), flaps.flow], axis=1))
    field = _lips_into_mouth(flow, mesh.covered, mesh.shows(_in_mouth()))
    return FlowGrid(extend(field, mesh.nearest, reach), low, cell_px, mesh)


FLAP_MM = 2.5
"""Distance, in millimetres, by which the lips are continued into the mouth: more than a cell of the flow."""


_FLAP_EDGES = (*MOUTH.upper, *MOUTH.lower)
"""The landmarks at which flaps begin; vertex LANDMARK_COUNT + i of a grid is the far end at the i-th."""


@lru_cache(maxsize=1)
def _flap_triangles() -> NDArray[np.intp]:
    """(m, 3) vertices of the strips along the inner edges of the lips that continue them into the mouth."""
    first = LANDMARK_COUNT + len(MOUTH.upper)
    upper = tuple(range(LANDMARK_COUNT, first))
    lower = tuple(range(first, first + len(MOUTH.lower)))
    return np.array([*Opening(MOUTH.upper, upper).strips, *Opening(lower, MOUTH.lower).strips], np.intp)


@lru_cache(maxsize=1)
def _with_flaps() -> NDArray[np.intp]:
    """(n, 3) the vertices of all triangles of the grid: `warp_triangles()` and the flaps."""
    return np.concatenate([warp_triangles(), _flap_triangles()])


@lru_cache(maxsize=1)
def grid_triangles() -> NDArray[np.intp]:
    """(n, 3) the triangles of a FlowGrid as landmarks, with which `FlowGrid.mesh` is filled.

    A flap has the landmarks of the edge that it continues."""
    return np.concatenate([np.arange(LANDMARK_COUNT), _FLAP_EDGES])[_with_flaps()]


@dataclass(frozen=True, eq=False)
class _Flaps:
    """Strips along the inner edges of the lips that continue them into the mouth."""

    places: NDArray[np.float32]
    """(22, 2) vertices beyond the landmarks, in pixels."""
    depth: NDArray[np.float32]
    """(22,) the depths of these vertices."""
    flow: NDArray[np.float32]
    """(2, m, 3) the flow at the corners of the triangles."""


def _flaps(face: Face, moved: NDArray[np.float32]) -> _Flaps:
    """The flaps of both lips.

    The inside of the mouth is painted, but the cells of the flow along the lips' edges reach into it. With
    the flow of the inside in these cells, a lip that moves over the teeth would drag a ragged rim of them
    along. So each lip's flow is continued, with its slope on the lip, up to the middle of the gap.
    """
    down = face.pose.down
    gap_px = np.maximum(MOUTH.gaps(moved, down), 0)
    height_px = np.minimum(FLAP_MM * face.pose.scale, gap_px / 2)
    flow = (face.landmarks - moved)[:, :2]
    places, values = [], [flow]
    for edge, outwards in ((MOUTH.upper, -1), (MOUTH.lower, 1)):
        inner, outer = list(edge), list(OUTER_EDGE[edge])
        before, after = (
            outwards * (landmarks[outer, :2] - landmarks[inner, :2]) @ down
            for landmarks in (face.landmarks, moved)
        )
        stretch = np.clip(np.maximum(before, 1) / np.maximum(after, 1), 0.3, 3)
        into = -outwards * height_px[:, None] * down
        places.append(moved[inner, :2] + into)
        values.append(flow[inner] + (stretch - 1)[:, None] * into)
    corners = np.concatenate(values)[_flap_triangles()].transpose(2, 0, 1)
    return _Flaps(
        np.concatenate(places).astype(np.float32),
        moved[list(_FLAP_EDGES), 2] - 1,
        corners.astype(np.float32),
    )


@lru_cache(maxsize=1)
def _in_mouth() -> NDArray[np.bool_]:
    """(n,) the mask of the grid's triangles that are strips across the mouth."""
    strips = {tuple(sorted(strip)) for strip in MOUTH.strips}
    return np.array([tuple(sorted(triangle)) in strips for triangle in _with_flaps().tolist()])


def _lips_into_mouth(field: Flow, covered: NDArray[np.bool_], mouth: NDArray[np.bool_]) -> Flow:
    """The flow, with that of the lips and their flaps continued over the mouth's inside."""
    rows, columns = np.flatnonzero(mouth.any(axis=1)), np.flatnonzero(mouth.any(axis=0))
    if not len(rows):
        return field
    part = np.s_[max(rows[0] - 2, 0) : rows[-1] + 3, max(columns[0] - 2, 0) : columns[-1] + 3]
    skin = covered[part] & ~mouth[part]
    if skin.any():
        around = field[:, part[0], part[1]]
        around[:, mouth[part]] = Nearest.of(skin)(around)[:, mouth[part]]
    return field


def is_turned(face: Face, moved: NDArray[np.float32], eye: EyeLandmarks) -> bool:
    """Whether the iris moves by more than rounding when the landmarks move to `moved` (478, 3)."""
    return bool((np.abs(moved[eye.iris, :2] - face.landmarks[eye.iris, :2]) > _UNTURNED_PX).any())


_UNTURNED_PX = 0.01


def _turning(face: Face, grid: FlowGrid, moved: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(rows, columns) True in the cells around eyes whose irises move: they are painted anew."""
    turning = np.zeros(grid.field.shape[1:], bool)
    for eye in EYES:
        if is_turned(face, moved, eye):
            corners = (moved[list(eye.opening.outline), :2] - grid.low) / grid.cell_px
            (left, top), (right, bottom) = corners.min(axis=0) - 1, corners.max(axis=0) + 2
            turning[max(int(top), 0) : max(int(bottom), 0), max(int(left), 0) : max(int(right), 0)] = True
    return turning


def _remap(
    frame: Frame, face: Face, grid: FlowGrid, moved: NDArray[np.float32], options: WarpOptions
) -> Warp | None:
    """The warp: the frame sampled along the flow where it moves and lies inside the picture."""
    field, cell_px = grid.field, grid.cell_px
    moving = (np.abs(field) > options.still_px).any(axis=0)
    if (moved[IRIS_START:] != face.landmarks[IRIS_START:]).any():
        moving |= _turning(face, grid, moved)
    rows, columns = np.flatnonzero(moving.any(axis=1)), np.flatnonzero(moving.any(axis=0))
    if not len(rows):
        return None
    field *= moving
    first = np.array([columns[0], rows[0]]) - 1
    field = field[:, first[1] : rows[-1] + 2, first[0] : columns[-1] + 2]
    # The box of these cells in the frame, and of it the part inside the picture.
    left, top = grid.low + first * cell_px
    x0, y0 = max(left, 0), max(top, 0)
    x1 = min(left + field.shape[2] * cell_px, frame.size[1])
    y1 = min(top + field.shape[1] * cell_px, frame.size[0])
    if x0 >= x1 or y0 >= y1:
        return None
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    map_x, map_y = (to_pixels(plane, cell_px)[inside] for plane in field)
    map_x += np.arange(x0, x1, dtype=np.float32)
    map_y += np.arange(y0, y1, dtype=np.float32)[:, None]
    sampling = cv2.INTER_CUBIC if options.sharp else cv2.INTER_LINEAR
    image = cv2.remap(frame.image, map_x, map_y, sampling, borderMode=cv2.BORDER_REPLICATE)
    return Warp(image, (int(x0), int(y0)), moved, grid)
