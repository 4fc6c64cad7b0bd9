import numpy as np
import pytest

from calib.pose import fit_pose
from calib.shape import INTERPUPILLARY_MM, load_shape
from tests.support.faces import posed_face, rotation


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.2, -0.5, 0.3), (-0.3, 0.7, np.pi / 2), (0, 0, np.pi)])
def test_fit_recovers_scale_rotation_and_translation(angles):
    face = posed_face(scale=3.5, centre=(700.0, 120.0), turn=rotation(*angles))
    fitted = fit_pose(face.landmarks, load_shape())
    assert fitted.scale == pytest.approx(3.5, rel=1e-4)
    np.testing.assert_allclose(fitted.rotation, face.pose.rotation, atol=1e-4)
    np.testing.assert_allclose(fitted.translation[:2], [700, 120], atol=1e-2)


def test_angles_are_those_the_rotation_was_made_of():
    face = posed_face(turn=rotation(0.1, -0.4, 0.25))
    assert face.pose.angles == pytest.approx((0.1, -0.4, 0.25), abs=1e-5)


def test_positive_yaw_turns_the_nose_to_the_left_of_the_picture():
    nose_tip = 4
    ahead, turned = posed_face(), posed_face(turn=rotation(yaw=0.5))
    assert turned.landmarks[nose_tip, 0] < ahead.landmarks[nose_tip, 0]


def test_frame_and_canonical_are_each_others_inverse():
    face = posed_face(scale=1.7, turn=rotation(0.2, 0.3, 0.4))
    np.testing.assert_allclose(face.pose.to_canonical(face.landmarks), load_shape().canonical, atol=1e-3)


def test_down_follows_the_roll_of_the_head():
    np.testing.assert_allclose(posed_face().pose.down, [0, 1], atol=1e-6)
    np.testing.assert_allclose(posed_face(turn=rotation(roll=np.pi / 2)).pose.down, [-1, 0], atol=1e-6)


def test_the_canonical_face_is_in_millimetres_and_symmetric():
    shape = load_shape()
    assert np.linalg.norm(shape.canonical[468] - shape.canonical[473]) == pytest.approx(
        INTERPUPILLARY_MM, abs=0.01
    )
    np.testing.assert_array_equal(shape.mirror[shape.mirror], np.arange(478))
    np.testing.assert_allclose(shape.canonical[shape.mirror] * [-1, 1, 1], shape.canonical, atol=1e-3)
    assert shape.weights.sum() == pytest.approx(1, abs=1e-5)
