import cv2
import numpy as np
import pytest

from calib.basis import load_basis
from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE
from reenact.generate.mouth import MouthOptions, paint_mouth
from reenact.generate.teeth import ivory
from reenact.generate.warp import warp
from reenact.types import Frame
from tests.faces import change, closed_mouth, posed_face

SKIN, LIPS = (205, 160, 140), (180, 90, 90)


def plain_face(face):
    image = np.full((480, 640, 3), SKIN, np.uint8)
    x, y = face.landmarks[MOUTH.upper[5], :2].astype(int)
    image[y - 25 : y + 30, x - 60 : x + 60] = LIPS
    return Frame(image)


def middle_of_the_mouth(warped):
    centre = (warped.moved[13] + warped.moved[14])[:2] / 2 - warped.region[:2]
    x, y = centre.astype(int)
    return warped.image[y, x].astype(int)


def test_a_closed_mouth_that_opens_is_dark_inside():
    face = posed_face(landmarks_mm=closed_mouth())
    frame = plain_face(face)
    moved = warp(frame, face, change(AU25=1.3), load_basis())
    assert np.abs(middle_of_the_mouth(moved) - LIPS).max() < 8  # the warp alone stretches lips
    painted = paint_mouth(frame, face, moved)
    assert middle_of_the_mouth(painted).max() < 0.4 * max(LIPS)


def test_a_closed_mouth_that_smiles_open_shows_upper_teeth_and_no_lower_ones():
    face = posed_face(scale=3.0, landmarks_mm=closed_mouth())
    frame = plain_face(face)
    moved = warp(frame, face, change(AU12=3, AU25=3), load_basis())
    painted = paint_mouth(frame, face, moved)
    x = int(moved.moved[13, 0]) - moved.region[0] + 12  # the middle of an incisor
    top, bottom = (int(moved.moved[edge, 1]) - moved.region[1] for edge in (13, 14))
    inside = painted.image[top + 3 : bottom - 3, x].astype(int)
    light = inside.min(axis=1) > 120
    assert light.any() and not light[-1]
    assert (np.diff(light.astype(int)) == 1).sum() <= 1  # one row of teeth
    assert np.ptp(inside[light], axis=1).max() < 60  # whiter than skin and lips


def test_teeth_hang_from_the_skull_not_from_the_lip():
    face = posed_face(scale=3.0, landmarks_mm=closed_mouth())
    frame = plain_face(face)
    edges = []
    for aus in (change(AU25=3), change(AU25=3, AU10=2)):
        moved = warp(frame, face, aus, load_basis())
        column = paint_mouth(frame, face, moved).image[:, int(face.landmarks[13, 0]) - moved.region[0] + 12]
        bright = np.flatnonzero(column.min(axis=1)[: int(moved.moved[14, 1]) - moved.region[1]] > 150)
        edges.append(bright.max() + moved.region[1])
    assert abs(edges[0] - edges[1]) <= 2


@pytest.mark.parametrize("level", [40, 90, 160, 230])
def test_teeth_are_brighter_than_skin_and_paler(level):
    face = posed_face()
    skin = np.full((480, 640, 3), (level, level * 0.8, level * 0.7), np.uint8)
    white = ivory(skin, face)
    assert skin[0, 0].mean() < white.mean() <= 255
    assert np.ptp(white) < np.ptp(skin[0, 0].astype(int))


def test_the_colour_of_teeth_does_not_change_with_a_blink():
    face = posed_face()
    skin = np.full((480, 640, 3), SKIN, np.uint8)
    eyes_open = skin.copy()
    for eye in (LEFT_EYE, RIGHT_EYE):
        cv2.fillPoly(eyes_open, [face.landmarks[list(eye.outline), :2].astype(np.int32)], (255, 255, 255))
    np.testing.assert_array_equal(ivory(skin, face), ivory(eyes_open, face))


def test_a_gray_picture_stays_gray():
    face = posed_face(landmarks_mm=closed_mouth())
    frame = plain_face(face)
    gray = Frame(np.repeat(frame.image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2))
    painted = paint_mouth(gray, face, warp(gray, face, change(AU25=3, AU26=1), load_basis()))
    assert np.ptp(painted.image.astype(int), axis=2).max() <= 1


def test_only_the_inside_of_the_mouth_is_painted():
    face = posed_face(landmarks_mm=closed_mouth())
    frame = plain_face(face)
    moved = warp(frame, face, change(AU25=3, AU12=1), load_basis())
    painted = paint_mouth(frame, face, moved)
    changed = np.argwhere((painted.image != moved.image).any(axis=2))[:, ::-1] + moved.region[:2]
    outline = moved.moved[list(MOUTH.outline), :2]
    margin = 3 + MouthOptions().inset_mm * face.pose.scale
    assert len(changed) > 100
    assert (changed >= outline.min(axis=0) - margin).all() and (changed <= outline.max(axis=0) + margin).all()


def test_a_mouth_that_does_not_open_keeps_its_pixels():
    face = posed_face(landmarks_mm=closed_mouth())
    frame = plain_face(face)
    for aus in (change(AU12=1), change(AU17=2), change(AU01=3)):
        moved = warp(frame, face, aus, load_basis())
        assert paint_mouth(frame, face, moved) is moved


def test_teeth_keep_their_size_when_the_mouth_opens_further():
    face = posed_face(scale=3.0)
    frame = plain_face(face)
    upper, lower = face.landmarks[13, 1], face.landmarks[14, 1]
    x = int(face.landmarks[13, 0])
    frame.image[int(upper) : int(lower), x - 40 : x + 40] = (250, 250, 245)
    moved = warp(frame, face, change(AU25=3, AU26=1), load_basis())
    column = x - moved.region[0]

    def teeth(image):
        return int((image[:, column].min(axis=1) > 200).sum())

    before = int(lower) - int(upper)
    assert teeth(moved.image) > 2 * before
    assert teeth(paint_mouth(frame, face, moved).image) < 1.4 * before


def test_the_painted_mouth_leaves_the_warp_as_it_was():
    face = posed_face(landmarks_mm=closed_mouth())
    frame = plain_face(face)
    moved = warp(frame, face, change(AU25=3), load_basis())
    kept = moved.image.copy()
    paint_mouth(frame, face, moved)
    np.testing.assert_array_equal(moved.image, kept)


@pytest.mark.parametrize("scale", [0.6, 1.35, 2.0])
def test_the_rim_of_the_lower_lip_is_not_ragged(scale):
    """A face of one colour: how far up the lip's light reaches hardly differs from column to column."""
    face = posed_face(scale=scale, centre=(200.0, 200.0), landmarks_mm=closed_mouth())
    frame = plain_face(face)
    moved = warp(frame, face, change(AU25=1.6), load_basis())  # too little for the tongue to show
    image = paint_mouth(frame, face, moved).image.astype(float).mean(axis=2)
    x, bottom = np.rint(moved.moved[MOUTH.lower[5], :2] - moved.region[:2]).astype(int)
    near = round(3 * scale)
    columns = image[bottom - near : bottom + near, x - near : x + near]
    dark, light = columns[0].mean(), columns[-1].mean()
    reach = ((columns - dark) / (light - dark)).sum(axis=0)
    assert light > 2 * dark
    assert np.abs(np.diff(reach, 2)).max() < 0.3
