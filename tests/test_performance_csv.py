"""Drivers from tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.au import AU_CODES, au_index
from reenact.retarget.performance_csv import PerformanceError, read_performance

SMILE, BLINK = au_index("AU12"), au_index("AU45")
OPENFACE_2_0 = """frame, face_id, timestamp, confidence, success, AU12_r, AU45_r, AU12_c
1, 0, 0.000, 0.98, 1, 1.00, 0.20, 1
2, 0, 0.033, 0.98, 1, 1.00, 0.20, 1
"""


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "driver.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_openface_with_spaces_after_its_commas_is_read(tmp_path):
    performance = read_performance(table(tmp_path, OPENFACE_2_0))
    assert performance.times_s.tolist() == [0, 0.033]
    assert performance.aus[:, SMILE].tolist() == [1, 1]
    assert performance.aus[0, BLINK] == pytest.approx(0.2)
    assert np.flatnonzero(performance.measured).tolist() == [SMILE, BLINK]


def test_py_feat_counts_to_one_and_calls_shut_eyes_au43(tmp_path):
    text = "frame,timestamp,AU12,AU43\n0,0.0,0.5,1.0\n"
    performance = read_performance(table(tmp_path, text))
    assert performance.aus[0, SMILE] == 2.5
    assert performance.aus[0, BLINK] == 5


def test_rows_without_a_face_are_left_out(tmp_path):
    text = "timestamp,success,AU12_r\n0,1,2\n0.1,0,0\n0.2,1,2\n0.3,1,\n0.4,1,nan\n"
    performance = read_performance(table(tmp_path, text))
    assert performance.times_s.tolist() == [0, 0.2]
    assert performance.at(0.1)[0][SMILE] == 2


def test_the_face_that_is_there_most_of_the_time_drives_unless_another_is_named(tmp_path):
    path = table(tmp_path, "timestamp,face_id,AU12_r\n0,0,1\n0,1,3\n0.1,1,3\n")
    assert read_performance(path).aus[0, SMILE] == 3
    assert read_performance(path, face="0").aus[0, SMILE] == 1
    with pytest.raises(PerformanceError, match="there is no face '7'; it has '0', '1'"):
        read_performance(path, face="7")


def test_frames_stand_for_times_where_the_rate_is_told(tmp_path):
    numbered = table(tmp_path, "frame,AU12_r\n10,1\n11,1\n")
    assert read_performance(numbered, rate=25).times_s.tolist() == [0.4, 0.44]
    bare = table(tmp_path, "AU12_r\n1\n1\n")
    assert read_performance(bare, rate=10).times_s.tolist() == [0, 0.1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column holds an action unit"),
        ("a,b\n1,2\n", "line 1: no column holds an action unit"),
        ("frame,AU12_r\n1,2\n", "line 1: there is no column timestamp; give --driver-fps"),
        ("timestamp,AU12_r\n", "no row shows a face"),
        ("timestamp,success,AU12_r\n0,0,1\n", "no row shows a face"),
        ("timestamp,AU12_r\n0,1\n0.1,much\n", "line 3, column AU12_r: 'much' is not a number"),
        ("timestamp,AU12_r\n0,80\n", "line 2, column AU12_r: 80 is out of range; AU12_r runs from 0 to 5"),
        ("timestamp,AU12\n0,3\n", "line 2, column AU12: 3 is out of range; AU12 runs from 0 to 1"),
        ("timestamp,AU12_r\nnan,1\n", "line 2, column timestamp: there is no time"),
    ],
)
def test_what_is_wrong_in_a_table_is_said_with_its_place(tmp_path, text, message):
    path = table(tmp_path, text)
    with pytest.raises(PerformanceError) as caught:
        read_performance(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_tables_are_refused(tmp_path):
    with pytest.raises(PerformanceError, match="cannot be read: No such file"):
        read_performance(tmp_path / "none.csv")
    with pytest.raises(PerformanceError, match="cannot be read: Is a directory"):
        read_performance(tmp_path)
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(PerformanceError, match=r"binary\.csv is not a table in UTF-8 text"):
        read_performance(tmp_path / "binary.csv")


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_crashes_it(tmp_path_factory, text):
    path = table(tmp_path_factory.mktemp("fuzz"), "timestamp,success,AU12_r,AU45_r\n" + text)
    try:
        performance = read_performance(path)
    except PerformanceError as error:
        assert "\n" not in str(error)
    else:
        assert performance.aus.shape[1] == len(AU_CODES)
        assert 0 <= performance.aus.min() <= performance.aus.max() <= 5
