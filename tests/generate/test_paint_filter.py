"""Paint that follows the face from frame to frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calib.openings import MOUTH
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.network.paint_filter import (
    PaintConditions,
    PaintFilter,
    PaintFilterOptions,
    carried,
    paint_conditions,
)
from reenact.records import Frame
from tests.support.faces import change, closed_mouth, posed_face

SIZE = 256
OPTIONS = PaintFilterOptions(time_s=0.05, longest_s=0.2, changed_by=1.0, opened_by_mm=2.0)
FRAME_S = 1 / 30
KEPT = np.exp(-FRAME_S / OPTIONS.time_s)
SMILE = change(AU12=2)


def flat(level):
    return np.full((SIZE, SIZE, 4), level, np.float32)


def at(time_s, face=None, moved=None, asked=SMILE) -> PaintConditions:
    face = face or posed_face()
    moved = face.landmarks if moved is None else moved
    frame = Frame(np.zeros((480, 640, 3), np.uint8), time_s)
    return paint_conditions(frame, face, moved, asked, FaceCrop().align(face))


def shown(steady, level, time_s, face=None, moved=None, asked=SMILE):
    """What is shown in the middle of the face's crop of paint that is `level` all over."""
    return steady(at(time_s, face, moved, asked), flat(level))[SIZE // 2, SIZE // 2, 0]


def test_the_first_paint_is_shown_as_it_is():
    assert shown(PaintFilter(OPTIONS), 10, 0.0) == 10


def test_what_comes_next_is_approached_with_the_time_constant():
    steady = PaintFilter(OPTIONS)
    shown(steady, 10, 0.0)
    second = shown(steady, 0, FRAME_S)
    assert second == pytest.approx(10 * KEPT, rel=1e-3)
    assert shown(steady, 0, 2 * FRAME_S) == pytest.approx(10 * KEPT**2, rel=1e-3)


def test_steps_of_any_length_come_to_the_same():
    once, twice = PaintFilter(OPTIONS), PaintFilter(OPTIONS)
    shown(once, 10, 0.0), shown(twice, 10, 0.0), shown(twice, 0, 0.03)
    assert shown(once, 0, 0.09) == pytest.approx(shown(twice, 0, 0.09), rel=1e-3)


@pytest.mark.parametrize(
    "time_s", [1.0, 0.5, 1.0 + 1.01 * OPTIONS.longest_s], ids=["same", "earlier", "late"]
)
def test_a_picture_that_does_not_follow_the_one_before_starts_afresh(time_s):
    steady = PaintFilter(OPTIONS)
    shown(steady, 10, 1.0)
    assert shown(steady, 0, time_s) == 0


def test_another_change_is_shown_at_once():
    steady = PaintFilter(OPTIONS)
    shown(steady, 10, 0.0)
    assert shown(steady, 0, FRAME_S, asked=change(AU12=3)) == 0


def test_a_change_that_is_fading_keeps_some_of_the_paint():
    steady = PaintFilter(OPTIONS)
    shown(steady, 10, 0.0)
    assert 0 < shown(steady, 0, FRAME_S, asked=change(AU12=2.5)) < 10 * KEPT


def test_a_mouth_that_opens_or_shuts_fast_shows_its_new_inside_at_once():
    steady = PaintFilter(OPTIONS)
    shut = posed_face(landmarks_mm=closed_mouth())
    opened = shut.landmarks.copy()
    opened[list(MOUTH.lower[1:-1]), :2] += OPTIONS.opened_by_mm * shut.pose.scale * shut.pose.down
    shown(steady, 10, 0.0, shut)
    assert shown(steady, 0, FRAME_S, shut, opened) == 0
    assert shown(steady, 10, 2 * FRAME_S, shut) == 10


def test_every_face_has_paint_of_its_own():
    steady = PaintFilter(OPTIONS)
    first, second = posed_face(track_id=1), posed_face(track_id=2)
    shown(steady, 10, 0.0, first)
    assert shown(steady, 0, 0.0, second) == 0
    assert shown(steady, 10, FRAME_S, first) == pytest.approx(10)
    assert shown(steady, 0, FRAME_S, second) == 0


def test_a_face_that_was_away_starts_afresh_and_the_others_are_not_forgotten():
    steady = PaintFilter(OPTIONS)
    gone, staying = posed_face(track_id=1), posed_face(track_id=2)
    shown(steady, 10, 0.0, gone)
    for frame in range(10):
        shown(steady, 10, frame * FRAME_S, staying)
    assert shown(steady, 0, 10 * FRAME_S, gone) == 0
    assert shown(steady, 0, 10 * FRAME_S, staying) == pytest.approx(10 * KEPT, rel=1e-3)


def test_paint_moves_with_the_face():
    face = posed_face()
    places = FaceCrop().align(face).points(face.landmarks)
    paint = cv2.GaussianBlur(np.random.default_rng(0).random((SIZE, SIZE, 4), np.float32), (0, 0), 4)
    moved = places + np.array([8, -4, 0], np.float32)
    middle = np.s_[100:160, 100:160]
    expected = paint[104:164, 92:152]
    np.testing.assert_allclose(carried(paint, places, moved)[middle], expected, atol=1e-3)


def test_paint_follows_the_lip_that_it_lies_on():
    face = posed_face(landmarks_mm=closed_mouth())
    places = FaceCrop().align(face).points(face.landmarks)
    lip = 17
    dropped = places.copy()
    dropped[[lip, 84, 314, 18, 83, 313, 85, 315, 16], 1] += 6
    x, y = np.rint(places[lip, :2]).astype(int)
    paint = np.zeros((SIZE, SIZE, 1), np.float32)
    paint[y, x] = 1
    paint = cv2.GaussianBlur(paint, (0, 0), 1.5)
    found = carried(np.dstack([paint] * 4), places, dropped)[..., 0]
    assert np.argmax(found[:, x]) - np.argmax(paint[:, x]) == pytest.approx(6, abs=1)


def test_no_paint_comes_of_a_face_that_is_not_in_its_crop():
    face = posed_face()
    places = FaceCrop().align(face).points(face.landmarks)
    assert not carried(flat(1), places, places + 10 * SIZE).any()


def test_paint_is_as_good_as_new_for_a_moment_if_little_changes():
    steady = PaintFilter(OPTIONS)
    assert steady.recall(at(0.0), fresh=True) is None
    shown(steady, 10, 0.0)
    assert steady.recall(at(OPTIONS.fresh_s), fresh=True)[SIZE // 2, SIZE // 2, 0] == pytest.approx(10)
    assert steady.recall(at(OPTIONS.fresh_s, asked=change(AU12=2.9)), fresh=True) is None
    assert steady.recall(at(OPTIONS.fresh_s + 0.01), fresh=True) is None
    assert steady.recall(at(0.0), fresh=True) is None, "time stands still"


def test_where_there_was_nothing_to_paint_there_is_nothing_until_something_changes():
    steady = PaintFilter(OPTIONS)
    shown(steady, 0, 0.0)
    assert not steady.recall(at(OPTIONS.longest_s), fresh=True).any()
    assert steady.recall(at(OPTIONS.longest_s, asked=change(AU12=2.9)), fresh=True) is None
    assert steady.recall(at(OPTIONS.longest_s + 0.01), fresh=True) is None


def test_older_paint_is_carried_until_it_is_too_old():
    steady = PaintFilter(OPTIONS)
    shown(steady, 10, 0.0)
    late = at(OPTIONS.longest_s, asked=change(AU12=3))
    assert steady.recall(late, fresh=False)[SIZE // 2, SIZE // 2, 0] == pytest.approx(10)
    assert steady.recall(at(OPTIONS.longest_s + 0.01), fresh=False) is None


@pytest.mark.parametrize("size", [130, 129, 131, 3])
def test_paint_of_a_crop_of_any_size_is_carried(size):
    face = posed_face()
    places = FaceCrop(size=size).align(face).points(face.landmarks)
    paint = np.full((size, size, 4), 7, np.float32)
    found = carried(paint, places, places)
    assert found.shape == paint.shape
    assert found[size // 2, size // 2, 0] == pytest.approx(7)
