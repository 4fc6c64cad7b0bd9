"""Eye contact: eyes that look at a screen come to look at the camera."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from calib.au import EYE_CONTACT, GAZE, GAZE_UNIT_DEG, LID_GAP, neutral_aus
from calib.gaze import angles_deg
from calib.pose import Pose
from calib.profile import Profile
from reenact.programme import parse_targets
from reenact.programme.target_syntax import TargetError, parse_gaze
from reenact.records import Face
from reenact.retarget import Retargeter
from reenact.retarget.eye_contact import EyeContact, EyeContactOptions, Fixations
from tests.retarget.test_retarget import FREE, Someone, record

RATE = 30


def face(yaw_deg: float = 0.0) -> Face:
    yaw = np.radians(yaw_deg)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]], np.float32)
    return Face(0, np.zeros((478, 3), np.float32), Pose(2.0, turn, np.zeros(3, np.float32)), 1.0)


def looking(left_deg: float, up_deg: float, lids_mm: float = 9.0) -> np.ndarray:
    aus = neutral_aus()
    aus[GAZE] = np.array([left_deg, up_deg]) / GAZE_UNIT_DEG
    aus[LID_GAP] = lids_mm
    return aus


def play(shown, yaw_deg: float = 0.0) -> np.ndarray:
    """(n, 2) the gaze in the output, degrees, for what is shown in frame after frame."""
    contact, someone = EyeContact(), face(yaw_deg)
    return np.array(
        [
            GAZE_UNIT_DEG * (aus + contact(someone, aus, Fraction(index, RATE)))[GAZE]
            for index, aus in enumerate(shown)
        ]
    )


def test_eyes_that_rest_on_a_screen_meet_the_camera_from_the_first_frame_on() -> None:
    out = play([looking(4, -12)] * 60)
    np.testing.assert_allclose(out, 0, atol=0.01)


def reading(seconds: float = 10) -> list[np.ndarray]:
    """Eyes that read lines of text below the camera."""
    times = np.arange(round(seconds * RATE)) / RATE
    lines = np.floor(6 * (times % 1.5) / 1.5) / 5
    return [looking(-7 + 14 * share, -12 + 0.1 * time_s) for share, time_s in zip(lines, times, strict=True)]


def test_a_reader_looks_at_the_camera_and_the_eyes_still_move() -> None:
    out = play(reading())
    angle = np.hypot(*out.T)
    assert angle.mean() < 3
    assert 0.2 < out[60:, 0].std() / np.std([GAZE_UNIT_DEG * aus[GAZE.start] for aus in reading()][60:]) < 0.6


def test_a_turned_head_looks_at_the_camera_too() -> None:
    someone = face(12)
    camera = np.array(angles_deg(np.array([0, 0, -1.0]) @ someone.pose.rotation))
    out = play([looking(0, -10)] * 30, 12)
    np.testing.assert_allclose(out, np.broadcast_to(camera, out.shape), atol=0.01)


def test_it_fades_out_beyond_20_degrees() -> None:
    shares = [abs(play([looking(0, -10)], yaw)[-1][1] + 10) / 10 for yaw in (0, 19, 26, 33)]
    assert shares[0] == shares[1] == pytest.approx(1) and 0 < shares[2] < 1 and shares[3] == 0


def test_a_look_away_is_kept() -> None:
    out = play([looking(0, -10)] * 60 + [looking(35, -5)] * 30)
    assert out[-1, 0] == pytest.approx(35, abs=2)


def test_a_blink_does_not_move_the_eyes() -> None:
    blink = [looking(0, -35, 1.0)] * 4
    contact, someone = EyeContact(), face()
    shown = [looking(2, -10)] * 60 + blink + [looking(2, -10)] * 10
    changes = [contact(someone, aus, Fraction(index, RATE))[GAZE] for index, aus in enumerate(shown)]
    np.testing.assert_allclose(changes[60:64], [changes[59]] * 4, atol=1e-6)


def test_the_correction_shakes_less_than_the_reading() -> None:
    noise = np.random.default_rng(0).normal(0, 1.5, (300, 2))
    shown = [looking(3 + x, -10 + y) for x, y in noise]
    contact, someone = EyeContact(), face()
    changes = np.array(
        [
            GAZE_UNIT_DEG * contact(someone, aus, Fraction(index, RATE))[GAZE]
            for index, aus in enumerate(shown)
        ]
    )
    assert np.abs(np.diff(changes, axis=0)).mean() < 0.25 * np.abs(np.diff(noise, axis=0)).mean()


def fixated(gaze: np.ndarray) -> np.ndarray:
    options = EyeContactOptions()
    fixations = Fixations(options.saccade, options.fixation_s)
    return np.array([fixations(each, 1 / RATE) for each in gaze])


def test_a_fixation_is_the_mean_of_what_is_read() -> None:
    """The noise is that of the gaze estimator in a film; the eyes stand still."""
    noise = np.random.default_rng(1).normal(0, 0.6, (300, 2))
    found = fixated(noise)
    assert np.abs(np.diff(found[10:], axis=0)).mean() < 0.08 * np.abs(np.diff(noise, axis=0)).mean()
    np.testing.assert_allclose(found[5], noise[:6].mean(axis=0), atol=0.15)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_saccade_is_followed_at_once_and_on_its_axis_only(axis: int) -> None:
    gaze = np.random.default_rng(2).normal(0, 0.3, (60, 2))
    gaze[30:, axis] += 6
    found = fixated(gaze)
    assert found[30, axis] == pytest.approx(gaze[30, axis], abs=0.05)
    assert abs(found[30, 1 - axis] - found[29, 1 - axis]) < 0.1


def test_it_is_asked_for_by_a_target_and_by_degrees() -> None:
    assert parse_gaze("camera").value[:, EYE_CONTACT].tolist() == [1, 1]
    held = parse_gaze("6,-12")
    assert held.value[:, GAZE].tolist() == [[1, -2], [1, -2]] and (held.hold[:, GAZE] == 1).all()


@pytest.mark.parametrize("text", ["", "left", "5", "5,6,7", "nan,0", "0,31"])
def test_what_is_no_gaze_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(TargetError) as error:
        parse_gaze(text)
    assert len(str(error.value).splitlines()) == 1


def test_the_retargeter_turns_the_eyes_and_writes_no_share() -> None:
    retarget = Retargeter(parse_targets("eye-contact"), FREE)
    measured = record(0, Someone())
    measured = replace(measured, aus=(looking(6, -12),), leans=(neutral_aus(),))
    change = retarget(measured).changes[0]
    assert change[:, GAZE] == pytest.approx(np.array([[-1, 2], [-1, 2]]), abs=0.01)
    assert not change[:, EYE_CONTACT].any()


@pytest.mark.parametrize("where", ["camera", "5,-2"])
def test_the_error_of_a_persons_gaze_is_taken_off(where: str) -> None:
    """Somebody who looks 6 degrees to the left and 12 down is read as looking 9 to the left and 9 down."""
    read = replace(record(0, Someone()), aus=(looking(9, -9),), leans=(neutral_aus(),))
    looks = replace(record(0, Someone()), aus=(looking(6, -12),), leans=(neutral_aus(),))
    neutral = neutral_aus()
    neutral[GAZE] = read.aus[0][GAZE]
    knows = replace(FREE, profile=Profile(neutral=neutral, gaze_error_deg=(3, 3)))
    change = Retargeter(parse_gaze(where), knows)(read).changes[0]
    np.testing.assert_allclose(change, Retargeter(parse_gaze(where), FREE)(looks).changes[0], atol=1e-5)
    assert change[:, GAZE].any()


def test_eyes_that_are_read_beyond_their_limit_are_left_alone() -> None:
    measured = record(0, Someone())
    measured = replace(measured, aus=(looking(40, -38),), leans=(neutral_aus(),))
    assert not Retargeter(parse_targets("AU12=+0"), FREE)(measured).changes[0].any()
