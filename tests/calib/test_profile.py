"""What is known of a person: its file, and what it does to readings, targets and drivers."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.au import AU_CODES, AU_COUNT, AU_INDEX, GAZE, HIGHEST, neutral_aus
from calib.profile import (
    MOST_STRETCH,
    Profile,
    ProfileError,
    load_profile,
    parse_profile,
    stretch,
    to_json,
    with_neutral,
)
from reenact.generate.painters.mouth import MouthViews, see_mouth
from reenact.measure.profiles import (
    beyond_neutral,
    mouth_of,
    profile_to_renew,
    renewed,
    save_profile,
    with_mouth,
)
from reenact.programme import parse_targets
from reenact.programme.au_recording import au_recording_of
from reenact.programme.driver import Driver, DriverOptions
from reenact.retarget import Retargeter
from reenact.retarget.options import RetargetOptions
from tests.retarget.test_retarget import AU12, Someone, record
from tests.support.faces import shows
from tests.support.mouths import drawn, open_face

SMILER = '{"version": 1, "neutral": {"AU12": 1}}'


def known(**tables: object) -> Profile:
    return parse_profile(json.dumps({"version": 1, **tables}))


def asked(targets: str, profile: Profile, shows: float) -> float:
    """The change of AU12 in the face of somebody in whom every action unit is measured at `shows`."""
    retarget = Retargeter(parse_targets(targets), RetargetOptions(profile=profile))
    return float(retarget(record(0, Someone(shows=shows))).asked[0][..., AU12].mean())


def test_the_error_of_a_gaze_is_kept_and_taken_off():
    profile = known(gaze_error_deg=[6, -3])
    assert parse_profile(to_json(profile)).gaze_error_deg == (6, -3)
    aus = neutral_aus()
    aus[GAZE] = (2, 2)
    assert profile.with_true_gaze(aus)[GAZE].tolist() == [1, 2.5]
    assert aus[GAZE].tolist() == [2, 2]
    assert Profile().with_true_gaze(aus) is aus
    assert "gaze_error_deg" not in to_json(Profile())


@pytest.mark.parametrize(
    "wrong", [[1], [1, 2, 3], "1, 2", [1, "2"], [21, 0], [0, None], [True, 0], {"left": 1}]
)
def test_what_is_no_error_of_a_gaze_is_refused(wrong: object):
    with pytest.raises(ProfileError, match="two numbers from -20 to 20") as error:
        known(gaze_error_deg=wrong)
    assert len(str(error.value).splitlines()) == 1


def test_only_the_version_is_needed():
    profile = parse_profile('{"version": 1}')
    assert not profile.neutral.any() and (profile.gain == 1).all()
    assert np.isnan(profile.range).all() and (profile.ceiling == HIGHEST).all()


intensities = st.lists(st.floats(0, 5, width=32), min_size=AU_COUNT, max_size=AU_COUNT)


@given(intensities, intensities, st.sets(st.integers(0, AU_COUNT - 1)), st.text())
def test_what_is_written_is_read_again(neutral, ranges, unknown, text):
    name = "".join(letter for letter in text if letter.isprintable())
    range_ = np.array(ranges, np.float32)
    range_[list(unknown)] = np.nan
    neutral, range_ = (np.minimum(np.array(each, np.float32), HIGHEST) for each in (neutral, range_))
    written = Profile(name, neutral, range_, gain=range_ * 0 + 0.5, how="by hand")
    written = replace(written, gain=np.nan_to_num(written.gain, nan=1.0))
    found = parse_profile(to_json(written))
    assert (found.name, found.how, found.when) == (name, "by hand", "")
    for key in ("neutral", "range", "gain", "limit"):
        np.testing.assert_allclose(getattr(found, key), getattr(written, key), atol=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON at line 1, column 1"),
        ("[1]", "must be an object"),
        ("{}", '"version" is None; this release reads 1'),
        ('{"version": true}', '"version" is True; this release reads 1'),
        ('{"version": 1, "neutrals": {}}', "unknown key 'neutrals'; choose from version, name"),
        ('{"version": 1, "name": 5}', '"name" is 5; write a line of text'),
        ('{"version": 1, "name": "a\\nb"}', "write a line of text"),
        ('{"version": 1, "neutral": [1]}', '"neutral" is [1]; write action units and numbers from 0 to 5'),
        ('{"version": 1, "neutral": {"AU99": 1}}', "'AU99' in \"neutral\": unknown action unit"),
        ('{"version": 1, "gain": {"AU12": 4.5}}', "'AU12' in \"gain\" is 4.5; write numbers from 0 to 4"),
        ('{"version": 1, "range": {"AU12": null}}', "'AU12' in \"range\" is None; write numbers from 0 to 5"),
        ('{"version": 1, "limit": {"AU12": NaN}}', "holds NaN at line 1, column 34"),
        ('{"version": 1, "limit": {"AU4": 1, "AU04": 1}}', "AU04 is given twice"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_key_value_and_the_right_form(tmp_path: Path, text, message):
    path = tmp_path / "ana.json"
    path.write_text(text)
    with pytest.raises(ProfileError) as refused:
        load_profile(path)
    assert str(refused.value).startswith(f"profile {str(path)!r}: ")
    assert message in str(refused.value) and "\n" not in str(refused.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(AU_CODES), inner),
    max_leaves=8,
)


@given(
    st.text()
    | json_values.map(json.dumps)
    | st.dictionaries(
        st.sampled_from(["version", "name", "neutral", "range", "gain", "limit", "how"]), json_values
    ).map(lambda document: json.dumps({**document, "version": 1}))
)
def test_no_text_crashes_the_parser(text):
    try:
        profile = parse_profile(text)
    except ProfileError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert profile.ceiling.shape == (AU_COUNT,) and (profile.ceiling <= HIGHEST).all()


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b"[" * 100_000, b" " * 1_000_001, b"9" * 6000])
def test_files_that_are_no_text_or_have_no_end_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "ana.json"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=r"ana\.json"):
        load_profile(path)


def test_a_missing_file_and_a_folder_are_refused_in_one_line(tmp_path: Path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ProfileError, match="cannot be read"):
            load_profile(path)


def test_it_is_saved_whole_and_what_is_known_better_takes_the_place_of_what_was(tmp_path: Path):
    path = tmp_path / "ana.json"
    assert profile_to_renew(path).name == "ana"
    save_profile(known(name="Ana Luz", gain={"AU12": 1.5}, range={"AU04": 2}), path)
    again = renewed(profile_to_renew(path), "a film", shows(AU01=0.25))
    save_profile(again, path)
    found = load_profile(path)
    assert (found.name, found.how) == ("Ana Luz", "a film") and found.when.startswith("20")
    assert found.neutral[AU_INDEX[1]] == 0.25
    assert found.gain[AU12] == 1.5 and found.range[AU_INDEX[4]] == 2
    assert [each.name for each in tmp_path.iterdir()] == ["ana.json"]


@pytest.mark.parametrize("name", ["ana.txt", "nowhere/ana.json"])
def test_what_cannot_be_saved_is_refused_before_the_work(tmp_path: Path, name: str):
    with pytest.raises(ProfileError, match=r"ends in \.json|its folder does not exist"):
        profile_to_renew(tmp_path / name)


def test_saving_to_a_folder_that_is_gone_is_an_error_in_one_line(tmp_path: Path):
    with pytest.raises(ProfileError, match="cannot be written: No such file"):
        save_profile(Profile(), tmp_path / "gone" / "ana.json")


def test_a_reading_is_what_is_beyond_the_neutral():
    profile = known(neutral={"AU12": 1, "AU01": 3})
    measured = record(0, Someone(shows=2))
    (calibrated,) = beyond_neutral(profile)(measured).aus
    assert calibrated[AU12] == 1 and calibrated[AU_INDEX[1]] == 0 and calibrated[AU_INDEX[2]] == 2
    assert (measured.aus[0] == 2).all(), "what was measured stays as it was"


def test_absolute_targets_count_from_the_neutral_and_relative_ones_do_not():
    person = parse_profile(SMILER)
    for targets, change_asked in (("AU12=3", 2.0), ("AU12=0", -1.0), ("AU12=+2", 2.0), ("none", 0.0)):
        assert asked(targets, person, shows=2) == change_asked, targets


def test_gains_multiply_what_is_asked():
    assert asked("AU12=+2", known(gain={"AU12": 1.5}), shows=1) == 3
    assert asked("AU12=+2", known(gain={"AU12": 0}), shows=1) == 0


@pytest.mark.parametrize("gain", [0.5, 1.0, 4 / 3, 4.0])
@pytest.mark.parametrize("own", [0.0, 1.0, 4.0])
def test_a_gain_does_not_change_an_intensity_that_is_named(gain: float, own: float):
    """Asked for 3, a face with a gain of 4/3 was made to show 4."""
    person = known(gain={"AU12": gain})
    assert asked("AU12=3", person, shows=own) == pytest.approx(3 - own)
    assert asked("AU12=3..", person, shows=own) == pytest.approx(max(3 - own, 0), abs=0.01)
    assert asked("AU12=..1", person, shows=own) == pytest.approx(min(1 - own, 0), abs=0.01)
    smiler = known(gain={"AU12": gain}, neutral={"AU12": 0.5})
    assert asked("AU12=3", smiler, shows=own) == pytest.approx(3.5 - own)


def test_a_gain_of_0_leaves_an_action_unit_alone_whatever_is_asked():
    for targets in ("AU12=3", "AU12=+1", "AU12=3..", "AU12=..0", "smile"):
        assert asked(targets, known(gain={"AU12": 0}), shows=1) == 0, targets


def test_a_gain_changes_without_a_jump_from_a_relative_target_to_an_absolute_one():
    added, held = parse_targets("AU12=+2"), parse_targets("AU12=2")
    gain = np.full(AU_COUNT, 1.5, np.float32)
    changes = [
        float(added.blend(held, share).with_gain(gain).change(neutral_aus())[0, AU12])
        for share in np.linspace(0, 1, 21)
    ]
    assert changes[0] == 3 and changes[-1] == 2
    assert np.abs(np.diff(changes)).max() < 0.1


def test_nobody_is_asked_for_more_than_the_range_unless_a_limit_says_so():
    assert asked("AU12=+4", known(range={"AU12": 2}), shows=1) == 1
    assert asked("AU12=+4", known(range={"AU12": 2}, neutral={"AU12": 0.5}), shows=1) == 1.5
    assert asked("AU12=+4", known(range={"AU12": 2}, limit={"AU12": 3}), shows=1) == 2
    assert asked("AU12=+4", known(limit={"AU04": 3}), shows=0.5) == 4


def test_whoever_shows_more_than_the_limit_is_left_alone_and_may_be_asked_for_less():
    profile = known(limit={"AU12": 1})
    assert asked("AU12=+2", profile, shows=3) == 0
    assert asked("AU12=-1", profile, shows=3) == -1
    assert asked("AU12=4", profile, shows=3) == 0


def test_a_neutral_that_is_taken_keeps_the_rest_of_the_profile():
    taken = shows(AU12=0.5)
    assert with_neutral(None, None) is None
    alone = with_neutral(None, taken)
    assert alone is not None and (alone.neutral == taken).all() and (alone.ceiling == HIGHEST).all()
    person = known(neutral={"AU12": 2}, gain={"AU12": 2})
    assert with_neutral(person, None) is person
    renewed_person = with_neutral(person, taken)
    assert renewed_person is not None
    assert (renewed_person.neutral == taken).all() and renewed_person.gain[AU12] == 2


def test_drivers_are_scaled_from_their_range_to_that_of_the_face_where_both_are_known():
    driver, face = known(range={"AU12": 1, "AU04": 2}), known(range={"AU12": 2, "AU01": 3})
    scale = stretch(driver, face)
    assert scale[AU12] == 2 and scale.sum() == AU_COUNT + 1
    assert (stretch(driver, None) == 1).all() and (stretch(None, face) == 1).all()


def test_a_stretch_stays_within_reason_whatever_the_ranges():
    tiny, large = known(range={"AU12": 0.01, "AU04": 0}), known(range={"AU12": 5, "AU04": 0})
    assert stretch(tiny, large)[AU12] == MOST_STRETCH
    assert stretch(large, tiny)[AU12] == pytest.approx(1 / MOST_STRETCH)
    assert stretch(tiny, large)[AU_INDEX[4]] == 1


def test_a_driver_s_known_neutral_takes_the_place_of_the_estimated_one():
    smiling_all_the_time = au_recording_of([(index / 30, shows(AU12=2)) for index in range(60)])
    estimated = Driver(smiling_all_the_time)(Fraction(1), 0)
    assert estimated.value[..., AU12].max() == 0
    calm = replace(smiling_all_the_time, at_rest=shows(AU12=0.5))
    assert Driver(calm.smoothed())(Fraction(1), 0).value[..., AU12].mean() == 1.5
    stretched = Driver(calm, DriverOptions(gain=0.5), stretch=neutral_aus() + np.float32(2))
    assert stretched(Fraction(1), 0).value[..., AU12].mean() == 1.5


SMILE = open_face(above_mm=5, below_mm=4)


def views() -> MouthViews:
    wide = open_face(above_mm=6, below_mm=16)
    known = MouthViews()
    for face in (SMILE, wide):
        frame = drawn(face, teeth_mm=6)
        known = known.learn(frame, face, see_mouth(frame, face))
    return known


def test_pictures_of_a_mouth_are_kept_only_by_the_profile_that_is_given_them(tmp_path):
    profile = known(neutral={"AU12": 1})
    assert "pictures_of_mouth" not in to_json(profile)
    path = tmp_path / "ana.json"
    save_profile(with_mouth(profile, views()), path)
    again = load_profile(path)
    assert again.neutral[AU12] == 1 and len(again.mouth) == 2
    assert path.stat().st_size < 300_000
    kept, seen = (each.by_opening() for each in (mouth_of(again), views()))
    for one, other in zip(kept, seen, strict=True):
        assert (one.floor.picture == other.floor.picture).all()
        assert (one.upper.picture == other.upper.picture).all()
        assert one.shape.opening_mm == pytest.approx(other.shape.opening_mm, abs=0.01)
        assert one.edge_mm == pytest.approx(other.edge_mm, abs=0.01)
        assert one.dark == pytest.approx(other.dark, abs=0.01)


def test_pictures_of_openings_that_were_not_seen_again_stay_in_the_profile():
    profile = with_mouth(Profile(), views())
    assert with_mouth(profile, MouthViews()).mouth == profile.mouth
    frame = drawn(SMILE, teeth_mm=6)
    once = MouthViews().learn(frame, SMILE, see_mouth(frame, SMILE))
    assert len(with_mouth(profile, once).mouth) == 2


def picture(**changed):
    (first, *_) = json.loads(to_json(with_mouth(Profile(), views())))["pictures_of_mouth"]
    return {**first, **changed}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"floor_png": "?"}, '"floor_png" of picture 1 in "pictures_of_mouth" is not base64'),
        ({"upper_png": "A" * 400_000}, "at most 200000 bytes"),
        ({"edge_mm": "x"}, "is 'x'; write a number"),
        ({"dark": [1, 2]}, "write three numbers, or null"),
        ({"more": 1}, "must be an object with the keys floor_png, upper_png, opening_mm"),
    ],
)
def test_pictures_of_a_mouth_that_are_none_are_refused(changed, complaint):
    with pytest.raises(ProfileError, match=complaint):
        known(pictures_of_mouth=[picture(**changed)])


def test_a_profile_holds_a_few_pictures_at_most():
    with pytest.raises(ProfileError, match="a list of at most 6 pictures"):
        known(pictures_of_mouth=[picture()] * 7)


def test_a_picture_of_another_size_is_refused_in_one_line():
    profile = known(pictures_of_mouth=[picture(floor_png="AAAA")])
    with pytest.raises(ProfileError, match="not an RGBA PNG of 180 x 120 pixels"):
        mouth_of(profile)
