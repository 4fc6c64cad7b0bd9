"""The stage that measures the action units, the gaze and the openings of each tracked face."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calib.au import GAZE, GAZE_UNIT_DEG, OPENING_PLACES, AUVector, as_vector, both, lean
from calib.estimator import AUEstimator, CropSpec
from calib.gaze import EYE_MM, EYE_PX, EYES, GazeEstimator, load_gaze_estimator
from calib.opening_sizes import opening_sizes
from calib.pose import Pose
from reenact.alignment import align
from reenact.records import Face, Frame, Measured, Tracked


@dataclass(frozen=True, eq=False)
class Measurer:
    """Measures the action units of every face in a frame, independently of other frames."""

    estimator: AUEstimator
    """Estimates OpenFace's action units from a crop and landmarks."""
    gaze: GazeEstimator = field(default_factory=load_gaze_estimator)
    """Estimates where the eyes look."""

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
        landmarks_mm = face.pose.to_canonical(face.landmarks)
        aus, leans = map(as_vector, self.estimator.read(crop, landmarks_mm))
        for place, sides in (
            (GAZE, self.gaze(eye_pictures(frame, face.pose, landmarks_mm), landmarks_mm) / GAZE_UNIT_DEG),
            (OPENING_PLACES, opening_sizes(landmarks_mm)),
        ):
            aus[place], leans[place] = both(sides), lean(sides)
        return aus, leans


def eye_pictures(
    frame: Frame, pose: Pose, landmarks_mm: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The pictures (EYE_PX, EYE_PX, 3) of the person's left and right eye that a GazeEstimator takes.

    landmarks_mm: (478, 3) pose-normalised.
    """
    left, right = (
        align(pose, EYE_PX, EYE_MM, tuple(eye.centre_mm(landmarks_mm).tolist())).crop(frame.image)
        for eye in EYES
    )
    return left, right


def estimator_crop(frame: Frame, face: Face, spec: CropSpec) -> NDArray[np.uint8]:
    """The crop (size_px, size_px, 3) RGB that an estimator takes, both in use and when it is fitted."""
    alignment = align(face.pose, spec.size_px, spec.width_mm, spec.centre_mm)
    return spec.without_background(alignment.crop(frame.image), alignment.points(face.landmarks))
