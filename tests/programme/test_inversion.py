"""A face's own expression, turned into its opposite."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.au import AU_COUNT, AU_INDEX, both, neutral_aus
from reenact.programme import TargetError, Targets, parse_targets
from reenact.programme.inversion import InversionError, inverted, parse_inverted
from reenact.programme.programme import chain
from reenact.programme.target_syntax import parse_locks
from reenact.programme.targets import no_targets
from reenact.retarget import Retargeter
from reenact.retarget.options import RetargetOptions
from tests.retarget.test_retarget import AU12, FREE, Someone, record
from tests.support.faces import shows

ALL = parse_inverted("all")


def shown(**aus: float) -> dict[str, float]:
    found = inverted(shows(**aus), ALL, neutral_aus())
    return {f"AU{number}": float(found[index]) for number, index in AU_INDEX.items() if found[index]}


def test_a_smile_becomes_depressed_lip_corners_and_the_other_way_round() -> None:
    assert shown(AU12=2) == {"AU15": 2}
    assert shown(AU15=1.5) == {"AU12": 1.5}
    assert shown(AU12=2, AU15=0.5) == {"AU12": 0.5, "AU15": 2}


def test_raised_brows_are_lowered_and_twice_inverted_is_as_it_was() -> None:
    assert shown(AU1=2, AU2=2) == {"AU4": 2}
    assert shown(AU4=2) == {"AU1": 2, "AU2": 2}
    assert shown(AU5=1) == {"AU7": 1}


def test_what_has_no_opposite_is_taken_away_and_blinks_stay() -> None:
    assert shown(AU25=3, AU26=2, AU9=1) == {}
    assert shown(AU45=4) == {"AU45": 4}


def test_only_what_is_named_is_inverted() -> None:
    found = inverted(shows(AU12=2, AU4=1), parse_inverted("AU12"), neutral_aus())
    np.testing.assert_array_equal(found, shows(AU15=2, AU4=1))


def test_it_is_about_neutral() -> None:
    neutral = shows(AU12=1)
    np.testing.assert_array_equal(inverted(neutral, ALL, neutral), neutral)
    np.testing.assert_array_equal(inverted(shows(AU12=3), ALL, neutral), shows(AU12=1, AU15=2))
    np.testing.assert_array_equal(inverted(shows(AU12=0.4), ALL, neutral), shows(AU12=0.4))


@given(st.lists(st.floats(0, 5, width=32), min_size=AU_COUNT, max_size=AU_COUNT))
def test_every_face_stays_within_the_scale(aus: list[float]) -> None:
    found = inverted(np.array(aus, np.float32), ALL, neutral_aus())
    assert found.min() >= 0 and found.max() <= 5


def test_the_retargeter_inverts_before_it_adds() -> None:
    options = RetargetOptions(inverted=parse_inverted("AU12"), safe=False)
    measured = record(0, Someone())
    measured.aus[0][AU12] = 2
    changes = both(Retargeter(parse_targets("AU15=+1"), options)(measured).changes[0])
    np.testing.assert_array_equal(changes, shows(AU12=-2, AU15=3))


@pytest.mark.parametrize("text", ["AU99", "AU12,", "everything", "AU12=2"])
def test_what_cannot_be_inverted_is_refused(text: str) -> None:
    with pytest.raises(InversionError, match=r"unknown action unit .* or all"):
        parse_inverted(text)


def test_a_lock_holds_whatever_else_is_asked() -> None:
    locked = chain(parse_targets("AU12=+3,AU04=+1"), parse_locks("AU12=2"))
    assert isinstance(locked, Targets)
    for level in (0.0, 1.0, 4.0):
        changes = both(Retargeter(locked, FREE)(record(0, Someone(shows=level))).changes[0])
        assert changes[AU12] == 2 - level
        assert changes[AU_INDEX[4]] == 1


@pytest.mark.parametrize("text", ["AU12=+3", "AU12=-1", "smile"])
def test_a_lock_is_not_a_change(text: str) -> None:
    with pytest.raises(TargetError, match="unsigned"):
        parse_locks(text)


def test_a_lock_at_nothing_is_a_lock() -> None:
    locked = parse_locks("AU12=0")
    assert (locked.hold != no_targets().hold).any()
