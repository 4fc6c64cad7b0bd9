"""Writes measured action units as CSV in OpenFace's layout, and beside them the requested ones."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from calib.arkit import BLENDSHAPES, from_aus
from calib.au import (
    GAZE,
    GAZE_UNIT_DEG,
    JAW_DROP,
    LID_GAP,
    LIP_GAP,
    MAX_INTENSITY,
    OPENFACE_CODES,
    SIDES,
    AUVector,
    Sided,
    both,
    openface,
)
from calib.columns import GEOMETRY
from calib.gaze import direction_of
from calib.pose import Pose
from reenact.media.atomic import replacing
from reenact.records import Face, Measured, Retargeted

PRESENT = 1.0
"""Intensity threshold from which `AUxx_c` is 1: FACS intensity A, a trace.

OpenFace's own `_c` columns come from classifiers trained for them; here they are intensities above a
threshold.
"""

# MediaPipe's landmark index for each of the 68 of the iBUG 300-W markup, which OpenFace uses.
# fmt: off
LANDMARKS_68 = (
    127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 98, 97, 2, 326, 327,  # nose: bridge, base
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91,  # lips, outside
    78, 81, 13, 311, 308, 402, 14, 178,  # lips, inside
)
# fmt: on


class CsvError(OSError):
    """Raised where the table cannot be written; the message is one line for the user."""


class AUCsvSink:
    """Writes one row for each face of each frame in OpenFace 2's layout, which `pandas.read_csv` reads.

    - `frame` counts from 1, `face_id` is the track id, `timestamp` is in seconds.
    - A frame without a face is a row with success 0 and zeros, as OpenFace writes it.
    - pose_T is in millimetres from the camera, pose_R in radians, in OpenFace's conventions. As in OpenFace,
      the camera has a focal length of 500 px at 640x480, scaled to the picture: see `head_position_mm`.
    - gaze_angle_x and gaze_angle_y, in radians, are the gaze of both eyes relative to the camera, to the
      picture's right and down. OpenFace's vectors gaze_0 and gaze_1 are left out, and so is AU28_c, because
      it has no intensity.
    - After OpenFace's columns come the gaze of each eye relative to the head, in degrees to the person's left
      and up, and the openings of mouth and eyes in millimetres (calib.opening_sizes).
    - The separator is a comma without a space, as in OpenFace from 2.1 on. OpenFace up to 2.0 wrote ", ";
      readers of those tables accept both.
    """

    def __init__(
        self,
        file: TextIO,
        *,
        landmarks: bool = False,
        names: bool = False,
        asked: bool = False,
        sides: bool = False,
        arkit: bool = False,
    ) -> None:
        """file: an open text file. landmarks: adds x_0..x_67, y_0..y_67 in pixels. names: adds a first column
        `file` with the names of pictures. sides: adds AUxxL and AUxxR, the intensities on the person's own
        left and right; AUxx_r is their mean. arkit: adds ARKit's 52 blendshapes, 0..1. asked: adds AUxx_asked
        at the end, the requested intensities as the mean of both sides; every record must then be a
        Retargeted.
        """
        self._writer = csv.writer(file, lineterminator="\n")
        self._landmarks = landmarks
        self._names = names
        self._asked = asked
        self._sides = sides
        self._arkit = arkit
        header = columns(landmarks=landmarks, asked=asked, sides=sides, arkit=arkit)
        self._blank = ["0"] * (len(header) - header.index("confidence"))
        self._writer.writerow(["file", *header] if names else header)

    def write(self, measured: Measured, name: str = "") -> None:
        """Writes the rows of one frame. name: the picture's name, for the column `file`."""
        for row in self._rows(measured):
            self._writer.writerow([name, *row] if self._names else row)

    def _rows(self, measured: Measured) -> Iterator[list[str]]:
        frame = measured.frame
        number, timestamp = str(frame.index + 1), f"{float(frame.pts):.6f}"
        if not measured.faces:
            yield [number, "0", timestamp, *self._blank]
        for index, (face, aus) in enumerate(zip(measured.faces, measured.aus, strict=True)):
            landmarks = _landmark_values(face) if self._landmarks else []
            success = [f"{face.confidence:.3f}", "1", *_gaze_angles(face, aus)]
            pose = _pose_values(face.pose, frame.size)
            values = [
                *_au_values(openface(aus)),
                *_geometry_values(measured.sided_aus[index]),
                *(_side_values(measured, index) if self._sides else []),
                *(_arkit_values(measured.sided_aus[index]) if self._arkit else []),
                *(self._asked_values(measured, index) if self._asked else []),
            ]
            yield [number, str(face.track_id), timestamp, *success, *pose, *landmarks, *values]

    def _asked_values(self, measured: Measured, index: int) -> list[str]:
        assert isinstance(measured, Retargeted), "the record has not been retargeted"
        asked = np.clip(openface(measured.aus[index] + both(measured.asked[index])), 0, MAX_INTENSITY)
        return [f"{value:.2f}" for value in asked]


@contextmanager
def open_csv(
    path: Path | None,
    *,
    landmarks: bool = False,
    names: bool = False,
    asked: bool = False,
    sides: bool = False,
    arkit: bool = False,
) -> Iterator[AUCsvSink]:
    """Opens a table, which appears under `path` when the block ends well. Raises CsvError.

    path: None writes to standard output at once. The other arguments are those of AUCsvSink.
    """
    if path is None:
        if sys.stdout is None:
            raise CsvError("there is no standard output to write the table to; name a file, such as aus.csv")
        yield AUCsvSink(sys.stdout, landmarks=landmarks, names=names, asked=asked, sides=sides, arkit=arkit)
        sys.stdout.flush()
        return
    if path.suffix.lower() != ".csv":
        raise CsvError(f"{path}: a table of action units is written as .csv")
    if path.is_dir():
        raise CsvError(f"{path} is a folder; name a file in it")
    with ExitStack() as stack:
        try:
            beside = stack.enter_context(replacing(path))
        except OSError as error:
            raise CsvError(f"{path} cannot be written: {error.strerror}") from error
        # A picture's name that is not UTF-8 is written with replacement characters.
        file = stack.enter_context(beside.open("w", encoding="utf-8", errors="replace", newline=""))
        yield AUCsvSink(file, landmarks=landmarks, names=names, asked=asked, sides=sides, arkit=arkit)


def columns(
    *, landmarks: bool = False, asked: bool = False, sides: bool = False, arkit: bool = False
) -> list[str]:
    """The names of the columns in OpenFace's order; those that OpenFace does not have come last."""
    return [
        *("frame", "face_id", "timestamp", "confidence", "success"),
        *GAZE_ANGLES,
        *(f"pose_{value}" for value in ("Tx", "Ty", "Tz", "Rx", "Ry", "Rz")),
        *(f"{axis}_{index}" for axis in "xy" for index in range(68) if landmarks),
        *(f"{code}_r" for code in OPENFACE_CODES),
        *(f"{code}_c" for code in OPENFACE_CODES),
        *GEOMETRY,
        *(f"{code}{side}" for code in OPENFACE_CODES for side in SIDES if sides),
        *(BLENDSHAPES if arkit else ()),
        *(f"{code}_asked" for code in OPENFACE_CODES if asked),
    ]


GAZE_ANGLES = ("gaze_angle_x", "gaze_angle_y")


def _gaze_angles(face: Face, aus: AUVector) -> list[str]:
    """OpenFace's angles of the gaze in the camera's coordinates, in radians."""
    x, y, z = face.pose.rotation @ direction_of(*(GAZE_UNIT_DEG * aus[GAZE]).tolist())
    return [f"{angle:.3f}" for angle in (np.arctan2(x, -z), np.arctan2(y, -z))]


def _geometry_values(sides: Sided) -> list[str]:
    left, right = sides
    gaze = [f"{angle:.2f}" for side in sides for angle in GAZE_UNIT_DEG * side[GAZE]]
    sizes = left[LIP_GAP], left[JAW_DROP], left[LID_GAP], right[LID_GAP]
    return gaze + [f"{size:.2f}" for size in sizes]


def _arkit_values(sides: Sided) -> list[str]:
    return [f"{weight:.3f}" for weight in from_aus(sides)]


def head_position_mm(pose: Pose, size: tuple[int, int]) -> NDArray[np.float64]:
    """The position (3,) of the head in millimetres from the camera: x right, y down, z away.

    size: the picture's (height, width). The camera is OpenFace's default: a focal length of 500 px in both
    directions at 640x480, scaled to the picture and averaged, and an axis through the middle of the picture.
    The size of an average adult's head is assumed, so that a child's is estimated too far away.
    """
    height, width = size
    focal_px = (500 * width / 640 + 500 * height / 480) / 2
    away = focal_px / pose.scale
    across = (pose.translation[:2] - (width / 2, height / 2)) / pose.scale
    return np.array([across[0], across[1], away])


def _pose_values(pose: Pose, size: tuple[int, int]) -> list[str]:
    position = [f"{value:.1f}" for value in head_position_mm(pose, size)]
    return position + [f"{angle:.3f}" for angle in pose.angles]


def _landmark_values(face: Face) -> list[str]:
    points = face.landmarks[list(LANDMARKS_68), :2]
    return [f"{value:.1f}" for value in points.T.ravel()]


def _side_values(measured: Measured, index: int) -> list[str]:
    return [f"{value:.2f}" for value in openface(measured.sided_aus[index]).T.ravel()]


def _au_values(aus: AUVector) -> list[str]:
    return [f"{value:.2f}" for value in aus] + [str(int(value >= PRESENT)) for value in aus]
