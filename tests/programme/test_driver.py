"""Another face's expression as targets."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from calib.au import ACTION_UNITS, AU_COUNT, OPENFACE_COUNT, AUVector, au_index, both
from reenact.programme.au_recording import au_recording_of
from reenact.programme.driver import REGIONS, Driver, DriverOptions, RegionError, parse_regions
from reenact.programme.programme import chain
from reenact.programme.target_syntax import TargetError, parse_scales, parse_targets
from reenact.programme.targets import neutralised, no_targets
from tests.support.faces import shows

SMILE, BROW, BLINK = (au_index(code) for code in ("AU12", "AU01", "AU45"))
FACE = shows(AU12=1, AU01=0.5, AU45=2)

UNITS = np.arange(AU_COUNT) < OPENFACE_COUNT


def still(**aus):
    """A recording in which only action units were read."""
    return replace(au_recording_of([(0.0, shows(**aus))]), measured=UNITS)


def driven(recording, face=FACE, pts=Fraction(0), **options):
    return both(Driver(recording, DriverOptions(**options))(pts, 0).change(face))


def shown_by(targets) -> AUVector:
    """What FACE then shows."""
    return FACE + both(targets.change(FACE))


def test_the_face_comes_to_show_what_the_driver_shows():
    asked = driven(still(AU12=3, AU45=1))
    np.testing.assert_allclose(FACE + asked, shows(AU12=3, AU45=1))


def test_relative_adds_the_driver_to_the_face():
    np.testing.assert_allclose(driven(still(AU12=3), transfer="relative"), shows(AU12=3))


def test_other_regions_stay_the_face_s_own():
    asked = driven(still(AU12=3, AU01=2), regions=frozenset({"brows"}))
    assert asked[BROW] == pytest.approx(1.5)
    assert asked[SMILE] == asked[BLINK] == 0


def test_action_units_that_the_driver_was_not_read_for_stay_the_face_s_own():
    unread = replace(still(AU12=3), measured=np.arange(AU_COUNT) == SMILE)
    assert np.flatnonzero(driven(unread)).tolist() == [SMILE]


def test_gain_multiplies_what_the_driver_shows_beyond_its_rest_up_to_the_utmost():
    readings = [(index / 30, shows(AU12=1 if index < 30 else 2)) for index in range(60)]
    recording = au_recording_of(readings)
    for gain, expected in ((1, 1), (2, 2), (100, 5)):
        asked = driven(recording, shows(), Fraction(50, 30), gain=float(gain))
        assert asked[SMILE] == pytest.approx(expected)


def test_the_driver_may_begin_in_its_middle():
    readings = [(index / 10, shows(AU12=index / 10)) for index in range(20)]
    assert driven(au_recording_of(readings), shows(), start_s=1.5)[SMILE] == pytest.approx(1.5)


def test_a_driver_that_leaves_lets_the_face_have_its_own_expression_again():
    recording = au_recording_of([(0.0, shows(AU12=3)), (0.1, shows(AU12=3))])
    assert not driven(recording, pts=Fraction(5)).any()


def test_the_regions_hold_every_action_unit_once():
    numbers = [number for region in REGIONS.values() for number in region]
    assert sorted(numbers) == sorted(unit.number for unit in ACTION_UNITS)


def test_regions_are_named_one_by_one():
    assert parse_regions("Brows, eyes") == {"brows", "eyes"}
    with pytest.raises(RegionError, match="unknown region 'nose'; choose from brows, eyes, mouth"):
        parse_regions("nose")


def test_what_comes_later_acts_on_what_came_first():
    turns = chain(neutralised(1.0), parse_targets("AU12=+2"))
    np.testing.assert_allclose(shown_by(turns), shows(AU12=2, AU45=2))


def test_a_driver_and_what_is_named_on_top_make_a_programme():
    programme = chain(Driver(still(AU12=3)), parse_targets("AU12=-1,AU01=2"))
    np.testing.assert_allclose(shown_by(programme(Fraction(0), 0)), shows(AU12=2, AU01=2), atol=1e-6)


def test_nothing_in_turn_leaves_the_face_alone():
    assert not chain().change(FACE).any()
    assert str(chain(no_targets(), parse_targets("AU12=+2"))) == "AU12=+2"


def test_scales_multiply_what_the_face_shows():
    np.testing.assert_allclose(shown_by(parse_scales("AU12=1.5,AU45=0")), shows(AU12=1.5, AU01=0.5))


def test_a_scale_may_be_of_one_side():
    scales = parse_scales("AU12=2,AU12L=0")
    assert scales.hold[:, SMILE].tolist() == [1, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AU12", "'AU12': write AU12=1.5"),
        ("AU12=x", "'AU12=x': write AU12=1.5"),
        ("AU99=1", "'AU99=1': unknown action unit 'AU99'"),
        ("AU12=9", "'AU12=9' is out of range: a scale runs from 0 to 4"),
        ("AU12=nan", "'AU12=nan' is out of range"),
        ("AU12=1,AU12=2", "'AU12=2': AU12 is given twice"),
        ("", "'': unknown action unit"),
    ],
)
def test_a_scale_that_cannot_be_is_refused_with_its_item(text, message):
    with pytest.raises(TargetError) as caught:
        parse_scales(text)
    assert message in str(caught.value)


def test_a_neutralised_face_goes_on_blinking():
    np.testing.assert_allclose(shown_by(neutralised(0.5)), shows(AU12=0.5, AU01=0.25, AU45=2))
