"""The skin below a lower lip that goes down."""

from __future__ import annotations

import numpy as np
import pytest

from calib.basis import load_basis
from calib.openings import MOUTH, OUTER_LIPS
from reenact.generate.geometry.chin import even_out
from tests.support.faces import change, posed_face

BASIS = load_basis()
BELOW_LIP, LIP, CHIN = 18, 17, 152


def displacement(face, asked):
    return face.pose.vectors_to_frame(BASIS.displace(asked)).astype(np.float32)


def lip_close_to_the_skin_below():
    """As trackers see full lips: the landmark below the lip is 1 mm from its edge."""
    face = posed_face(scale=1.5, centre=(200.0, 200.0))
    face.landmarks[BELOW_LIP, :2] = face.landmarks[LIP, :2] + 1.5 * face.pose.down
    return face


def test_the_landmark_below_the_lip_is_not_overtaken_by_it():
    face = lip_close_to_the_skin_below()
    asked = displacement(face, change(AU25=2, AU26=3))
    # As a tracker has it that keeps the landmark where the skin was.
    asked[BELOW_LIP] /= 2
    gap = [
        (moved[BELOW_LIP] - moved[LIP])[:2] @ face.pose.down
        for moved in (face.landmarks + asked, face.landmarks + even_out(face, asked))
    ]
    assert gap[0] < -5
    assert gap[1] > 0.5


def test_lips_jaw_and_all_above_keep_their_displacement():
    face = posed_face(scale=1.5, centre=(200.0, 200.0))
    asked = displacement(face, change(AU26=4, AU12=1))
    changed = np.flatnonzero((even_out(face, asked) != asked).any(axis=1))
    assert BELOW_LIP in changed and len(changed) > 20
    assert not {*OUTER_LIPS, *MOUTH.outline, CHIN} & set(changed.tolist())


@pytest.mark.parametrize("asked", [change(AU17=3), change(AU25=-2), change()])
def test_nothing_is_evened_out_unless_the_lip_goes_down(asked):
    face = posed_face(scale=1.5, centre=(200.0, 200.0))
    wanted = displacement(face, asked)
    assert even_out(face, wanted) is wanted


def test_it_comes_in_smoothly():
    face = lip_close_to_the_skin_below()
    asked = displacement(face, change(AU25=2, AU26=3))
    steps = np.array([even_out(face, np.float32(s) * asked)[BELOW_LIP, 1] for s in np.linspace(0, 1, 101)])
    assert np.diff(steps).max() < 4 * np.diff(steps).mean()
