"""The fit of a face landmark model, and the protocol of the models."""

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
    """Raised where no landmark model can be opened, with one line for the user."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Landmarks fitted to one face."""

    landmarks: NDArray[np.float32]
    """The landmarks (x, y, z) in pixels of the picture, an array (478, 3)."""
    presence: float
    """The model's score, 0..1, for a whole, upright face in the crop."""
    crop: NDArray[np.uint8]
    """The upright square to which the model was applied, (n, n, 3) RGB."""


class Landmarker(Protocol):
    """Detects faces and fits landmarks to them. It is stateless: equal pictures give equal results."""

    def __enter__(self) -> Landmarker: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def find(self, image: NDArray[np.uint8], within: Region) -> list[Region]:
        """Detects the faces in the square `within` that are large enough for it and roughly upright in it.

        image: (height, width, 3) RGB."""

    def fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        """Fits the face in `region`, a square from `find` or `region_around`. None: there is no face.

        image: (height, width, 3) RGB."""


_FARTHEST_PX = 1e6
"""Largest plausible coordinate of a landmark, in pixels."""
_SMALLEST_PX = 1.0
"""Smallest plausible side of a region or a face, in pixels."""


class CheckedLandmarker:
    """Wraps a landmarker and drops its implausible results as if there were no face.

    Networks sometimes return NaN, an empty mesh or all points in one place. Behind this check every fit has
    478 finite landmarks and a presence in 0..1.
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
        presence = min(max(float(fit.presence), 0.0), 1.0)
        return fit if presence == fit.presence else replace(fit, presence=presence)


def _is_place(region: Region) -> bool:
    """Whether the region is finite, near the picture and not empty."""
    near = all(abs(value) <= _FARTHEST_PX for value in (region.x, region.y, region.width, region.roll))
    return near and region.width >= _SMALLEST_PX  # NaN compares as false


def _is_mesh(landmarks: NDArray[np.float32]) -> bool:
    """Whether these are 478 finite landmarks that do not all lie in one place."""
    if landmarks.shape != (LANDMARK_COUNT, 3):
        return False
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)  # NaN if one of them is, which compares as false
    if not (low.min() >= -_FARTHEST_PX and high.max() <= _FARTHEST_PX):
        return False
    return bool((high[:2] - low[:2] >= _SMALLEST_PX).all())


def from_crop(points: NDArray[np.float32], alignment: Alignment) -> NDArray[np.float32]:
    """Maps points (n, 2 or 3) from the crop to the frame, in pixels: the inverse of `alignment.points`."""
    mapped = np.empty_like(points)
    # A similarity's inverse is its transpose over its squared scale. np.linalg.inv would start BLAS threads.
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
    """The square around a detected face by MediaPipe's rule: 1.5 times its box, level with its eyes.

    box: (left, top, width, height) in pixels of the crop that was searched; the eyes are (x, y) in the same.
    alignment: maps the picture to that crop.
    roll: the roll of the crop's square in the picture, in radians.
    """
    left, top, width, height = box
    centre = np.array([[left + width / 2, top + height / 2]], np.float32)
    x, y = from_crop(centre, alignment)[0]
    turned = float(np.arctan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0]))
    return Region(float(x), float(y), MARGIN * max(width, height) / alignment.scale, roll + turned)
