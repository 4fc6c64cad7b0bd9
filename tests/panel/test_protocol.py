"""The control protocol: what is understood, what is refused, and what is told."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.au import AU_INDEX, bilateral, neutral_aus
from reenact.panel.protocol import (
    Act,
    ProtocolError,
    Read,
    Subscribe,
    face_json,
    parse_command,
    settings_json,
    vocabulary,
    with_aus,
)
from reenact.programme import parse_targets
from reenact.programme.presets import PRESETS
from reenact.programme.programme import ProgrammeFunction
from reenact.programme.targets import no_targets
from reenact.retarget.controls import Settings


def command(**message: object):
    return parse_command(json.dumps(message))


def after(settings: Settings, **message: object) -> Settings:
    return command(do="set", **message)(settings)


SMILING = Settings(parse_targets("AU12=+2,AU04=-1"))


def test_settings_change_all_at_once_and_others_stay():
    changed = after(SMILING, strength=0.5, bypass=True, targets="AU06=3")
    assert (changed.strength, changed.bypass, str(changed.targets)) == (0.5, True, "AU06=3")
    assert not changed.mirror
    assert after(SMILING) == SMILING or str(after(SMILING).targets) == str(SMILING.targets)


@pytest.mark.parametrize(
    ("aus", "targets"),
    [
        ({"AU12": 1.5}, "AU04=-1,AU12=+1.5"),
        ({"AU12": "3"}, "AU04=-1,AU12=3"),
        ({"AU12": None}, "AU04=-1"),
        ({"AU12": "..1", "AU06": 0.25}, "AU04=-1,AU06=+0.25,AU12=..1"),
        ({"AU12L": 0.5}, "AU04=-1,AU12L=+0.5,AU12R=+2"),
        ({"AU12R": None}, "AU04=-1,AU12L=+2"),
        ({"AU62": 2}, "AU04=-1,AU12=+2,AU62=+2"),
        ({"eye_contact": "1"}, "AU04=-1,AU12=+2,eye_contact=1"),
    ],
)
def test_sliders_replace_single_action_units(aus, targets):
    assert str(after(SMILING, aus=aus).targets) == targets


def test_sliders_count_from_the_targets_of_the_same_message():
    assert str(after(SMILING, targets="none", aus={"AU01": 2}).targets) == "AU01=+2"


def test_sliders_add_to_a_programme_that_runs_and_targets_take_its_place():
    runs = Settings(ProgrammeFunction(lambda pts, face: parse_targets("AU12=+1,AU25=2")))
    changed = after(after(runs, aus={"AU12": 1.5}), aus={"AU04": "2"})
    shown = changed.targets(Fraction(0), 0)
    assert str(shown) == "AU04=2,AU12=+2.5,AU25=2"
    state = settings_json(changed)
    assert state["aus"] == {"AU04": "2", "AU12": "+1.5"} and state["programme"] == str(runs.targets)
    assert str(after(changed, aus={"AU04": None}).targets(Fraction(0), 0)) == "AU12=+2.5,AU25=2"
    replaced = after(changed, targets="smile")
    assert settings_json(replaced)["preset"] == "smile" and settings_json(replaced)["programme"] is None


def test_acts_subscriptions_and_reads():
    assert command(do="act", action="neutral", id=3) == Act(answer_id=3, action="neutral")
    start = command(do="act", action="start", camera="/dev/video2", size=[1280, 720])
    assert start == Act(action="start", camera="/dev/video2", size=(720, 1280))
    assert command(do="subscribe", to="aus", rate=30) == Subscribe(topic="aus", rate=30)
    assert command(do="read", id="a", version=1) == Read(answer_id="a")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("[]", "a message is an object"),
        ("{", "is not JSON at line 1"),
        ('{"do": "set", "do": "act"}', "twice"),
        ('{"do": "fly"}', "choose from set, act, subscribe, read"),
        ('{"do": ["set"]}', "choose from set"),
        ('{"do": "set", "strength": 1.6}', "write 0 to 1.5"),
        ('{"do": "set", "strength": true}', "write 0 to 1.5"),
        ('{"do": "set", "strength": NaN}', ""),
        ('{"do": "set", "bypass": 1}', "write true or false"),
        ('{"do": "set", "targets": "AU99=1"}', "AU99"),
        ('{"do": "set", "targets": "/etc/secret.json"}', "or the name of a preset"),
        ('{"do": "set", "targets": 7}', "or the name of a preset"),
        ('{"do": "set", "aus": {"AU12": 6}}', "out of range"),
        ('{"do": "set", "aus": {"AU19": 1}}', "AU19"),
        ('{"do": "set", "aus": {"AU12": []}}', "write a number, or null"),
        ('{"do": "set", "aus": {"AU12": "1,AU04=2"}}', ""),
        ('{"do": "set", "aus": ["AU12"]}', "write {"),
        ('{"do": "set", "volume": 3}', "knows no 'volume'"),
        ('{"do": "act", "action": "quit"}', "choose from neutral"),
        ('{"do": "act", "action": "start", "camera": "film.mp4"}', "/dev/video2"),
        ('{"do": "act", "action": "start", "camera": "http://a/b"}', "/dev/video2"),
        ('{"do": "act", "action": "start", "size": [1, 1]}', "write [width, height]"),
        ('{"do": "act", "action": "neutral", "camera": "0"}', "knows no 'camera'"),
        ('{"do": "subscribe", "to": "all"}', "choose from state"),
        ('{"do": "subscribe", "to": "aus", "rate": 1000}', "write 0 to 60"),
        ('{"do": "read", "id": [1]}', "write a number or a short text"),
        ('{"do": "read", "version": 2}', "this release speaks 1"),
    ],
)
def test_what_is_no_command_is_refused_in_one_line(message: str, words: str):
    with pytest.raises(ProtocolError) as error:
        parse_command(message)
    assert words in str(error.value) and len(str(error.value).splitlines()) == 1


@given(
    st.text()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["do", "set", "aus", "id", "to", "AU12"]) | st.text(), inner, max_size=4
            )
        ),
    ).map(json.dumps)
)
def test_rubbish_is_refused_and_never_breaks(text: str):
    try:
        parse_command(text)
    except ProtocolError as error:
        assert len(str(error).splitlines()) == 1


def test_the_state_says_what_is_asked():
    state = settings_json(SMILING)
    assert state["targets"] == "AU04=-1,AU12=+2" and state["aus"] == {"AU04": "-1", "AU12": "+2"}
    assert state["preset"] is None and state["strength"] == 1 and not state["neutral"]
    assert settings_json(Settings(parse_targets("smile")))["preset"] == "smile"
    state = settings_json(Settings(ProgrammeFunction(lambda pts, face: no_targets())))
    assert state["aus"] == {} and state["programme"] == "changing over time" and state["preset"] is None


@pytest.mark.parametrize("name", PRESETS)
def test_what_the_state_says_can_be_set_again(name: str):
    asked = parse_targets(name)
    state = settings_json(Settings(asked))
    again = with_aus(no_targets(), state["aus"])
    assert str(again) == str(asked) == state["targets"]


def test_a_face_is_told_by_name():
    measured, asked = neutral_aus(), bilateral(neutral_aus())
    measured[AU_INDEX[12]] = 2.5
    asked[0, AU_INDEX[12]], asked[1, AU_INDEX[12]] = 1, 0.5
    assert face_json(4, measured, asked) == {
        "id": 4,
        "measured": {"AU12": 2.5},
        "asked": {"AU12L": 1.0, "AU12R": 0.5},
    }


def test_everything_that_can_be_asked_for_is_in_the_vocabulary():
    words = vocabulary()
    for unit in words["aus"]:
        asked = with_aus(no_targets(), {unit["code"]: f"{unit['highest']:+g}"})
        assert asked.value.max() == unit["highest"]
        if unit["lowest"] < 0:
            below = with_aus(no_targets(), {unit["code"]: f"{unit['lowest']:g}"})
            name = unit["opposite"] or unit["code"]
            sign = "+" if unit["opposite"] else "-"
            assert settings_json(Settings(below))["aus"] == {name: f"{sign}{unit['highest']:g}"}
    assert {preset["name"] for preset in words["presets"]} == set(PRESETS)
