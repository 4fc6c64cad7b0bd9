"""The language of --target-aus."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.au import (
    ACTION_UNITS,
    AU_CODES,
    AU_COUNT,
    AU_INDEX,
    JAW_SIDEWAYS,
    ONE_PIECE,
    OPENFACE_CODES,
    au_code,
)
from reenact.programme.presets import PRESETS, Preset
from reenact.programme.target_syntax import TargetError, load_targets, parse_targets
from reenact.programme.targets import Targets, no_targets


def shown(targets: Targets) -> dict[str, tuple[object, ...]]:
    """(value, hold) of the action units that are not left alone, and the kind of those led one way."""
    return {
        au_code(item.index, item.side): (
            item.value,
            item.hold,
            *([item.kind] if item.kind.startswith("at_") else []),
        )
        for item in targets.items()
    }


def showing(**intensities: float) -> np.ndarray:
    """(17,) what a face shows."""
    aus = np.zeros(AU_COUNT, np.float32)
    for code, intensity in intensities.items():
        aus[AU_CODES.index(code)] = intensity
    return aus


def test_a_sign_makes_it_relative_and_no_sign_absolute() -> None:
    assert shown(parse_targets("AU12=+2,AU4=-1,AU25=3")) == {
        "AU12": (2, 0),
        "AU04": (-1, 0),
        "AU25": (3, 1),
    }


@pytest.mark.parametrize(
    "text", ["AU4=+1.5", "AU04=+1.5", "au4=+1.5", "  AU4 = + 1.5  ", "4=+1.5", "AU4=+1.50"]
)
def test_spelling_of_action_units_and_spaces_do_not_matter(text: str) -> None:
    assert shown(parse_targets(text)) == {"AU04": (1.5, 0)}


def test_absolute_zero_is_a_target_and_relative_zero_is_none() -> None:
    assert shown(parse_targets("AU12=0")) == {"AU12": (0, 1)}
    assert shown(parse_targets("AU12=+0")) == {}


def test_the_change_is_what_is_missing_to_the_target() -> None:
    measured = np.full(AU_COUNT, 1.5, np.float32)
    change = parse_targets("AU12=+2,AU25=3").change(measured)
    assert (change[:, AU_INDEX[12]] == 2).all()
    assert (change[:, AU_INDEX[25]] == 1.5).all()
    assert np.count_nonzero(change) == 4


def test_items_after_a_preset_override_it() -> None:
    smile = shown(parse_targets("smile"))
    assert shown(parse_targets("smile,AU4=-1,AU12=4")) == {**smile, "AU04": (-1, 0), "AU12": (4, 1)}
    assert "AU12" not in shown(parse_targets("smile,AU12=+0"))


def test_two_dots_mean_at_least_and_at_most() -> None:
    assert shown(parse_targets("AU12=3..,AU25=..0, AU04L = 1.5 ..")) == {
        "AU12": (3, 1, "at_least"),
        "AU25": (0, 1, "at_most"),
        "AU04L": (1.5, 1, "at_least"),
    }


def test_what_is_asked_at_least_is_led_there_and_not_beyond() -> None:
    targets = parse_targets("AU12=3..")
    for smiling, missing in ((0.0, 3.0), (2.0, 1.0), (3.0, 0.0), (4.5, 0.0)):
        assert (targets.change(showing(AU12=smiling))[:, AU_INDEX[12]] == missing).all()


def test_what_is_asked_at_most_takes_away_what_is_beyond() -> None:
    targets = parse_targets("AU12=..1")
    for smiling, change in ((0.0, 0.0), (1.0, 0.0), (3.0, -2.0)):
        assert (targets.change(showing(AU12=smiling))[:, AU_INDEX[12]] == change).all()


def test_a_preset_closes_a_smiling_mouth_and_leaves_a_speaking_one_alone() -> None:
    lips_part = parse_targets("sad").change(showing(AU12=2, AU25=1.8))[0, AU_INDEX[25]]
    assert lips_part == np.float32(-1.8)
    assert parse_targets("sad").change(showing(AU25=2.5, AU26=2))[0, AU_INDEX[25]] == 0


def test_a_preset_goes_on_from_what_the_face_expresses_and_strength_goes_beyond() -> None:
    smile, goal = parse_targets("smile"), parse_targets("smile").at_least.value[0, AU_INDEX[12]]
    for strength in (0.0, 0.5, 1.0, 1.25):
        change = smile.times(strength).change(showing(AU12=1.5))[0, AU_INDEX[12]]
        assert change == pytest.approx(strength * (goal - 1.5), abs=1e-5)


def test_a_reading_of_a_face_at_rest_is_no_expression_and_comes_in_smoothly() -> None:
    readings = np.linspace(0, 2, 201, dtype=np.float32)
    taken = [-parse_targets("AU12=..0").change(showing(AU12=each))[0, AU_INDEX[12]] for each in readings]
    assert taken[30] < 0.3 * readings[30] and taken[-1] == 2
    assert np.diff(taken).min() >= 0 and np.diff(taken).max() < 0.03


def test_a_lock_goes_before_what_a_preset_leads_to() -> None:
    locked = parse_targets("smile").then(parse_targets("AU12=1"))
    for smiling in (0.0, 3.0):
        assert (locked.change(showing(AU12=smiling))[:, AU_INDEX[12]] == 1 - smiling).all()


def test_a_preset_on_the_face_that_something_else_makes_counts_that_in() -> None:
    both = parse_targets("AU12=+1").then(parse_targets("AU12=3.."))
    assert (both.change(showing(AU12=0))[:, AU_INDEX[12]] == 3).all()


def test_an_l_or_r_means_the_person_s_own_left_or_right_alone() -> None:
    targets = parse_targets("AU12L=+2, au45r = 5")
    assert shown(targets) == {"AU12L": (2, 0), "AU45R": (5, 1)}
    assert targets.value[:, AU_INDEX[12]].tolist() == [2, 0]
    assert targets.hold[:, AU_INDEX[45]].tolist() == [0, 1]


def test_one_side_given_after_both_overrides_both() -> None:
    assert shown(parse_targets("AU12=+2,AU12L=+3")) == {"AU12L": (3, 0), "AU12R": (2, 0)}
    assert shown(parse_targets("AU06=2..,AU12=+3,AU12R=0,AU06L=+0")) == {
        "AU06R": (2, 1, "at_least"), "AU12L": (3, 0), "AU12R": (0, 1),
    }  # fmt: skip


def test_both_sides_alike_are_printed_as_one() -> None:
    assert str(parse_targets("AU12R=+2,AU12L=+2,AU45L=5")) == "AU12=+2,AU45L=5"


def test_presets_combine() -> None:
    assert shown(parse_targets("smile,brows-up")) == shown(parse_targets("smile")) | shown(
        parse_targets("brows-up")
    )


@pytest.mark.parametrize(
    "name", ["smile", "surprise", "anger", "sad", "fear", "disgust", "contempt", "blink"]
)
def test_the_named_presets_exist_and_do_something(name: str) -> None:
    assert shown(parse_targets(name))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_preset_can_be_read_and_has_a_summary(preset: Preset) -> None:
    targets = parse_targets(preset.name.upper())
    assert shown(targets) == shown(parse_targets(preset.spec))
    assert preset.summary


def test_neutral_sets_every_action_unit_to_zero() -> None:
    assert shown(parse_targets("neutral")) == dict.fromkeys(OPENFACE_CODES, (0, 1))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AU12=+2,AU4=-1,AU99=1", ["'AU99=1' at character 16", "unknown action unit 'AU99'", "AU45"]),
        ("AU12=+6", ["'AU12=+6' at character 1", "-5 to +5"]),
        ("AU12=6", ["'AU12=6'", "0 to 5"]),
        ("AU4=-1, AU12=-5.1", ["'AU12=-5.1' at character 9", "-5 to +5"]),
        ("AU12=", ["''", "not a number"]),
        ("AU12=nan", ["'nan'", "not a number"]),
        ("AU12=+1e0", ["'+1e0'", "not a number"]),
        ("AU12=1,AU12=+2", ["AU12 is given twice"]),
        ("AU4=1,AU04=2", ["AU04 is given twice"]),
        ("AU12L=1,AU12l=+2", ["AU12L is given twice"]),
        ("AU12L=1,AU12=+2", ["AU12 is given twice"]),
        ("AU99L=1", ["'AU99L=1' at character 1", "unknown action unit 'AU99'"]),
        ("AU26L=1", ["'AU26L=1' at character 1", "AU26 has no sides; write AU26"]),
        ("AU12LR=1", ["unknown action unit"]),
        ("smlie", ["'smlie' at character 1", "did you mean 'smile'"]),
        ("grmpf", ["presets are", "surprise"]),
        ("", ["empty target at character 1", "AU12=+2"]),
        ("smile,", ["empty target at character 7"]),
        ("AU" + "9" * 5000 + "=1", ["unknown action unit"]),
        ("=3", ["unknown action unit ''"]),
        ("AU12=+3..", ["'AU12=+3..' at character 1", "has no sign", "AU12=3.."]),
        ("AU12=..1..", ["'..1..'", "not a number"]),
        ("AU12=6..", ["0 to 5"]),
        ("AU12=..", ["not a number"]),
    ],
)
def test_errors_name_the_value_its_position_and_the_right_form(text: str, words: list[str]) -> None:
    with pytest.raises(TargetError) as error:
        parse_targets(text)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


@given(st.text())
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        parse_targets(text)
    except TargetError as error:
        assert "\n" not in str(error)


@given(st.text(alphabet="AUau0123456789LRr=+-., \nsmile", max_size=40))
def test_no_text_of_the_right_letters_crashes_the_parser(text: str) -> None:
    try:
        parse_targets(text)
    except TargetError as error:
        assert "\n" not in str(error)


@st.composite
def any_targets(draw: st.DrawFn) -> Targets:
    targets = no_targets()
    for index, unit in enumerate(ACTION_UNITS):
        whole = unit.number in ONE_PIECE or unit.number == JAW_SIDEWAYS
        sides = [slice(None)] if whole else draw(st.sampled_from([[slice(None)], [0], [1], [0, 1]]))
        for side in sides:
            kinds = ["left alone", "relative", "absolute", "at_least", "at_most"]
            kind = draw(st.sampled_from(kinds[:3] if unit.opposite else kinds))
            low = -5.0 if kind == "relative" or unit.opposite else 0.0
            aim = getattr(targets, kind) if kind.startswith("at_") else targets
            if kind != "left alone":
                aim.value[side, index] = draw(st.floats(low, 5.0, width=32))
                aim.hold[side, index] = kind != "relative"
    return targets


@given(any_targets())
def test_what_is_printed_can_be_read_back(targets: Targets) -> None:
    back = parse_targets(str(targets))
    np.testing.assert_array_equal(back.value, targets.value)
    np.testing.assert_array_equal(back.hold, targets.hold)
    for one_way in ("at_least", "at_most"):
        np.testing.assert_array_equal(getattr(back, one_way).value, getattr(targets, one_way).value)
        np.testing.assert_array_equal(getattr(back, one_way).hold, getattr(targets, one_way).hold)


def test_blending_goes_from_one_to_the_other() -> None:
    start, end = parse_targets("AU12=+2"), parse_targets("AU12=4,AU45=+1")
    half = start.blend(end, 0.5)
    assert shown(half) == {"AU12": (3, 0.5), "AU45": (0.5, 0)}
    assert shown(start.blend(end, 0)) == shown(start)
    assert shown(start.blend(end, 1)) == shown(end)


def write(path: Path, document: object) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_json_file_gives_the_same_targets_as_text(tmp_path: Path) -> None:
    document = {
        "version": 1,
        "description": "a test",
        "preset": "smile",
        "relative": {"AU4": -1},
        "absolute": {"AU25": 0},
        "at_least": {"AU06": 2},
        "at_most": {"AU12R": 1},
    }
    path = write(tmp_path / "look.json", document)
    assert shown(parse_targets(str(path))) == shown(parse_targets("smile,AU4=-1,AU25=0,AU6=2..,AU12R=..1"))


def test_in_a_json_file_one_side_overrides_both_whatever_the_order(tmp_path: Path) -> None:
    document = {"version": 1, "relative": {"AU12L": 2}, "absolute": {"AU12": 1, "AU45R": 5}}
    targets = load_targets(write(tmp_path / "look.json", document))
    assert shown(targets) == shown(parse_targets("AU12=1,AU12L=+2,AU45R=5"))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "not JSON at line 1, column 2"),
        ("[]", "must be an object"),
        ({}, '"version" is None'),
        ({"version": 2}, '"version" is 2'),
        ({"version": 1, "aus": {}}, "unknown key 'aus'"),
        ({"version": 1, "relative": {"AU99": 1}}, "unknown action unit 'AU99'"),
        ({"version": 1, "relative": {"AU12": 7}}, "-5 to +5"),
        ({"version": 1, "absolute": {"AU12": -1}}, "0 to 5"),
        ({"version": 1, "absolute": {"AU12": "1"}}, "'1' is not a number"),
        ({"version": 1, "absolute": {"AU12": True}}, "True is not a number"),
        (
            '{"version": 1, "absolute": {"AU12": NaN}}',
            "holds NaN at line 1, column 37",
        ),
        (
            '{"version": 1, "absolute": {"AU12": 1e999}}',
            "holds 1e999 at line 1, column 37",
        ),
        ({"version": 1, "relative": {"AU12": 1}, "absolute": {"AU12": 1}}, "AU12 is given twice"),
        ({"version": 1, "relative": [1]}, "must be an object of action units"),
        ({"version": 1, "preset": 3}, '"preset": 3 is neither'),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_wrong_json_file_is_named_with_what_is_wrong(tmp_path: Path, document: object, words: str) -> None:
    path = write(tmp_path / "look.json", document)
    with pytest.raises(TargetError) as error:
        load_targets(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from(["AU12", "smile"]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["AU12", "AU12L", "AU4", "version"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"version": st.just(1)}, optional={"preset": ANY_JSON, "relative": ANY_JSON, "absolute": ANY_JSON}
    )
)
def test_no_json_crashes_the_reader(document: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "look.json", document)
        try:
            targets = load_targets(path)
        except TargetError as error:
            assert "\n" not in str(error)
        else:
            assert np.isfinite(targets.value).all()


def test_a_json_file_that_is_missing_a_folder_or_binary_says_so(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="No such file"):
        load_targets(tmp_path / "none.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(TargetError, match="directory"):
        load_targets(tmp_path / "folder.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TargetError, match="UTF-8"):
        load_targets(tmp_path / "binary.json")
    with pytest.raises(TargetError, match="cannot be read"):
        parse_targets("\0.json")
