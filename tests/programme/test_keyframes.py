"""Changes written on a time line."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.au import au_index, both
from reenact.programme.keyframes import EASINGS, Keyframe, Keyframes, Marker, Track
from reenact.programme.keyframes_file import KeyframesError, doubtful_signs, load_keyframes, to_csv, to_json
from tests.support.faces import shows

SMILE = au_index("AU12")
FACE = shows(AU12=1)


def rising(easing="linear", absolute=False, **track):
    keys = Keyframe(1.0, 0, absolute), Keyframe(2.0, 2, absolute, easing)
    return Track(SMILE, keys, **track)


def asked(keyframes, time_s, face=0, shown=FACE):
    return float(both(keyframes(Fraction(time_s), face).change(shown))[SMILE])


def test_values_go_from_keyframe_to_keyframe_and_stay_before_and_after():
    line = Keyframes([rising()])
    assert [asked(line, Fraction(t, 4)) for t in (0, 4, 5, 6, 8, 40)] == [0, 0, 0.5, 1, 2, 2]


@pytest.mark.parametrize("easing", EASINGS)
def test_every_easing_goes_from_none_to_all(easing):
    ease = EASINGS[easing]
    assert ease(0.0) == 0
    assert ease(1.0) == pytest.approx(1)


def test_easings_do_what_they_are_called():
    assert EASINGS["hold"](0.99) == 0
    assert EASINGS["ease-in"](0.5) < 0.5 < EASINGS["ease-out"](0.5)
    assert EASINGS["ease"](0.1) < 0.1 and EASINGS["ease"](0.9) > 0.9
    assert max(EASINGS["spring"](share) for share in np.linspace(0, 1, 101)) > 1.1


def test_an_absolute_keyframe_is_reached_whatever_the_face_does():
    line = Keyframes([rising(absolute=True)])
    for shown in (shows(), FACE, shows(AU12=4)):
        assert shown[SMILE] + asked(line, 2, shown=shown) == pytest.approx(2)


def test_from_relative_to_absolute_the_face_s_own_motion_dies_away():
    line = Keyframes([Track(SMILE, (Keyframe(0.0, 0, False), Keyframe(1.0, 0, True, "linear")))])
    assert [1 + asked(line, Fraction(t, 2)) for t in (0, 1, 2)] == [1, 0.5, 0]


def test_a_spring_never_takes_away_more_than_there_is():
    line = Keyframes([Track(SMILE, (Keyframe(0.0, 0, False), Keyframe(1.0, 0, True, "spring")))])
    assert all(asked(line, Fraction(t, 50)) >= -1 for t in range(60))


def test_it_begins_anew_after_the_loop():
    line = Keyframes([rising()], loop_s=2.0)
    assert asked(line, Fraction(7, 2)) == asked(line, Fraction(3, 2)) == 1


def test_a_track_of_one_face_goes_before_one_of_all():
    line = Keyframes([rising(face=3), Track(SMILE, (Keyframe(0.0, -1, False),))])
    assert asked(line, 2, face=3) == 2
    assert asked(line, 2, face=4) == -1


def test_a_track_of_one_side_goes_before_one_of_both():
    line = Keyframes([rising(side="R"), Track(SMILE, (Keyframe(0.0, -1, False),))])
    assert line(Fraction(2), 0).value[:, SMILE].tolist() == [-1, 2]


def test_files_name_sides(tmp_path):
    table = "time,au,value,face\n0,AU12L,+1,\n0,AU12,+2,\n0,au12r,0,3\n"
    line = load_keyframes(written(tmp_path, table))
    assert line(Fraction(0), 0).value[:, SMILE].tolist() == [1, 2]
    assert line(Fraction(0), 3).hold[:, SMILE].tolist() == [0, 1]
    text = """{"version": 1, "tracks": [{"au": "AU12L", "keys": [{"time": 0, "value": "+1"}]},
        {"au": "AU12", "keys": [{"time": 0, "value": "+2"}]}]}"""
    line = load_keyframes(written(tmp_path, text, "line.json"))
    assert line(Fraction(0), 0).value[:, SMILE].tolist() == [1, 2]


def written(tmp_path: Path, text: str, name: str = "line.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_rows_may_stand_in_any_order(tmp_path):
    line = load_keyframes(
        written(tmp_path, "time, au, value, easing\n2,AU12,+2,linear\n1,12,+0,\n\n2,AU4,0\n")
    )
    assert asked(line, Fraction(3, 2)) == 1
    assert (line(Fraction(0), 0).hold[:, au_index("AU04")] == 1).all()


def test_json_says_the_same_and_may_loop_and_name_faces(tmp_path):
    text = """{"version": 1, "loop": 2, "tracks": [{"au": "AU12", "face": 1, "keys":
        [{"time": 1, "value": "+0"}, {"time": 2, "value": "+2", "easing": "linear"}]}]}"""
    line = load_keyframes(written(tmp_path, text, "line.json"))
    assert asked(line, Fraction(7, 2), face=1) == 1
    assert asked(line, Fraction(7, 2), face=0) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 has no column 'time'"),
        ("time,au\n", "line 1 has no column 'value'; write time,au,value"),
        ("time,au,value,colour\n", "line 1: unknown column 'colour'"),
        ("time,au,value\n", "holds no keyframe"),
        ("time,au,value\nsoon,AU12,+1\n", "line 2, time: 'soon' is not a time in seconds"),
        ("time,au,value\n-1,AU12,+1\n", "line 2, time: '-1' is not a time in seconds"),
        ("time,au,value\n0,AU99,+1\n", "line 2, au: unknown action unit 'AU99'"),
        ("time,au,value\n0,AU26L,+1\n", "line 2, au: 'AU26L': AU26 has no sides"),
        ("time,au,value\n0,AU12L,+1\n0,AU12l,+2\n", "line 3: AU12L has another keyframe at 0 s"),
        ("time,au,value\n0,AU12,much\n", "line 2, value: 'much': 'much' is not a number"),
        ("time,au,value\n0,AU12,+7\n", "line 2, value: '+7' is out of range"),
        (
            "time,au,value,easing\n0,AU12,+1,slow\n",
            "line 2, easing: unknown 'slow'; choose from hold, linear",
        ),
        ("time,au,value,face\n0,AU12,+1,anna\n", "line 2, face: 'anna' is not the id of a face"),
        ("time,au,value\n0,AU12,+1\n0.0,AU12,+2\n", "line 3: AU12 has another keyframe at 0 s"),
    ],
)
def test_what_is_wrong_in_a_csv_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(KeyframesError) as caught:
        load_keyframes(written(tmp_path, text))
    assert message in str(caught.value)
    assert "line.csv" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", 'must be an object with "version": 1'),
        ('{"version": 1, "tracks": {}}', '"tracks" must be a list'),
        ('{"version": 1, "tracks": [], "loop": 0}', '"loop" is 0'),
        ('{"version": 1, "track": []}', "unknown key 'track'"),
        ('{"version": 1, "tracks": []}', "holds no keyframe"),
        (
            '{"version": 1, "tracks": [{"au": "AU12"}]}',
            'track 0 must be an object with "au" and a list "keys"',
        ),
        (
            '{"version": 1, "tracks": [{"au": "AU12", "keys": [{"at": 0}]}]}',
            "track 0, key 0 must be an object",
        ),
        ('{"version": 1, "tracks": [{"au": "AU12", "keys": [{"time": 0}]}]}', "track 0, key 0, value:"),
        (
            '{"version": 1, "tracks": [{"au": 12, "keys": [{"time": true, "value": 1}]}]}',
            "True is not a time",
        ),
    ],
)
def test_what_is_wrong_in_a_json_is_said_with_its_place(tmp_path, text, message):
    with pytest.raises(KeyframesError) as caught:
        load_keyframes(written(tmp_path, text, "line.json"))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(KeyframesError, match=r"none\.csv' cannot be read: No such file"):
        load_keyframes(tmp_path / "none.csv")


def with_markers(markers: str) -> str:
    track = '{"au": "AU12", "keys": [{"time": 0, "value": 1}]}'
    return f'{{"version": 1, "tracks": [{track}], "markers": {markers}}}'


def test_json_may_name_moments_in_any_order(tmp_path):
    text = with_markers('[{"time": 2, "name": "late"}, {"time": 0.5, "name": "early"}]')
    line = load_keyframes(written(tmp_path, text, "line.json"))
    assert line.markers == (Marker(0.5, "early"), Marker(2.0, "late"))


@pytest.mark.parametrize(
    ("markers", "message"),
    [
        ("{}", '"markers" must be a list'),
        ('[{"time": 1}]', "marker 0 must be an object of time and name"),
        ('[{"time": -1, "name": "x"}]', "marker 0, time: -1 is not a time"),
        ('[{"time": 1, "name": "x"}, {"time": 1, "name": 7}]', "marker 1, name: 7 is not text"),
    ],
)
def test_what_is_wrong_in_a_marker_is_said_with_its_place(tmp_path, markers, message):
    with pytest.raises(KeyframesError, match=re.escape(message)):
        load_keyframes(written(tmp_path, with_markers(markers), "line.json"))


@given(st.text(max_size=120), st.sampled_from(["line.csv", "line.json"]))
def test_no_text_crashes_it(tmp_path_factory, text, name):
    path = written(tmp_path_factory.mktemp("fuzz"), text, name)
    with pytest.raises(KeyframesError):
        load_keyframes(path)


@given(st.text(alphabet='0123456789,.AU+-\n ehosld"', max_size=120))
def test_no_row_crashes_it(tmp_path_factory, text):
    path = written(tmp_path_factory.mktemp("fuzz"), "time,au,value,easing\n" + text)
    try:
        line = load_keyframes(path)
    except KeyframesError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(line(Fraction(1), 0).value).all()


def value_in_json(value: str, kind: str = "") -> str:
    return f'{{"version": 1, "tracks": [{{"au": "AU12", {kind}"keys": [{{"time": 0, "value": {value}}}]}}]}}'


def only_key(line: Keyframes) -> Keyframe:
    ((key,),) = (track.keys for track in line.tracks)
    return key


@pytest.mark.parametrize("value", ["5e-05", "0.1234567890123", "1e-320", "4.999999999999999", "3"])
def test_numbers_keep_all_their_digits(tmp_path, value):
    for text in (value_in_json(value), value_in_json(f'"{value}"')):
        key = only_key(load_keyframes(written(tmp_path, text, "line.json")))
        assert (key.value, key.absolute) == (float(value), True)
    key = only_key(load_keyframes(written(tmp_path, f"time,au,value\n{value},AU12,-{value}\n")))
    assert (key.time_s, key.value, key.absolute) == (float(value), -float(value), False)


def test_numbers_in_json_are_of_one_kind_on_both_sides_of_0(tmp_path):
    keys = ", ".join(f'{{"time": {n}, "value": {n - 2}}}' for n in range(5))
    for kind, refused in (('"kind": "relative", ', False), ('"kind": "absolute", ', True), ("", True)):
        text = f'{{"version": 1, "tracks": [{{"au": "AU12", {kind}"keys": [{keys}]}}]}}'
        path = written(tmp_path, text, "line.json")
        if refused:
            with pytest.raises(
                KeyframesError, match=r"key 0, value: -2 is out of range: .* \"kind\": \"relative\""
            ):
                load_keyframes(path)
        else:
            (track,) = load_keyframes(path).tracks
            assert [(key.value, key.absolute) for key in track.keys] == [(n - 2, False) for n in range(5)]


def test_texts_in_json_say_themselves_what_they_are(tmp_path):
    text = value_in_json('"3"', '"kind": "relative", ')
    assert only_key(load_keyframes(written(tmp_path, text, "line.json"))).absolute


def test_a_column_of_a_csv_says_the_kind_where_a_spreadsheet_takes_plus_signs_away(tmp_path):
    rows = "0,AU12,-1,relative\n1,AU12,1,Relative\n2,AU12,1,absolute\n3,AU12,1,\n4,AU12,+1,\n"
    (track,) = load_keyframes(written(tmp_path, f"time,au,value,kind\n{rows}")).tracks
    assert [(key.value, key.absolute) for key in track.keys] == [
        (-1, False),
        (1, False),
        (1, True),
        (1, True),
        (1, False),
    ]


@pytest.mark.parametrize(
    ("values", "doubtful"),
    [
        (("-1", "1"), True),
        (("1", "0", "-1"), True),
        (("-1", "+1"), False),
        (("+0", "3"), False),
        (("-1", "0"), False),
    ],
)
def test_plus_signs_that_a_spreadsheet_may_have_taken_are_asked_for(tmp_path, values, doubtful):
    rows = "".join(f"{time},AU12,{value}\n" for time, value in enumerate(values))
    notes = list(doubtful_signs(load_keyframes(written(tmp_path, f"time,au,value\n{rows}"))))
    assert len(notes) == doubtful
    if doubtful:
        assert "write +1, or relative in a column kind" in notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_spreadsheets_save_time_lines_in_many_ways(tmp_path, encoding, separator):
    path = tmp_path / "line.csv"
    rows = ["sep=;"] * (separator == ";") + ["Time,AU,Value,Easing", "0 5,AU12,+1 5,linear", "1,AU12,2 5,"]
    text = "\r\n".join(row.replace(",", separator).replace(" ", ",") for row in rows)
    path.write_bytes(text.encode(encoding))
    (track,) = load_keyframes(path).tracks
    assert [(key.time_s, key.value, key.absolute) for key in track.keys] == [
        (0.5, 1.5, False),
        (1, 2.5, True),
    ]


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_the_index_that_pandas_writes_and_empty_columns_are_passed_over(tmp_path, index):
    path = written(tmp_path, f"{index},time,au,value,,\n0,0,AU12,+1,,\n1,1,AU12,+2,,\n")
    assert asked(load_keyframes(path), 1) == 2


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (value_in_json("1")[:-1] + ', "version": 1}', "line.json", "holds 'version' twice in one object"),
        (value_in_json("1").replace('"version": 1', '"version": true'), "line.json", '"version": 1'),
        (value_in_json("NaN"), "line.json", "holds NaN at line 1"),
        (value_in_json("true"), "line.json", "track 0, key 0, value: True is not a number"),
        (
            value_in_json("1", '"kind": "added", '),
            "line.json",
            "track 0, kind: 'added' is neither 'relative' nor",
        ),
        (
            value_in_json("1", '"faces": 1, '),
            "line.json",
            "track 0: unknown key 'faces'; choose from au, face",
        ),
        ("time,au,value,Time\n0,AU12,1,1\n", "line.csv", "line 1: the column 'time' appears twice"),
        ("time,au,value\n0,5,AU12,+1\n", "line.csv", "line 2 has 4 cells, and the header 3"),
        ("time,au,value,kind\n0,AU12,-1,absolute\n", "line.csv", "line 2, value: '-1' is out of range"),
        ("time,au,value,kind\n0,AU12,x,absolute\n", "line.csv", "line 2, value: 'x' is not a number"),
        ("time,au,value,kind\n0,AU12,1,added\n", "line.csv", "line 2, kind: 'added' is neither"),
        ("time,au,value\nnan,AU12,1\n", "line.csv", "line 2, time: 'nan' is not a time"),
    ],
)
def test_what_could_be_taken_in_two_ways_is_refused(tmp_path, text, name, message):
    with pytest.raises(KeyframesError) as caught:
        load_keyframes(written(tmp_path, text, name))
    assert message in str(caught.value) and "\n" not in str(caught.value)


SECONDS = st.floats(0, 1e6)
RELATIVE = st.builds(Keyframe, SECONDS, st.floats(-5, 5), st.just(False), st.sampled_from(list(EASINGS)))
ABSOLUTE = st.builds(Keyframe, SECONDS, st.floats(0, 5), st.just(True), st.sampled_from(list(EASINGS)))
KEYS = st.lists(RELATIVE | ABSOLUTE, min_size=1, max_size=5, unique_by=lambda key: key.time_s).map(
    lambda keys: tuple(sorted(keys, key=lambda key: key.time_s))
)
TRACKS = st.lists(
    st.builds(
        Track, st.integers(0, 14), KEYS, st.none() | st.integers(0, 99), st.sampled_from([None, "L", "R"])
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda track: (track.index, track.face, track.side),
).map(tuple)
MARKERS = st.lists(st.builds(Marker, SECONDS, st.text(max_size=8)), max_size=3).map(
    lambda markers: tuple(sorted(markers, key=lambda marker: marker.time_s))
)


@given(st.builds(Keyframes, TRACKS, st.none() | st.floats(1e-3, 1e6), MARKERS))
def test_a_time_line_that_is_written_as_json_is_read_the_same(tmp_path_factory, line):
    path = written(tmp_path_factory.mktemp("same"), to_json(line), "line.json")
    assert load_keyframes(path) == line


@given(st.builds(Keyframes, TRACKS))
def test_a_time_line_that_is_written_as_csv_is_read_the_same(tmp_path_factory, line):
    path = written(tmp_path_factory.mktemp("same"), to_csv(line))
    assert load_keyframes(path) == line


def test_a_csv_has_no_place_for_loops_and_markers():
    for line in (Keyframes([rising()], loop_s=2.0), Keyframes([rising()], markers=(Marker(1.0, "x"),))):
        with pytest.raises(KeyframesError, match=r"write \.json"):
            to_csv(line)
