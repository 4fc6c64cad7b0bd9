"""The tracker's memory: ids, losses, crossings, cuts, and what it costs to look for new faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import reenact
from calib.pose import Pose
from calib.shape import load_shape
from reenact.records import Frame
from reenact.track import Tracker, TrackerOptions
from reenact.track.fit import Fit
from reenact.track.plausibility import face_likeness, visible_share
from reenact.track.region import Region, region_around
from reenact.track.scenes import CutDetector
from reenact.track.search import upright_regions

PORTRAIT = Path(reenact.__file__).with_name("data") / "portrait.jpg"
SIZE = (360, 640)


def face_landmarks(x: float, y: float, width: float) -> np.ndarray:
    """The canonical face with its bounding box around (x, y)."""
    points = load_shape().canonical
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = (points - (low + high) / 2) * width / (high - low)[:2].max()
    return (scaled + np.array([x, y, 0])).astype(np.float32)


class Stage:
    """A landmarker that sees the faces it is told of: {colour: (x, y, width)}, nearer ones last."""

    def __init__(self) -> None:
        self.faces: dict[int, tuple[float, float, float]] = {}
        self.finds = 0

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None: ...

    def find(self, image: np.ndarray, within: Region) -> list[Region]:
        self.finds += 1
        reach = within.width / 2
        return [
            region_around(face_landmarks(*face))
            for face in self.faces.values()
            if abs(face[0] - within.x) < reach and abs(face[1] - within.y) < reach
        ]

    def fit(self, image: np.ndarray, region: Region) -> Fit | None:
        for colour, (x, y, width) in reversed(self.faces.items()):
            if np.hypot(x - region.x, y - region.y) < 0.5 * width:
                return Fit(face_landmarks(x, y, width), 1.0, np.full((8, 8, 3), colour, np.uint8))
        return None


def _frame(index: int, shade: int = 90) -> Frame:
    return Frame(np.full((*SIZE, 3), shade, np.uint8), Fraction(index, 30), index)


def _ids(tracker: Tracker, index: int) -> list[int]:
    return [face.track_id for face in tracker(_frame(index)).faces]


def test_ids_stay_with_people_who_cross() -> None:
    stage = Stage()
    tracker = Tracker(landmarker=stage)
    for i in range(61):
        stage.faces = {200: (500 - 6 * i, 185, 80), 50: (140 + 6 * i, 175, 80)}
        if abs(i - 30) < 6:
            del stage.faces[200]  # hidden behind the other
        faces = {face.track_id: face for face in tracker(_frame(i)).faces}
        if i == 0:
            start = {track_id: float(face.landmarks[:, 0].mean()) for track_id, face in faces.items()}
    left = min(start, key=lambda track_id: start[track_id])
    right = max(start, key=lambda track_id: start[track_id])
    assert faces.keys() == start.keys()
    assert faces[left].landmarks[:, 0].mean() > 450
    assert faces[right].landmarks[:, 0].mean() < 190


def test_a_short_loss_keeps_the_id_and_a_long_one_does_not() -> None:
    for gone, expected in ((15, [0]), (45, [1])):
        stage = Stage()
        tracker = Tracker(landmarker=stage)
        for i in range(20 + gone):
            stage.faces = {200: (300, 180, 80)} if i < 10 or i >= 10 + gone else {}
            ids = _ids(tracker, i)
            assert (ids == []) == (not stage.faces)
        assert ids == expected


def test_somebody_else_in_the_same_place_gets_a_new_id() -> None:
    stage = Stage()
    tracker = Tracker(landmarker=stage)
    for i in range(30):
        stage.faces = {200: (300, 180, 80)} if i < 10 else {50: (300, 180, 80)} if i > 15 else {}
        ids = _ids(tracker, i)
    assert ids == [1]


def test_one_face_is_never_tracked_twice() -> None:
    stage = Stage()
    tracker = Tracker(landmarker=stage)
    for i in range(40):
        stage.faces = {50: (200 + min(i, 20) * 5, 180, 80), 200: (400 - min(i, 20) * 5, 180, 80)}
        ids = _ids(tracker, i)
    assert len(ids) == 1


def test_a_second_face_is_found_within_a_third_of_a_second() -> None:
    stage = Stage()
    tracker = Tracker(landmarker=stage)
    stage.faces = {200: (200, 180, 80)}
    for i in range(30):
        tracker(_frame(i))
    stage.faces = {200: (200, 180, 80), 50: (450, 180, 80)}
    assert any(len(_ids(tracker, i)) == 2 for i in range(30, 40))


def test_searches_for_more_faces_are_rare_and_rarer_still_at_the_limit() -> None:
    searches = {}
    for most in (1, 4):
        stage = Stage()
        stage.faces = {200: (300, 180, 80)}
        tracker = Tracker(TrackerOptions(max_faces=most), stage)
        tracker(_frame(0))
        before = stage.finds
        for i in range(1, 61):
            tracker(_frame(i))
        searches[most] = stage.finds - before
    assert searches[1] <= 2
    assert 8 <= searches[4] <= 60 / 4


def _crowd(count: int) -> dict[int, tuple[float, float, float]]:
    return {20 + 30 * index: (50 + 75 * index, 180, 60 - index) for index in range(count)}


def test_a_still_has_all_its_faces_and_a_film_says_how_many_it_leaves_out() -> None:
    stage = Stage()
    stage.faces = _crowd(7)
    still = Tracker(TrackerOptions(stills=True), stage)(_frame(0))
    film = Tracker(landmarker=stage)(_frame(0))
    assert (len(still.faces), still.left_out) == (7, 0)
    assert (len(film.faces), film.left_out) == (4, 3)
    widths = [np.ptp(face.landmarks[:, :2], axis=0).max() for face in film.faces]
    assert min(widths) > 56, "the largest are taken"


@pytest.mark.parametrize("stills", [False, True])
def test_any_number_of_faces_can_be_asked_for(stills: bool) -> None:
    stage = Stage()
    stage.faces = _crowd(7)
    for most in (1, 6, 30):
        tracked = Tracker(TrackerOptions(max_faces=most, stills=stills), stage)(_frame(0))
        assert (len(tracked.faces), tracked.left_out) == (min(7, most), max(0, 7 - most))


def test_a_face_that_comes_later_and_finds_no_room_is_counted() -> None:
    stage = Stage()
    tracker = Tracker(landmarker=stage)
    stage.faces = _crowd(4)
    assert [tracker(_frame(i)).left_out for i in range(10)] == [0] * 10
    stage.faces = _crowd(5)
    assert max(tracker(_frame(i)).left_out for i in range(10, 45)) == 1


def test_a_cut_starts_everything_afresh() -> None:
    stage = Stage()
    tracker = Tracker(landmarker=stage)
    stage.faces = {200: (300, 180, 80)}
    picture = np.random.default_rng(0).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    for i in range(8):
        scene = picture if i < 4 else 255 - picture
        image = cv2.resize(scene, SIZE[::-1], interpolation=cv2.INTER_NEAREST)
        tracked = tracker(Frame(image, Fraction(i, 30), i))
        assert tracked.cut == (i == 4)
        assert [face.track_id for face in tracked.faces] == [int(i >= 4)]


def test_smoothing_starts_afresh_after_a_loss() -> None:
    stage = Stage()
    tracker = Tracker(landmarker=stage)
    for i, x in enumerate([300.0] * 5 + [0.0] * 3 + [330.0]):
        stage.faces = {200: (x, 180, 80)} if x else {}
        faces = tracker(_frame(i)).faces
    assert np.array_equal(faces[0].landmarks, face_landmarks(330, 180, 80))


def test_stills_are_pictures_of_their_own() -> None:
    stage = Stage()
    tracker = Tracker(TrackerOptions(stills=True), stage)
    for i, x in enumerate((200, 203, 206)):
        stage.faces = {200: (x, 180, 80)}
        (face,) = tracker(_frame(i)).faces
        assert face.track_id == i
        assert np.array_equal(face.landmarks, face_landmarks(x, 180, 80))


def test_a_jump_back_in_time_is_a_new_video() -> None:
    stage = Stage()
    tracker = Tracker(landmarker=stage)
    stage.faces = {200: (300, 180, 80)}
    assert _ids(tracker, 50) == [0]
    assert _ids(tracker, 0) == [1]


def test_the_searched_regions_cover_every_pixel_of_the_picture() -> None:
    covered = np.zeros((108, 192), bool)
    for region in upright_regions(108, 192)[1:]:
        x, y, half = region.x, region.y, region.width / 2
        covered[
            max(0, round(y - half)) : round(y + half) + 1, max(0, round(x - half)) : round(x + half) + 1
        ] = True
    assert covered.all()


def test_a_cut_is_neither_motion_nor_a_change_of_exposure() -> None:
    rng = np.random.default_rng(3)
    wide = cv2.resize(rng.integers(0, 255, (3, 10, 3), dtype=np.uint8), (1280, 360))
    is_cut = CutDetector()
    assert not any(is_cut(wide[:, 20 * i : 20 * i + 640]) for i in range(20))
    assert not is_cut(np.clip(wide[:, 400:1040] * 0.6 + 60, 0, 255).astype(np.uint8))
    assert is_cut(255 - wide[:, 400:1040])


def test_visible_share_counts_the_landmarks_inside() -> None:
    assert visible_share(face_landmarks(320, 180, 100), SIZE) == 1
    assert visible_share(face_landmarks(0, 180, 100), SIZE) == pytest.approx(0.5, abs=0.1)
    assert visible_share(face_landmarks(-200, 180, 100), SIZE) == 0


def test_crumpled_landmarks_are_not_like_a_face() -> None:
    pose = Pose(1.0, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    canonical = load_shape().canonical
    crumpled = canonical + np.random.default_rng(4).normal(0, 10, canonical.shape).astype(np.float32)
    assert face_likeness(canonical, pose) == 1
    assert face_likeness(crumpled, pose) == 0


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.array(Image.open(PORTRAIT).convert("RGB"))


@pytest.fixture(scope="module")
def stills() -> Iterator[Tracker]:
    with Tracker(TrackerOptions(stills=True)) as tracker:
        yield tracker


def _pasted(portrait: np.ndarray, width: float, centre: tuple[float, float], degrees: float) -> np.ndarray:
    """A 1280x720 picture with the portrait's face, about 105 px wide in the file, `width` px wide."""
    canvas = np.full((720, 1280, 3), (70, 90, 110), np.uint8)
    scale = width / 105
    matrix = cv2.getRotationMatrix2D((224, 124), -degrees, scale)
    matrix[:, 2] += np.subtract(centre, (224, 124))
    small = cv2.GaussianBlur(portrait, (0, 0), max(0.1, 0.4 / scale)) if scale < 1 else portrait
    return cv2.warpAffine(small, matrix, (1280, 720), canvas, borderMode=cv2.BORDER_TRANSPARENT)


@pytest.mark.parametrize(
    ("width", "centre", "degrees"),
    [
        (60, (1100, 560), 0),
        (300, (640, 360), 90),
        (300, (640, 360), 180),
        (300, (640, 360), -90),
        (300, (640, 360), 45),
        (300, (60, 360), 0),
        (900, (640, 360), 0),
    ],
)
def test_small_turned_and_cut_off_faces_are_found(
    stills: Tracker, portrait: np.ndarray, width: float, centre: tuple[float, float], degrees: float
) -> None:
    (face,) = stills(Frame(_pasted(portrait, width, centre, degrees))).faces
    middle = face.landmarks[[468, 473, 4], :2].mean(axis=0)
    assert np.hypot(*(middle - centre)) < 0.25 * width
    roll = np.degrees(face.pose.angles[2])
    assert abs((roll - degrees - 3 + 180) % 360 - 180) < 12


def test_two_runs_over_a_moving_face_are_equal(portrait: np.ndarray) -> None:
    runs = []
    for _ in range(2):
        with Tracker() as tracker:
            frames = (
                Frame(_pasted(portrait, 200, (500 + 9 * i, 360), 0), Fraction(i, 30), i) for i in range(6)
            )
            runs.append([tracker(frame).faces[0].landmarks for frame in frames])
    assert np.array_equal(*runs)


@pytest.mark.parametrize(
    ("seen", "is_face"),
    [
        ({}, True),
        ({"x": 306}, True),
        ({"width": 1.15}, True),
        ({"roll": 0.2}, True),
        ({"x": 325}, False),
        ({"width": 1.5}, False),
        ({"width": 0.6}, False),
        ({"roll": 0.4}, False),
        ({"roll": -0.4}, False),
    ],
    ids=str,
)
def test_landmarks_and_a_second_look_must_show_the_same_face(seen: dict[str, float], is_face: bool) -> None:
    """In an ear the landmark model finds a face, and the detector one of another size beside it."""

    class SecondLook(Stage):
        def find(self, image: np.ndarray, within: Region) -> list[Region]:
            if within.width > 200:
                return super().find(image, within)
            near = region_around(face_landmarks(300, 180, 80))
            changes = {**seen, "width": seen.get("width", 1) * near.width}
            return [replace(near, **changes)]

    stage = SecondLook()
    stage.faces = {200: (300, 180, 80)}
    assert len(Tracker(landmarker=stage)(_frame(0)).faces) == is_face


BAD_MESHES = {
    "nan": np.full((478, 3), np.nan, np.float32),
    "one nan": np.where(np.arange(478)[:, None] == 7, np.nan, face_landmarks(300, 180, 80)),
    "infinite": np.full((478, 3), np.inf, np.float32),
    "far away": face_landmarks(3e8, 180, 80),
    "in one place": np.full((478, 3), 200, np.float32),
    "flat": face_landmarks(300, 180, 80) * np.array([1, 0, 1], np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "short": np.zeros((10, 3), np.float32),
}


@pytest.mark.parametrize("mesh", list(BAD_MESHES))
def test_a_mesh_that_is_none_is_no_face_and_leaves_no_trace(mesh: str) -> None:
    class Failing(Stage):
        fails = False

        def fit(self, image: np.ndarray, region: Region) -> Fit | None:
            fit = super().fit(image, region)
            return replace(fit, landmarks=BAD_MESHES[mesh]) if fit and self.fails else fit

    stage = Failing()
    stage.faces = {200: (300, 180, 80)}
    tracker = Tracker(landmarker=stage)
    for i in range(20):
        stage.fails = i in (0, 8, 9)
        faces = tracker(_frame(i)).faces
        assert len(faces) == (not stage.fails)
        assert all(np.isfinite(face.landmarks).all() and np.isfinite(face.confidence) for face in faces)
    assert [face.track_id for face in faces] == [0]
    assert np.abs(faces[0].landmarks - face_landmarks(300, 180, 80)).max() < 0.1


@pytest.mark.parametrize(
    "region",
    [
        Region(np.nan, 180, 80),
        Region(300, 180, 0),
        Region(300, 180, np.inf),
        Region(300, 180, -5),
        Region(300, 180, 80, np.nan),
    ],
)
def test_a_place_that_is_none_is_passed_over(region: Region) -> None:
    class Failing(Stage):
        def find(self, image: np.ndarray, within: Region) -> list[Region]:
            assert np.isfinite(within.width)
            return [region]

    stage = Failing()
    stage.faces = {200: (300, 180, 80)}
    assert Tracker(landmarker=stage)(_frame(0)).faces == ()


@pytest.mark.parametrize("presence", [np.nan, -np.inf])
def test_a_presence_that_is_no_number_is_no_certainty(presence: float) -> None:
    class Unsure(Stage):
        def fit(self, image: np.ndarray, region: Region) -> Fit | None:
            fit = super().fit(image, region)
            return fit and replace(fit, presence=presence)

    stage = Unsure()
    stage.faces = {200: (300, 180, 80)}
    assert Tracker(landmarker=stage)(_frame(0)).faces == ()


@pytest.mark.parametrize("size", [(1, 1), (500, 1), (2, 2)])
def test_a_picture_of_any_size_can_be_searched(stills: Tracker, size: tuple[int, int]) -> None:
    assert stills(Frame(np.full((*size, 3), 128, np.uint8))).faces == ()


def _swaying(tracker: Tracker, stage: Stage, times_s: list[float]) -> dict[float, tuple[int, ...]]:
    """The ids at each time while a face sways by two and a half of its widths a second."""
    ids = {}
    for i, time_s in enumerate(times_s):
        stage.faces = {200: (320 + 200 * np.sin(2 * np.pi * time_s / 1.9), 180, 260)}
        tracked = tracker(Frame(_frame(0).image, Fraction(time_s).limit_denominator(6000), i))
        ids[time_s] = tuple(face.track_id for face in tracked.faces)
    return ids


class Narrow(Stage):
    """Finds nobody a second time, and fits only where it is told rather exactly where the face is."""

    def __init__(self, reach: float) -> None:
        super().__init__()
        self._reach = reach
        self._found = False

    def find(self, image: np.ndarray, within: Region) -> list[Region]:
        return super().find(image, within) if self.finds < 30 else []

    def fit(self, image: np.ndarray, region: Region) -> Fit | None:
        ((x, y, width),) = self.faces.values()
        near = np.hypot(x - region.x, y - region.y) < self._reach * width
        return super().fit(image, region) if near else None


@pytest.mark.parametrize("rate", [15, 24, 30, 60, 120])
def test_a_face_is_followed_alike_at_any_frame_rate(rate: int) -> None:
    stage = Narrow(0.12)
    ids = _swaying(Tracker(landmarker=stage), stage, [i / rate for i in range(3 * rate)])
    assert set(ids.values()) == {(0,)}


def test_a_face_is_followed_through_dropped_frames_and_uneven_times() -> None:
    rng = np.random.default_rng(2)
    times_s = np.cumsum(rng.choice([1 / 90, 1 / 30, 1 / 15], 120)).tolist()
    stage = Narrow(0.12)
    assert set(_swaying(Tracker(landmarker=stage), stage, times_s).values()) == {(0,)}


def test_searches_for_a_first_face_are_as_many_a_second_at_any_frame_rate() -> None:
    counts = {}
    for rate in (15, 30, 60):
        stage = Stage()
        tracker = Tracker(landmarker=stage)
        tracker(_frame(0))
        before = stage.finds
        for i in range(1, 2 * rate + 1):
            tracker(Frame(_frame(0).image, Fraction(i, rate), i))
        counts[rate] = stage.finds - before
    assert all(59 <= count <= 60 for count in counts.values())
