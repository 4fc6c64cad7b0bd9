"""The stage that measures the action units of each tracked face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector
from calib.estimator import AUEstimator, CropSpec
from reenact.alignment import align
from reenact.records import Face, Frame, Measured, Tracked


@dataclass(frozen=True, eq=False)
class Measurer:
    """Measures the action units of every face in a frame, independently of other frames."""

    estimator: AUEstimator
    """Estimates action units from a crop and landmarks."""

    def __call__(self, tracked: Tracked) -> Measured:
        readings = [self._read(tracked.frame, face) for face in tracked.faces]
        return Measured(
            tracked.frame,
            tracked.faces,
            tracked.cut,
            tuple(aus for aus, _ in readings),
            left_out=tracked.left_out,
            leans=tuple(lean for _, lean in readings),
        )

    def _read(self, frame: Frame, face: Face) -> tuple[AUVector, AUVector]:
        crop = estimator_crop(frame, face, self.estimator.crop)
        return self.estimator.read(crop, face.pose.to_canonical(face.landmarks))


def estimator_crop(frame: Frame, face: Face, spec: CropSpec) -> NDArray[np.uint8]:
    """The crop (size_px, size_px, 3) RGB that an estimator takes, both in use and when it is fitted."""
    alignment = align(face.pose, spec.size_px, spec.width_mm, spec.centre_mm)
    return spec.without_background(alignment.crop(frame.image), alignment.points(face.landmarks))
