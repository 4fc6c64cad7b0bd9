"""Does with less work of the networks where there is no time for all of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from calib.au import Change
from reenact.generate.geometry.warp import Warp
from reenact.generate.network.refine import Refinement
from reenact.records import Face, Frame

Effort: TypeAlias = Literal["whole", "half", "recalled", "late", "none"]
"""The work of the networks on a frame. They paint it before it is shown: always (whole), or unless they have
painted the frame before it (half). Or it is shown with earlier paint, which the mesh carries along, and they
do not paint it (recalled; at most MOST_RECALLED frames in a row), or only after it is shown (late). Or there
is no paint (none). Where there is no earlier paint, or it is too old, they paint at once."""
MOST_RECALLED = 2
"""The largest number of frames in a row that are shown with earlier paint without any work on a new one."""
_REMEMBERED = 300
"""The number of frames after which a face that is gone is forgotten."""
Timed: TypeAlias = Callable[[Frame, float, bool], None]
"""Called with a frame, the time in seconds that the networks took for one of its faces, and whether they
worked only after the frame was shown."""


@dataclass(frozen=True, eq=False)
class _Due:
    """A face that the networks still have to paint."""

    frame: Frame
    face: Face
    change: Change
    warp: Warp


class LateRefinement:
    """A `Refinement` with as much work as the latency allows."""

    def __init__(
        self,
        refinement: Refinement,
        effort: Callable[[Frame], Effort],
        timed: Timed = lambda frame, duration_s, late: None,
    ) -> None:
        """effort: called for every face; returns how much work the networks do. timed: called with what their
        work on a face has taken."""
        self._refinement = refinement
        self._effort = effort
        self._timed = timed
        self._due: list[_Due] = []
        self._rested: dict[int, tuple[int, int]] = {}
        """By track id, the number of frames in a row that were shown with earlier paint without any work on a
        new one, and the index of the last one."""

    def __call__(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        """`warp` with the networks' paint of this frame or of an earlier one."""
        effort = self._effort(frame)
        if effort == "none":
            return warp
        most = {"whole": 0, "half": 1, "recalled": MOST_RECALLED}.get(effort)
        rested, _ = self._rested.get(face.track_id, (0, 0))
        if most is not None and rested >= most:
            return self._painted(frame, face, change, warp)
        paints = self._refinement.recalled(frame, face, change, warp)
        if paints is None:
            return self._painted(frame, face, change, warp)
        if effort == "late":
            self._due.append(_Due(frame, face, change, warp))
            self._rested.pop(face.track_id, None)
        else:
            self._rested = {
                track_id: (count, index)
                for track_id, (count, index) in self._rested.items()
                if abs(frame.index - index) <= _REMEMBERED
            }
            self._rested[face.track_id] = rested + 1, frame.index
        return self._refinement.lay_over(face, warp, paints)

    def _painted(self, frame: Frame, face: Face, change: Change, warp: Warp) -> Warp:
        start_s = time.perf_counter()
        painted = self._refinement(frame, face, change, warp)
        self._rested.pop(face.track_id, None)
        self._timed(frame, time.perf_counter() - start_s, False)
        return painted

    def afterwards(self) -> None:
        """Lets the networks do the work that was postponed."""
        for due in self._due:
            start_s = time.perf_counter()
            self._refinement.paint(due.frame, due.face, due.change, due.warp)
            self._timed(due.frame, time.perf_counter() - start_s, True)
        self._due = []
