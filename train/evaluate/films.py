"""Clips as the frame loop sees them: tracked, measured, with a change to ask for, cropped to the face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from calib.au import AUVector, both
from calib.estimator import load_estimator
from reenact.measure.measurer import Measurer
from reenact.media.read import open_capture
from reenact.programme.target_syntax import parse_targets
from reenact.records import Face, Frame, Retargeted
from reenact.retarget import Retargeter
from reenact.track import Tracker, TrackerOptions
from train.evaluate.picture_reader import PictureReader
from train.evaluate.subjects import Subject

ASKED = "AU01=+1.5,AU02=+1.5,AU06=+2,AU12=+3,AU25=+2,AU26=+1"
"""The change asked for: a broad smile with raised brows, which uses every part of the generator."""
MARGIN = 0.45
"""The margin around the face, as a share of its size; the warp's flow ends within it."""
STILLS = 24
"""The frames of a clip from which pairs are chosen."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame of a film."""

    frame: Frame
    face: Face
    measured: AUVector
    change: AUVector


@dataclass(frozen=True, eq=False)
class Film:
    """A clip and the change that is asked for in each frame."""

    name: str
    shots: tuple[Shot, ...]


def load_film(clip: Path, frames: int) -> Film | None:
    """Loads the clip's first `frames` adjacent frames with exactly one face. None: there are fewer than 8."""
    retarget, measure = Retargeter(parse_targets(ASKED)), Measurer(load_estimator())
    run: list[Retargeted] = []
    with open_capture(clip) as capture, Tracker(TrackerOptions(max_faces=1)) as track:
        for frame in capture:
            record = retarget(measure(track(frame)))
            if run and (not record.faces or record.cut):
                break
            if record.faces:
                run.append(record)
            if len(run) == frames:
                break
    if len(run) < 8:
        return None
    box = _box(run)
    return Film(clip.stem, tuple(_cut_out(record, box) for record in run))


def _box(run: Sequence[Retargeted]) -> tuple[int, int, int, int]:
    """Returns (x0, y0, x1, y1): a box around the face in all frames, with a margin, inside the picture."""
    points = np.concatenate([record.faces[0].landmarks[:, :2] for record in run])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * np.ptp(run[0].faces[0].landmarks[:, :2], axis=0).max()
    height, width = run[0].frame.size
    x0, y0 = np.maximum(np.floor(low - margin), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high + margin), (width, height)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _cut_out(record: Retargeted, box: tuple[int, int, int, int]) -> Shot:
    x0, y0, x1, y1 = box
    image = np.ascontiguousarray(record.frame.image[y0:y1, x0:x1])
    face = shifted(record.faces[0], (-x0, -y0))
    return Shot(replace(record.frame, image=image), face, record.aus[0], both(record.changes[0]))


def shifted(face: Face, by: tuple[int, int]) -> Face:
    """Returns the face moved by this many pixels in the picture."""
    offset = np.array([*by, 0], np.float32)
    pose = replace(face.pose, translation=face.pose.translation + offset)
    return replace(face, landmarks=face.landmarks + offset, pose=pose)


def still_subjects(clip: Path, reader: PictureReader) -> list[Subject]:
    """Returns frames of the clip, spread over it, that show exactly one face, each read separately."""
    subjects = []
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as track:
        for frame in _spread(clip):
            faces = track(frame).faces
            before = reader(frame.image, faces[0].landmarks) if len(faces) == 1 else None
            if before is not None:
                subjects.append(Subject(frame, before, clip.stem, "clips", f"{clip.stem} {frame.index}"))
    return subjects


def _spread(clip: Path) -> Iterator[Frame]:
    with open_capture(clip) as capture:
        step = max(1, (capture.frame_count or 10 * STILLS) // STILLS)
        yield from islice(capture, 0, step * STILLS, step)
