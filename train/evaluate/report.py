"""From results to tables and sheets in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from train.data.shards import Shards
from train.evaluate.comparison import Compared
from train.evaluate.exam import Exam, ExamOptions, MethodResult
from train.evaluate.expressions import EXPRESSIONS
from train.evaluate.flicker import flicker_tables
from train.evaluate.identity import identity_table
from train.evaluate.methods import MethodSpec, open_method
from train.evaluate.obedience import obedience_tables
from train.evaluate.pairs import pair_tables
from train.evaluate.presets import presets_table
from train.evaluate.reading import Reader
from train.evaluate.realism import realism_table
from train.evaluate.restoration import restoration_table
from train.evaluate.sheets import FACES, choose_sheet, write_sheet
from train.evaluate.speed import in_hd, measure_speed, speed_table
from train.evaluate.tables import Table
from train.evaluate.unchanged import unchanged_table

Part = TypeVar("Part")


def result_tables(results: Sequence[MethodResult], exam: Exam) -> list[Table]:
    """All tables but that of speed, methods in the order of `results`."""

    def of(part: Callable[[MethodResult], Part]) -> dict[str, Part]:
        return {result.name: part(result) for result in results}

    pairs: dict[str, Compared] = of(lambda result: result.pairs)
    return [
        *obedience_tables(of(lambda result: result.obedience), len(exam.subjects), exam.judge.held_out),
        unchanged_table(of(lambda result: result.unchanged)),
        *(pair_tables(pairs, exam.pairs) if exam.pairs else []),
        *([presets_table(of(lambda result: result.presets), exam.posed)] if exam.posed else []),
        restoration_table(of(lambda result: result.restoration)),
        identity_table(of(lambda result: result.identity), exam.identity),
        realism_table(of(lambda result: result.realism), exam.gallery),
        *flicker_tables(of(lambda result: result.flicker), of(lambda result: result.onset)),
    ]


def time_methods(specs: Sequence[MethodSpec], exam: Exam, options: ExamOptions) -> Table:
    rounds = options.rounds
    crops = measure_speed(specs, exam.subjects, rounds)
    frames = measure_speed(specs, [in_hd(subject) for subject in exam.subjects], rounds)
    return speed_table(crops, frames, rounds)


def write_sheets(
    specs: Sequence[MethodSpec], unseen: Shards, folder: Path, seed: int, faces: int = FACES
) -> list[Path]:
    """Contact sheets of all expressions; methods that lack a part of themselves are not shown."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        reader = opened.enter_context(Reader())
        methods = {spec.name: opened.enter_context(open_method(spec)) for spec in specs if not spec.without}
        sheets = [choose_sheet(expression, unseen, seed, reader, faces) for expression in EXPRESSIONS]
        return [path for sheet in sheets for path in write_sheet(sheet, methods, folder)]
