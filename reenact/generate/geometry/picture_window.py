"""The part of a picture around one face, for pictures with sides that are longer than cv2 can sample."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reenact.alignment import CV2_SIDE_PX, SizeError
from reenact.generate.geometry.warp import Warp
from reenact.records import Face, Frame, Patch

_STEP_PX = 512
"""Step of the window's place in pixels, so that a face that moves a little keeps its place in the window."""


@dataclass(frozen=True, eq=False)
class PictureWindow:
    """A part of a frame, and the face in its coordinates."""

    frame: Frame
    """The part of the frame."""
    face: Face
    """The face in the coordinates of the part."""
    origin: tuple[int, int]
    """(x, y) of the part's top left pixel in the whole frame."""

    def inwards(self, warp: Warp) -> Warp:
        """A warp of the whole frame in the window's coordinates."""
        return _shifted_warp(warp, (-self.origin[0], -self.origin[1]))

    def warp_outwards(self, warp: Warp) -> Warp:
        """A warp of the window in the whole frame's coordinates."""
        return _shifted_warp(warp, self.origin)

    def outwards(self, patch: Patch) -> Patch:
        """A patch of the window in the whole frame's coordinates."""
        if isinstance(patch, Warp):
            return self.warp_outwards(patch)
        return replace(patch, origin=_shifted(patch.origin, self.origin))


def window_around(frame: Frame, face: Face) -> PictureWindow:
    """The part of a frame around a face; the whole frame unless a side is longer than CV2_SIDE_PX.

    Raises SizeError where the face alone is too large.
    """
    if max(frame.size) <= CV2_SIDE_PX:
        return PictureWindow(frame, face, (0, 0))
    low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    margin = float((high - low).max())
    limit = np.array([frame.size[1], frame.size[0]])
    first = np.clip(np.floor((low - margin) / _STEP_PX) * _STEP_PX, 0, limit - 1).astype(int)
    last = np.clip(np.ceil((high + margin) / _STEP_PX) * _STEP_PX, first + 1, limit).astype(int)
    if (last - first).max() > CV2_SIDE_PX:
        raise SizeError(
            f"a face {margin:.0f} px wide is too large; make the picture smaller than {CV2_SIDE_PX} px"
        )
    part = replace(frame, image=np.ascontiguousarray(frame.image[first[1] : last[1], first[0] : last[0]]))
    shift = np.array([*first, 0], np.float32)
    pose = replace(face.pose, translation=face.pose.translation - shift)
    return PictureWindow(
        part,
        replace(face, landmarks=face.landmarks - shift, pose=pose),
        (int(first[0]), int(first[1])),
    )


def _shifted_warp(warp: Warp, by: tuple[int, int]) -> Warp:
    if by == (0, 0):
        return warp
    moved = warp.moved + np.array([*by, 0], np.float32)
    return replace(warp, origin=_shifted(warp.origin, by), moved=moved, grid=None)


def _shifted(origin: tuple[int, int], by: tuple[int, int]) -> tuple[int, int]:
    return origin[0] + by[0], origin[1] + by[1]
