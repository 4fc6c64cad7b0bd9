"""Action units as OpenFace's CSV."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from calib.au import OPENFACE_CODES, OPENFACE_COUNT, as_vector, openface
from calib.pose import Pose
from calib.shape import load_shape
from reenact.media.write.au_csv import LANDMARKS_68, AUCsvSink, CsvError, head_position_mm, open_csv
from reenact.records import Face, Frame, Measured

AUS = as_vector(np.linspace(0, 4, OPENFACE_COUNT))
POSE = Pose(2.0, np.eye(3, dtype=np.float32), np.array([420, 140, 0], np.float32))


def face(track_id: int = 0) -> Face:
    return Face(track_id, POSE.to_frame(load_shape().canonical), POSE, 0.987)


def record(index: int, *faces: Face) -> Measured:
    frame = Frame(np.zeros((480, 640, 3), np.uint8), Fraction(index * 1001, 30000), index)
    return Measured(frame, faces, False, tuple(AUS for _ in faces))


def table(*records: Measured, landmarks: bool = False, sides: bool = False) -> pd.DataFrame:
    text = io.StringIO()
    sink = AUCsvSink(text, landmarks=landmarks, sides=sides)
    for measured in records:
        sink.write(measured)
    text.seek(0)
    return pd.read_csv(text)


def test_columns_are_openfaces_in_its_order() -> None:
    assert list(table(record(0))) == [
        *("frame", "face_id", "timestamp", "confidence", "success"),
        *("gaze_angle_x", "gaze_angle_y"),
        *("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
        *(f"{code}_r" for code in OPENFACE_CODES),
        *(f"{code}_c" for code in OPENFACE_CODES),
        *("gaze_left_L_deg", "gaze_up_L_deg", "gaze_left_R_deg", "gaze_up_R_deg"),
        *("lip_gap_mm", "jaw_drop_mm", "lid_gap_L_mm", "lid_gap_R_mm"),
    ]


def test_landmark_columns_stand_between_pose_and_action_units() -> None:
    columns = list(table(record(0), landmarks=True))
    assert columns[12:14] == ["pose_Rz", "x_0"]
    assert columns[13 + 67 : 13 + 69] == ["x_67", "y_0"]
    assert columns[13 + 135 : 13 + 137] == ["y_67", "AU01_r"]


def test_sides_stand_at_the_end_and_their_mean_is_what_openface_has() -> None:
    measured = replace(record(0, face()), leans=(as_vector(np.linspace(-3, 3, OPENFACE_COUNT)),))
    with_sides, plain = table(measured, sides=True), table(measured)
    assert list(with_sides)[: plain.shape[1]] == list(plain)
    assert list(with_sides)[plain.shape[1] :] == [f"{code}{side}" for code in OPENFACE_CODES for side in "LR"]
    row = with_sides.iloc[0]
    for code in OPENFACE_CODES:
        assert 0 <= row[f"{code}L"] <= 5 and 0 <= row[f"{code}R"] <= 5
        assert (row[f"{code}L"] + row[f"{code}R"]) / 2 == pytest.approx(row[f"{code}_r"], abs=0.011)
    assert (with_sides[list(plain)] == plain).all(axis=None)


def test_a_row_says_what_was_measured() -> None:
    row = table(record(0), record(30, face(3))).iloc[1]
    assert (row["frame"], row["face_id"], row["success"]) == (31, 3, 1)
    assert row["timestamp"] == pytest.approx(1.001)
    assert row["confidence"] == pytest.approx(0.987)
    np.testing.assert_allclose(
        row[[f"{code}_r" for code in OPENFACE_CODES]].astype(float), openface(AUS), atol=0.006
    )


def test_presence_is_intensity_a_or_more() -> None:
    row = table(record(0, face())).iloc[0]
    assert [row[f"{code}_c"] for code in OPENFACE_CODES] == [int(value >= 1) for value in openface(AUS)]


def test_a_frame_without_a_face_is_a_row_of_zeros() -> None:
    row = table(record(4), landmarks=True).iloc[0]
    assert row["frame"] == 5
    assert row["timestamp"] > 0
    assert not row.drop(["frame", "timestamp"]).any()


def test_every_face_has_a_row() -> None:
    rows = table(record(0, face(0), face(2)), record(1, face(2)))
    assert rows[["frame", "face_id"]].to_numpy().tolist() == [[1, 0], [1, 2], [2, 2]]


def test_the_head_is_where_openfaces_camera_would_see_it() -> None:
    # 640x480: focal length 500 px. 2 px/mm: 250 mm away, 100 px right of the middle is 50 mm there.
    np.testing.assert_allclose(head_position_mm(POSE, (480, 640)), [50, -50, 250])
    # Twice the picture with the same face in pixels: the face is twice as far away.
    assert head_position_mm(POSE, (960, 1280))[2] == 500


def test_landmarks_are_those_of_the_68_point_markup() -> None:
    points = load_shape().canonical[list(LANDMARKS_68)]
    assert len(set(LANDMARKS_68)) == 68
    assert np.all(np.diff(points[:17, 0]) > -8), "the jaw goes from left to right"
    assert points[8, 1] == points[:, 1].max(), "8 is the chin"
    assert np.all(np.diff(points[17:27, 0]) > 0), "brows from left to right"
    assert points[17:27, 1].max() < points[36:48, 1].min(), "brows above eyes"
    assert np.all(np.diff(points[27:31, 1]) > 0), "the nose goes down"
    assert np.all(np.diff(points[31:36, 0]) > 0), "nostrils from left to right"
    for upper, lower in [(37, 41), (38, 40), (43, 47), (44, 46), (50, 58), (51, 57), (52, 56), (62, 66)]:
        assert points[upper, 1] <= points[lower, 1]


def test_landmarks_are_symmetric() -> None:
    mirror = {
        **{i: 16 - i for i in range(17)},
        **{i: 43 - i for i in range(17, 27)},
        **{i: i for i in range(27, 31)},
        **{i: 66 - i for i in range(31, 36)},
        36: 45,
        37: 44,
        38: 43,
        39: 42,
        40: 47,
        41: 46,
        48: 54,
        49: 53,
        50: 52,
        51: 51,
        55: 59,
        56: 58,
        57: 57,
        60: 64,
        61: 63,
        62: 62,
        65: 67,
        66: 66,
    }
    across = load_shape().mirror
    for left, right in mirror.items():
        assert across[LANDMARKS_68[left]] == LANDMARKS_68[right], (left, right)


def test_pictures_have_their_name_in_the_first_column(tmp_path: Path) -> None:
    with open_csv(tmp_path / "aus.csv", names=True) as sink:
        sink.write(record(0, face()), 'a "strange", name.png')
    rows = pd.read_csv(tmp_path / "aus.csv")
    assert rows["file"].tolist() == ['a "strange", name.png']
    assert next(iter(rows)) == "file"


def test_the_table_appears_when_all_is_written_and_not_before(tmp_path: Path) -> None:
    with open_csv(tmp_path / "aus.csv") as sink:
        sink.write(record(0, face()))
        assert not (tmp_path / "aus.csv").exists()
    assert len(pd.read_csv(tmp_path / "aus.csv")) == 1


def test_nothing_is_left_of_a_run_that_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), open_csv(tmp_path / "aus.csv") as sink:
        sink.write(record(0, face()))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_it_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with open_csv(None) as sink:
        sink.write(record(0, face()))
    assert len(pd.read_csv(io.StringIO(capsys.readouterr().out))) == 1


def test_a_table_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for path, words in [
        (tmp_path / "film.mp4", "is written as .csv"),
        (tmp_path / "folder.csv", "is a folder"),
        (tmp_path / "none" / "aus.csv", "No such file or directory"),
    ]:
        with pytest.raises(CsvError, match=words) as error, open_csv(path):
            pass
        assert str(path) in str(error.value)
