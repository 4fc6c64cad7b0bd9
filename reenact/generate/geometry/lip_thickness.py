"""Keeps the thickness of lips: none becomes thinner than a share of its height."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calib.openings import MOUTH, OUTER_EDGE
from calib.ramp import smoothstep
from calib.shape import load_shape

LEAST_SHARE = 0.45
"""Least share of its height that a lip keeps; people's tightened lips (AU23) keep about half."""
SOFT_SHARE = 0.2
"""Share of a lip's height over which the limit takes effect gradually."""
_SPREAD_MM = 9.0
"""Distance, in millimetres, beyond a lip within which skin follows a correction."""
_NOTHING_PX = 1e-3
"""Height in pixels below which a lip shows nothing to keep."""
_ROWS = {
    -1: ((185, 40, 39, 37, 0, 267, 269, 270, 409), (184, 74, 73, 72, 11, 302, 303, 304, 408),
         (183, 42, 41, 38, 12, 268, 271, 272, 407)),
    1: ((146, 91, 181, 84, 17, 314, 405, 321, 375), (77, 90, 180, 85, 16, 315, 404, 320, 307),
        (96, 89, 179, 86, 15, 316, 403, 319, 325)),
}  # fmt: skip
"""Landmarks of the upper (-1) and the lower lip (1), from the outer edge inwards, without the corners."""


@dataclass(frozen=True, eq=False)
class _Lip:
    """The landmarks of one lip and of the skin around it."""

    side: int
    """The direction outwards: -1 for the upper lip, 1 for the lower one."""
    inner: NDArray[np.intp]
    """(9,) landmarks along its inner edge."""
    rows: NDArray[np.intp]
    """(3, 9) landmarks of its other rows, from the outer edge inwards."""
    skin: NDArray[np.intp]
    """(n,) landmarks of the skin around it."""
    follows: NDArray[np.intp]
    """(n,) the column of the lip that each of these follows."""
    share: NDArray[np.float32]
    """(n,) the share of the correction that each follows, 0..1."""


def keep_thickness(
    landmarks: NDArray[np.float32], moved: NDArray[np.float32], down: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`moved` (478, 3) with lips of at least LEAST_SHARE of their height in `landmarks` (478, 3), in pixels.

    down: (2,) the unit vector downwards in the face. Motions are those of an average face; on thin lips they
    would push the outer edge over the inner one, and make the line between the lips jagged. The outer edge
    and the skin beyond it are moved outwards.
    """
    before, after = landmarks[:, :2] @ down, moved[:, :2] @ down
    push = np.zeros(len(moved), np.float32)
    for lip in _lips():
        was = lip.side * (before[lip.rows] - before[lip.inner])
        now = lip.side * (after[lip.rows] - after[lip.inner])
        height = np.maximum(was[0], _NOTHING_PX)
        kept = _at_least(now[0] / height, LEAST_SHARE, SOFT_SHARE) * height
        # Landmarks of rolled-in lips may cross already; then they must not cross further.
        shown = was[0] > _NOTHING_PX
        missing = np.where(shown, kept, np.minimum(was[0], kept)) - now[0]
        missing = np.where(now[0] < was[0], np.maximum(missing, 0), 0)
        # Corrected rows also keep their order between the edges.
        pressed = smoothstep(missing / (0.1 * height))
        ordered = np.where(shown, np.clip(was / height, 0, 1) * kept, now + missing)
        wanted = now + pressed * (ordered - now)
        push[lip.rows] = lip.side * (wanted - now)
        push[lip.skin] += lip.side * lip.share * missing[lip.follows]
    if not push.any():
        return moved
    held = moved.copy()
    held[:, :2] += push[:, None] * down
    return held


def _at_least(share: NDArray[np.float32], least: float, soft: float) -> NDArray[np.float32]:
    """`share`, limited smoothly to at least `least`; values above least + soft are unchanged."""
    over = np.minimum((share - least) / soft, 1)
    return np.where(over < 1, least + soft * np.exp(over - 1), share).astype(np.float32)


@lru_cache(maxsize=1)
def _lips() -> tuple[_Lip, _Lip]:
    shape = load_shape()
    canonical = shape.canonical[:, :2]
    every = {*MOUTH.outline, *(index for edge in OUTER_EDGE.values() for index in edge)}
    every |= {index for rows in _ROWS.values() for row in rows for index in row}
    lips = []
    for side, edge in ((-1, MOUTH.upper), (1, MOUTH.lower)):
        rows = np.array(_ROWS[side])
        follows, share = shape.along_with(canonical[rows[0]], _SPREAD_MM)
        beyond = side * (canonical[:, 1] - canonical[rows[0], 1][follows]) > 0
        skin = np.array([index for index in np.flatnonzero((share > 0) & beyond) if index not in every])
        inner = np.array(edge[1:-1])
        lips.append(_Lip(side, inner, rows, skin, follows[skin], share[skin].astype(np.float32)))
    return lips[0], lips[1]
