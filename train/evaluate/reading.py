"""What a finished picture shows: landmarks found anew, action units read by the run-time's estimator."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, AUVector
from calib.estimator import AUEstimator, load_estimator
from calib.pose import fit_pose
from calib.shape import load_shape
from reenact.measure.measurer import estimator_crop
from reenact.records import Face, Frame
from reenact.track.fit import Landmarker
from reenact.track.landmarkers import open_landmarker
from reenact.track.region import region_around

LEAST_PRESENCE = 0.1
"""As for a face that the tracker follows."""


@dataclass(frozen=True, eq=False)
class Reading:
    face: Face
    evidence: AUVector
    """(17,) intensities before they are cut off at 0: less of what a face hardly shows is seen, too."""

    @property
    def aus(self) -> AUVector:
        """(17,) 0..5, as everybody else sees them."""
        return np.clip(self.evidence, 0, MAX_INTENSITY)


class Reader:
    """Reads the face in a picture. A context manager."""

    def __init__(self, landmarker: Landmarker | None = None, estimator: AUEstimator | None = None) -> None:
        self._opened = ExitStack()
        self._landmarker = self._opened.enter_context(landmarker or open_landmarker())
        self._estimator = estimator or load_estimator()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def __call__(self, image: NDArray[np.uint8], near: NDArray[np.float32]) -> Reading | None:
        """The face near landmarks (478, 3); None where there is none.

        Fitted twice, as the tracker does, the second time from where the first fit's landmarks are: what
        remains of where it started is below the fit's own noise.
        """
        fit = self._landmarker.fit(image, region_around(near))
        fit = fit and self._landmarker.fit(image, region_around(fit.landmarks))
        if fit is None or fit.presence < LEAST_PRESENCE:
            return None
        face = Face(0, fit.landmarks, fit_pose(fit.landmarks, load_shape()), fit.presence)
        crop = estimator_crop(Frame(image), face, self._estimator.crop)
        return Reading(face, self._estimator.evidence(crop, face.pose.to_canonical(face.landmarks)))
