"""Where the appearance network may paint."""

from __future__ import annotations

import numpy as np
import pytest

from calib.au import AU_CODES
from calib.openings import LEFT_EYE, MOUTH
from reenact.generate.crop import FaceCrop
from reenact.generate.gate import gate
from tests.faces import change, posed_face, rotation

FACE = posed_face()
ALIGNMENT = FaceCrop().align(FACE)


def at(plane, landmark):
    x, y = np.rint(ALIGNMENT.points(FACE.landmarks)[landmark, :2]).astype(int)
    return plane[y, x]


def test_nothing_may_be_painted_where_nothing_is_asked():
    assert not gate(FACE.landmarks, change(), ALIGNMENT).any()


@pytest.mark.parametrize("code", [code for code in AU_CODES if code not in ("AU05", "AU07", "AU45")])
def test_every_action_unit_opens_its_gate_either_way(code):
    more, less = (gate(FACE.landmarks, change(**{code: value}), ALIGNMENT) for value in (2, -2))
    assert more.max() == 255
    assert np.array_equal(more, less)


@pytest.mark.parametrize("code", ["AU05", "AU07"])
def test_lids_that_are_lifted_or_tightened_need_no_paint(code):
    assert not gate(FACE.landmarks, change(**{code: 3}), ALIGNMENT).any()


def test_lids_that_open_may_be_painted_and_lids_that_shut_are_left_to_the_painters():
    opening, shutting = (gate(FACE.landmarks, change(AU45=value), ALIGNMENT) for value in (-2, 2))
    assert opening.max() == 255
    assert not shutting.any()


def test_the_gate_opens_gradually():
    """So that nothing pops when an expression sets in."""
    asked = np.linspace(0, 1.2, 25)
    lips = [int(at(gate(FACE.landmarks, change(AU25=value), ALIGNMENT), MOUTH.upper[5])) for value in asked]
    assert lips[0] == 0 and lips[-1] == 255
    assert np.all(np.diff(lips) >= 0)
    assert np.diff(lips).max() < 32


def test_opening_eyes_leave_the_mouth_alone_and_a_smile_the_eyes():
    waking = gate(FACE.landmarks, change(AU45=-4), ALIGNMENT)
    smile = gate(FACE.landmarks, change(AU12=3), ALIGNMENT)
    assert at(waking, LEFT_EYE.upper[4]) == 255 and at(waking, MOUTH.upper[5]) == 0
    assert at(smile, LEFT_EYE.upper[4]) == 0 and at(smile, MOUTH.upper[5]) == 255


@pytest.mark.parametrize("code", ["AU01", "AU02", "AU04", "AU06", "AU09"])
def test_what_moves_around_an_eye_leaves_the_eye_alone(code):
    plane = gate(FACE.landmarks, change(**{code: 3}), ALIGNMENT)
    x, y = np.rint(ALIGNMENT.points(FACE.landmarks)[list(LEFT_EYE.outline), :2].mean(axis=0)).astype(int)
    assert plane[y - 1 : y + 2, x - 4 : x + 5].max() < 60


@pytest.mark.parametrize("yaw", [0.0, 0.4])
def test_the_gate_closes_before_the_edge_of_the_face(yaw):
    """The largest step between neighbouring pixels is small: an edge would be a seam."""
    face = posed_face(turn=rotation(yaw=yaw))
    plane = gate(face.landmarks, change(AU01=3, AU02=3, AU06=3, AU17=3), FaceCrop().align(face)).astype(int)
    frontal = yaw == 0
    assert max(abs(np.diff(plane, axis=axis)).max() for axis in (0, 1)) < (30 if frontal else 70)


def test_several_action_units_open_as_much_as_the_widest():
    both = gate(FACE.landmarks, change(AU12=2, AU45=-2), ALIGNMENT).astype(int)
    each = [
        gate(FACE.landmarks, change(**{code: value}), ALIGNMENT).astype(int)
        for code, value in (("AU12", 2), ("AU45", -2))
    ]
    assert abs(both - np.maximum(*each)).max() <= 64  # between regions, cells interpolate
    assert np.mean(abs(both - np.maximum(*each))) < 1
