"""Detects faces and follows them from frame to frame, each under an id of its own."""

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
from reenact.track.search import Search, turned_regions, upright_regions

DEFAULT_MAX_FACES = 4
"""Most faces that are followed in a film by default; each takes about 4 ms a frame."""
_VELOCITY_S = 0.01
"""Time constant, in seconds, of the low-pass filter on a face's velocity. It is so short that it matters only
where two frames follow each other so closely that their difference is noise."""
_PREDICTION_S = 0.25
"""Longest time, in seconds, for which a face is assumed to move on at its last velocity."""
_WARM_PX = 64
"""Side of the empty picture on which networks run first."""
_UPRIGHT_PRESENCE = 0.8
"""The presence below which a detected face may lie or be upside down, so that other rolls are tried."""

_SAME_PLACE, _SAME_WIDTH, _SAME_ROLL = 0.15, (0.7, 1.25), 0.3
"""Greatest distance in widths of a face, limits of the ratio of widths, and greatest difference of rolls in
radians, at which landmarks and a detection show the same face. On 1,150 portraits 99.5 % of the faces stay
within 0.09, 0.82 to 1.1, and 0.18; 11 ears, hats and sunglasses, which were taken for faces, do not."""


@dataclass(frozen=True)
class TrackerOptions:
    """The options of a Tracker."""

    max_faces: int | None = None
    """Most faces that are followed. Faces seen first keep their places; of new faces the largest are taken.
    None: DEFAULT_MAX_FACES in a film, no limit in a still."""
    backend: str = "auto"
    """The landmark model: "face_mesh", "face_landmarker" or "auto", which chooses between them."""
    model_path: Path | None = None
    """The `.task` file of face_landmarker. None: MediaPipe's own model, from the cache or fetched once."""
    stills: bool = False
    """Whether every frame is an independent picture, to be searched completely; only the next id is kept."""
    smoothing: bool = True
    """Whether landmarks are smoothed by a One-Euro filter."""
    min_cutoff_hz: float = 1.0
    """The filter's cutoff frequency for a face at rest."""
    beta: float = 0.3
    """The rise of the filter's cutoff frequency with speed, in Hz per millimetre per second, on the scale of
    an average face.

    Measured over ten clips with these defaults: the jitter of still faces is halved (median 0.40 instead of
    0.71 thousandths of the face's width); in the fastest tenth of the frames the landmarks lag by 0.3 % of
    the width (95th percentile 0.4); blinks are 0.7 % less deep."""
    derivative_cutoff_hz: float = 10.0
    """The cutoff frequency of the filter on the landmarks' velocity."""
    rescan_s: float = 0.15
    """The least time between two searches, in seconds, while fewer faces are tracked than the limit."""
    recount_s: float = 1.0
    """The same while as many faces are tracked as the limit, when further faces are only counted."""
    memory_s: float = 1.0
    """The time in seconds for which a lost face keeps its id."""
    new_presence: float = 0.3
    """The presence, 0..1, that a new face must reach to be tracked."""
    keep_presence: float = 0.1
    """The presence, 0..1, below which a tracked face is lost."""

    @property
    def limit(self) -> int | None:
        """The number of faces that are followed at most. None: there is no limit."""
        return DEFAULT_MAX_FACES if self.max_faces is None and not self.stills else self.max_faces


@dataclass(frozen=True)
class _Motion:
    """The last region of a tracked face and its velocity."""

    region: Region
    time_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    """The velocity of the region's centre in x and y, in pixels per second."""

    def at(self, time_s: float) -> Region:
        """The region predicted for `time_s`."""
        return self.region.moved(self.velocity, min(time_s - self.time_s, _PREDICTION_S))

    def seen(self, region: Region, time_s: float) -> _Motion:
        """The motion after the face was seen in `region` at `time_s`."""
        passed_s = time_s - self.time_s
        if passed_s <= 0:
            return replace(self, region=region)
        share = passed_s / (passed_s + _VELOCITY_S)
        x, y = self.velocity
        x += share * ((region.x - self.region.x) / passed_s - x)
        y += share * ((region.y - self.region.y) / passed_s - y)
        return _Motion(region, time_s, (x, y))


@dataclass
class _Scene:
    """The tracker's state within one scene; a cut discards it."""

    size: tuple[int, int]
    """The frames' (height, width) in pixels."""
    search: Search
    fresh: bool = True
    """Whether no frame of the scene has been searched yet."""
    time_s: float = float("-inf")
    """The time of the current frame, in seconds."""
    motions: dict[int, _Motion] = field(default_factory=dict)
    """The motion of each face in the frame before, by track id."""
    filters: dict[int, OneEuro] = field(default_factory=dict)
    """The smoothing filter of each tracked face, by track id."""


class Tracker:
    """Finds and follows faces; a context manager, to be called with the frames in their order."""

    def __init__(
        self, options: TrackerOptions = TrackerOptions(), landmarker: Landmarker | None = None
    ) -> None:
        """landmarker: used instead of the one that the options name. None: that one is opened.

        Raises TrackerError where it cannot be opened."""
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
        """The frame with its faces in the order of their ids, and whether it begins a new scene."""
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

    def warm_up(self) -> None:
        """Runs the networks once, whose first run takes a tenth of a second. It changes nothing else."""
        nothing = np.zeros((_WARM_PX, _WARM_PX, 3), np.uint8)
        region = Region(_WARM_PX / 2, _WARM_PX / 2, _WARM_PX)
        self._landmarker.find(nothing, region)
        self._landmarker.fit(nothing, region)

    def _scene_of(self, frame: Frame, cut: bool) -> _Scene:
        """The frame's scene; a new one after a cut, a jump back in time or a change of size."""
        scene, time_s = self._scene, float(frame.pts)
        if scene is None or cut or self._options.stills or frame.size != scene.size or time_s < scene.time_s:
            self._identities.reset()
            scene = self._scene = _Scene(frame.size, Search(*frame.size))
        scene.time_s = time_s
        return scene

    def _follow(self, image: NDArray[np.uint8], scene: _Scene) -> list[Fit]:
        """The faces of the frame before, each fitted in its predicted region.

        Without the prediction, people who move fast are lost: one clip of three gave 16 ids instead of 4.
        """
        fits: list[Fit] = []
        for motion in scene.motions.values():
            fit = self._landmarker.fit(image, motion.at(scene.time_s))
            if fit is not None and fit.presence >= self._options.keep_presence and not _is_among(fit, fits):
                fits.append(fit)
        return fits

    def _new_faces(self, image: NDArray[np.uint8], scene: _Scene, known: Sequence[Fit]) -> list[Fit]:
        """The faces that were not tracked in the frame before, the largest first."""
        if scene.fresh:
            scene.fresh = False
            found = self._detect_everywhere(image)
        else:
            found = []
            for region in self._regions_to_search(scene, len(known)):
                found += self._detect(image, region, [*known, *found])
        return sorted(found, key=lambda fit: region_around(fit.landmarks).width, reverse=True)

    def _within_limit(self, new: list[Fit], known: int) -> tuple[list[Fit], int]:
        """The new faces that the limit allows beside the `known` ones, and the number of those left out."""
        limit = self._options.limit
        room = len(new) if limit is None else max(0, limit - known)
        return new[:room], len(new[room:])

    def _regions_to_search(self, scene: _Scene, known: int) -> list[Region]:
        """The regions to search in this frame: the search's next ones, and the one around the last lost face.

        For a short time after a loss the latter is searched in every frame, which finds most faces again.
        """
        if self._options.limit is not None and known >= self._options.limit:
            return scene.search.regions(scene.time_s, self._options.recount_s)
        regions = scene.search.regions(scene.time_s, self._options.rescan_s if known else None)
        within_s = self._options.memory_s if regions else self._options.rescan_s
        return regions + self._identities.missing(scene.time_s, within_s)[:1]

    def _detect_everywhere(self, image: NDArray[np.uint8]) -> list[Fit]:
        """The faces in all upright regions, for a scene's first frame; if there are none, in rotated ones."""
        height, width = image.shape[:2]
        found: list[Fit] = []
        for region in upright_regions(height, width):
            found += self._detect(image, region, found)
        for region in turned_regions(height, width):
            found += self._detect(image, region, found) if not found else []
        return found

    def _detect(self, image: NDArray[np.uint8], within: Region, known: Sequence[Fit]) -> list[Fit]:
        """The confirmed faces in the region `within` that are not among the known ones."""
        found: list[Fit] = []
        for region in self._landmarker.find(image, within):
            # Before any fit, because most detections are faces that are tracked already.
            fit = None if _is_on(region, known) else self._first_fit(image, region)
            if fit is None or _is_among(fit, [*known, *found]):
                continue
            if fit.presence >= self._options.new_presence and self._is_confirmed(fit, image):
                found.append(fit)
        return found

    def _first_fit(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        """The best fit in a detected region, among those at four rolls if the first may not be upright."""
        fit = self._refined(image, region)
        if fit is not None and fit.presence < _UPRIGHT_PRESENCE:
            others = [self._refined(image, region.turned(quarters)) for quarters in (1, 2, 3)]
            fit = max([fit, *filter(None, others)], key=lambda one: one.presence)
        return fit

    def _refined(self, image: NDArray[np.uint8], region: Region) -> Fit | None:
        """A second fit around the landmarks of a first one, because a detector's box is inaccurate."""
        fit = self._landmarker.fit(image, region)
        return fit and self._landmarker.fit(image, region_around(fit.landmarks))

    def _is_confirmed(self, fit: Fit, image: NDArray[np.uint8]) -> bool:
        """Whether the detector finds the same face close up, as landmarks can be fitted to a flowerpot."""
        near = region_around(fit.landmarks)
        return any(
            np.hypot(one.x - near.x, one.y - near.y) < _SAME_PLACE * near.width
            and _SAME_WIDTH[0] < one.width / near.width < _SAME_WIDTH[1]
            and abs(np.angle(np.exp(1j * (one.roll - near.roll)))) < _SAME_ROLL
            for one in self._landmarker.find(image, replace(near, width=1.3 * near.width))
        )

    def _face(self, track_id: int, fit: Fit, scene: _Scene) -> Face:
        landmarks = fit.landmarks
        pose = fit_pose(landmarks, self._shape)
        certainty = confidence(fit, pose, scene.size)
        smooth = scene.filters.get(track_id)
        if smooth is None:
            smooth = scene.filters[track_id] = self._filter()
        if self._options.smoothing:
            landmarks = smooth(landmarks, scene.time_s, unit=pose.scale)
            pose = fit_pose(landmarks, self._shape)
        return Face(track_id, landmarks, pose, certainty)

    def _filter(self) -> OneEuro:
        options = self._options
        return OneEuro(options.min_cutoff_hz, options.beta, options.derivative_cutoff_hz, speed_axis=1)


def _is_on(region: Region, known: Sequence[Fit]) -> bool:
    """Whether a detected region is around one of the known faces."""
    regions = [region_around(fit.landmarks) for fit in known]
    return any(np.hypot(region.x - one.x, region.y - one.y) < 0.2 * one.width for one in regions)


def _is_among(fit: Fit, others: Sequence[Fit]) -> bool:
    """Whether a fit is of the same face as another: the centre of one is well inside the other."""
    return any(_overlap(fit.landmarks, other.landmarks) for other in others)


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    low = np.stack([points[:, :2].min(axis=0) for points in (one, other)])
    high = np.stack([points[:, :2].max(axis=0) for points in (one, other)])
    distance = np.abs(low[0] + high[0] - low[1] - high[1]) / 2
    return bool((distance < 0.35 * (high - low).max(axis=0)).all())
