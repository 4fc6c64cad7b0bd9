"""Files of time lines: keyframes, and tables of action units that were measured on a face."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from calib.json_file import read_json
from reenact.programme.au_recording import AURecording
from reenact.programme.au_recording_csv import TABLES, is_au_table, read_au_recording
from reenact.programme.driver import Driver
from reenact.programme.keyframes import Keyframes, Marker
from reenact.programme.keyframes_file import LARGEST_BYTES, KeyframesError, doubtful_signs, load_keyframes
from reenact.programme.programme import Programme
from reenact.programme.steps import Steps, load_steps
from reenact.programme.target_syntax import TargetError, load_targets

log = logging.getLogger(__name__)

_JSON = ".json"


def load_timeline(
    path: Path, face: str | None = None, fps: float | None = None
) -> Keyframes | Steps | Driver:
    """The time line in a file: its keyframes, the steps of a hand, or for a table of measured action units a
    driver that shows them.

    face: the name of the face in a table of measured action units, or several names of one face: "0,2".
    None: the table has one face. fps: the frame rate of such a table without times. None: it has times.

    Raises KeyframesError or AURecordingError.
    """
    if _is_measured(path):
        return Driver(read_au_recording(path, face, fps))
    return load_steps(path) if _names(path, "steps") else load_keyframes(path)


def load_markers(path: Path) -> Sequence[Marker]:
    """The markers of a time line; only keyframes have some. Raises KeyframesError."""
    return () if _is_measured(path) or _names(path, "steps") else load_keyframes(path).markers


def timeline_notes(timeline: Keyframes | Steps | Driver) -> tuple[str, ...]:
    """Remarks for the user on how a time line was read, one line each."""
    if isinstance(timeline, Keyframes):
        return tuple(doubtful_signs(timeline))
    if isinstance(timeline, Driver) and isinstance(timeline.source, AURecording):
        return timeline.source.notes
    return ()


def log_notes(path: Path, timeline: Keyframes | Steps | Driver) -> None:
    """Logs the remarks on a time line: as warnings where its values may not be what was meant."""
    level = logging.WARNING if isinstance(timeline, Keyframes) else logging.INFO
    for line in timeline_notes(timeline):
        log.log(level, "%s: %s", path, line)


def names_a_file(text: str) -> bool:
    """Whether a text is the name of a file of targets or of a time line, rather than targets themselves."""
    return Path(text.strip()).suffix.lower() in {_JSON, *TABLES}


def load_targets_or_timeline(path: Path) -> Programme:
    """What a file asks for: targets that never change, as .json, or a time line, as .json or a table.

    Remarks on a time line are logged.
    Raises TargetError, KeyframesError or AURecordingError.
    """
    if not names_a_file(str(path)):
        endings = ", ".join(sorted({_JSON, *TABLES}))
        raise KeyframesError(
            f"{str(path)!r} is no time line, whose name ends in {endings}; "
            "reenact.load_driver takes the expression of a film or a picture"
        )
    if path.suffix.lower() == _JSON and not (_names(path, "tracks") or _names(path, "steps")):
        return load_targets(path)
    timeline = load_timeline(path)
    log_notes(path, timeline)
    return timeline


def _is_measured(path: Path) -> bool:
    return path.suffix.lower() in TABLES and is_au_table(path)


def _names(path: Path, name: str) -> bool:
    """Whether a JSON file is an object with this name: "tracks" of keyframes, or "steps" of a hand. A file
    that cannot be read is none."""
    if path.suffix.lower() != _JSON:
        return False
    try:
        document = read_json(path, TargetError, LARGEST_BYTES)
    except TargetError:
        return False
    return isinstance(document, dict) and name in document
