"""Spreads the motion of a dropping jaw evenly over the skin between lower lip and chin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.openings import OUTER_LIPS
from calib.ramp import smoothstep_of
from calib.shape import load_shape
from reenact.generate.geometry.mesh import border, links
from reenact.records import Face

FULL_MM = 4.0
"""Downward motion of the lower lip relative to the chin, in millimetres, from which on all the skin between
them is smoothed."""
_LIP, _CHIN, _BELOW_LIP = 17, 152, 200
_CORNERS_MM = 52.0
"""Canonical y, in millimetres, of the lower edge of the mouth's corners; cheeks above it are left."""
_NEXT_TO_NOTHING_PX = 0.1
"""Least distance, in pixels, that two landmarks count as having."""


@dataclass(frozen=True, eq=False)
class _ChinSkin:
    """The mesh between the lower lip and the jaw."""

    free: NDArray[np.intp]
    """(n,) landmarks between the lower lip and the jaw."""
    edges: NDArray[np.intp]
    """(2, m) edges of the mesh: the index in `free` of one end, and the landmark at the other."""


def even_out(face: Face, displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """`displacement` (478, 3), spread evenly over the skin between the lower lip and the jaw.

    Trackers keep a landmark close below the lip's edge, so that in wide open mouths the skin in between
    vanishes, and pixels moved like that end in a hard edge. Instead the displacement of the skin becomes
    harmonic (the graph Laplacian of the mesh is 0 there, with weights of 1 / length squared), while lip and
    jaw keep theirs. Continuous in the displacement.
    """
    lip_px, chin_px = displacement[[_LIP, _CHIN], :2] @ face.pose.down
    drop_px = min(lip_px, lip_px - chin_px)
    share = smoothstep_of(drop_px / (FULL_MM * face.pose.scale))
    if share == 0:
        return displacement
    skin = _skin()
    begin, end = skin.edges
    count = len(skin.free)
    apart = np.linalg.norm((face.landmarks[skin.free[begin]] - face.landmarks[end])[:, :2], axis=1)
    links = np.zeros((count, len(displacement)), np.float32)
    links[begin, end] = np.maximum(apart, _NEXT_TO_NOTHING_PX) ** -2
    stiffness = np.diag(links.sum(axis=1)) - links[:, skin.free]
    links[:, skin.free] = 0
    even = displacement.copy()
    even[skin.free] += share * (np.linalg.solve(stiffness, links @ displacement) - displacement[skin.free])
    return even


@lru_cache(maxsize=1)
def _skin() -> _ChinSkin:
    shape = load_shape()
    above = np.flatnonzero(shape.canonical[:, 1] < _CORNERS_MM)
    fixed = {*border(shape.triangles).tolist(), *OUTER_LIPS, *above.tolist()}
    neighbours: dict[int, set[int]] = {}
    for a, b in links(shape.triangles)[0].tolist():
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    free, waiting = {_BELOW_LIP}, [_BELOW_LIP]
    while waiting:
        new = neighbours[waiting.pop()] - fixed - free
        free |= new
        waiting.extend(new)
    order = sorted(free)
    edges = [(order.index(a), b) for a in order for b in sorted(neighbours[a])]
    return _ChinSkin(np.array(order, np.intp), np.array(edges, np.intp).T)
