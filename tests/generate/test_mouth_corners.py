"""Corners of mouths that have become narrower."""

import numpy as np

from calib.au import AU_INDEX
from calib.basis import load_basis
from calib.openings import MOUTH
from reenact.generate.geometry.warp import Warp
from reenact.generate.painters.mouth_corners import paint_corners
from tests.support.faces import closed_mouth, posed_face
from tests.support.mouths import open_face

SKIN, DARK = (200, 150, 130), (40, 15, 12)
FACE = open_face(scale=3.0)


def narrowed(by_mm, dark_beside=True):
    """The face's picture after its mouth has come in by so much at each corner; dark pockets beside it."""
    moved = FACE.landmarks.copy()
    inside, half_px = list(MOUTH.outline), abs(moved[MOUTH.upper[0], 0] - 320)
    moved[inside, 0] -= by_mm * FACE.pose.scale * (moved[inside, 0] - 320) / half_px
    image = np.full((480, 640, 3), SKIN, np.uint8)
    if dark_beside:
        for corner, outwards in ((MOUTH.upper[0], -1), (MOUTH.upper[-1], 1)):
            x, y = np.rint(moved[corner, :2] + np.array([outwards * 9, -4])).astype(int)
            image[y - 5 : y + 6, x - 5 : x + 6] = DARK
    return Warp(image, (0, 0), moved)


def darkest(warp):
    return int(warp.image.min(axis=2).min())


def test_the_dark_beside_a_corner_that_has_come_in_becomes_skin():
    healed = paint_corners(FACE, narrowed(6))
    assert darkest(narrowed(6)) == min(DARK)
    assert darkest(healed) > 0.85 * min(SKIN)
    assert np.abs(healed.image.astype(int) - SKIN).max() < 25


def test_red_lips_beside_a_corner_are_no_dark():
    moved = narrowed(6)
    moved.image[(moved.image == DARK).all(axis=2)] = (185, 30, 60)
    np.testing.assert_allclose(paint_corners(FACE, moved).image, moved.image, atol=1)


def test_corners_that_stay_or_go_out_keep_their_pixels():
    for by_mm in (0, -4):
        moved = narrowed(by_mm)
        assert paint_corners(FACE, moved) is moved


def test_the_corners_of_shut_lips_keep_their_line():
    shut, moved = posed_face(scale=3.0, landmarks_mm=closed_mouth()), narrowed(6)
    assert paint_corners(shut, moved) is moved


def test_a_smile_of_shut_lips_loses_its_dark_corners_too():
    smile = closed_mouth() + 2.5 * load_basis().displacements[AU_INDEX[12]]
    face = posed_face(scale=3.0, landmarks_mm=smile)
    assert darkest(paint_corners(face, narrowed(6))) > 0.85 * min(SKIN)


def test_it_comes_on_gradually():
    left = [darkest(paint_corners(FACE, narrowed(by_mm))) for by_mm in (1.5, 2, 2.5, 3)]
    assert left == sorted(left) and left[0] < 0.5 * left[-1]


def test_skin_without_dark_is_left_alone():
    moved = narrowed(6, dark_beside=False)
    np.testing.assert_allclose(paint_corners(FACE, moved).image, moved.image, atol=1)
