"""Lips are not pressed to nothing."""

from __future__ import annotations

import numpy as np
import pytest

from calib.basis import load_basis
from calib.openings import MOUTH, OUTER_EDGE
from reenact.generate.geometry.lip_thickness import LEAST_SHARE, keep_thickness
from reenact.generate.geometry.warp import move_landmarks
from tests.support.faces import change, posed_face

FACE = posed_face(scale=2.0, centre=(200.0, 200.0))
DOWN = np.array([0, 1], np.float32)
EDGES = ((MOUTH.upper, -1), (MOUTH.lower, 1))


def heights(landmarks, edge, side):
    inner, outer = list(edge[1:-1]), list(OUTER_EDGE[edge][1:-1])
    return side * (landmarks[outer, 1] - landmarks[inner, 1])


def pressed(share, edge=MOUTH.lower, side=1):
    """FACE's landmarks with one lip's outer edge moved over the rest of it."""
    moved = FACE.landmarks.copy()
    outer = list(OUTER_EDGE[edge][1:-1])
    moved[outer, 1] -= side * (1 - share) * heights(FACE.landmarks, edge, side)
    return moved


@pytest.mark.parametrize("edge, side", EDGES)
@pytest.mark.parametrize("share", [0.2, 0.0, -0.6])
def test_a_lip_keeps_its_least_height(edge, side, share):
    held = keep_thickness(FACE.landmarks, pressed(share, edge, side), DOWN)
    kept = heights(held, edge, side) / heights(FACE.landmarks, edge, side)
    assert (kept > LEAST_SHARE - 1e-3).all()
    inner = list(edge)
    np.testing.assert_array_equal(held[inner], FACE.landmarks[inner])


def test_the_rows_of_a_lip_keep_their_order():
    held = keep_thickness(FACE.landmarks, pressed(-0.6), DOWN)
    assert (np.diff(held[[14, 15, 16, 17], 1]) > 0).all()


def test_lips_that_are_hardly_pressed_are_left_alone():
    moved = pressed(0.8)
    assert keep_thickness(FACE.landmarks, moved, DOWN) is moved


def test_lips_whose_landmarks_cross_by_themselves_are_left_alone():
    rolled = pressed(-0.3)
    moved = rolled + np.float32([0, -5, 0])
    np.testing.assert_array_equal(keep_thickness(rolled, moved, DOWN), moved)


def test_the_height_is_continuous_in_what_is_asked():
    kept = [
        heights(keep_thickness(FACE.landmarks, pressed(share), DOWN), MOUTH.lower, 1)
        for share in np.linspace(1, -1, 41)
    ]
    assert np.abs(np.diff(kept, axis=0)).max() < 0.06 * heights(FACE.landmarks, MOUTH.lower, 1).max()


@pytest.mark.parametrize("code", ["AU17", "AU20", "AU23", "AU14", "AU15"])
def test_no_action_unit_turns_thin_lips_over(code):
    face = posed_face(scale=2.0, centre=(200.0, 200.0))
    thin = face.landmarks.copy()
    for edge, _ in EDGES:
        inner, outer = list(edge[1:-1]), list(OUTER_EDGE[edge][1:-1])
        thin[outer] = thin[inner] + 0.3 * (thin[outer] - thin[inner])
    face = type(face)(face.track_id, thin, face.pose, face.confidence)
    moved = move_landmarks(face, change(**{code: 4}), load_basis())
    for edge, side in EDGES:
        assert (heights(moved, edge, side) >= (LEAST_SHARE - 0.02) * heights(thin, edge, side)).all()
