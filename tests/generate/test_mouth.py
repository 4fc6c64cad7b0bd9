"""What is painted between lips that have moved."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calib.basis import load_basis
from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE
from reenact.generate.geometry.warp import warp
from reenact.generate.painters.mouth import likely_teeth, on_visible_edges, paint_inside, see_mouth
from reenact.generate.painters.mouth.teeth_light import ivory, overexposed_share, overexposure_factor, sides
from reenact.records import Frame
from tests.support.faces import change, closed_mouth, posed_face
from tests.support.mouths import DARK, LIPS, SKIN, TEETH, drawn, open_face

BASIS = load_basis()


def shut_face(scale=2.0):
    return posed_face(scale=scale, landmarks_mm=closed_mouth())


def painted(frame, face, asked):
    seen = see_mouth(frame, face)
    face = face if seen is None else on_visible_edges(face, seen)
    moved = warp(frame, face, asked, BASIS)
    return moved, paint_inside(frame, face, moved, seen)


def column(warped, x_px):
    """The colours of a column of the frame from the upper lip's edge to the lower one's, after the move."""
    x = int(x_px) - warped.region[0]
    top, bottom = (int(warped.moved[edge, 1]) - warped.region[1] for edge in (13, 14))
    return warped.image[top:bottom, x].astype(int)


def test_a_mouth_that_the_jaw_opens_is_dark_behind_the_teeth():
    face = shut_face(3.0)
    frame = drawn(face)
    moved, result = painted(frame, face, change(AU26=2))
    inside = column(result, face.landmarks[13, 0])
    middle = inside[len(inside) // 3 : len(inside) // 2]
    assert middle.max() < 0.5 * max(SKIN)
    assert middle[:, 0].mean() > middle[:, 2].mean()  # a mouth's dark is reddish
    stretched = column(moved, face.landmarks[13, 0])
    assert stretched[len(inside) // 2, 0] > 1.5 * inside[len(inside) // 2, 0]  # the warp alone stretches lips


def test_a_shut_mouth_that_smiles_open_shows_one_row_of_upper_teeth():
    face = shut_face(3.0)
    _, result = painted(drawn(face), face, change(AU12=2, AU25=2))
    inside = column(result, face.landmarks[13, 0] + 10)
    light = inside.min(axis=1) > 110
    assert light[: len(light) // 2].any() and not light[-1]
    assert (np.diff(light.astype(int)) == 1).sum() <= 1
    assert np.ptp(inside[light], axis=1).max() < np.ptp(SKIN)  # paler than skin


def test_teeth_hang_from_the_skull_not_from_the_lip():
    face = shut_face(3.0)
    frame = drawn(face)
    edges = []
    for asked in (change(AU25=2, AU26=1.5), change(AU25=2, AU26=1.5, AU10=1.5)):
        _, result = painted(frame, face, asked)
        light = column(result, face.landmarks[13, 0] + 12).min(axis=1) > 110
        edges.append(np.flatnonzero(light).max() + int(result.moved[13, 1]))
    assert abs(edges[0] - edges[1]) <= 2


def test_own_teeth_keep_their_place_and_height_when_the_mouth_opens_further():
    face = open_face()
    frame = drawn(face, teeth_mm=5)
    _, result = painted(frame, face, change(AU26=1))
    x = int(face.landmarks[13, 0])
    before = np.flatnonzero(frame.image[:, x].min(axis=1) > 180)
    after = np.flatnonzero(result.image[:, x - result.region[0]].min(axis=1) > 180) + result.region[1]
    assert abs(int(before.max()) - int(after.max())) <= 2
    assert abs(len(before) - len(after)) <= 5


@pytest.mark.parametrize("asked", [{"AU26": 1}, {"AU20": 3}, {"AU16": 2}])
def test_a_thin_row_of_lower_teeth_stays_when_jaw_and_lip_move(asked: dict[str, float]) -> None:
    face = open_face(above_mm=3, below_mm=4)
    frame = drawn(face, teeth_mm=4, inside=TEETH, between_mm=1.0)
    _, result = painted(frame, face, change(**asked))
    light = column(result, face.landmarks[13, 0]).min(axis=1) > 150
    # From the lower lip upwards: the lower row, and the dark above it.
    assert light[::-1][3:6].all()
    assert not light.all()


def test_an_open_mouth_without_teeth_gets_none_when_its_jaw_drops_further():
    face = open_face()
    frame = drawn(face, teeth_mm=0)
    _, result = painted(frame, face, change(AU26=1))
    assert column(result, face.landmarks[13, 0])[2:-4].max() < 140


def test_a_lower_lip_that_drops_takes_no_teeth_along():
    """Landmarks that lie on the teeth, as trackers put them, leave no light rim along the lip."""
    face = open_face()
    frame = drawn(face, teeth_mm=20)  # teeth down to the lower lip
    low = face.landmarks.copy()
    low[list(MOUTH.lower[1:-1]), 1] -= 1.0 * face.pose.scale
    tracked = replace(face, landmarks=low)
    _, result = painted(frame, tracked, change(AU26=1.5))
    x = int(face.landmarks[14, 0]) - result.region[0]
    bottom = int(result.moved[14, 1]) - result.region[1]
    rim = result.image[bottom - 9 : bottom + 6, x].astype(int)
    assert rim.min(axis=1).max() < 0.75 * min(TEETH)


def test_a_face_that_is_asked_for_nothing_of_the_mouth_keeps_its_pixels():
    for face, teeth_mm in ((shut_face(), 0), (open_face(2.0), 4)):
        frame = drawn(face, teeth_mm=teeth_mm)
        for asked in (change(AU01=3), change(AU45=5)):
            moved, result = painted(frame, face, asked)
            assert result is moved


def test_what_is_painted_goes_to_the_frame_as_the_change_goes_to_nothing():
    face = open_face()
    frame = drawn(face, teeth_mm=4)
    x0, y0 = face.landmarks[list(MOUTH.outline), :2].min(axis=0).astype(int)
    x1, y1 = face.landmarks[list(MOUTH.outline), :2].max(axis=0).astype(int)
    differences = []
    for amount in (1.0, 0.25, 0.06, 0.01):
        _, result = painted(frame, face, change(AU26=amount))
        left, top = result.region[:2]
        part = result.image[y0 - top : y1 - top, x0 - left : x1 - left].astype(int)
        differences.append(np.abs(part - frame.image[y0:y1, x0:x1]).mean())
    assert differences == sorted(differences, reverse=True)
    assert differences[3] < 0.1 * differences[0]  # the lips have moved by a tenth of a millimetre


def test_only_the_inside_of_the_mouth_is_painted():
    face = shut_face()
    moved, result = painted(drawn(face), face, change(AU25=3, AU12=1))
    changed = np.argwhere((result.image != moved.image).any(axis=2))[:, ::-1] + moved.region[:2]
    outline = moved.moved[list(MOUTH.outline), :2]
    assert len(changed) > 100
    assert (changed >= outline.min(axis=0) - 3).all() and (changed <= outline.max(axis=0) + 3).all()


def test_the_painted_mouth_leaves_the_warp_as_it_was():
    face = shut_face()
    frame = drawn(face)
    moved = warp(frame, face, change(AU25=3), BASIS)
    kept = moved.image.copy()
    paint_inside(frame, face, moved, None)
    np.testing.assert_array_equal(moved.image, kept)


def test_a_gray_picture_stays_gray():
    face = shut_face()
    frame = drawn(face)
    gray = Frame(np.repeat(frame.image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2))
    for asked in (change(AU25=3, AU26=1), change(AU12=3, AU25=2)):
        _, result = painted(gray, face, asked)
        assert np.ptp(result.image.astype(int), axis=2).max() <= 1


@pytest.mark.parametrize("yaw", [-0.5, 0.5])
def test_teeth_of_a_turned_head_stay_inside_its_mouth(yaw):
    from tests.support.faces import rotation

    face = posed_face(scale=3.0, turn=rotation(yaw=yaw), landmarks_mm=closed_mouth())
    moved, result = painted(drawn(face), face, change(AU12=2, AU25=2))
    light = np.argwhere((result.image.min(axis=2) > 110) & (result.image != moved.image).any(axis=2))
    outline = moved.moved[list(MOUTH.outline), :2]
    places = light[:, ::-1] + moved.region[:2]
    assert len(places) > 50
    assert (places >= outline.min(axis=0) - 2).all() and (places <= outline.max(axis=0) + 2).all()


@pytest.mark.parametrize("scale", [0.6, 1.35, 2.0])
def test_the_rim_of_the_lower_lip_is_not_ragged(scale):
    """A face of one colour: how far up the lip's light reaches hardly differs from column to column."""
    face = posed_face(scale=scale, centre=(200.0, 200.0), landmarks_mm=closed_mouth())
    _, result = painted(drawn(face), face, change(AU25=1.6))
    image = result.image.astype(float).mean(axis=2)
    x, bottom = np.rint(result.moved[MOUTH.lower[5], :2] - result.region[:2]).astype(int)
    near = max(round(2 * scale), 2)
    columns = image[bottom - near : bottom + near, x - near : x + near]
    dark, light = columns[0].mean(), columns[-1].mean()
    reach = ((columns - dark) / (light - dark)).sum(axis=0)
    assert light > 1.3 * dark
    assert np.abs(np.diff(reach, 2)).max() < 0.4


@pytest.mark.parametrize("level", [40, 90, 160])
def test_teeth_are_brighter_than_skin_and_paler(level):
    face = posed_face()
    skin = np.full((480, 640, 3), (level, level * 0.8, level * 0.7), np.uint8)
    white = ivory(skin, face)
    assert skin[0, 0].mean() < white.mean() <= 255
    assert np.ptp(white) / white.mean() < np.ptp(skin[0, 0].astype(int)) / skin[0, 0].mean()


def test_the_colour_of_teeth_does_not_change_with_a_blink():
    face = posed_face()
    skin = np.full((480, 640, 3), SKIN, np.uint8)
    eyes_open = skin.copy()
    for eye in (LEFT_EYE, RIGHT_EYE):
        cv2.fillPoly(eyes_open, [face.landmarks[list(eye.outline), :2].astype(np.int32)], (255, 255, 255))
    np.testing.assert_array_equal(ivory(skin, face), ivory(eyes_open, face))


def test_lips_that_were_seen_apart_are_followed_without_a_jump():
    """Between shut and open, the teeth that are drawn move little for little."""
    edges = []
    for below_mm in np.linspace(0, 6, 25):
        face = open_face(above_mm=0.4 * below_mm, below_mm=0.6 * below_mm)
        edges.append(likely_teeth(face, see_mouth(drawn(face, inside=DARK), face)).upper_edge_mm)
    assert np.abs(np.diff(edges)).max() < 1.0


def test_what_is_drawn_in_tests_are_lips_and_teeth():
    assert min(TEETH) > max(LIPS) > max(DARK)


def test_drawn_teeth_are_darker_on_the_side_that_lies_in_the_shade():
    face = shut_face(3.0)
    frame = drawn(face)
    frame.image[:, 320:] //= 3
    _, result = painted(frame, face, change(AU12=2, AU25=3))
    left, right = (column(result, face.landmarks[13, 0] + by).mean(axis=1).max() for by in (-30, 30))
    assert right < 0.8 * left


def test_a_face_in_even_light_has_teeth_alike_on_both_sides():
    face = shut_face(3.0)
    np.testing.assert_allclose(sides(drawn(face).image, face), 1, atol=0.01)


def overexposed(face, shade):
    """A face of which all is white but for the shade in its nostrils."""
    image = np.full((480, 640, 3), 255, np.uint8)
    for nostril in ((60, 75, 166, 79, 239, 238, 20, 99), (290, 305, 392, 309, 459, 458, 250, 328)):
        hull = cv2.convexHull(face.landmarks[list(nostril), :2].astype(np.int32))
        cv2.fillConvexPoly(image, hull, shade)
    return Frame(image)


@pytest.mark.parametrize("shade", [(240, 200, 170), (215, 215, 215)])
def test_an_overexposed_mouth_is_no_darker_than_the_nostrils(shade):
    face = shut_face(3.0)
    _, result = painted(overexposed(face, shade), face, change(AU12=2, AU25=2, AU26=2))
    inside = column(result, face.landmarks[13, 0])
    assert len(inside) > 20
    assert (inside >= np.array(shade) - 2).all()


def test_the_teeth_of_an_overexposed_face_are_as_white_as_its_skin():
    face = shut_face(3.0)
    _, result = painted(overexposed(face, (240, 200, 170)), face, change(AU12=2, AU25=2))
    inside = column(result, face.landmarks[13, 0] + 10)
    assert (inside.min(axis=1) > 250).sum() > len(inside) // 4


def test_a_mouth_in_an_overexposed_grey_picture_is_grey():
    face = shut_face(3.0)
    _, result = painted(overexposed(face, (200, 200, 200)), face, change(AU12=2, AU25=2, AU26=2))
    assert np.ptp(column(result, face.landmarks[13, 0]), axis=1).max() <= 2


def test_a_well_exposed_face_is_not_taken_for_an_overexposed_one():
    face = shut_face(3.0)
    for level in (60, 140, 225):
        image = np.full((480, 640, 3), (level, level * 0.8, level * 0.7), np.uint8)
        assert overexposed_share(image, face) == 0 and overexposure_factor(image, face) == 1


def test_the_step_to_an_overexposed_face_is_no_jump():
    """As a face grows lighter, its mouth does from frame to frame."""
    face = shut_face(3.0)
    factors = [
        overexposure_factor(np.full((480, 640, 3), level, np.uint8), face) for level in range(230, 256)
    ]
    assert factors[0] == 1 and factors == sorted(factors)
    assert np.diff(factors).max() < 0.35
