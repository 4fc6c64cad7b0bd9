"""The motions of the action units that OpenFace does not read, as they ship."""

from __future__ import annotations

import numpy as np
import pytest

from calib.au import ACTION_UNITS, MAX_INTENSITY, OPENFACE_COUNT, au_index
from calib.basis import load_basis
from calib.commands.scans import read_scans
from calib.openings import LEFT_EYE, MOUTH
from calib.other_units import fit_others
from calib.scans import motions_on_landmarks, sided_motions
from calib.shape import IRIS_START, load_shape
from tests.support.faces import change

BASIS, SHAPE = load_basis(), load_shape()
CHIN, LEFT_CORNER, RIGHT_CORNER = 152, 291, 61


def moved(**asked: float) -> np.ndarray:
    return BASIS.displace(change(**asked))


def width(motion: np.ndarray) -> float:
    return float(motion[LEFT_CORNER, 0] - motion[RIGHT_CORNER, 0])


def test_every_action_unit_has_a_motion() -> None:
    assert len(BASIS.displacements) == len(ACTION_UNITS)
    assert (BASIS.largest_mm > 0.3).all()


def test_the_motions_that_ship_are_those_of_the_scans(shared) -> None:
    scans = read_scans(shared / "data" / "assets" / "ict")
    fitted = fit_others(BASIS, motions_on_landmarks(scans, SHAPE), sided_motions(scans, SHAPE), SHAPE)
    np.testing.assert_allclose(fitted.displacements, BASIS.displacements, atol=0.01)
    np.testing.assert_allclose(fitted.furthest, BASIS.furthest, rtol=1e-3)


def test_puffed_cheeks_leave_the_jaw_at_rest() -> None:
    motion = moved(AU34=5)
    assert np.abs(motion[[CHIN, *MOUTH.outline], 1]).max() < 0.2
    assert np.linalg.norm(motion, axis=1).max() > 3


@pytest.mark.parametrize("code", ["AU18", "AU22"])
def test_round_lips_are_narrow(code: str) -> None:
    assert width(moved(**{code: 5})) < -5


@pytest.mark.parametrize("code", ["AU13", "AU18", "AU24", "AU28", "AU29", "AU34"])
def test_lips_that_do_not_part_stay_together(code: str) -> None:
    motion = moved(**{code: 5})
    shut = motion[list(MOUTH.lower), 1] - motion[list(MOUTH.upper), 1]
    assert np.abs(shut[1:-1]).max() < 3 and MOUTH.height(motion) < 0.5


@pytest.mark.parametrize("code", ["AU16", "AU22"])
def test_lips_that_part_do(code: str) -> None:
    assert MOUTH.height(moved(**{code: 5})) > 4


def test_lips_that_are_pressed_or_sucked_in_become_thin() -> None:
    for code in ("AU24", "AU28"):
        motion = moved(**{code: 5})
        assert motion[0, 1] - motion[17, 1] > 1, "from the upper lip's edge to the lower one's"


def test_the_jaw_goes_to_the_side_that_is_named_and_the_upper_lip_hardly_follows() -> None:
    left, right = moved(AU30L=5), moved(AU30R=5)
    assert left[CHIN, 0] > 5 and np.allclose(left, -right, atol=1e-4)
    assert np.abs(left[[105, 334, 10]]).max() < 0.5


def test_a_jaw_that_is_thrust_comes_forward() -> None:
    assert moved(AU29=5)[CHIN, 2] < -5


def test_the_corners_of_a_sharp_lip_puller_rise_more_than_they_widen() -> None:
    motion = moved(AU13=5)
    assert motion[LEFT_CORNER, 1] < -4 and width(motion) < 3


def test_eyes_that_look_up_raise_their_lids_and_leave_their_corners() -> None:
    motion = moved(AU63=2.5)
    middle = LEFT_EYE.upper[len(LEFT_EYE.upper) // 2]
    iris = motion[IRIS_START, 1]
    assert iris == pytest.approx(-2.87, abs=0.05)
    assert motion[middle, 1] == pytest.approx(0.8 * iris, rel=0.05)
    assert np.abs(motion[[LEFT_EYE.upper[0], LEFT_EYE.upper[-1]]]).max() < 0.1


def test_eyes_that_look_aside_move_nothing_else() -> None:
    motion = moved(AU61=3)
    assert not motion[:IRIS_START].any() and (motion[IRIS_START:, 0] > 3).all()


def test_angles_are_not_compressed() -> None:
    assert moved(AU61=5)[IRIS_START, 0] == pytest.approx(5 * moved(AU61=1)[IRIS_START, 0], rel=0.01)


def test_one_eye_may_turn_alone() -> None:
    left_iris, right_iris = 473, 468
    motion = moved(AU61L=2)
    assert motion[left_iris, 0] > 2 and motion[right_iris, 0] == 0


@pytest.mark.parametrize("unit", ACTION_UNITS[OPENFACE_COUNT:-2], ids=lambda unit: unit.code)
def test_the_full_intensity_folds_no_skin(unit) -> None:
    index = au_index(unit.code)
    motion = BASIS.displacements[index] * BASIS.amounts(np.full((2, 40), MAX_INTENSITY, np.float32))[0, index]
    places = (SHAPE.canonical + motion)[:, :2]
    first, second, third = (places[SHAPE.triangles[:, corner]] for corner in range(3))
    a, b = second - first, third - first
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    own = SHAPE.canonical[:, :2]
    first, second, third = (own[SHAPE.triangles[:, corner]] for corner in range(3))
    a, b = second - first, third - first
    before = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    assert (area[before > 8] > -2).all()
