"""Closed-loop correction over files: write a draft, measure it, and add what was missed to the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector, neutral_aus
from calib.response_gain import load_drive
from reenact.measure.read_aus import Watch, unwatched
from reenact.media.read.spool import Source
from reenact.programme import Programme
from reenact.run.files import EditOptions, open_edit
from reenact.verify.agreement import LEAST_ASKED
from reenact.verify.face_comparison import FaceComparison, compare_faces
from reenact.verify.request_recorder import RequestRecorder
from reenact.verify.reread import read_output

STEP = 0.8
"""Share of the error that the next pass corrects; all of it would overshoot."""
FARTHEST = 3.0
"""Largest correction in intensity; what is not measured with it, no motion achieves."""
_SMOOTHING = np.array([0.07, 0.25, 0.36, 0.25, 0.07])
"""Weights over frames that smooth the error, so that the measurement's jitter is not written."""


@dataclass(frozen=True, eq=False)
class _Course:
    """The corrections of one face over time."""

    times_s: NDArray[np.float64]
    """(n,) rising times in seconds."""
    amounts: NDArray[np.float32]
    """(n, 17) the correction to try next."""
    kept: NDArray[np.float32]
    """(n, 17) the best correction so far."""
    missed: NDArray[np.float32]
    """(17,) the mean absolute error with the best correction. An action unit whose error grows is not
    corrected further: there, another action unit that is asked moves the measurement."""


@dataclass(frozen=True, eq=False)
class Corrections:
    """A reenact.retarget.retargeter.Correction: what to write on top of the change that is asked for."""

    courses: Mapping[int, _Course] = field(default_factory=dict)
    """The corrections by track id."""

    def __call__(self, pts: Fraction, track_id: int) -> AUVector:
        """(17,) the correction of the frame that is nearest in time."""
        course = self.courses.get(track_id)
        if course is None:
            return neutral_aus()
        after = int(np.clip(np.searchsorted(course.times_s, float(pts)), 1, max(len(course.times_s) - 1, 1)))
        near = [index for index in (after - 1, after) if index < len(course.times_s)]
        return course.amounts[min(near, key=lambda index: abs(course.times_s[index] - float(pts)))]

    def after(self, comparisons: Sequence[FaceComparison]) -> Corrections:
        """These corrections plus a share of the remaining error, of the action units that were asked."""
        found = {each.track_id: self._course(each) for each in comparisons}
        return Corrections({**self.courses, **found})

    def _course(self, comparison: FaceComparison) -> _Course:
        missed = np.nan_to_num(comparison.asked - comparison.after)
        by_now = np.abs(missed).mean(axis=0)
        before = self.courses.get(comparison.track_id)
        if before is None or len(before.times_s) != len(missed):
            nothing = np.zeros_like(missed)
            before = _Course(comparison.times_s, nothing, nothing, by_now)
        is_better = by_now <= before.missed
        is_asked = np.abs(comparison.asked - comparison.before).max(axis=0) >= LEAST_ASKED
        step = STEP * load_drive() * (is_asked & is_better) * _smooth(missed)
        kept = np.where(is_better, before.amounts, before.kept)
        amounts = np.clip(kept + step, -FARTHEST, FARTHEST).astype(np.float32)
        return _Course(comparison.times_s, amounts, kept, np.where(is_better, by_now, before.missed))


def close_loop(
    source: Source,
    output: Path,
    targets: Programme,
    options: EditOptions,
    passes: int,
    watch: Watch = unwatched,
) -> Corrections:
    """The corrections after `passes` drafts of the output, which are deleted.

    targets: the programme that is asked for. watch: called after each frame with the number of its faces.
    Raises what `open_edit` raises.
    """
    corrections = Corrections()
    for _ in range(passes):
        with TemporaryDirectory(prefix="reenact-") as folder:
            draft = Path(folder) / output.name
            comparisons = _draft(source, draft, targets, options, corrections, watch)
        corrections = corrections.after(comparisons)
    return corrections


def _draft(
    source: Source,
    draft: Path,
    targets: Programme,
    options: EditOptions,
    corrections: Corrections,
    watch: Watch,
) -> list[FaceComparison]:
    recorder = RequestRecorder()
    plain = replace(options, compare=False, aus_csv=None, keep_partial=False)
    with open_edit(source, draft, targets, plain, observer=recorder, correction=corrections) as edit:
        edit.run(watch)
    return compare_faces(recorder.faces, read_output(draft, options.tracker))


def _smooth(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 17) values smoothed over n frames; a single frame is not changed."""
    reach = len(_SMOOTHING) // 2
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.sum([w * padded[i : i + len(values)] for i, w in enumerate(_SMOOTHING)], axis=0)
