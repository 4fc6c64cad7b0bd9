"""What faces can show, and how fast."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calib.__main__ import main
from calib.au import (
    AU_COUNT,
    AU_INDEX,
    HIGHEST,
    MAX_INTENSITY,
    OPENFACE_CODES,
    OPENFACE_COUNT,
    au_index,
    both,
    neutral_aus,
    openface,
)
from calib.limits import (
    AT_REST,
    OTHER_RATES,
    Limits,
    PairLimit,
    from_json,
    load_limits,
    to_json,
    with_others,
)
from calib.limits_fit import DIRECTIONS, LimitsFitOptions, fastest, find_antagonists, fit_limits
from reenact.programme import parse_targets
from reenact.programme.presets import PRESETS
from reenact.retarget import Retargeter
from reenact.retarget.transitions import RateLimit
from tests.retarget.test_retarget import FREE, Someone, record
from tests.support.faces import shows

LIMITS = load_limits()
unhurried = settings(deadline=None)
"""A busy machine is no reason to fail."""
readings = hnp.arrays(np.float32, AU_COUNT, elements=st.floats(0, 5, width=32))
changes = hnp.arrays(np.float32, AU_COUNT, elements=st.floats(-5, 5, width=32))


def excess(shown: np.ndarray) -> float:
    """How far, in shares, a face is beyond the limits of pairs."""
    beyond = np.maximum(shown - AT_REST, 0) / LIMITS.largest
    return max(
        pair.first_share * beyond[pair.first] + pair.second_share * beyond[pair.second] - pair.bound
        for pair in LIMITS.pairs
    )


@unhurried
@given(readings)
def test_asking_for_nothing_gives_nothing_whatever_a_face_change(measured: np.ndarray) -> None:
    assert not LIMITS.within(measured, neutral_aus()).any()


@unhurried
@given(readings, changes)
def test_what_is_lowered_is_not_touched_and_what_is_raised_never_turns_round(measured, asked) -> None:
    found = LIMITS.within(measured, asked)
    assert found.dtype == np.float32
    assert (found[asked <= 0] == asked[asked <= 0]).all()
    assert (found >= np.minimum(asked, 0)).all() and (found <= asked).all()


@unhurried
@given(changes)
def test_a_neutral_face_ends_within_the_limits(asked: np.ndarray) -> None:
    shown = np.maximum(LIMITS.within(neutral_aus(), asked), 0) + np.float32(AT_REST)
    assert (shown <= LIMITS.largest + AT_REST + 1e-5).all()
    assert excess(shown) < 1e-5


@unhurried
@given(readings, changes)
def test_a_change_within_the_limits_is_the_same_object(measured: np.ndarray, asked: np.ndarray) -> None:
    found = LIMITS.within(measured, asked)
    assert LIMITS.within(measured, found) is found


@unhurried
@given(readings, changes, st.integers(0, OPENFACE_COUNT - 1))
def test_a_small_step_of_what_is_asked_is_a_small_step_of_what_comes(measured, asked, index) -> None:
    """Over a twentieth of a unit, in fiftieths of that."""
    other = asked.copy()
    other[index] = np.clip(other[index] + 0.05, -5, 5)
    way = [asked + np.float32(share) * (other - asked) for share in np.linspace(0, 1, 51)]
    steps = np.abs(np.diff([LIMITS.within(measured, each) for each in way], axis=0)).max(axis=1)
    # A unit that is asked for weakly may give way steeply, but not at once.
    assert steps.max() < 0.05


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_on_a_neutral_face_is_not_touched(name: str) -> None:
    asked = parse_targets(PRESETS[name].spec).change(neutral_aus())
    assert LIMITS.within(neutral_aus(), asked) is asked


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("AU12=5,AU15=5", {12: 2.52, 15: 2.52}), ("AU12=5,AU15=1", {12: 3.95, 15: 0.41}), ("AU04=5", {4: 4.0})],
)
def test_who_asks_for_opposites_gets_what_was_asked_more_strongly(spec: str, expected: dict) -> None:
    found = both(LIMITS.within(neutral_aus(), parse_targets(spec).change(neutral_aus())))
    for number, intensity in expected.items():
        assert found[AU_INDEX[number]] == pytest.approx(intensity, abs=0.02)
    assert np.count_nonzero(found) == len(expected)


def test_a_face_that_already_smiles_leaves_less_room_for_depressed_lip_corners() -> None:
    asked = shows(AU15=4)
    least = LIMITS.within(shows(AU12=4.5), asked)[au_index("AU15")]
    assert least < LIMITS.within(shows(AU12=3), asked)[au_index("AU15")] < 4


def test_sides_are_limited_each_by_itself() -> None:
    asked = np.stack([shows(AU12=5, AU15=5), shows(AU12=2)])
    found = LIMITS.within(neutral_aus(), asked)
    np.testing.assert_array_equal(found[1], asked[1])
    np.testing.assert_array_equal(found[0], LIMITS.within(neutral_aus(), asked[0]))
    crooked = LIMITS.within(np.stack([shows(AU12=4.5), shows()]), np.stack([shows(AU15=4)] * 2))
    assert crooked[0].max() < crooked[1].max() == 4, "by what that side shows"


def test_the_retargeter_asks_for_no_more_unless_told_to() -> None:
    targets = parse_targets("AU12=5,AU15=5")
    limited = Retargeter(targets)(record(0, Someone()))
    free = Retargeter(targets, FREE)(record(0, Someone()))
    assert both(limited.asked[0])[AU_INDEX[15]] == pytest.approx(2.52, abs=0.02)
    assert both(free.asked[0])[AU_INDEX[15]] == 5
    assert both(limited.wanted[0])[AU_INDEX[15]] == 5, "what was wanted is still known"


def test_a_change_comes_no_faster_than_real_ones_and_a_slow_one_as_it_is() -> None:
    pace = RateLimit(np.full(AU_COUNT, 30, np.float32))
    assert pace(shows(AU12=3), Fraction(0))[AU_INDEX[12]] == 3, "the first is there at once"
    slow = shows(AU12=2.5)
    np.testing.assert_array_equal(pace(slow, Fraction(1, 30)), slow)
    jumped = [pace(shows(AU12=-2), Fraction(2 + frame, 30))[AU_INDEX[12]] for frame in range(6)]
    np.testing.assert_allclose(jumped, [1.5, 0.5, -0.5, -1.5, -2, -2], atol=1e-5)


def test_a_seek_starts_afresh() -> None:
    pace = RateLimit(np.full(OPENFACE_COUNT, 1, np.float32))
    pace(shows(AU12=3), Fraction(5))
    assert pace(shows(AU12=0), Fraction(1))[AU_INDEX[12]] == 0


def test_blinks_may_be_faster_than_nasolabial_folds() -> None:
    assert LIMITS.rates[AU_INDEX[45]] > 1.5 * LIMITS.rates[AU_INDEX[9]]
    assert LIMITS.rates.min() > 10


def labelled(count: int = 4000) -> np.ndarray:
    """Faces whose AU12 and AU15 shut each other out; their other action units know nothing of each other."""
    generator = np.random.default_rng(3)
    aus = np.clip(generator.normal(0.5, 1.5, (count, OPENFACE_COUNT)), 0, 4).astype(np.float32)
    smiles = generator.random(count) < 0.5
    aus[smiles, AU_INDEX[15]] = aus[~smiles, AU_INDEX[12]] = 0
    return aus


def test_antagonists_are_found_where_chance_would_have_shown_both() -> None:
    aus = labelled()
    (found,) = find_antagonists(aus / 4, LimitsFitOptions())
    assert (found.first, found.second) == (AU_INDEX[12], AU_INDEX[15])
    assert found.together == 0 and found.by_chance > 20
    assert found.bounds == pytest.approx((1, 2, 2), abs=0.01), "alone, each may do all it can"


def test_no_limit_is_below_what_presets_ask_and_lids_have_none() -> None:
    limits, _ = fit_limits(labelled() / 4, np.ones(OPENFACE_COUNT, np.float32))
    assert openface(limits.largest).min() == 4
    assert limits.largest[AU_INDEX[45]] == MAX_INTENSITY


def test_the_steepest_onset_counts_and_a_single_frame_that_is_off_does_not() -> None:
    times_s = np.arange(60) / 30
    aus = np.zeros((60, OPENFACE_COUNT))
    aus[30:33, 0], aus[33:, 0] = (1, 2, 3), 3
    aus[10, 1] = 5
    rates = fastest([(times_s, aus)])
    assert rates[0] == pytest.approx(30, abs=1)
    assert rates[1] == 0


def test_limits_survive_their_file() -> None:
    limits = Limits(
        with_others(np.linspace(3, 5, OPENFACE_COUNT, dtype=np.float32), HIGHEST),
        (PairLimit(8, 10, 1.0, 2.0, 2.1),),
        with_others(np.linspace(10, 60, OPENFACE_COUNT, dtype=np.float32), OTHER_RATES),
    )
    again = from_json(json.loads(json.dumps(to_json(limits))))
    np.testing.assert_allclose(again.largest, limits.largest, atol=1e-3)
    np.testing.assert_allclose(again.rates, limits.rates, atol=1e-3)
    assert again.pairs == limits.pairs


def test_the_command_fits_folders_and_clips(tmp_path: Path) -> None:
    folder, clips = tmp_path / "faces", tmp_path / "clips" / "labels"
    folder.mkdir(), clips.mkdir(parents=True)
    codes = ",".join(f"{code}_r" for code in OPENFACE_CODES)
    rows = [
        f"{index}.jpg," + ",".join(f"{value:.2f}" for value in aus) for index, aus in enumerate(labelled(500))
    ]
    (folder / "aus.csv").write_text("\n".join([f"file,{codes}", *rows]))
    frames = [f"{i / 30},1," + ",".join([str(i % 30 / 10)] * OPENFACE_COUNT) for i in range(60)]
    (clips / "film.csv").write_text("\n".join([f"timestamp,success,{codes}", *frames]))
    arguments = ["limits", str(folder), "--clips", str(tmp_path / "clips"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    fitted = from_json(json.loads((tmp_path / "out" / "limits.json").read_text()))
    assert len(fitted.pairs) % len(DIRECTIONS) == 0
    assert "AU12" in (tmp_path / "out" / "limits.md").read_text()


def test_a_change_that_is_no_number_is_held_and_never_stays():
    pace = RateLimit(np.full(AU_COUNT, 10, np.float32))
    broken = np.full((2, AU_COUNT), np.nan, np.float32)
    assert not pace(broken, Fraction(0)).any()
    pace(np.full((2, AU_COUNT), 0.2, np.float32), Fraction(1, 10))
    assert pace(broken, Fraction(2, 10)) == pytest.approx(np.full((2, AU_COUNT), 0.2))
    assert pace(np.full((2, AU_COUNT), 0.5, np.float32), Fraction(3, 10)) == pytest.approx(
        np.full((2, AU_COUNT), 0.5)
    )
