"""There and back: what the run-time's move does to a picture whose truth is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import reenact
from calib.basis import load_basis
from calib.openings import MOUTH
from reenact.generate import open_generator
from reenact.generate.generator import look_at_mouth
from reenact.generate.geometry.warp import move_landmarks
from reenact.generate.paste import paste
from reenact.media.image_file import load_still
from reenact.records import Frame, Retargeted
from reenact.track import Tracker, TrackerOptions
from tests.support.faces import change, closed_mouth, posed_face, textured_frame
from train.data.degrade import applied_change, face_of, move_face, there_and_back
from train.data.shards import CROP

BASIS = load_basis()
FRAME = textured_frame(320, 320)


def portrait(landmarks_mm=None):
    return posed_face(scale=1.35, centre=(160.0, 150.0), landmarks_mm=landmarks_mm)


def open_mouth():
    landmarks = closed_mouth()
    landmarks[list(MOUTH.upper[1:-1]), 1] -= 4
    landmarks[list(MOUTH.lower[1:-1]), 1] += 6
    return landmarks


def parted_lips(gap_mm):
    landmarks = closed_mouth()
    landmarks[list(MOUTH.lower), 1] += gap_mm * (1 - np.linspace(-1, 1, len(MOUTH.lower)) ** 2)
    return landmarks


def test_forth_is_what_the_run_time_shows():
    face, asked = portrait(), change(AU12=2, AU25=2)
    move = move_face(FRAME.image, face.landmarks, asked, BASIS)
    again = face_of(face.landmarks)
    with open_generator("warp") as generator:
        shown = generator(Retargeted(FRAME, (again,), False, (asked,), (asked,)))
    assert np.array_equal(move.picture, paste(shown).image)
    assert np.array_equal(move.change, asked)


def test_there_and_back_ends_at_the_landmarks_it_began_with():
    face = portrait()
    move = there_and_back(FRAME.image, face.landmarks, change(AU12=2, AU02=1), BASIS)
    seen, _ = look_at_mouth(FRAME, face_of(face.landmarks))
    np.testing.assert_array_equal(move.landmarks, seen.landmarks)


def test_a_small_move_there_and_back_damages_little_and_a_mouth_that_was_shut_much():
    face = portrait(open_mouth())
    moves = [
        there_and_back(FRAME.image, face.landmarks, away, BASIS).picture
        for away in (change(AU02=0.3), change(AU25=-5, AU26=-2))
    ]
    x0, y0 = face.landmarks[list(MOUTH.outline), :2].min(axis=0).astype(int)
    x1, y1 = face.landmarks[list(MOUTH.outline), :2].max(axis=0).astype(int)
    brow, mouth = (abs(m[y0:y1, x0:x1].astype(int) - FRAME.image[y0:y1, x0:x1]).mean() for m in moves)
    assert brow < 1
    assert mouth > 15


def test_far_from_the_face_nothing_changes():
    face = portrait()
    move = there_and_back(FRAME.image, face.landmarks, change(AU12=2), BASIS)
    assert np.array_equal(move.picture[:8], FRAME.image[:8])


@pytest.mark.parametrize("away", [change(AU12=2), change(AU01=1, AU02=2)])
def test_the_change_is_the_way_back(away):
    face = portrait()
    move = there_and_back(FRAME.image, face.landmarks, away, BASIS)
    assert np.all(move.change * away <= 0)
    assert np.allclose(move.change, -away, atol=0.35)


@pytest.fixture(scope="module")
def lined():
    """The portrait that ships in a sample's crop, its landmarks, the same with folds beside nose and mouth
    that are darker by a quarter, and where these are."""
    picture = load_still(Path(reenact.__file__).with_name("data") / "portrait.jpg").image
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as track:
        (face,) = track(Frame(picture)).faces
    alignment = CROP.align(face)
    picture, landmarks = alignment.crop(picture), alignment.points(face.landmarks)
    drawn = np.zeros(picture.shape[:2], np.float32)
    for line in ((129, 203, 206), (358, 423, 426)):
        cv2.polylines(drawn, [np.rint(landmarks[list(line), :2]).astype(np.int32)], False, 1, 4, cv2.LINE_AA)
    drawn = cv2.GaussianBlur(drawn, (0, 0), 1)
    folded = np.rint(picture * (1 - 0.25 * drawn[..., None])).astype(np.uint8)
    return picture, landmarks, folded, drawn > 0.5


@pytest.mark.parametrize("away", [change(AU12=-1.5), change(AU12=1.5), change(AU10=1.5, AU25=-5)])
def test_a_faces_own_folds_stay_there_and_back(lined, away):
    picture, landmarks, folded, where = lined
    back = there_and_back(folded, landmarks, away, BASIS).picture.astype(float)
    deep = (picture.astype(float) - folded)[where].mean()
    filled = (back - folded)[where].mean()
    assert abs(filled) < 0.2 * deep


def test_lips_that_cannot_close_any_further_have_done_nothing():
    face = portrait(closed_mouth())
    move = there_and_back(FRAME.image, face.landmarks, change(AU25=-5), BASIS)
    assert abs(move.change).max() < 0.5


def test_only_as_much_is_taken_off_as_can_be_given_back():
    face = portrait(parted_lips(3))
    away = applied_change(face, change(AU25=-4, AU26=-3), BASIS)
    assert np.abs(away).max() < 2
    moved = move_landmarks(face, away, BASIS)
    upper, lower = MOUTH.upper[5], MOUTH.lower[5]
    assert moved[lower, 1] - moved[upper, 1] == pytest.approx(0, abs=0.6)
    back = moved + (move_landmarks(face, -away, BASIS) - face.landmarks)
    np.testing.assert_allclose(back, face.landmarks, atol=1.5)
