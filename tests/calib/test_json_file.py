"""The rules that all JSON files are read by."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.json_file import has_version, number_in, parse_json, read_json
from calib.profile import ProfileError, load_profile
from reenact.programme.keyframes_file import KeyframesError, load_keyframes
from reenact.programme.programme_file import ProgrammeError, load_programme
from reenact.programme.target_syntax import TargetError, load_targets
from tests.project.test_architecture import MODULES


class WrongError(ValueError):
    pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_what_keeps_the_rules_is_read_as_it_was_written(document, indent, ascii_only):
    assert parse_json(json.dumps(document, indent=indent, ensure_ascii=ascii_only), WrongError) == document


@given(st.text(max_size=50) | st.text(alphabet='[]{}",:-.0123456789eEINaflinty\\ \n', max_size=50))
def test_no_text_crashes_it(text):
    try:
        parse_json(text, WrongError)
    except WrongError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON at line 1, column 2"),
        (
            '{"a": 1,\n "b": {"c": 2, "\\u0063": 3}}',
            "holds 'c' twice in one object, again at line 2, column 16",
        ),
        ('{"a": "NaN",\n "b": NaN}', "holds NaN at line 2, column 7; write a finite number"),
        ("[-Infinity]", "holds -Infinity at line 1, column 2"),
        ("[1, 1e999]", "holds 1e999 at line 1, column 5"),
        ("[" * 65 + "]" * 65, "brackets are nested more than 64 deep at line 1, column 65"),
        ("[" * 100_000, "brackets are nested more than 64 deep"),
        ("9" * 6000, "cannot be read"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(text, message):
    with pytest.raises(WrongError) as caught:
        parse_json(text, WrongError)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ['["{\\"a\\": 1, \\"a\\": [NaN"]', '[{"a": 1}, {"a": "}"}, [[]]]', '{"a": {"a": 1}}']
)
def test_what_only_looks_like_breaking_a_rule_is_read(text):
    assert parse_json(text, WrongError) == json.loads(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_the_encoding_is_found(tmp_path: Path, encoding: str):
    path = tmp_path / "file.json"
    path.write_bytes('{"name": "Zoë 😀"}'.encode(encoding))
    assert read_json(path, WrongError) == {"name": "Zoë 😀"}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"a": "\xff"}', "UTF-8"), (b"\xff\xfe\x00", "UTF-8"), (b" " * 101, "is larger than 100 bytes")],
)
def test_files_that_are_no_text_or_too_large_are_refused(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(WrongError, match=message):
        read_json(path, WrongError, largest_bytes=100)


@pytest.mark.parametrize("value", [True, False, "1", None, [1], {}, 10**400])
def test_only_numbers_are_numbers(value):
    assert math.isnan(number_in(value))
    assert not has_version({"version": value}, 1)


def test_a_version_is_a_number():
    assert has_version({"version": 1}, 1) and has_version({"version": 1.0}, 1)
    assert not has_version([1], 1) and not has_version({}, 1)


READERS = [
    (load_targets, TargetError, '"relative": {"AU12": %s}'),
    (load_programme, ProgrammeError, '"faces": {"0": {"gain": %s}}'),
    (load_profile, ProfileError, '"gain": {"AU12": %s}'),
    (load_keyframes, KeyframesError, '"tracks": [{"au": "AU12", "keys": [{"time": 0, "value": %s}]}]'),
]


@pytest.mark.parametrize(("load", "refusal", "rest"), READERS)
def test_all_readers_keep_the_same_rules(tmp_path: Path, load, refusal, rest):
    path = tmp_path / "file.json"
    path.write_bytes(f'{{"version": 1, {rest % 1}}}'.encode("utf-16"))
    load(path)
    wrong = {
        f'{{"version": true, {rest % 1}}}': "version",
        f'{{"version": 1, {rest % 1}, "version": 1}}': "holds 'version' twice in one object, again at line 1",
        f'{{"version": 1, {rest % "NaN"}}}': "holds NaN at line 1",
        f'{{"version": 1, {rest % "1e999"}}}': "holds 1e999 at line 1",
        f'{{"version": 1, {rest % "true"}}}': "True",
        f'{{"version": 1, {rest % 10**400}}}': "is",
        f'{{"version": 1, {rest % ("[" * 70 + "]" * 70)}}}': "nested more than 64 deep at line 1",
    }
    for text, message in wrong.items():
        path.write_text(text)
        with pytest.raises(refusal) as caught:
            load(path)
        assert message in str(caught.value) and str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


OWN_OUTPUT = {
    "engines.cache",  # its own plans, which it makes anew where it cannot read them; engines imports nothing
    "reenact.cli.completion_table",  # the table that ships
    "reenact.doctor.diagnose",  # what its own programs print
    "reenact.doctor.machine",
    "train.card",  # the lines of a run's own statistics
    "train.log",
    "calib.bounds",  # rounds what it writes
}
"""Modules that may read JSON by themselves: nobody else has written it."""


@pytest.mark.parametrize("module", sorted(MODULES.keys() - OWN_OUTPUT - {"calib.json_file"}))
def test_json_is_read_in_one_place(module: str):
    calls = [
        node.func for node in ast.walk(ast.parse(MODULES[module].read_text())) if isinstance(node, ast.Call)
    ]
    assert not [ast.unparse(each) for each in calls if ast.unparse(each) in ("json.load", "json.loads")]
