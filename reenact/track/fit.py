"""What a face landmark model gives, and the protocol of all that give it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calib.shape import LANDMARK_COUNT
from reenact.alignment import Alignment
from reenact.track.region import MARGIN, Region


class TrackerError(RuntimeError):
    """No landmark model can be opened; the message is one line for the user."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Landmarks fitted to one face."""

    landmarks: NDArray[np.float32]
    """The landmarks, (478, 3), in pixels of the picture."""
    presence: float
    """The model's own belief that it sees a whole, upright face, 0..1."""
    crop: NDArray[np.uint8]
    """The upright square that the model saw, (n, n, 3) RGB."""


class Landmarker(Protocol):
    """Finds faces and fits them. Keeps no memory: the same picture always gives the same answer."""

    def __enter__(self) -> Landmarker: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def find(self, image: NDArray[np.uint8], within: Region) -> list[Region]:
        """Faces in `within` that are not too small for it and roughly upright to it."""

    def fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        """The face in `region`, which came from `find` or `region_around`; None when there is none."""


_FARTHEST_PX = 1e6
"""No picture has a face whose landmarks are farther from its corner."""
_SMALLEST_PX = 1.0
"""A region or face with a shorter side has collapsed."""


class CheckedLandmarker:
    """Another landmarker, whose answers that are no face's count as no face there.

    Networks answer with NaN, with an empty mesh or with all points in one place now and then; everything
    after this one place may rely on 478 finite landmarks and a presence between 0 and 1.
    """

    def __init__(self, landmarker: Landmarker) -> None:
        self._landmarker = landmarker

    def __enter__(self) -> CheckedLandmarker:
        self._landmarker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._landmarker.__exit__(kind, error, trace)

    def find(self, image: NDArray[np.uint8], within: Region) -> list[Region]:
        if not _is_place(within):
            return []
        return [region for region in self._landmarker.find(image, within) if _is_place(region)]

    def fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        fit = self._landmarker.fit(image, region) if _is_place(region) else None
        if fit is None or not _is_mesh(fit.landmarks) or not np.isfinite(fit.presence):
            return None
        return replace(fit, presence=float(np.clip(fit.presence, 0.0, 1.0)))


def _is_place(region: Region) -> bool:
    """Whether a region is a square in or near a picture."""
    near = all(abs(value) <= _FARTHEST_PX for value in (region.x, region.y, region.width, region.roll))
    return near and region.width >= _SMALLEST_PX  # NaN is never near


def _is_mesh(landmarks: NDArray[np.float32]) -> bool:
    """Whether these are the landmarks of a face that has a size."""
    if landmarks.shape != (LANDMARK_COUNT, 3) or not (np.abs(landmarks) <= _FARTHEST_PX).all():
        return False
    return bool((np.ptp(landmarks[:, :2], axis=0) >= _SMALLEST_PX).all())


def from_crop(points: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
    """Crop points (n, 2 or 3) in pixels of the frame: the inverse of `alignment.points`."""
    mapped = np.empty_like(points)
    # A similarity's inverse is its transpose over its squared scale. np.linalg.inv would wake BLAS threads.
    mapped[:, :2] = (points[:, :2] - alignment.matrix[:, 2]) @ (alignment.matrix[:, :2] / alignment.scale**2)
    mapped[:, 2:] = points[:, 2:] / alignment.scale
    return mapped


def region_of_detection(
    box: tuple[float, float, float, float],
    right_eye: tuple[float, float],
    left_eye: tuple[float, float],
    alignment: Alignment,
    roll: float,
) -> Region:
    """MediaPipe's rule for the square around a detected face: 1.5 times its box, level with its eyes.

    box: left, top, width and height, in pixels of the crop that was searched, as are the eyes. alignment: of
    that crop. roll: that of the square that it holds upright, in radians.
    """
    left, top, width, height = box
    centre = np.array([[left + width / 2, top + height / 2]], np.float32)
    x, y = from_crop(centre, alignment)[0]
    turned = float(np.arctan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0]))
    return Region(float(x), float(y), MARGIN * max(width, height) / alignment.scale, roll + turned)
