import cv2
import numpy as np

from calib.basis import load_basis
from calib.openings import LEFT_EYE
from reenact.generate.geometry.warp import warp
from reenact.generate.painters.lids import BROW, CREASE, paint_lids
from reenact.records import Frame
from tests.support.faces import change, posed_face

SKIN, LASHES, EYE = (205, 160, 140), (20, 15, 15), (240, 240, 240)


def open_eyed(face):
    """Plain skin, white eyes, and lashes 1 mm high above them."""
    image = np.full((480, 640, 3), SKIN, np.uint8)
    cv2.fillPoly(image, [face.landmarks[list(LEFT_EYE.outline), :2].round().astype(np.int32)], EYE)
    lashes = face.landmarks[list(LEFT_EYE.upper), :2] - [0, 0.5 * face.pose.scale]
    cv2.polylines(image, [lashes.round().astype(np.int32)], False, LASHES, round(face.pose.scale))
    return Frame(image)


def lid_column(warped):
    """The pixels from the crease to the edge in the middle of the lid."""
    x, top = warped.moved[CREASE[4], :2].astype(int)
    bottom = int(warped.moved[LEFT_EYE.upper[4], 1])
    return warped.image[top - warped.region[1] : bottom - warped.region[1], x - warped.region[0]]


def test_a_shut_lid_is_skin_with_a_line_of_lashes():
    face = posed_face(scale=4.0)
    frame = open_eyed(face)
    shut = warp(frame, face, change(AU45=5), load_basis())
    painted = lid_column(paint_lids(frame, face, shut)).astype(int)
    dark = painted.max(axis=1) < 100
    assert not dark[: len(dark) * 2 // 3].any()
    assert dark[-int(1.5 * face.pose.scale) :].any()
    assert np.abs(painted[len(painted) // 2] - SKIN).max() < 25
    assert (lid_column(shut).max(axis=1) < 100).sum() > 1.3 * dark.sum()  # what the warp alone makes of them


def test_open_eyes_keep_the_warps_pixels():
    face = posed_face(scale=4.0)
    frame = open_eyed(face)
    for aus in (change(AU12=3), change(AU07=0.5), change(AU45=0.2), change(AU05=2)):
        moved = warp(frame, face, aus, load_basis())
        assert paint_lids(frame, face, moved) is moved


def test_only_the_lids_are_painted():
    face = posed_face(scale=4.0)
    frame = open_eyed(face)
    shut = warp(frame, face, change(AU45=5), load_basis())
    painted = paint_lids(frame, face, shut)
    changed = np.argwhere((painted.image != shut.image).any(axis=2))[:, ::-1] + shut.region[:2]
    assert len(changed) > 100
    assert (changed[:, 1] > face.landmarks[105, 1]).all() and (changed[:, 1] < face.landmarks[50, 1]).all()


def socketed(face, shadow):
    """Skin with the picture's left eye's socket, from crease to brow, in a colour of its own."""
    image = open_eyed(face).image.copy()
    socket = face.landmarks[[*CREASE, *BROW[::-1]], :2].round().astype(np.int32)
    cv2.fillPoly(image, [cv2.convexHull(socket)], shadow)
    cv2.fillPoly(image, [face.landmarks[list(LEFT_EYE.outline), :2].round().astype(np.int32)], EYE)
    return Frame(image)


def middle_of_lid(frame, face, aus):
    shut = paint_lids(frame, face, warp(frame, face, aus, load_basis()))
    column = lid_column(shut).astype(int)
    return column[len(column) // 3 : 2 * len(column) // 3]


def test_a_shut_lid_below_a_shaded_socket_is_as_bright_as_skin_allows():
    face = posed_face(scale=4.0)
    lid = middle_of_lid(socketed(face, (60, 35, 30)), face, change(AU45=5))
    assert lid.mean() > 0.6 * np.mean(SKIN)
    assert np.abs(lid.mean(axis=0) / lid.mean() - np.array(SKIN) / np.mean(SKIN)).max() < 0.15


def test_a_lid_as_bright_as_the_skin_keeps_its_colour():
    face = posed_face(scale=4.0)
    made_up = (150, 160, 205)
    lid = middle_of_lid(socketed(face, made_up), face, change(AU45=5))
    assert np.abs(lid - made_up).max() < 25


def test_each_eye_has_the_tone_of_the_skin_around_it():
    face = posed_face(scale=4.0)
    image = open_eyed(face).image.copy()
    image[:, : int(face.landmarks[168, 0])] = image[:, : int(face.landmarks[168, 0])] // 2
    lid = middle_of_lid(Frame(image), face, change(AU45=5))
    assert np.abs(lid - np.array(SKIN) / 2).max() < 25


def test_raised_brows_take_shadow_from_the_skin_they_stretch():
    face = posed_face(scale=4.0)
    frame = socketed(face, (80, 50, 45))
    raised = warp(frame, face, change(AU01=4, AU02=4), load_basis())
    x, y = ((raised.moved[CREASE[4], :2] + raised.moved[BROW[2], :2]) / 2).astype(int) - raised.region[:2]
    before, after = (
        image[y - 2 : y + 3, x - 2 : x + 3].mean()
        for image in (raised.image, paint_lids(frame, face, raised).image)
    )
    assert before + 3 < after < np.mean(SKIN)
