"""When the jaw drops, the skin between lip and chin gives way evenly, not all of it at the lip's edge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.openings import OUTER_LIPS
from calib.ramp import smoothstep
from calib.shape import load_shape
from reenact.generate.geometry.mesh import border, links
from reenact.records import Face

FULL_MM = 4.0
"""A lower lip that goes down by this much more than the chin has all the skin between them evened out."""
_LIP, _CHIN, _BELOW_LIP = 17, 152, 200
_CORNERS_MM = 52.0
"""Canonical y of the lower edge of the corners of the mouth: cheeks above it keep their motion."""
_NEXT_TO_NOTHING_PX = 0.1
"""Landmarks closer than this count as so far apart."""


@dataclass(frozen=True, eq=False)
class _Skin:
    free: NDArray[np.intp]
    """(n,) landmarks between the lower lip and the jaw."""
    edges: NDArray[np.intp]
    """(2, m) links of the mesh that begin at one of them, as places in `free` and as landmarks."""


def even_out(face: Face, displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """`displacement` (478, 3), spread evenly over the skin between a lower lip that goes down and the jaw.

    Trackers keep a landmark close below the lip's edge: in wide open mouths the skin in between is gone.
    Pixels moved like that end in a hard edge. The skin's displacement becomes harmonic instead (the graph
    Laplacian of the mesh is 0 there, its links weighing 1 / length squared), lip and jaw keep theirs.
    """
    lip_px, chin_px = displacement[[_LIP, _CHIN], :2] @ face.pose.down
    drop_px = min(lip_px, lip_px - chin_px)
    share = smoothstep(np.atleast_1d(drop_px / (FULL_MM * face.pose.scale)))
    if not share.any():
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
def _skin() -> _Skin:
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
    return _Skin(np.array(order, np.intp), np.array(edges, np.intp).T)
