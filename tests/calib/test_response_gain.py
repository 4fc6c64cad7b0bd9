"""What has to be written so that what is asked is read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from calib.au import AU_INDEX, OPENFACE_CODES, OPENFACE_COUNT, both, neutral_aus
from calib.response_gain import MOST_DRIVE, driven, load_drive, to_drive, to_json
from reenact.programme import parse_targets
from reenact.retarget import Retargeter
from reenact.retarget.options import RetargetOptions
from tests.retarget.test_retarget import AU12, Someone, record
from tests.support.faces import shows


def test_what_answers_by_half_is_driven_twice_and_what_hardly_answers_not_at_all() -> None:
    drive = to_drive(np.full(OPENFACE_COUNT, 0.5))
    assert drive[AU12] == 2 and drive[AU_INDEX[4]] == 1
    assert to_drive(np.full(OPENFACE_COUNT, 0.01))[AU12] == MOST_DRIVE
    assert to_drive(np.full(OPENFACE_COUNT, 1.2))[AU12] == 1, "never less than was asked"


def test_only_what_is_held_is_driven() -> None:
    asked, hold = shows(AU12=2, AU25=-1), shows(AU25=1)
    found = driven(asked, hold)
    assert found[AU12] == 2
    assert found[AU_INDEX[25]] == -load_drive()[AU_INDEX[25]]
    half = driven(asked, hold / 2)[AU_INDEX[25]]
    assert half == pytest.approx(-(1 + load_drive()[AU_INDEX[25]]) / 2), "no jump on the way between"


def test_the_retargeter_writes_more_than_it_asks_and_never_beyond_the_scale() -> None:
    retargeted = Retargeter(parse_targets("AU12=2"))(record(0, Someone()))
    assert both(retargeted.asked[0])[AU12] == 2
    assert both(retargeted.changes[0])[AU12] == pytest.approx(2 * load_drive()[AU12])
    most = Retargeter(parse_targets("AU12=5"), RetargetOptions(safe=False))(record(0, Someone()))
    assert (both(most.asked[0])[AU12], both(most.changes[0])[AU12]) == (5, 5)


def test_a_correction_is_written_and_not_asked() -> None:
    correction = shows(AU12=0.5)
    retarget = Retargeter(parse_targets("AU12=+2"), correction=lambda pts, track_id: correction)
    retargeted = retarget(record(0, Someone()))
    assert (both(retargeted.asked[0])[AU12], both(retargeted.changes[0])[AU12]) == (2, 2.5)


def test_the_file_has_every_action_unit() -> None:
    assert list(json.loads(to_json(neutral_aus()))) == list(OPENFACE_CODES)
