"""Measure: which action units each tracked face shows."""

from __future__ import annotations

from dataclasses import dataclass

from calib.au import AUVector
from calib.estimator import AUEstimator
from reenact.geometry import align
from reenact.types import Face, Frame, Measured, Tracked


@dataclass(frozen=True, eq=False)
class Measurer:
    """Reads the action units of every face in a frame. Has no memory: one face, one reading."""

    estimator: AUEstimator

    def __call__(self, tracked: Tracked) -> Measured:
        aus = tuple(self._read(tracked.frame, face) for face in tracked.faces)
        return Measured(tracked.frame, tracked.faces, tracked.cut, aus)

    def _read(self, frame: Frame, face: Face) -> AUVector:
        spec = self.estimator.crop
        crop = align(face.pose, spec.size_px, spec.width_mm, spec.centre_mm).crop(frame.image)
        return self.estimator(crop, face.pose.to_canonical(face.landmarks))
