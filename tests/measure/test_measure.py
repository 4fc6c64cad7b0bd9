from __future__ import annotations

import numpy as np

from calib.au import AU_COUNT
from calib.estimator import CROP
from calib.pose import Pose, fit_pose
from calib.shape import load_shape
from reenact.measure.measurer import Measurer
from reenact.records import Face, Frame, Tracked


class Recorder:
    """An estimator that remembers what it is shown and says how bright the middle of that is."""

    crop = CROP

    def __init__(self) -> None:
        self.shown: list[tuple[np.ndarray, np.ndarray]] = []

    def read(self, crop: np.ndarray, landmarks_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.shown.append((crop, landmarks_mm))
        aus = np.full(AU_COUNT, crop[40:70, 40:70].mean() / 255, np.float32)
        return aus, aus / 4


def turn(angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)


def face_at(track_id: int, x: float, y: float, scale: float = 1.0, roll: float = 0.0) -> Face:
    shape = load_shape()
    pose = Pose(scale, turn(roll), np.array([x, y, 0], np.float32))
    landmarks = pose.to_frame(shape.canonical)
    return Face(track_id, landmarks, fit_pose(landmarks, shape), 1.0)


def halves() -> Frame:
    """Black on the left, white on the right."""
    image = np.zeros((400, 800, 3), np.uint8)
    image[:, 400:] = 255
    return Frame(image)


def test_every_face_gets_the_reading_of_its_own_place():
    tracked = Tracked(halves(), (face_at(4, 600, 200), face_at(2, 200, 200)))
    measured = Measurer(Recorder())(tracked)
    assert [float(aus[0]) for aus in measured.aus] == [1.0, 0.0]
    assert [float(lean[0]) for lean in measured.leans] == [0.25, 0.0]
    assert measured.faces is tracked.faces and measured.frame is tracked.frame


def test_a_frame_without_faces_passes():
    tracked = Tracked(halves(), (), cut=True)
    measured = Measurer(Recorder())(tracked)
    assert measured.aus == () and measured.cut and measured.frame is tracked.frame


def test_the_estimator_sees_landmarks_without_place_size_or_roll():
    recorder = Recorder()
    Measurer(recorder)(Tracked(halves(), (face_at(0, 310, 150, scale=1.7, roll=0.4),)))
    np.testing.assert_allclose(recorder.shown[0][1], load_shape().canonical, atol=0.01)


def test_the_crop_is_as_the_estimator_wants_it():
    """A dot on each eye's pupil of a rolled face lies level in the crop, as far apart as the spec says."""
    face = face_at(0, 400, 200, scale=1.5, roll=0.5)
    image = np.zeros((400, 800, 3), np.uint8)
    for pupil in (468, 473):
        x, y = np.rint(face.landmarks[pupil, :2]).astype(int)
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    recorder = Recorder()
    Measurer(recorder)(Tracked(Frame(image), (face,)))
    crop = recorder.shown[0][0]
    assert crop.shape == (CROP.size_px, CROP.size_px, 3)
    rows, columns = np.nonzero(crop[..., 0] > 60)
    left, right = columns < CROP.size_px / 2, columns >= CROP.size_px / 2
    assert abs(rows[left].mean() - rows[right].mean()) < 0.7
    apart_mm = (columns[right].mean() - columns[left].mean()) * CROP.width_mm / CROP.size_px
    assert abs(apart_mm - 63) < 1


def test_the_estimator_does_not_see_what_is_beside_the_face():
    recorder = Recorder()
    face = face_at(0, 400, 200, roll=0.3)
    white, other = np.full((400, 800, 3), 255, np.uint8), np.full((400, 800, 3), 255, np.uint8)
    x, y = face.landmarks[[234, 454], 0], face.landmarks[:, 1]
    other[:, : int(x.min()) - 25] = 0
    other[int(y.max()) + 3 :] = 90
    for image in (white, other):
        Measurer(recorder)(Tracked(Frame(image), (face,)))
    np.testing.assert_array_equal(recorder.shown[0][0], recorder.shown[1][0])
    assert 0.3 < (recorder.shown[0][0] == 255).mean() < 0.9


def test_a_face_outside_the_picture_is_still_read():
    measured = Measurer(Recorder())(Tracked(halves(), (face_at(0, -500, -500),)))
    assert np.isfinite(measured.aus[0]).all()
