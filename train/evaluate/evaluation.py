"""The evaluation of a method: all of its data, prepared once, and a method's results."""

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
from train.evaluate.preset_shapes import EditedExpression, PosedExpression, choose_posed, measure_presets
from train.evaluate.realism import ReferencePictures, choose_reference_pictures, measure_realism
from train.evaluate.restoration import Restoration, choose_restorations, measure_restoration
from train.evaluate.subjects import Subject, read_subjects, spread_rows
from train.evaluate.unchanged import Unchanged, measure_unchanged


class EvaluationError(ValueError):
    """The data cannot be evaluated; the message is one line for the user."""


@dataclass(frozen=True)
class EvaluationOptions:
    """The size of an evaluation."""

    faces: int = 24
    """The faces that are asked for every action unit; other figures use multiples of this number."""
    frames: int = 48
    """The frames of each clip for the figures of flicker."""
    seed: int = 0
    """The seed of all choices."""

    @property
    def pairs(self) -> int:
        """The number of pairs of pictures."""
        return 3 * self.faces

    @property
    def restorations(self) -> int:
        """The number of restorations of each case."""
        return self.faces

    @property
    def references(self) -> int:
        """The number of faces for the measure of realism."""
        return max(120, 8 * self.faces)

    @property
    def rounds(self) -> int:
        """The number of calls that are timed."""
        return max(20, 2 * self.faces)


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """The data of an evaluation, which all methods share."""

    subjects: tuple[Subject, ...]
    """The faces that are asked for action units."""
    independent: IndependentEstimator
    """The estimator that is not in any loss."""
    identity: IdentityProxy
    """The measure of identity."""
    pairs: tuple[PicturePair, ...]
    """Pairs of pictures of one person."""
    posed: tuple[PosedExpression, ...]
    """Posed expressions, for the presets."""
    restorations: tuple[Restoration, ...]
    """Pictures whose expression was removed."""
    references: ReferencePictures
    """Real pictures, for realism."""
    films: tuple[Film, ...]
    """Films, for flicker."""


@dataclass(frozen=True, eq=False)
class MethodResult:
    """One method's results."""

    name: str
    asked_achieved: AskedAchieved
    unchanged: Unchanged
    identity: IdentityKept
    pairs: Compared
    presets: tuple[EditedExpression, ...]
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
    """Prepares the data from the held-out split; only the estimators are fitted to the training split."""
    with PictureReader() as reader:
        rows = spread_rows(unseen, options.faces, options.seed)
        subjects = read_subjects(unseen, rows, reader)
        if not subjects:
            raise EvaluationError("no face of the held-out people can be read; hold out more people")
        pairs = choose_pairs(unseen, options.pairs, options.seed, reader)
        # Few people pose expressions, and no training uses the shape of their mouths.
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
    """Evaluates one method, on one core."""
    cv2.setNumThreads(1)
    with PictureReader() as reader, open_method(spec) as method:
        return MethodResult(
            spec.name,
            measure_asked_achieved(method, evaluation.subjects, reader, evaluation.independent),
            measure_unchanged(method, evaluation.subjects),
            measure_identity(method, evaluation.subjects, evaluation.identity),
            measure_pairs(method, evaluation.pairs, reader),
            measure_presets(method, evaluation.posed, reader),
            measure_restoration(method, evaluation.restorations),
            measure_realism(method, evaluation.references),
            measure_flicker(method, evaluation.films),
            measure_onset(method, evaluation.subjects),
        )
