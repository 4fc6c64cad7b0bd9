"""All that a method is put through, prepared once; and a method's results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from train.data.shards import Shards
from train.evaluate.comparison import Compared
from train.evaluate.films import Film, shoot, still_subjects
from train.evaluate.flicker import Onset, Steadiness, measure_flicker, measure_onset
from train.evaluate.identity import IdentityProxy, Kept, load_identity, measure_identity
from train.evaluate.judge import Judge, load_judge
from train.evaluate.methods import MethodSpec, open_method
from train.evaluate.obedience import Obedience, measure_obedience
from train.evaluate.pairs import Pair, choose_pairs, measure_pairs, pairs_of_frames
from train.evaluate.presets import Performed, Posed, choose_posed, measure_presets
from train.evaluate.reading import Reader
from train.evaluate.realism import Gallery, hang_gallery, measure_realism
from train.evaluate.restoration import Restoration, choose_restorations, measure_restoration
from train.evaluate.subjects import Subject, read_subjects, spread_rows
from train.evaluate.unchanged import Unchanged, measure_unchanged


class EvaluationError(ValueError):
    """Data on which nothing can be judged; the message is one line for the user."""


@dataclass(frozen=True)
class ExamOptions:
    faces: int = 24
    """Asked for every action unit; other figures take multiples of it."""
    frames: int = 48
    """Of each clip, for flicker."""
    seed: int = 0

    @property
    def pairs(self) -> int:
        return 3 * self.faces

    @property
    def restorations(self) -> int:
        """Of each case."""
        return self.faces

    @property
    def gallery(self) -> int:
        return max(120, 8 * self.faces)

    @property
    def rounds(self) -> int:
        """Calls that are timed."""
        return max(20, 2 * self.faces)


@dataclass(frozen=True, eq=False)
class Exam:
    subjects: tuple[Subject, ...]
    judge: Judge
    identity: IdentityProxy
    pairs: tuple[Pair, ...]
    posed: tuple[Posed, ...]
    restorations: tuple[Restoration, ...]
    gallery: Gallery
    films: tuple[Film, ...]


@dataclass(frozen=True, eq=False)
class MethodResult:
    name: str
    obedience: Obedience
    unchanged: Unchanged
    identity: Kept
    pairs: Compared
    presets: tuple[Performed, ...]
    restoration: Compared
    realism: dict[str, float]
    flicker: tuple[Steadiness, ...]
    onset: tuple[Onset, ...]


def set_exam(
    training: Shards, unseen: Shards, clips: Sequence[Path], cache: Path, options: ExamOptions = ExamOptions()
) -> Exam:
    """Everything from people held out, but for the judges, which are fitted to the others."""
    with Reader() as reader:
        rows = spread_rows(unseen, options.faces, options.seed)
        subjects = read_subjects(unseen, rows, reader)
        if not subjects:
            raise EvaluationError("no face of the people held out can be read; hold out more people")
        pairs = choose_pairs(unseen, options.pairs, options.seed, reader)
        # Few people pose expressions, and no training judges by the shape of their mouths.
        posed = choose_posed(training, reader) + choose_posed(unseen, reader)
        for clip in clips:
            pairs += pairs_of_frames(still_subjects(clip, reader))
    return Exam(
        tuple(subjects),
        load_judge(training, unseen, cache),
        load_identity(training, unseen, cache),
        tuple(pairs),
        tuple(posed),
        tuple(choose_restorations(unseen, options.restorations, options.seed)),
        hang_gallery(unseen, options.gallery, 3 * options.gallery, options.seed),
        tuple(film for clip in clips if (film := shoot(clip, options.frames)) is not None),
    )


def sit_exam(spec: MethodSpec, exam: Exam) -> MethodResult:
    """One method through all of it, on one core."""
    cv2.setNumThreads(1)
    with Reader() as reader, open_method(spec) as method:
        return MethodResult(
            spec.name,
            measure_obedience(method, exam.subjects, reader, exam.judge),
            measure_unchanged(method, exam.subjects),
            measure_identity(method, exam.subjects, exam.identity),
            measure_pairs(method, exam.pairs, reader),
            measure_presets(method, exam.posed, reader),
            measure_restoration(method, exam.restorations),
            measure_realism(method, exam.gallery),
            measure_flicker(method, exam.films),
            measure_onset(method, exam.subjects),
        )
