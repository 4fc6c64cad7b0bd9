"""Reads finished pictures: new landmarks, and action units by the run-time's estimator."""

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
"""The smallest presence of a face, as for the tracker."""


@dataclass(frozen=True, eq=False)
class PictureReading:
    """The reading of a picture."""

    face: Face
    """The face that was found."""
    evidence: AUVector
    """(17,) intensities without cut-off at 0, so that changes of weak expressions are visible."""

    @property
    def aus(self) -> AUVector:
        """(17,) intensities, 0..5."""
        return np.clip(self.evidence, 0, MAX_INTENSITY)


class PictureReader:
    """Reads the face in a picture. It is a context manager."""

    def __init__(self, landmarker: Landmarker | None = None, estimator: AUEstimator | None = None) -> None:
        self._opened = ExitStack()
        self._landmarker = self._opened.enter_context(landmarker or open_landmarker())
        self._estimator = estimator or load_estimator()

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def __call__(self, image: NDArray[np.uint8], near: NDArray[np.float32]) -> PictureReading | None:
        """Reads the face near landmarks (478, 3). None: there is none.

        The fit is repeated from its own result, as in the tracker; the effect of the starting point is then
        below the fit's noise.
        """
        fit = self._landmarker.fit(image, region_around(near))
        fit = fit and self._landmarker.fit(image, region_around(fit.landmarks))
        if fit is None or fit.presence < LEAST_PRESENCE:
            return None
        face = Face(0, fit.landmarks, fit_pose(fit.landmarks, load_shape()), fit.presence)
        crop = estimator_crop(Frame(image), face, self._estimator.crop)
        return PictureReading(face, self._estimator.evidence(crop, face.pose.to_canonical(face.landmarks)))
