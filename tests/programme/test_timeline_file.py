"""Time lines as files: keyframes, or a table of measured action units."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import reenact
from calib.au import au_index
from reenact import errors
from reenact.programme.au_recording import AURecording
from reenact.programme.driver import Driver
from reenact.programme.keyframes import Keyframes, Marker
from reenact.programme.timeline_file import load_markers

SMILE = au_index("AU12")
KEYFRAMES = "time,au,value,easing\n0,AU12,+0,\n1,AU12,+2,linear\n"
MEASURED = "timestamp,face_id,AU12_r\n0,0,1\n0.1,0,1\n0.1,1,3\n"


def written(folder: Path, text: str, name: str = "line.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("as_path", [str, Path])
def test_keyframes_are_loaded_from_a_path_or_its_text(tmp_path: Path, as_path: type):
    timeline = reenact.load_timeline(as_path(written(tmp_path, KEYFRAMES)))
    assert isinstance(timeline, Keyframes)
    assert timeline(Fraction(1, 2), 0).value[:, SMILE].tolist() == [1, 1]


def test_a_table_of_measured_action_units_is_followed_like_a_driver(tmp_path: Path):
    path = written(tmp_path, MEASURED)
    timeline = reenact.load_timeline(path, face=1)
    assert isinstance(timeline, Driver)
    assert timeline(Fraction(1, 10), 0).value[:, SMILE].tolist() == [3, 3]
    with pytest.raises(errors.AURecordingError, match="face"):
        reenact.load_timeline(path)


def test_the_frame_rate_of_a_table_without_times_can_be_given(tmp_path: Path):
    timeline = reenact.load_timeline(written(tmp_path, "frame,AU12_r\n1,1\n2,1\n3,1\n"), fps=10)
    assert isinstance(timeline, Driver)
    assert isinstance(timeline.source, AURecording)
    assert np.diff(timeline.source.times_s).tolist() == pytest.approx([0.1, 0.1])


def test_a_table_of_several_faces_has_no_markers(tmp_path: Path):
    """Which face is meant does not matter for them."""
    assert load_markers(written(tmp_path, MEASURED)) == ()
    line = '{"version": 1, "markers": [{"time": 1, "name": "smile"}], "tracks": [{"au": "AU12", "keys": '
    path = written(tmp_path, f'{line}[{{"time": 0, "value": 1}}]}}]}}', "line.json")
    assert load_markers(path) == (Marker(1, "smile"),)


def test_signs_that_a_spreadsheet_may_have_dropped_give_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = written(tmp_path, "time,au,value\n0,AU12,-1\n1,AU12,2\n")
    with caplog.at_level(logging.INFO):
        reenact.load_timeline(path)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and record.name == "reenact.programme.timeline_file"
    assert str(path) in record.getMessage() and "write +2" in record.getMessage()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nowhere.csv", None, "No such file"),
        ("line.csv", b"time,au,value\n0,AU99,+2\n", "line 2, au"),
        ("line.json", b'{"version": 1, "preset": "smile"}', "unknown key 'preset'"),
        ("film.mp4", bytes(range(256)) * 8, "film.mp4"),
    ],
)
def test_what_is_no_time_line_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, words: str
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(errors.KeyframesError) as refused:
        reenact.load_timeline(tmp_path / name)
    assert words in str(refused.value) and name in str(refused.value) and "\n" not in str(refused.value)
