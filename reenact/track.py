"""Faces through time: a frame in, the same frame out with its faces, each with a stable id."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from calib.pose import Pose, fit_pose
from calib.shape import FaceShape, load_shape
from reenact.identity import Identities
from reenact.landmarkers import Fit, Landmarker, open_landmarker
from reenact.region import Region, region_around
from reenact.scenes import CutDetector
from reenact.search import looks
from reenact.smooth import OneEuro
from reenact.types import Face, Frame, Tracked


@dataclass(frozen=True)
class TrackerOptions:
    max_faces: int = 4
    """At most this many faces are followed; the largest are found first."""
    backend: str = "auto"
    """"auto", "face_mesh" or "face_landmarker"."""
    model_path: Path | None = None
    """The `.task` file of face_landmarker."""
    stills: bool = False
    """Every frame is a picture of its own: searched thoroughly, and nothing is remembered but the next id."""
    smoothing: bool = True
    min_cutoff_hz: float = 3.0
    beta: float = 0.3
    """Hz per millimetre (of an average face) per second."""
    rescan_s: float = 0.2
    """How often new faces are looked for while some are tracked and there is room for more."""
    memory_s: float = 1.0
    """How long a lost face may stay away and keep its id."""


class Tracker:
    """Finds and follows faces. A context manager; call it with the frames in their order."""

    def __init__(
        self, options: TrackerOptions = TrackerOptions(), landmarker: Landmarker | None = None
    ) -> None:
        """`landmarker` replaces the one that the options name. Raises TrackerError where none can be opened."""
        self._options = options
        self._shape = load_shape()
        self._opened = ExitStack()
        self._landmarker = self._opened.enter_context(
            landmarker or open_landmarker(options.backend, options.model_path)
        )
        self._identities = Identities(options.memory_s)
        self._cuts = CutDetector()
        self._forget()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def __call__(self, frame: Frame) -> Tracked:
        time_s = float(frame.pts)
        cut = self._cuts(frame.image) and not self._options.stills
        if cut or self._options.stills or frame.size != self._size or time_s < self._time_s:
            self._forget()
        self._size, self._time_s = frame.size, time_s
        fits = self._follow(frame.image)
        fits += self._search(frame.image, time_s, fits)
        ids = self._identities(fits, time_s)
        self._regions = [region_around(fit.landmarks) for fit in fits]
        faces = tuple(self._face(track_id, fit, frame) for track_id, fit in zip(ids, fits, strict=True))
        self._filters = {face.track_id: self._filters[face.track_id] for face in faces}
        return Tracked(frame, tuple(sorted(faces, key=lambda face: face.track_id)), cut)

    def _forget(self) -> None:
        self._identities.forget()
        self._regions: list[Region] = []
        self._filters: dict[int, OneEuro] = {}
        self._size: tuple[int, int] | None = None
        self._time_s = float("-inf")
        self._searched_s = float("-inf")
        self._fresh = True

    def _follow(self, image: NDArray[np.uint8]) -> list[Fit]:
        """The faces of the frame before, each near where it was."""
        fits: list[Fit] = []
        for region in self._regions:
            fit = self._landmarker.fit(image, region)
            if fit is not None and not _is_among(fit, fits):
                fits.append(fit)
        return fits

    def _search(self, image: NDArray[np.uint8], time_s: float, known: Sequence[Fit]) -> list[Fit]:
        """Faces that were not known. One look a frame while there is none, everywhere at once on a fresh scene,
        and one look now and then while faces are tracked and there is room for more."""
        room = self._options.max_faces - len(known)
        if room <= 0 or (known and time_s - self._searched_s < self._options.rescan_s):
            return []
        self._searched_s = time_s
        places = list(looks(*frame_size(image)))
        if not self._fresh:
            places = [next(self._places)]
        else:
            self._places = cycle(places)
        found: list[Fit] = []
        for place in places:
            found += self._look(image, place, [*known, *found])
            if found:
                break
        self._fresh = False
        return sorted(found, key=_width, reverse=True)[:room]

    def _look(self, image: NDArray[np.uint8], place: Region, known: Sequence[Fit]) -> list[Fit]:
        found: list[Fit] = []
        for region in self._landmarker.find(image, place):
            fit = self._landmarker.fit(image, region)
            # A second time from the first one's landmarks: a detector's box is rough.
            fit = fit and self._landmarker.fit(image, region_around(fit.landmarks))
            if fit is not None and not _is_among(fit, [*known, *found]):
                found.append(fit)
        return found

    def _face(self, track_id: int, fit: Fit, frame: Frame) -> Face:
        landmarks = fit.landmarks
        pose = fit_pose(landmarks, self._shape)
        confidence = fit.presence * plausibility(landmarks, pose, self._shape) * inside(landmarks, frame.size)
        if track_id not in self._filters:
            self._filters[track_id] = OneEuro(self._options.min_cutoff_hz, self._options.beta, speed_axis=1)
        if self._options.smoothing:
            landmarks = self._filters[track_id](landmarks, float(frame.pts), unit=pose.scale)
            pose = fit_pose(landmarks, self._shape)
        return Face(track_id, landmarks, pose, confidence)


def frame_size(image: NDArray[np.uint8]) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def plausibility(landmarks: NDArray[np.float32], pose: Pose, shape: FaceShape) -> float:
    """1 where the landmarks form a face, 0 where they do not: from their distance to the canonical face."""
    residual = pose.to_canonical(landmarks) - shape.canonical
    rms_mm = float(np.sqrt((shape.weights @ np.square(residual)).sum()))
    return float(np.clip((12 - rms_mm) / 6, 0, 1))


def inside(landmarks: NDArray[np.float32], size: tuple[int, int]) -> float:
    """The share of the landmarks that lie in a picture of `size` (height, width)."""
    x, y = landmarks[:, 0], landmarks[:, 1]
    return float(np.mean((x >= 0) & (y >= 0) & (x <= size[1] - 1) & (y <= size[0] - 1)))


def _width(fit: Fit) -> float:
    return region_around(fit.landmarks).width


def _is_among(fit: Fit, others: Sequence[Fit]) -> bool:
    """Whether another fit is on the same face: landmarks closer than a quarter of the face."""
    return any(
        float(np.linalg.norm(fit.landmarks[:, :2] - other.landmarks[:, :2], axis=1).mean())
        < 0.25 * max(_width(fit), _width(other)) / 1.5
        for other in others
    )
