"""Faces through time: a frame in, the same frame out with its faces, each with a stable id."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from calib.pose import fit_pose
from calib.shape import load_shape
from reenact.records import Face, Frame, Tracked
from reenact.track.fit import CheckedLandmarker, Fit, Landmarker
from reenact.track.identity import Identities
from reenact.track.landmarkers import open_landmarker
from reenact.track.one_euro import OneEuro
from reenact.track.plausibility import confidence
from reenact.track.region import Region, region_around
from reenact.track.scenes import CutDetector
from reenact.track.search import Search, turned_looks, upright_looks

FOLLOWED = 4
"""Faces that are followed in a film unless another number is asked for; each costs about 4 ms a frame."""
_STEADY_S = 0.01
"""Time constant of the velocity with which a face is followed: so short that it matters only where two frames
are hardly apart and their difference is noise."""
_COAST_S = 0.25
"""No face is expected to move on as it did for longer than this."""
_RIGHT_WAY_UP = 0.8
"""Presence that a face does not reach on its head or lying down."""


@dataclass(frozen=True)
class TrackerOptions:
    max_faces: int | None = None
    """At most this many faces are followed; those seen first stay, and of new ones the largest are taken.
    None: as many as there are in a still, FOLLOWED in a film."""
    backend: str = "auto"
    """The model that finds the landmarks: "face_mesh", "face_landmarker" or "auto"."""
    model_path: Path | None = None
    """The `.task` file of face_landmarker. None: MediaPipe's own, from the cache or fetched once."""
    stills: bool = False
    """Every frame is a picture of its own: searched thoroughly, and nothing is remembered but the next id."""
    smoothing: bool = True
    min_cutoff_hz: float = 1.0
    beta: float = 0.3
    """Hz per millimetre (of an average face) per second.

    With these three, over ten clips: half the jitter of still faces (median 0.40 instead of 0.71 thousandths
    of the face's width); in the fastest tenth of the frames 0.3 % of the width behind (95th percentile 0.4);
    blinks 0.7 % less deep."""
    derivative_cutoff_hz: float = 10.0
    rescan_s: float = 0.15
    """The least time between two looks for new faces while some are tracked and there is room for more."""
    recount_s: float = 1.0
    """The same while there is no room for more: then faces are only counted."""
    memory_s: float = 1.0
    """How long a lost face may stay away and keep its id."""
    new_presence: float = 0.3
    """Presence (of the fit) that a face must reach to be taken up."""
    keep_presence: float = 0.1
    """Presence below which a tracked face is lost."""

    @property
    def limit(self) -> int | None:
        """The number of faces that are followed at most; None: there is no limit."""
        return FOLLOWED if self.max_faces is None and not self.stills else self.max_faces


@dataclass(frozen=True)
class _Motion:
    """Where a face was last, and how it moves."""

    region: Region
    time_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    """Pixels per second in x and y."""

    def at(self, time_s: float) -> Region:
        """Where it should be by now."""
        return self.region.onward(self.velocity, min(time_s - self.time_s, _COAST_S))

    def seen(self, region: Region, time_s: float) -> _Motion:
        """The same after another sighting."""
        passed_s = time_s - self.time_s
        if passed_s <= 0:
            return replace(self, region=region)
        share = passed_s / (passed_s + _STEADY_S)
        x, y = self.velocity
        x += share * ((region.x - self.region.x) / passed_s - x)
        y += share * ((region.y - self.region.y) / passed_s - y)
        return _Motion(region, time_s, (x, y))


@dataclass
class _Scene:
    """What a cut makes worthless."""

    size: tuple[int, int]
    search: Search
    fresh: bool = True
    time_s: float = float("-inf")
    motions: dict[int, _Motion] = field(default_factory=dict)
    """Of each face in the frame before, by track id."""
    filters: dict[int, OneEuro] = field(default_factory=dict)
    """By track id."""


class Tracker:
    """Finds and follows faces. A context manager; call it with the frames in their order."""

    def __init__(
        self, options: TrackerOptions = TrackerOptions(), landmarker: Landmarker | None = None
    ) -> None:
        """`landmarker` replaces the one that the options name. Raises TrackerError if none can be opened."""
        self._options = options
        self._shape = load_shape()
        self._opened = ExitStack()
        self._landmarker = self._opened.enter_context(
            CheckedLandmarker(landmarker or open_landmarker(options.backend, options.model_path))
        )
        self._identities = Identities(options.memory_s)
        self._is_cut = CutDetector()
        self._scene: _Scene | None = None

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def __call__(self, frame: Frame) -> Tracked:
        cut = not self._options.stills and self._is_cut(frame.image)
        scene = self._scene_of(frame, cut)
        fits = self._follow(frame.image, scene)
        new, left_out = self._within_limit(self._new_faces(frame.image, scene, fits), len(fits))
        fits += new
        ids = self._identities(fits, scene.time_s)
        faces = [self._face(track_id, fit, scene) for track_id, fit in zip(ids, fits, strict=True)]
        regions = {track_id: region_around(fit.landmarks) for track_id, fit in zip(ids, fits, strict=True)}
        scene.motions = {
            track_id: scene.motions.get(track_id, _Motion(region, scene.time_s)).seen(region, scene.time_s)
            for track_id, region in regions.items()
        }
        scene.filters = {track_id: scene.filters[track_id] for track_id in ids}
        in_order = tuple(sorted(faces, key=lambda face: face.track_id))
        return Tracked(frame, in_order, cut, left_out=left_out)

    def _scene_of(self, frame: Frame, cut: bool) -> _Scene:
        """The scene that this frame belongs to, its clock set; a new one after a cut or a jump back."""
        scene, time_s = self._scene, float(frame.pts)
        if scene is None or cut or self._options.stills or frame.size != scene.size or time_s < scene.time_s:
            self._identities.forget()
            scene = self._scene = _Scene(frame.size, Search(*frame.size))
        scene.time_s = time_s
        return scene

    def _follow(self, image: NDArray[np.uint8], scene: _Scene) -> list[Fit]:
        """The faces of the frame before, each near where its motion leads.

        Without the motion people who jump about are lost: on one clip of three, 16 ids instead of 4.
        """
        fits: list[Fit] = []
        for motion in scene.motions.values():
            fit = self._landmarker.fit(image, motion.at(scene.time_s))
            if fit is not None and fit.presence >= self._options.keep_presence and not _is_among(fit, fits):
                fits.append(fit)
        return fits

    def _new_faces(self, image: NDArray[np.uint8], scene: _Scene, known: Sequence[Fit]) -> list[Fit]:
        """Faces that were not known, the largest first."""
        if scene.fresh:
            scene.fresh = False
            found = self._look_everywhere(image)
        else:
            found = []
            for place in self._places(scene, len(known)):
                found += self._look(image, place, [*known, *found])
        return sorted(found, key=lambda fit: region_around(fit.landmarks).width, reverse=True)

    def _within_limit(self, new: list[Fit], known: int) -> tuple[list[Fit], int]:
        """Those of the new faces that there is room for beside the known, and how many are left out."""
        limit = self._options.limit
        room = len(new) if limit is None else max(0, limit - known)
        return new[:room], len(new[room:])

    def _places(self, scene: _Scene, known: int) -> list[Region]:
        """Where to look in this frame: the search's next place, and where the last lost face should be.

        For a moment after a loss that is every frame: most are found again before they are missed.
        """
        if self._options.limit is not None and known >= self._options.limit:
            return scene.search.looks(scene.time_s, self._options.recount_s)
        places = scene.search.looks(scene.time_s, self._options.rescan_s if known else None)
        within_s = self._options.memory_s if places else self._options.rescan_s
        return places + self._identities.missing(scene.time_s, within_s)[:1]

    def _look_everywhere(self, image: NDArray[np.uint8]) -> list[Fit]:
        """Faces in all upright looks, so that a scene's first frame has them all; if none, in turned ones."""
        height, width = image.shape[:2]
        found: list[Fit] = []
        for place in upright_looks(height, width):
            found += self._look(image, place, found)
        for place in turned_looks(height, width):
            found += self._look(image, place, found) if not found else []
        return found

    def _look(self, image: NDArray[np.uint8], place: Region, known: Sequence[Fit]) -> list[Fit]:
        found: list[Fit] = []
        for region in self._landmarker.find(image, place):
            # Before any fit: most of what a look finds are the faces that are tracked already.
            fit = None if _is_on(region, known) else self._first_fit(image, region)
            if fit is None or _is_among(fit, [*known, *found]):
                continue
            if fit.presence >= self._options.new_presence and self._is_seen_again(fit, image):
                found.append(fit)
        return found

    def _first_fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        """The face in a region that the detector made: whichever way up it fits best."""
        fit = self._refined(image, region)
        if fit is not None and fit.presence < _RIGHT_WAY_UP:
            others = [self._refined(image, region.turned(quarters)) for quarters in (1, 2, 3)]
            fit = max([fit, *filter(None, others)], key=lambda one: one.presence)
        return fit

    def _refined(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        """Two fits, the second from where the first one's landmarks are: a detector's box is rough."""
        fit = self._landmarker.fit(image, region)
        return fit and self._landmarker.fit(image, region_around(fit.landmarks))

    def _is_seen_again(self, fit: Fit, image: NDArray[np.uint8]) -> bool:
        """Whether the detector finds the face again, close up: the mesh fits itself to a flowerpot, too."""
        near = region_around(fit.landmarks)
        seen = self._landmarker.find(image, replace(near, width=1.3 * near.width))
        return any(np.hypot(one.x - near.x, one.y - near.y) < 0.2 * near.width for one in seen)

    def _face(self, track_id: int, fit: Fit, scene: _Scene) -> Face:
        landmarks = fit.landmarks
        pose = fit_pose(landmarks, self._shape)
        sure = confidence(fit, pose, scene.size)
        smooth = scene.filters.setdefault(track_id, self._filter())
        if self._options.smoothing:
            landmarks = smooth(landmarks, scene.time_s, unit=pose.scale)
            pose = fit_pose(landmarks, self._shape)
        return Face(track_id, landmarks, pose, sure)

    def _filter(self) -> OneEuro:
        options = self._options
        return OneEuro(options.min_cutoff_hz, options.beta, options.derivative_cutoff_hz, speed_axis=1)


def _is_on(region: Region, known: Sequence[Fit]) -> bool:
    """Whether a detected face is one of those known."""
    places = [region_around(fit.landmarks) for fit in known]
    return any(np.hypot(region.x - one.x, region.y - one.y) < 0.2 * one.width for one in places)


def _is_among(fit: Fit, others: Sequence[Fit]) -> bool:
    """Whether a fit is on the same face as another: one's centre deep inside the other."""
    return any(_overlap(fit.landmarks, other.landmarks) for other in others)


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    low = np.stack([points[:, :2].min(axis=0) for points in (one, other)])
    high = np.stack([points[:, :2].max(axis=0) for points in (one, other)])
    distance = np.abs(low[0] + high[0] - low[1] - high[1]) / 2
    return bool((distance < 0.35 * (high - low).max(axis=0)).all())
