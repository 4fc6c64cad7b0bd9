"""Eyes that turn inside their lids."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calib.basis import load_basis
from calib.gaze import EYES, ROTATION_MM
from calib.openings import LEFT_EYE, RIGHT_EYE
from reenact.generate.geometry.warp import warp
from reenact.generate.painters.eyeballs import paint_eyeballs
from reenact.generate.painters.turned_eyes import paint_turned_eyes
from reenact.records import Frame
from tests.generate.test_eyeballs import FACE, IRIS, LASHES, MM, SKIN, at, drawn
from tests.support.faces import change

LEFT_IRIS, RIGHT_IRIS = 473, 468
"""The person's own left and right."""
LAMP = (250, 250, 250)
QUARTER_TURN_MM = ROTATION_MM * np.sin(np.radians(15))


def turned(frame=None, face=FACE, **asked):
    frame = frame or drawn(face)
    moved = warp(frame, face, change(**asked), load_basis())
    assert moved is not None
    return paint_turned_eyes(frame, face, paint_eyeballs(frame, face, moved))


def middle_of_iris(result, eye) -> np.ndarray:
    """(2,) the middle of the dark pixels between the lids."""
    left, top = result.region[:2]
    inside = np.zeros(result.image.shape[:2], np.uint8)
    outline = result.moved[list(eye.opening.outline), :2] - (left, top)
    cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], 1)
    inside = cv2.erode(inside, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((inside > 0) & (result.image.sum(axis=2) < 3 * 110))
    return np.array([columns.mean() + left, rows.mean() + top])


@pytest.mark.parametrize(("asked", "sign"), [("AU61", 1), ("AU62", -1)])
@pytest.mark.parametrize("eye", EYES, ids=["left", "right"])
def test_the_iris_moves_by_the_angle_that_is_asked(eye, asked: str, sign: int) -> None:
    before, after = middle_of_iris(turned(AU61=0.01), eye), middle_of_iris(turned(**{asked: 2.5}), eye)
    assert (after - before)[0] / MM == pytest.approx(sign * QUARTER_TURN_MM, abs=0.35)
    assert abs((after - before)[1]) < 0.5 * MM


def test_where_the_iris_was_there_is_white() -> None:
    result = turned(AU61=3)
    for iris in (LEFT_IRIS, RIGHT_IRIS):
        x, y = FACE.landmarks[iris, :2]
        assert at(result, x - 4.5 * MM, y).min() > 180


def test_one_eye_may_turn_alone() -> None:
    result = turned(AU61L=2.5)
    assert result.region[0] > FACE.pose.translation[0], "nothing is painted on the other side"
    assert (result.moved[RIGHT_IRIS] == FACE.landmarks[RIGHT_IRIS]).all()


def test_nothing_changes_beside_the_lids_when_eyes_look_aside() -> None:
    frame, result = drawn(), turned(AU62=2.5)
    left, top, right, bottom = result.region
    inside = np.zeros(frame.image.shape[:2], np.uint8)
    for eye in (LEFT_EYE, RIGHT_EYE):
        cv2.fillPoly(inside, [np.rint(FACE.landmarks[list(eye.outline), :2]).astype(np.int32)], 1)
    beside = cv2.dilate(inside, np.ones((7, 7), np.uint8))[top:bottom, left:right] == 0
    np.testing.assert_array_equal(result.image[beside], frame.image[top:bottom, left:right][beside])


def test_what_is_hardly_turned_hardly_changes() -> None:
    frame, result = drawn(), turned(AU61=0.02)
    left, top, right, bottom = result.region
    difference = np.abs(result.image.astype(int) - frame.image[top:bottom, left:right])
    assert difference.mean() < 0.8 and np.percentile(difference, 97) < 10


def test_more_turning_is_more_change_without_a_jump() -> None:
    last, steps = None, []
    for asked in np.linspace(0.1, 2.5, 13):
        middle = middle_of_iris(turned(AU61=float(asked)), EYES[0])[0]
        steps += [] if last is None else [middle - last]
        last = middle
    assert min(steps) > 0 and max(steps) < 3 * np.median(steps)


def with_lamps(frame: Frame) -> Frame:
    """A lamp is reflected in the middle of each iris."""
    image = frame.image.copy()
    for iris in (LEFT_IRIS, RIGHT_IRIS):
        x, y = FACE.landmarks[iris, :2]
        cv2.circle(image, (round(float(x)), round(float(y) + 1.5 * MM)), round(0.7 * MM), LAMP, -1)
    return Frame(image)


def test_the_reflection_of_a_lamp_stays_behind_the_iris() -> None:
    result = turned(with_lamps(drawn()), AU61=2.5)
    left, top = result.region[:2]
    x, y = FACE.landmarks[LEFT_IRIS, :2]
    row = result.image[round(float(y) + 1.5 * MM) - top].astype(int)
    around = np.arange(round(float(x)) - round(2 * MM), round(float(x)) + round(5 * MM)) - left
    light = np.clip(row[around].min(axis=1) - max(IRIS) - 20, 0, None).astype(float)
    inside = around + left < x + (QUARTER_TURN_MM + 5) * MM
    lamp_mm = ((around + left - x) * light * inside).sum() / (light * inside).sum() / MM
    assert 0.3 * QUARTER_TURN_MM < lamp_mm < 0.8 * QUARTER_TURN_MM


def test_lashes_stay_on_their_lid() -> None:
    frame = drawn()
    image = frame.image.copy()
    for eye in (LEFT_EYE, RIGHT_EYE):
        lid = np.rint(FACE.landmarks[list(eye.upper), :2] + [0, 0.4 * MM]).astype(np.int32)
        cv2.polylines(image, [lid], False, LASHES, round(0.8 * MM))
    result = turned(Frame(image), AU61=2.5)
    for lid in (159, 386):
        x, y = FACE.landmarks[lid, :2]
        assert at(result, x - 3 * MM, y + 0.5 * MM).mean() < 140, (
            "the white under the lashes is in their shade"
        )


def test_an_eye_that_is_shut_stays_as_it_is() -> None:
    landmarks = FACE.landmarks.copy()
    for eye in (LEFT_EYE, RIGHT_EYE):
        landmarks[list(eye.upper)] = landmarks[list(eye.lower)]
    shut = replace(FACE, landmarks=landmarks)
    frame = Frame(np.full((800, 800, 3), SKIN, np.uint8))
    assert warp(frame, shut, change(AU61=3), load_basis()) is None


@pytest.mark.parametrize(("open_share", "turns"), [(0.35, False), (1.0, True)], ids=["blink", "wink"])
def test_an_eye_beside_a_shut_one_turns_only_where_it_is_clearly_open(open_share, turns) -> None:
    landmarks = FACE.landmarks.copy()
    for eye, share in ((RIGHT_EYE, 0), (LEFT_EYE, open_share)):
        lower = landmarks[list(eye.lower)]
        landmarks[list(eye.upper)] = lower + share * (landmarks[list(eye.upper)] - lower)
    face = replace(FACE, landmarks=landmarks)
    moved = warp(Frame(np.full((800, 800, 3), SKIN, np.uint8)), face, change(AU61=3), load_basis())
    assert (moved is not None) == turns


def test_eyes_that_look_up_take_their_lids_along() -> None:
    result = turned(AU63=2)
    for lid in (159, 386):
        assert result.moved[lid, 1] < FACE.landmarks[lid, 1] - 1.5 * MM
