"""The openings of a face at rest, learned while it talks and blinks."""

from __future__ import annotations

import numpy as np
import pytest

from calib.au import JAW_DROP, LID_GAP, LIP_GAP, OPENING_PLACES, neutral_aus
from calib.opening_sizes import STANDARD_LIDS_MM
from calib.resting_openings import RestingOpenings
from reenact.programme.target_syntax import parse_locks
from reenact.programme.targets import by_geometry, neutralised, no_targets
from reenact.retarget import Retargeter
from tests.retarget.test_retarget import FREE, Someone, record


def after(frames: list[tuple[float, float, float]]) -> np.ndarray:
    resting = RestingOpenings()
    for index, sizes in enumerate(frames):
        found = resting(np.array(sizes, np.float32), index / 30)
    return found


def test_the_first_frame_is_taken_at_once() -> None:
    assert after([(0, 60, 8)]) == pytest.approx([0, 60, 8])
    assert after([(10, 64.5, 8)]) == pytest.approx([0, 60, 8]), "the jaw that goes with shut lips"


def test_talk_does_not_lower_the_jaw_at_rest() -> None:
    talk = [(lips, 60 + 0.45 * lips, 8) for lips in np.abs(12 * np.sin(np.arange(300) / 5))]
    assert after(talk)[1] == pytest.approx(60, abs=0.1)


def test_blinks_do_not_shut_the_eyes_at_rest_and_a_first_frame_within_one_is_forgotten() -> None:
    blinks = [(0, 60, 0.5 if index % 60 < 5 else 8) for index in range(600)]
    assert after(blinks)[2] == pytest.approx(8, abs=0.5)


def test_lids_that_stay_low_are_the_persons_own_after_all() -> None:
    assert after([(0, 60, 9)] * 30 + [(0, 60, 4)] * 3600)[2] < 4.5


def showing(lips: float, jaw: float, lids: float):
    aus = neutral_aus()
    aus[OPENING_PLACES] = lips, jaw, lids
    measured = record(0, Someone())
    return type(measured)(**{**vars(measured), "aus": (aus,), "leans": (neutral_aus(),)})


def test_a_neutralised_face_shuts_its_mouth_and_keeps_its_lids() -> None:
    change = Retargeter(neutralised(1.0), FREE)(showing(9, 66, 8)).changes[0]
    assert change[:, LIP_GAP] == pytest.approx(-9) and change[:, JAW_DROP] == pytest.approx(-4.05, abs=0.01)
    assert not change[:, LID_GAP].any()


def test_locked_lids_count_from_the_persons_own() -> None:
    shut = by_geometry(parse_locks("AU45=5,AU25=0"))
    change = Retargeter(shut, FREE)(showing(3, 60, 6)).changes[0]
    assert change[:, LID_GAP] == pytest.approx(-6) and change[:, LIP_GAP] == pytest.approx(-3)


def test_a_driver_that_shuts_half_its_eye_shuts_half_of_every_eye() -> None:
    targets = no_targets()
    targets.value[:, LID_GAP], targets.hold[:, LID_GAP] = -STANDARD_LIDS_MM / 2, 1
    for lids in (5.0, 10.0):
        change = Retargeter(targets, FREE)(showing(0, 60, lids)).changes[0]
        assert change[:, LID_GAP] == pytest.approx(-lids / 2)
