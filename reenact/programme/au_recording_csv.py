"""AU recordings from tables that OpenFace, py-feat, LibreFace, FaceReader or `reenact aus` have written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from calib.au_table import open_au_table
from reenact.programme.au_recording import AURecording, AURecordingError
from reenact.programme.au_table_rows import au_recording_of_face

TABLES = frozenset({".csv", ".tsv", ".txt"})
"""The endings of the names of tables."""
_LARGEST_FILE = 500_000_000


def is_au_table(path: Path) -> bool:
    """Whether the header of a file is that of a table of measured action units."""
    try:
        with open_au_table(path, AURecordingError):
            return True
    except AURecordingError:
        return False


def read_au_recording(path: Path, face: str | None = None, rate: float | None = None) -> AURecording:
    """The recording of one face of a table, smoothed.

    path: a table with AU01_r ... (0..5: OpenFace, `reenact aus`), au_1_intensity ... (0..5: LibreFace),
    AU01 ... (0..1: py-feat) or "Action Unit 01 - ..." (0..1: FaceReader); AU43 stands for AU45. Or with
    ARKit's blendshapes (0..1: Live Link Face, MediaPipe), whose openings replace AU25 and AU26. Commas,
    semicolons or tabs between the cells, decimal commas, missing action units, rows in any order and rows
    without a face (success 0, or no values) are accepted. An action unit that has no value in some rows is
    interpolated there; one that has no value in any row was not measured.

    face: the name of the face in the column face_id or Identity, or several names of one face: "0,2". None:
    all names are taken for one face, unless two of them are in one frame. rate: frames per second, for tables
    without times. None: the table has times, or only one frame.

    Raises AURecordingError, with line and column where there is one.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise AURecordingError(f"{path}: is larger than {_LARGEST_FILE // 1_000_000} MB; is it a table?")
    except OSError as error:
        raise AURecordingError(f"{path}: cannot be read: {error.strerror or error}") from error
    with open_au_table(path, AURecordingError) as table:
        recording = au_recording_of_face(table.readings(), face, rate, table.time_column).smoothed()
        unknown = table.columns.unknown
        if not unknown:
            return recording
        line = f"not known as action units, and left out: {', '.join(unknown)}"
        return replace(recording, notes=(*recording.notes, line))
