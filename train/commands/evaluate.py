"""`python -m train evaluate`: evaluates generators on people held out of training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from reenact.cli.errors import say, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FILE, FOLDER, out_option
from reenact.media.read import open_capture
from train.commands.fitting import data_option, processes_option
from train.data.shards import open_shards
from train.data.workers import Workers, map_chunks
from train.evaluate.evaluation import EvaluationOptions, MethodResult, evaluate_method, prepare_evaluation
from train.evaluate.evaluation_report import result_tables, time_methods, write_sheets
from train.evaluate.methods import MethodSpec, method_specs, open_method
from train.evaluate.own_mouth import own_mouth_tables
from train.evaluate.result_table import ResultTable, write_tables
from train.evaluate.sheets import FACES

DEFAULTS = EvaluationOptions()


@click.command(
    cls=GroupedCommand,
    example="--data shards/ --out report/ --live mouth.onnx",
    first=("data", "out", "live", "paper", "clips", "faces"),
    epilog="""\b
    More examples:
      python -m train evaluate --data shards/ --out report/ --clip talk.mp4

    The report is report.md (and .json, and a CSV of each table); the sheets are sheets/*.png.""",
)
@data_option("Input and output")
@out_option("the report and the sheets", group="Input and output")
@option(
    "--live", group="Generators", type=FILE, metavar="ONNX", help="The network of a region, mouth or eyes."
)
@option("--paper", group="Generators", type=FILE, metavar="ONNX", help="The paper's generator.")
@option(
    "--paper-film",
    group="Generators",
    type=FILE,
    metavar="ONNX",
    help="The paper's generator with its conditioning repaired.",
)
@option("--ganimation", group="Generators", type=FILE, metavar="ONNX", help="GANimation's generator.")
@option(
    "--clip", "clips", group="Input and output", type=FILE, multiple=True, metavar="FILE",
    help="A film of one person, for flicker and pairs of frames; may be given several times.",
)  # fmt: skip
@option(
    "--faces",
    group="Size of the test",
    metavar="COUNT",
    default=DEFAULTS.faces,
    show_default=True,
    type=click.IntRange(2),
    help="Number of faces in the evaluation.",
)
@option(
    "--sheet-faces",
    group="Size of the test",
    metavar="COUNT",
    default=FACES,
    show_default=True,
    type=click.IntRange(0),
    help="Number of faces on the contact sheets; 0: no sheets.",
)
@option(
    "--seed",
    group="Size of the test",
    metavar="NUMBER",
    default=DEFAULTS.seed,
    show_default=True,
    help="Seed of the choice of faces.",
)
@option(
    "--parts/--no-parts",
    group="Generators",
    default=True,
    show_default=True,
    help="Also evaluate live without each of its parts.",
)
@option(
    "--cache",
    group="Input and output",
    type=FOLDER,
    metavar="DIR",
    show_default="OUT/cache",
    help="The folder in which fitted estimators are kept for the next run.",
)
@processes_option("Number of generators that are evaluated at once.", group="Size of the test")
def evaluate(
    data: Path,
    out: Path,
    live: Path | None,
    paper: Path | None,
    paper_film: Path | None,
    ganimation: Path | None,
    clips: tuple[Path, ...],
    faces: int,
    sheet_faces: int,
    seed: int,
    parts: bool,
    cache: Path | None,
    processes: int,
) -> None:
    """Evaluate generators on people held out of training, next to copying and to warping alone.

    The report is written again whenever a generator is done, so that an interrupted run leaves a report.
    """
    specs = method_specs(live, paper, paper_film, ganimation, parts=parts)
    with unusable_input():
        training, unseen = open_shards(data, held_out=False), open_shards(data, held_out=True)
        _open_all(specs, clips)
        out.mkdir(parents=True, exist_ok=True)
    options = EvaluationOptions(faces=faces, seed=seed)
    if sheet_faces:
        pages = write_sheets(specs, unseen, out / "sheets", seed, sheet_faces)
        say(f"{len(pages)} contact sheets in {out / 'sheets'}")
    evaluation = prepare_evaluation(training, unseen, clips, cache or out / "cache", options)
    heading = f"# Evaluation\n\nOn people held out of training: {len(unseen)} pictures in {data.name}.\n"
    results: dict[str, MethodResult] = {}
    tables: list[ResultTable] = []
    for result in map_chunks(partial(evaluate_method, evaluation=evaluation), specs, Workers(processes)):
        say(f"{result.name}: done")
        results[result.name] = result
        tables = result_tables([results[spec.name] for spec in specs if spec.name in results], evaluation)
        write_tables(tables, out, heading)
    tables += own_mouth_tables(clips)
    write_tables([*tables, time_methods(specs, evaluation, options)], out, heading)
    say(f"report in {out / 'report.md'}")


def _open_all(specs: Sequence[MethodSpec], clips: Sequence[Path]) -> None:
    """Raises now what would be raised after minutes of work."""
    for spec in specs:
        with open_method(spec):
            pass
    for clip in clips:
        with open_capture(clip):
            pass
