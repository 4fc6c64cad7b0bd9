"""Programmes for faces: the text of --face, and JSON files."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reenact.programme.face_request import FaceRequest, FaceRequestError, parse_face
from reenact.programme.presets import PRESETS
from reenact.programme.programme_file import FACE_KEYS, ProgrammeError, load_programme


def write(path: Path, document: object) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def load(folder: Path, faces: object) -> tuple[FaceRequest, ...]:
    return load_programme(write(folder / "programme.json", {"version": 1, "faces": faces}))


@pytest.mark.parametrize(
    ("text", "face", "targets"),
    [
        ("0:AU12=+2", 0, "AU12=+2"),
        ("12: AU4=-1,AU25=0", 12, "AU04=-1,AU25=0"),
        ("anna.png:smile", Path("anna.png"), PRESETS["smile"].spec),
        ("C:\\faces\\anna.png:AU12=+1", Path("C:\\faces\\anna.png"), "AU12=+1"),
        ("1:none", 1, "none"),
    ],
)
def test_a_face_is_named_by_id_or_picture(text: str, face: int | Path, targets: str) -> None:
    plan = parse_face(text)
    assert (plan.face, str(plan.targets)) == (face, targets)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smile", "write 0:AU12=+2, or anna.png:smile"),
        (":smile", "write 0:AU12=+2"),
        ("0:grin", "face '0': 'grin' at character 1 is neither"),
        ("anna.png:", "face 'anna.png': empty target"),
        ("12345678901:smile", "is not the id of a face"),
    ],
)
def test_a_face_that_cannot_be_understood_says_why(text: str, words: str) -> None:
    with pytest.raises(FaceRequestError) as error:
        parse_face(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@given(st.text() | st.builds("{}:{}".format, st.text(), st.text()))
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        parse_face(text)
    except FaceRequestError as error:
        assert str(error)


def test_entries_are_plans_in_order_with_paths_beside_the_file(tmp_path: Path) -> None:
    for name in ("anna.png", "actor.mp4", "x.csv"):
        (tmp_path / name).touch()
    anna = {
        "targets": "AU12=+2",
        "driver": "actor.mp4",
        "driver_face": 1,
        "driver_start": 2.5,
        "driver_loop": True,
        "driver_fps": 25,
        "transfer": "relative",
        "regions": "mouth",
        "gain": 1.5,
        "timeline": "x.csv",
        "neutralise": 0.5,
        "scale": "AU04=0",
        "strength": 0.8,
    }
    assert anna.keys() == FACE_KEYS.keys()
    smile, plan, others = load(tmp_path, {"0": "smile", "anna.png": anna, "*": "none"})
    assert (smile.face, others.face, str(others.targets)) == (0, None, "none")
    assert plan.face == tmp_path / "anna.png"
    assert (str(plan.targets), plan.strength) == ("AU12=+2", 0.8)
    driving, how = plan.driving, plan.driving.how
    assert (driving.driver, driving.timeline) == (tmp_path / "actor.mp4", tmp_path / "x.csv")
    assert (driving.driver_face, driving.driver_fps, driving.neutralise) == ("1", 25, 0.5)
    assert (how.transfer, how.regions, how.gain, how.start_s, how.loop) == (
        "relative",
        {"mouth"},
        1.5,
        2.5,
        True,
    )
    assert driving.scale is not None and driving.scale.hold.max() == 1


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "is not JSON at line 1, column 2"),
        ([], 'must be an object with "version": 1'),
        ({"faces": {"0": "smile"}}, '"version": 1'),
        ({"version": True, "faces": {"0": "smile"}}, '"version": 1'),
        ({"version": 1, "face": {}}, "unknown key 'face'; choose from version, description, faces"),
        ({"version": 1, "description": 3, "faces": {"0": "smile"}}, '"description" must be text'),
        ({"version": 1}, '"faces" must be an object'),
        ({"version": 1, "faces": {}}, '"faces" must be an object'),
        ('{"version": 1, "faces": {"0": "smile", "0": "sad"}}', "holds '0' twice"),
        ({"version": 1, "faces": {"0": "smile", "00": "sad"}}, 'faces["00"]: this face has another entry'),
        (
            {"version": 1, "faces": {"0": 3}},
            'faces["0"]: must be targets such as "smile" or an object, not 3',
        ),
        ({"version": 1, "faces": {"0": {}}}, 'faces["0"]: must be'),
        ({"version": 1, "faces": {"0": "grin"}}, "faces[\"0\"]: 'grin' at character 1"),
        ({"version": 1, "faces": {"0": "look.json"}}, "faces[\"0\"]: there is no file 'look.json'"),
        ({"version": 1, "faces": {"anna.png": "smile"}}, "faces[\"anna.png\"]: there is no file 'anna.png'"),
        ({"version": 1, "faces": {"a\0b": "smile"}}, "there is no file"),
        (
            {"version": 1, "faces": {"0": {"smile": 1}}},
            "faces[\"0\"]: unknown key 'smile'; choose from targets,",
        ),
        (
            {"version": 1, "faces": {"0": {"driver": "no.mp4"}}},
            "faces[\"0\"].driver: there is no file 'no.mp4'",
        ),
        ({"version": 1, "faces": {"0": {"driver": 1}}}, 'faces["0"].driver: 1 is not text'),
        (
            {"version": 1, "faces": {"0": {"neutralise": 2}}},
            'faces["0"].neutralise: 2 is not a number from 0 to 1',
        ),
        ({"version": 1, "faces": {"0": {"neutralise": True}}}, "True is not a number from 0 to 1"),
        ({"version": 1, "faces": {"0": {"strength": "1"}}}, "strength: '1' is not a number from 0 to 1.5"),
        ('{"version": 1, "faces": {"0": {"gain": NaN}}}', "holds NaN at line 1, column 40"),
        ({"version": 1, "faces": {"0": {"driver_fps": 0}}}, "driver_fps: 0 is not a number above 0"),
        ('{"version": 1, "faces": {"0": {"driver_start": 1e999}}}', "holds 1e999 at line 1, column 48"),
        ({"version": 1, "faces": {"0": {"driver_start": 10**400}}}, "is not a number from 0"),
        ({"version": 1, "faces": {"0": {"driver_face": True}}}, "driver_face: True is not text"),
        ({"version": 1, "faces": {"0": {"driver_loop": 1}}}, "driver_loop: 1 is neither true nor false"),
        ({"version": 1, "faces": {"0": {"transfer": "both"}}}, "'both' is neither 'absolute' nor 'relative'"),
        ({"version": 1, "faces": {"0": {"transfer": []}}}, "[] is neither"),
        ({"version": 1, "faces": {"0": {"regions": "nose"}}}, 'faces["0"].regions: unknown region'),
        ({"version": 1, "faces": {"0": {"scale": "AU12"}}}, 'faces["0"].scale: '),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_wrong_file_is_one_line_with_the_place_in_it(tmp_path: Path, document: object, words: str) -> None:
    path = write(tmp_path / "programme.json", document)
    with pytest.raises(ProgrammeError) as error:
        load_programme(path)
    assert words in str(error.value)
    assert str(error.value).startswith(f"programme {str(path)!r}: ")
    assert "\n" not in str(error.value)


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text()
    | st.sampled_from(["smile", "AU12=+2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FACES = st.dictionaries(
    st.sampled_from(["0", "1", "*", "programme.json", "."]) | st.text(max_size=4),
    ANY_JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(FACE_KEYS, ANY_JSON)),
    max_size=4,
)


@given(ANY_JSON | st.fixed_dictionaries({"version": st.just(1), "faces": FACES}))
def test_no_json_crashes_the_reader(document: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "programme.json", document)
        try:
            plans = load_programme(path)
        except ProgrammeError as error:
            assert "\n" not in str(error)
        else:
            assert all(0 <= plan.strength <= 1.5 and 0 <= plan.driving.neutralise <= 1 for plan in plans)
