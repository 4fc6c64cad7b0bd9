"""Drivers from tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.au import AU_CODES, LID_GAP, LIP_GAP, au_index
from calib.au_table import open_au_table
from calib.opening_sizes import STANDARD_LIDS_MM
from reenact.programme.au_recording import AURecording
from reenact.programme.au_recording_csv import AURecordingError, read_au_recording
from reenact.programme.au_table_rows import au_recording_of_face

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
    recording = read_au_recording(table(tmp_path, OPENFACE_2_0))
    assert recording.times_s.tolist() == [0, 0.033]
    assert recording.aus[:, SMILE].tolist() == [1, 1]
    assert recording.aus[0, BLINK] == pytest.approx(0.2)
    assert np.flatnonzero(recording.measured).tolist() == [SMILE, BLINK]


def test_py_feat_counts_to_one_and_calls_shut_eyes_au43(tmp_path):
    text = "frame,timestamp,AU12,AU43\n0,0.0,0.5,1.0\n"
    recording = read_au_recording(table(tmp_path, text))
    assert recording.aus[0, SMILE] == 2.5
    assert recording.aus[0, BLINK] == 5


def test_rows_without_a_face_are_left_out(tmp_path):
    text = "timestamp,success,AU12_r\n0,1,2\n0.1,0,0\n0.2,1,2\n0.3,1,\n0.4,1,nan\n"
    recording = read_au_recording(table(tmp_path, text))
    assert recording.times_s.tolist() == [0, 0.2]
    assert (recording.at(0.1)[0][:, SMILE] == 2).all()


def smiles(path: Path, **choice: object) -> list[float]:
    """What AU12 is in each frame."""
    return read_au_recording(path, **choice).aus[:, SMILE].tolist()


def test_of_several_people_one_has_to_be_named(tmp_path):
    path = table(tmp_path, "timestamp,face_id,AU12_r\n0,0,1\n0,1,3\n0.1,1,3\n")
    with pytest.raises(AURecordingError, match=r"line 3: .*--driver-face.*'1' \(2 frames\), '0' \(1 frame\)"):
        read_au_recording(path)
    assert smiles(path, face="1") == [3, 3]
    assert smiles(path, face="0") == [1]
    with pytest.raises(AURecordingError, match="there is no face '7'; it has '0', '1'"):
        read_au_recording(path, face="7")
    with pytest.raises(AURecordingError, match=r"'0' and '1' are in one frame, so they are two people"):
        read_au_recording(path, face="0,1")


@pytest.mark.parametrize("reverse", [False, True])
def test_py_feat_names_people_in_identity_and_the_order_of_rows_does_not_matter(tmp_path, reverse):
    rows = [f"{frame},{smile},Person_{who}" for frame in range(5) for who, smile in enumerate((0.2, 0.6))]
    text = "\n".join(["frame,AU12,Identity", *(reversed(rows) if reverse else rows)])
    path = table(tmp_path, text)
    assert smiles(path, rate=30, face="Person_0") == pytest.approx([1] * 5)
    assert smiles(path, rate=30, face="Person_1") == pytest.approx([3] * 5)
    with pytest.raises(AURecordingError, match=r"'Person_0' .*, 'Person_1' "):
        read_au_recording(path, rate=30)


def test_a_face_whose_name_changes_is_one_driver(tmp_path):
    path = table(tmp_path, "frame,timestamp,face_id,AU12_r\n1,0,0,2\n2,.1,0,2\n3,.2,4,2\n4,.3,7,2\n")
    recording = read_au_recording(path)
    assert recording.aus[:, SMILE].tolist() == [2] * 4
    assert recording.notes == (
        "the faces '0', '4', '7' are never in one frame and are taken for one; "
        "--driver-face takes one of them alone",
    )
    assert read_au_recording(path, face="4,0").times_s.tolist() == [0, 0.1, 0.2]
    assert not read_au_recording(path, face="0").notes


def test_ids_that_pandas_has_written_as_fractions_are_the_ids(tmp_path):
    path = table(tmp_path, "timestamp,face_id,AU12_r\n0,0.0,1\n0,1.0,3\n")
    assert smiles(path, face="1") == [3]


def test_without_names_two_rows_of_one_frame_are_refused_unless_they_agree(tmp_path):
    for header in ("frame", "timestamp"):
        path = table(tmp_path, f"{header},AU12_r\n0,1\n1,1\n1,1\n2,1\n")
        assert smiles(path, rate=1) == [1, 1, 1]
        path = table(tmp_path, f"{header},AU12_r\n0,1\n1,1\n1,4\n2,1\n")
        with pytest.raises(AURecordingError, match=r"lines 3 and 4 are of one frame and differ; .* face_id"):
            read_au_recording(path, rate=1)


def test_the_faces_of_one_picture_are_different_people(tmp_path):
    """FaceLandmarkImg by OpenFace: a row for each face, and neither frames nor times."""
    path = table(tmp_path, "face,confidence,AU12_r\n0,1,1\n1,1,3\n")
    with pytest.raises(AURecordingError, match="several people"):
        read_au_recording(path)
    assert read_au_recording(path, face="1").is_still and smiles(path, face="1") == [3]


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_the_index_that_pandas_writes_is_no_name_of_a_face(tmp_path, index):
    rows = "".join(f"{row},{row},clip.mp4,0.6\n" for row in range(40))
    path = table(tmp_path, f"{index},frame,input,AU12\n{rows}")
    assert smiles(path, rate=30) == pytest.approx([3] * 40)


def test_times_that_are_the_same_in_all_frames_are_none(tmp_path):
    """OpenFace, of a folder of pictures."""
    rows = "".join(f"{frame},0,0.000,{frame % 3}\n" for frame in range(1, 10))
    path = table(tmp_path, f"frame,face_id,timestamp,AU12_r\n{rows}")
    assert read_au_recording(path, rate=10).times_s == pytest.approx(np.arange(1, 10) / 10)
    with pytest.raises(AURecordingError, match=r"timestamp is 0 in all frames, .* give --driver-fps"):
        read_au_recording(path)
    bare = table(tmp_path, "timestamp,AU12_r\n0,1\n0,1\n0,1\n")
    assert read_au_recording(bare, rate=10).times_s == pytest.approx([0, 0.1, 0.2])
    seconds = table(tmp_path, "frame,time,AU12_r\n" + "".join(f"{n},{n // 10},1\n" for n in range(30)))
    assert len(read_au_recording(seconds, rate=10).times_s) == 30
    with pytest.raises(AURecordingError, match=r"time has 3 times for 30 frames, .* give --driver-fps"):
        read_au_recording(seconds)
    empty = table(tmp_path, "frame,timestamp,AU12_r\n0,,1\n1,,1\n")
    with pytest.raises(AURecordingError, match="timestamp has no values; give --driver-fps"):
        read_au_recording(empty)


@pytest.mark.parametrize("text", ["AU12_r\n3\n", "frame,AU12\n7,.6\n", "frame,timestamp,AU12_r\n1,0,3\n"])
def test_one_row_needs_no_time(tmp_path, text):
    recording = read_au_recording(table(tmp_path, text))
    assert recording.is_still and recording.at(99.0)[0][0, SMILE] == pytest.approx(3)


@pytest.mark.parametrize(
    "nothing",
    [
        "-nan(ind)",
        "nan",
        "NaN",
        "-1.#IND",
        "1.#QNAN",
        "-1.#IND00",
        "1.#INF",
        "inf",
        "-Infinity",
        "",
        "NA",
        "#N/A",
    ],
)
def test_what_programs_write_for_no_value_is_none(tmp_path, nothing):
    rows = f"0,{nothing},1,{nothing}\n1,2,1,{nothing}\n2,{nothing},1,{nothing}\n3,4,1,{nothing}\n"
    recording = read_au_recording(table(tmp_path, f"timestamp,AU12_r,AU45_r,AU01_r\n{rows}"))
    assert np.flatnonzero(recording.measured).tolist() == sorted([SMILE, BLINK])
    assert recording.aus[:, SMILE] == pytest.approx([2, 2.25, 3, 3.75]), "interpolated, then smoothed"


SAVED = [
    ("utf-8", ",", "."),
    ("utf-8-sig", ",", "."),
    ("utf-8", ";", ","),
    ("utf-8", "\t", ","),
    ("utf-8", "\t", "."),
    ("utf-16", "\t", ","),
    ("utf-16-le", ",", "."),
    ("utf-16-be", ";", ","),
    ("utf-32", ",", "."),
]


@pytest.mark.parametrize(("encoding", "separator", "point"), SAVED)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spreadsheets_save_tables_in_many_ways(tmp_path, encoding, separator, point, end):
    rows = [["frame", "timestamp", "AU12_r"], ["1", "0.5", "1.25"], ["2", "1.5", "1.25"]]
    lines = [separator.join(cell.replace(".", point) for cell in row) + end for row in rows]
    path = tmp_path / "driver.csv"
    path.write_bytes("".join(lines).encode(encoding))
    recording = read_au_recording(path)
    assert recording.times_s.tolist() == [0.5, 1.5]
    assert recording.aus[:, SMILE].tolist() == [1.25, 1.25]


def test_decimal_commas_between_commas_are_read_in_quotes_and_else_refused(tmp_path):
    assert smiles(table(tmp_path, 'timestamp,AU12_r\n"0,5","1,5"\n')) == [1.5]
    with pytest.raises(AURecordingError, match=r"line 2 has 4 cells, and the header 2; .* decimal comma"):
        read_au_recording(table(tmp_path, "timestamp,AU12_r\n0,5,1,5\n"))


def test_lines_above_the_header_are_passed_over(tmp_path):
    text = "sep=;\ntimestamp;AU12_r\n0;1,5\n"
    assert smiles(table(tmp_path, text)) == [1.5]
    with pytest.raises(AURecordingError, match="line 3, column AU12_r: 'x' is not a number"):
        read_au_recording(table(tmp_path, "sep=;\ntimestamp;AU12_r\n0;x\n"))


@pytest.mark.parametrize(
    "header", ["TIMESTAMP,SUCCESS,AU12_R", " timestamp , success , AU12_r ", "Timestamp,Success,AU12 r"]
)
def test_names_of_columns_may_be_in_any_case_and_with_spaces(tmp_path, header):
    assert smiles(table(tmp_path, f"{header}\n0,True,2\n1,False,0\n")) == [2]


def test_rows_may_be_in_any_order(tmp_path):
    path = table(tmp_path, "timestamp,AU12_r\n2,3\n0,1\n1,2\n")
    assert read_au_recording(path).times_s.tolist() == [0, 1, 2]
    assert smiles(path) == pytest.approx([1.25, 2, 2.75])


def test_a_column_that_is_there_twice_is_read_where_both_say_the_same(tmp_path):
    assert smiles(table(tmp_path, "timestamp,AU12_r,AU12_r\n0,2,2\n")) == [2]
    with pytest.raises(
        AURecordingError, match=r"line 2: .* more than one column AU12_r, with the values '2' and '3'"
    ):
        read_au_recording(table(tmp_path, "timestamp,AU12_r,au12_r\n0,2,3\n"))


def test_a_row_that_breaks_off_has_no_values_where_it_ends(tmp_path):
    assert smiles(table(tmp_path, "timestamp,AU12_r\n0,2\n1,2\n2")) == [2, 2]


def test_libreface_has_intensities_from_0_to_5_and_milliseconds(tmp_path):
    header = (
        "frame_idx,frame_time_in_ms,pitch,lm_mp_0_x,au_12,au_12_intensity,au_1_intensity,facial_expression"
    )
    rows = "0,0.0,1,0.5,1,1.5,0.25,Happiness\n1,40.0,1,0.5,1,1.5,0.25,Happiness\n"
    recording = read_au_recording(table(tmp_path, f"{header}\n{rows}"))
    assert recording.times_s == pytest.approx([0, 0.04])
    assert recording.aus[:, SMILE].tolist() == [1.5, 1.5]
    assert np.flatnonzero(recording.measured).tolist() == [au_index("AU01"), SMILE]


def test_facereader_has_a_clock_and_words_where_it_lost_the_face(tmp_path):
    header = "Video Time\tNeutral\tAction Unit 12 - Lip Corner Puller\tAction Unit 43 - Eyes Closed"
    rows = "00:00:01.040\t0.9\t0.5\t0.0\n00:01:01.080\tFIT_FAILED\tFIT_FAILED\tFIT_FAILED\n"
    last = "00:01:01.120\t0.9\t0.5\t0.0\n"
    text = f"Video analysis detailed log\nFace Model:\tGeneral\n\n{header}\n{rows}{last}"
    recording = read_au_recording(table(tmp_path, text))
    assert recording.times_s == pytest.approx([1.04, 61.12])
    assert recording.aus[:, SMILE].tolist() == [2.5, 2.5]


def test_frames_stand_for_times_where_the_rate_is_told(tmp_path):
    numbered = table(tmp_path, "frame,AU12_r\n10,1\n11,1\n")
    assert read_au_recording(numbered, rate=25).times_s.tolist() == [0.4, 0.44]
    bare = table(tmp_path, "AU12_r\n1\n1\n")
    assert read_au_recording(bare, rate=10).times_s.tolist() == [0, 0.1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column holds an action unit"),
        ("a,b\n1,2\n", "line 1: no column holds an action unit"),
        ("frame,AU12_r\n1,2\n2,2\n", "there is no column timestamp; give --driver-fps"),
        ("timestamp,AU12_r\n", "no row shows a face"),
        ("timestamp,success,AU12_r\n0,0,1\n", "no row shows a face"),
        ("timestamp,AU12_r\n0,1\n0.1,much\n", "line 3, column AU12_r: 'much' is not a number"),
        ("timestamp,AU12_r\n0,80\n", "line 2, column AU12_r: 80 is out of range; AU12_r runs from 0 to 5"),
        ("timestamp,AU12\n0,3\n", "line 2, column AU12: 3 is out of range; AU12 runs from 0 to 1"),
        ("timestamp,AU12_r\n0,1\n1,1\nnan,1\n", "line 4, column timestamp: there is no time"),
        ("timestamp,frame,AU12_r\n0,1.5,1\n", "line 2, column frame: 1.5 is not a whole number"),
        ("timestamp,AU12_r\n0,1_0\n", "line 2, column AU12_r: '1_0' is not a number"),
    ],
)
def test_what_is_wrong_in_a_table_is_said_with_its_place(tmp_path, text, message):
    path = table(tmp_path, text)
    with pytest.raises(AURecordingError) as caught:
        read_au_recording(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_tables_are_refused(tmp_path):
    with pytest.raises(AURecordingError, match="cannot be read: No such file"):
        read_au_recording(tmp_path / "none.csv")
    with pytest.raises(AURecordingError, match="cannot be read: Is a directory"):
        read_au_recording(tmp_path)
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(AURecordingError, match=r"binary\.csv: is not a table in UTF-8 or UTF-16 text"):
        read_au_recording(tmp_path / "binary.csv")


CELLS = st.sampled_from([*"0123", "0.5", "0,5", "-nan(ind)", "", "x", "1.0", "9"]) | st.text(max_size=3)


@given(st.lists(st.lists(CELLS, max_size=5), max_size=6), st.sampled_from(",;\t"), st.booleans())
def test_no_table_crashes_it(tmp_path_factory, rows, separator, timed):
    header = ["frame", "timestamp" if timed else "note", "face_id", "AU12_r", "AU45_r"]
    lines = [separator.join(row) for row in [header, *rows]]
    path = table(tmp_path_factory.mktemp("fuzz"), "\n".join(lines))
    try:
        recording = read_au_recording(path, rate=30)
    except AURecordingError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(recording.aus).all() and (np.diff(recording.times_s) > 0).all()


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_crashes_it(tmp_path_factory, text):
    path = table(tmp_path_factory.mktemp("fuzz"), "timestamp,success,AU12_r,AU45_r\n" + text)
    try:
        recording = read_au_recording(path)
    except AURecordingError as error:
        assert "\n" not in str(error)
    else:
        assert recording.aus.shape[1] == len(AU_CODES)
        assert 0 <= recording.aus.min() <= recording.aus.max() <= 5


LIVE_LINK = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeBlinkRight,JawOpen,MouthClose,MouthPucker,MouthSmileLeft,"
    "MouthSmileRight,BrowInnerUp,CheekPuff,EyeLookOutLeft,EyeLookInRight,TongueOut,HeadYaw\n"
)


def live_link(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "take.csv"
    path.write_text(LIVE_LINK + "".join(f"{row}\n" for row in rows))
    return path


def test_live_link_face_has_both_sides_and_openings(tmp_path: Path) -> None:
    path = live_link(
        tmp_path,
        "11:31:57:58.125,61,1,0,.5,0,.4,.6,.2,0,0,.2,.2,0,.1",
        "11:31:58:00.125,61,0,0,0,0,0,0,0,0,0,0,0,0,.1",
        "11:31:58:02.125,61,0,0,0,0,0,0,0,0,0,0,0,0,.1",
    )
    recording = read_au_recording(path)
    assert recording.times_s == pytest.approx([0, 2 / 60, 4 / 60]), "from the take's start on, in frames"
    raw = au_recording_of_face_of(path)
    (left, right), level = raw.at(raw.times_s[0])
    assert level == 1 and left[SMILE] == pytest.approx(3) and right[SMILE] == pytest.approx(1)
    assert (left[LID_GAP], right[LID_GAP]) == pytest.approx((0, STANDARD_LIDS_MM))
    assert left[LIP_GAP] == pytest.approx(14.45) and left[au_index("AU18")] == pytest.approx(2)
    assert left[au_index("AU61")] == pytest.approx(1)
    assert not raw.measured[au_index("AU23")] and raw.measured[LIP_GAP]


def au_recording_of_face_of(path: Path) -> AURecording:
    """The recording before it is smoothed."""
    with open_au_table(path, AURecordingError) as table:
        return au_recording_of_face(table.readings(), None, None, table.time_column)


def test_a_second_of_a_timecode_has_as_many_frames_as_it_counts(tmp_path: Path) -> None:
    zeros = ",61" + ",0" * 13
    rows = [f"00:00:0{second}:{frame:02d}.000{zeros}" for second in range(2) for frame in range(30)]
    assert np.diff(read_au_recording(live_link(tmp_path, *rows)).times_s) == pytest.approx(1 / 30)


def test_a_take_may_run_over_midnight(tmp_path: Path) -> None:
    zeros = ",61" + ",0" * 13
    path = live_link(tmp_path, f"23:59:59:59.0{zeros}", f"00:00:00:00.0{zeros}", f"00:00:00:01.0{zeros}")
    assert read_au_recording(path).times_s == pytest.approx([0, 1 / 60, 2 / 60])


def test_rows_in_which_the_app_lost_the_face_are_left_out(tmp_path: Path) -> None:
    zeros = ",61" + ",0" * 13
    path = live_link(tmp_path, f"00:00:00:00.0{zeros}", "00:00:00:30.0,0" + "," * 13, f"00:00:01:00.0{zeros}")
    assert len(read_au_recording(path).times_s) == 2


def test_a_blendshape_that_is_out_of_range_is_named(tmp_path: Path) -> None:
    with pytest.raises(AURecordingError, match="line 2, column JawOpen: 40 is out of range; blendshapes run"):
        read_au_recording(live_link(tmp_path, "00:00:00:00.0,61,0,0,40" + ",0" * 10))


def test_columns_that_are_no_known_action_units_are_named_once(tmp_path: Path) -> None:
    path = tmp_path / "feat.csv"
    path.write_text("frame,AU11,AU12,AU24,AU28,AU43\n0,.1,.2,.4,.6,1\n")
    recording = read_au_recording(path)
    assert recording.notes == ("not known as action units, and left out: AU11",)
    shown = recording.at(0)[0][0]
    assert [shown[au_index(code)] for code in ("AU12", "AU24", "AU28", "AU45")] == pytest.approx([1, 2, 3, 5])


def test_own_tables_have_gaze_and_openings(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "frame,AU12_r,gaze_left_L_deg,gaze_left_R_deg,lip_gap_mm,lid_gap_L_mm,lid_gap_R_mm\n1,2,4,8,7.5,8,9\n"
    )
    recording = read_au_recording(path)
    shown = recording.at(0)[0][0]
    assert shown[au_index("AU61")] == pytest.approx(1) and shown[LIP_GAP] == 7.5 and shown[LID_GAP] == 8.5
    assert recording.measured[LIP_GAP] and not recording.measured[au_index("AU63")]
