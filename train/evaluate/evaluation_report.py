"""Makes tables and contact sheets of the results of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from train.data.shards import Shards
from train.evaluate.asked_achieved import asked_achieved_tables
from train.evaluate.comparison import Compared
from train.evaluate.evaluation import EvaluationOptions, EvaluationSet, MethodResult
from train.evaluate.flicker import flicker_tables
from train.evaluate.identity_proxy import identity_table
from train.evaluate.methods import MethodSpec, open_method
from train.evaluate.pairs import pair_tables
from train.evaluate.picture_reader import PictureReader
from train.evaluate.preset_shapes import presets_table
from train.evaluate.realism import realism_table
from train.evaluate.restoration import restoration_table
from train.evaluate.result_table import ResultTable
from train.evaluate.sheet_expressions import EXPRESSIONS
from train.evaluate.sheets import FACES, choose_sheet, write_sheet
from train.evaluate.speed import in_hd, measure_speed, speed_table
from train.evaluate.unchanged import unchanged_table

Part = TypeVar("Part")


def result_tables(results: Sequence[MethodResult], evaluation: EvaluationSet) -> list[ResultTable]:
    """Returns all tables except that of speed, with methods in the order of `results`."""

    def of(part: Callable[[MethodResult], Part]) -> dict[str, Part]:
        return {result.name: part(result) for result in results}

    pairs: dict[str, Compared] = of(lambda result: result.pairs)
    return [
        *asked_achieved_tables(
            of(lambda result: result.asked_achieved),
            len(evaluation.subjects),
            evaluation.independent.held_out,
        ),
        unchanged_table(of(lambda result: result.unchanged)),
        *(pair_tables(pairs, evaluation.pairs) if evaluation.pairs else []),
        *([presets_table(of(lambda result: result.presets), evaluation.posed)] if evaluation.posed else []),
        restoration_table(of(lambda result: result.restoration)),
        identity_table(of(lambda result: result.identity), evaluation.identity),
        realism_table(of(lambda result: result.realism), evaluation.references),
        *flicker_tables(of(lambda result: result.flicker), of(lambda result: result.onset)),
    ]


def time_methods(
    specs: Sequence[MethodSpec], evaluation: EvaluationSet, options: EvaluationOptions
) -> ResultTable:
    """Measures the methods' times and returns their table."""
    rounds = options.rounds
    crops = measure_speed(specs, evaluation.subjects, rounds)
    frames = measure_speed(specs, [in_hd(subject) for subject in evaluation.subjects], rounds)
    return speed_table(crops, frames, rounds)


def write_sheets(
    specs: Sequence[MethodSpec], unseen: Shards, folder: Path, seed: int, faces: int = FACES
) -> list[Path]:
    """Writes contact sheets of all expressions; ablated methods are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        reader = opened.enter_context(PictureReader())
        methods = {spec.name: opened.enter_context(open_method(spec)) for spec in specs if not spec.without}
        sheets = [choose_sheet(expression, unseen, seed, reader, faces) for expression in EXPRESSIONS]
        return [path for sheet in sheets for path in write_sheet(sheet, methods, folder)]
