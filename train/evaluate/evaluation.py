"""All that a method is put through, prepared once; and a method's results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from train.data.shards import Shards
from train.evaluate.asked_achieved import AskedAchieved, measure_asked_achieved
from train.evaluate.comparison import Compared
from train.evaluate.films import Film, load_film, still_subjects
from train.evaluate.flicker import Onset, Steadiness, measure_flicker, measure_onset
from train.evaluate.identity_proxy import IdentityKept, IdentityProxy, load_identity, measure_identity
from train.evaluate.independent_estimator import IndependentEstimator, load_independent_estimator
from train.evaluate.methods import MethodSpec, open_method
from train.evaluate.pairs import PicturePair, choose_pairs, measure_pairs, pairs_of_frames
from train.evaluate.picture_reader import PictureReader
from train.evaluate.preset_shapes import Performed, Posed, choose_posed, measure_presets
from train.evaluate.realism import ReferencePictures, choose_reference_pictures, measure_realism
from train.evaluate.restoration import Restoration, choose_restorations, measure_restoration
from train.evaluate.subjects import Subject, read_subjects, spread_rows
from train.evaluate.unchanged import Unchanged, measure_unchanged


class EvaluationError(ValueError):
    """Data on which nothing can be judged; the message is one line for the user."""


@dataclass(frozen=True)
class EvaluationOptions:
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
    def references(self) -> int:
        return max(120, 8 * self.faces)

    @property
    def rounds(self) -> int:
        """Calls that are timed."""
        return max(20, 2 * self.faces)


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    subjects: tuple[Subject, ...]
    judge: IndependentEstimator
    identity: IdentityProxy
    pairs: tuple[PicturePair, ...]
    posed: tuple[Posed, ...]
    restorations: tuple[Restoration, ...]
    references: ReferencePictures
    films: tuple[Film, ...]


@dataclass(frozen=True, eq=False)
class MethodResult:
    name: str
    asked_achieved: AskedAchieved
    unchanged: Unchanged
    identity: IdentityKept
    pairs: Compared
    presets: tuple[Performed, ...]
    restoration: Compared
    realism: dict[str, float]
    flicker: tuple[Steadiness, ...]
    onset: tuple[Onset, ...]


def prepare_evaluation(
    training: Shards,
    unseen: Shards,
    clips: Sequence[Path],
    cache: Path,
    options: EvaluationOptions = EvaluationOptions(),
) -> EvaluationSet:
    """Everything from people held out, but for the judges, which are fitted to the others."""
    with PictureReader() as reader:
        rows = spread_rows(unseen, options.faces, options.seed)
        subjects = read_subjects(unseen, rows, reader)
        if not subjects:
            raise EvaluationError("no face of the people held out can be read; hold out more people")
        pairs = choose_pairs(unseen, options.pairs, options.seed, reader)
        # Few people pose expressions, and no training judges by the shape of their mouths.
        posed = choose_posed(training, reader) + choose_posed(unseen, reader)
        for clip in clips:
            pairs += pairs_of_frames(still_subjects(clip, reader))
    return EvaluationSet(
        tuple(subjects),
        load_independent_estimator(training, unseen, cache),
        load_identity(training, unseen, cache),
        tuple(pairs),
        tuple(posed),
        tuple(choose_restorations(unseen, options.restorations, options.seed)),
        choose_reference_pictures(unseen, options.references, 3 * options.references, options.seed),
        tuple(film for clip in clips if (film := load_film(clip, options.frames)) is not None),
    )


def evaluate_method(spec: MethodSpec, evaluation: EvaluationSet) -> MethodResult:
    """One method through all of it, on one core."""
    cv2.setNumThreads(1)
    with PictureReader() as reader, open_method(spec) as method:
        return MethodResult(
            spec.name,
            measure_asked_achieved(method, evaluation.subjects, reader, evaluation.judge),
            measure_unchanged(method, evaluation.subjects),
            measure_identity(method, evaluation.subjects, evaluation.identity),
            measure_pairs(method, evaluation.pairs, reader),
            measure_presets(method, evaluation.posed, reader),
            measure_restoration(method, evaluation.restorations),
            measure_realism(method, evaluation.references),
            measure_flicker(method, evaluation.films),
            measure_onset(method, evaluation.subjects),
        )
