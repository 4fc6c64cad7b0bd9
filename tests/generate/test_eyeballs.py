"""Upper lids that rise: the eyeball behind them is round and white, not stretched."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calib.basis import load_basis
from calib.openings import LEFT_EYE, RIGHT_EYE
from reenact.generate.geometry.warp import move_landmarks, warp
from reenact.generate.painters.eyeballs import paint_eyeballs
from reenact.records import Frame
from tests.support.faces import change, posed_face

SKIN, WHITE, IRIS, LASHES = (200, 150, 130), (235, 235, 235), (70, 50, 40), (30, 20, 20)
FACE = posed_face(scale=4.0, centre=(400.0, 400.0))
MM = FACE.pose.scale


def drawn(face=FACE):
    """A face with round irises, the tops of which lie behind the upper lids."""
    image = np.full((800, 800, 3), SKIN, np.uint8)
    for eye, iris in ((LEFT_EYE, 468), (RIGHT_EYE, 473)):
        hole = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(hole, [np.rint(face.landmarks[list(eye.outline), :2]).astype(np.int32)], 1)
        ball = np.full_like(image, WHITE)
        x, y = face.landmarks[iris, :2]
        cv2.circle(ball, (round(float(x)), round(float(y))), round(5.9 * MM), IRIS, -1)
        image[hole > 0] = ball[hole > 0]
    return Frame(image)


def raised(asked, face=FACE):
    frame = drawn(face)
    moved = warp(frame, face, change(AU05=asked), load_basis())
    return moved, paint_eyeballs(frame, face, moved)


def at(result, x, y):
    left, top = result.region[:2]
    return result.image[round(float(y)) - top, round(float(x)) - left].astype(int)


@pytest.mark.parametrize("iris", [468, 473])
def test_the_white_is_seen_above_the_iris(iris):
    moved, painted = raised(3)
    lid = {468: 159, 473: 386}[iris]
    x, edge = FACE.landmarks[iris, 0], moved.moved[lid, 1]
    top = FACE.landmarks[iris, 1] - 5.9 * MM
    assert top - edge > 1.2 * MM, "the lid of this face rises above its iris"
    between = (top + edge) / 2 + 0.2 * MM
    assert at(moved, x, between).mean() < 100
    assert at(painted, x, between).mean() > 130


def test_the_iris_stays_where_it_is():
    _, painted = raised(3)
    x, y = FACE.landmarks[468, :2]
    for away in (-4.5, 0, 3):
        np.testing.assert_allclose(at(painted, x, y + away * MM), IRIS, atol=25)


def test_lids_that_do_not_rise_are_left_alone():
    for asked in (-2, 0.05):
        moved, painted = raised(asked)
        assert painted is moved


def shut(*eyes, face=FACE, gap_mm=0.25):
    """The face with these eyes shut but for a gap."""
    landmarks = face.landmarks.copy()
    for eye in eyes:
        landmarks[list(eye.upper)] = landmarks[list(eye.lower)] - [0, gap_mm * MM, 0]
    return replace(face, landmarks=landmarks)


def test_eyes_that_are_shut_stay_shut():
    face = shut(LEFT_EYE, RIGHT_EYE)
    assert warp(drawn(face), face, change(AU05=3), load_basis()) is None
    asked = change(AU05=3, AU45=-3)
    assert warp(drawn(face), face, asked, load_basis()) is None


def test_a_wink_stays_a_wink_and_the_other_eye_opens():
    face = shut(LEFT_EYE)
    rise = {
        eye: (face.landmarks - move_landmarks(face, change(AU05=3), load_basis()))[eye.upper[4], 1] / MM
        for eye in (LEFT_EYE, RIGHT_EYE)
    }
    assert abs(rise[LEFT_EYE]) < 0.1
    assert rise[RIGHT_EYE] > 1


def test_an_eye_that_opens_takes_part_without_a_jump():
    rises = []
    for gap_mm in np.linspace(0, 6, 61):
        face = shut(LEFT_EYE, RIGHT_EYE, gap_mm=gap_mm)
        moved = move_landmarks(face, change(AU05=2), load_basis())
        rises.append((face.landmarks - moved)[LEFT_EYE.upper[4], 1] / MM)
    assert rises[0] < 0.05 and rises[-1] > 0.5
    assert np.abs(np.diff(rises)).max() < 0.2


def test_a_shut_eye_may_be_squeezed():
    face = shut(LEFT_EYE, RIGHT_EYE)
    moved = move_landmarks(face, change(AU07=2), load_basis())
    assert np.abs(moved - face.landmarks).max() > 0.3 * MM
