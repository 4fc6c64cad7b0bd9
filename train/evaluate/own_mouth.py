"""Compares a person's own teeth with teeth of the bank: a film's open mouths are shut and opened again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.basis import load_basis
from calib.openings import MOUTH
from reenact.generate.generator import KnownFace, look_at_mouth, paint_by_rule
from reenact.generate.geometry.warp import warp_to
from reenact.generate.painters.mouth import MouthShape, MouthViews, see_mouth
from reenact.media.read import open_capture
from reenact.programme.target_syntax import parse_targets
from reenact.records import Face, Frame
from reenact.track import Tracker, TrackerOptions
from train.data.degrade import applied_change, move_face
from train.evaluate import comparison_masks
from train.evaluate.result_table import Cell, ResultTable

AWAY = "AU10=-5,AU12=-2,AU25=-5,AU26=-5"
"""The change that shuts a mouth, in the syntax of --target-aus."""
LEAST_MM = 4.0
"""The smallest gap between the lips of the mouths that are compared."""
APART_S = 0.6
"""The time within which frames are not used as the person's own views: they show almost the same mouth."""
_FRAMES = 60
"""The frames of a film that are read, spread over it."""


@dataclass(frozen=True)
class Reopened:
    """A film's mouths, opened again. Errors are L1 in grey levels of 255, inside the mouth."""

    film: str
    """The film's name."""
    frames: int
    """The number of frames compared."""
    painter: float
    """The error with teeth of the bank."""
    own: float
    """The error with the person's teeth, as other frames of the film show them."""


@dataclass(frozen=True, eq=False)
class _Seen:
    frame: Frame
    face: Face


def measure_own_mouth(clips: Sequence[Path]) -> list[Reopened]:
    """Returns one result for each film that shows an open mouth with teeth; others are left out."""
    found = [_reopened(clip.stem, _frames(clip)) for clip in clips]
    return [row for row in found if row is not None]


def own_mouth_tables(clips: Sequence[Path]) -> list[ResultTable]:
    """Returns the table of these films; no table where no film shows an open mouth with teeth."""
    rows = measure_own_mouth(clips)
    return [own_mouth_table(rows)] if rows else []


def own_mouth_table(rows: Sequence[Reopened]) -> ResultTable:
    """Returns the table of films."""
    note = (
        "Films: a mouth that is open by 4 mm or more is shut by the run-time's geometry and painters, then "
        "opened again, and compared with the film inside the mouth (L1 of 255): with teeth of the bank, and "
        f"with the person's own teeth from frames at least {APART_S:g} s away."
    )
    cells: list[tuple[Cell, ...]] = [
        (row.film, row.frames, row.painter, row.own, row.own / row.painter) for row in rows
    ]
    return ResultTable(
        "own_mouth", "Own mouth", note, ("film", "frames", "bank", "own", "own / bank"), tuple(cells)
    )


def _frames(clip: Path) -> list[_Seen]:
    """Returns frames with exactly one face, spread over the film."""
    found = []
    with (
        open_capture(clip) as capture,
        Tracker(TrackerOptions(stills=True, smoothing=False)) as track,
    ):
        step = max(1, (capture.frame_count or 10 * _FRAMES) // _FRAMES)
        for frame in capture:
            if frame.index % step == 0:
                faces = track(frame).faces
                if len(faces) == 1:
                    found.append(_Seen(frame, faces[0]))
    return found


def _reopened(name: str, frames: Sequence[_Seen]) -> Reopened | None:
    errors = [error for one in frames if (error := _errors(one, frames)) is not None]
    if not errors:
        return None
    painter, own = np.mean(errors, axis=0).tolist()
    return Reopened(name, len(errors), painter, own)


def _errors(one: _Seen, frames: Sequence[_Seen]) -> tuple[float, float] | None:
    """Returns the errors with the bank's and the person's own teeth. None: the frame shows no teeth."""
    frame, face = one.frame, one.face
    seen = see_mouth(frame, face)
    gap_mm = float(MOUTH.gaps(face.landmarks, face.pose.down).max()) / face.pose.scale
    if gap_mm < LEAST_MM or seen is None or seen.teeth < 0.9:
        return None
    views = MouthViews()
    for other in frames:
        if abs(other.frame.pts - frame.pts) >= APART_S:
            views = views.learn(other.frame, other.face, see_mouth(other.frame, other.face))
    basis = load_basis()
    away = applied_change(face, parse_targets(AWAY).value, basis)
    shut = move_face(frame.image, face.landmarks, away, basis)
    between = Frame(shut.picture)
    again, mouth = look_at_mouth(between, Face(0, shut.landmarks, face.pose, 1.0))
    inside = comparison_masks.inside_mouth(face.landmarks, max(frame.size))[: frame.size[0], : frame.size[1]]

    def error(teeth: KnownFace) -> float:
        moved = warp_to(between, again, face.landmarks)
        if moved is None:
            return float("nan")
        painted = paint_by_rule(between, again, -away, moved, teeth)
        x0, y0, x1, y1 = painted.region
        picture = between.image.copy()
        picture[y0:y1, x0:x1] = painted.image
        return _l1(picture, frame.image, inside)

    own = KnownFace(mouth.seen, views.teeth(again, mouth.seen, MouthShape.of(again, face.landmarks)))
    result = error(mouth), error(own)
    return None if np.isnan(result).any() else result


def _l1(picture: NDArray[np.uint8], truth: NDArray[np.uint8], inside: comparison_masks.Mask) -> float:
    """Returns the mean absolute difference inside a region; NaN where it is empty."""
    if not inside.any():
        return float("nan")
    return float(np.abs(picture[inside].astype(np.int16) - truth[inside]).mean())
