import cv2
import numpy as np
import pytest

from calib.basis import load_basis
from calib.openings import MOUTH
from reenact.generate.geometry.warp import warp
from reenact.generate.painters.lips import paint_lips
from reenact.records import Frame
from tests.support.faces import change, closed_mouth, posed_face

SKIN, LIPS, TEETH = (205, 160, 140), (180, 90, 90), (250, 250, 245)


def toothy(face):
    image = np.full((480, 640, 3), SKIN, np.uint8)
    x, y = face.landmarks[MOUTH.upper[5], :2].astype(int)
    image[y - 30 : y + 45, x - 80 : x + 80] = LIPS
    cv2.fillPoly(image, [face.landmarks[list(MOUTH.outline), :2].round().astype(np.int32)], TEETH)
    return Frame(image)


def around_the_line(warped):
    x, y = ((warped.moved[13] + warped.moved[14])[:2] / 2 - warped.region[:2]).astype(int)
    return warped.image[y - 5 : y + 6, x - 15 : x + 16].astype(int)


def test_shutting_a_toothy_mouth_leaves_no_line_of_teeth():
    face = posed_face(scale=3.0)
    frame = toothy(face)
    shut = warp(frame, face, change(AU25=-3, AU26=-1), load_basis())
    assert around_the_line(shut).min(axis=2).max() > 150  # the warp alone presses teeth into a line
    assert (
        around_the_line(paint_lips(frame, face, shut)).min(axis=2).max() <= max(LIPS[1:]) + 20
    )  # teeth: 245


def test_the_line_between_the_lips_is_a_little_darker():
    face = posed_face(scale=3.0)
    frame = toothy(face)
    painted = around_the_line(
        paint_lips(frame, face, warp(frame, face, change(AU25=-3, AU26=-1), load_basis()))
    )
    rows = painted[:, :, 0].mean(axis=1)
    assert rows.argmin() in (4, 5, 6)
    assert 0.6 * LIPS[0] < rows.min() < 0.97 * LIPS[0]


def test_lips_that_were_shut_or_stay_open_keep_the_warps_pixels():
    open_face = posed_face(scale=3.0)
    shut_face = posed_face(scale=3.0, landmarks_mm=closed_mouth())
    for face, aus in ((open_face, change(AU25=2)), (shut_face, change(AU12=2))):
        frame = toothy(face)
        moved = warp(frame, face, aus, load_basis())
        assert paint_lips(frame, face, moved) is moved


@pytest.mark.parametrize("scale", [0.8, 1.5, 3.0])
def test_closed_lips_have_an_unbroken_seam_of_dark_red_on_faces_of_any_size(scale):
    face = posed_face(scale=scale)
    frame = toothy(face)
    moved = warp(frame, face, change(AU25=-3, AU26=-1), load_basis())
    painted = paint_lips(frame, face, moved)
    middle = (moved.moved[list(MOUTH.upper), :2] + moved.moved[list(MOUTH.lower), :2]) / 2
    x, y = (middle[2:-2] - moved.region[:2]).round().astype(int).T
    columns = np.arange(x.min(), x.max() + 1)
    rows = np.interp(columns, x, y).round().astype(int)
    near = np.stack([painted.image[rows + step, columns] for step in (-1, 0, 1)]).astype(int)
    darkest = np.take_along_axis(near, near.sum(axis=2).argmin(axis=0)[None, :, None], axis=0)[0]
    red, green = darkest[:, 0] / LIPS[0], darkest[:, 1] / LIPS[1]
    assert red.max() < 0.93
    assert np.median(green) < np.median(red) < 0.85
    assert near.min(axis=2).max() < TEETH[2] - 100
