"""`python -m train evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from reenact.cli.errors import say, unusable_input
from reenact.cli.parameters import FILE
from reenact.media.read import open_capture
from train.data.shards import open_shards
from train.data.workers import Workers, map_chunks
from train.evaluate.exam import ExamOptions, MethodResult, set_exam, sit_exam
from train.evaluate.methods import MethodSpec, method_specs, open_method
from train.evaluate.own_mouth import own_mouth_tables
from train.evaluate.report import result_tables, time_methods, write_sheets
from train.evaluate.sheets import FACES
from train.evaluate.tables import Table, write_tables

DEFAULTS = ExamOptions()


@click.command(
    epilog="""\b
    Examples:
      python -m train evaluate --data shards/ --out report/ --live mouth.onnx
      python -m train evaluate --data shards/ --out report/ --paper paper.onnx --clip talk.mp4

    The report is report.md (and .json, and a CSV of each table); the sheets are sheets/*.png."""
)
@click.option("--data", type=FILE, required=True, metavar="SHARDS", help="What `prepare` made.")
@click.option("--out", type=FILE, required=True, metavar="DIR", help="Where tables and sheets go.")
@click.option("--live", type=FILE, metavar="ONNX", help="A region's network.")
@click.option("--paper", type=FILE, metavar="ONNX", help="The paper's generator.")
@click.option("--paper-film", type=FILE, metavar="ONNX", help="The same with its conditioning repaired.")
@click.option("--ganimation", type=FILE, metavar="ONNX", help="GANimation's generator.")
@click.option(
    "--clip", "clips", type=FILE, multiple=True, metavar="FILE",
    help="A film of one person, for flicker and for pairs of frames; may be given several times.",
)  # fmt: skip
@click.option("--faces", default=DEFAULTS.faces, show_default=True, type=click.IntRange(2), help="Judged on.")
@click.option("--sheet-faces", default=FACES, show_default=True, type=click.IntRange(0), help="0: no sheets.")
@click.option("--seed", default=DEFAULTS.seed, show_default=True, help="Chooses the faces.")
@click.option(
    "--parts/--no-parts", default=True, show_default=True, help="Live once more without each of its parts."
)
@click.option(
    "--cache", type=FILE, metavar="DIR", help="Fitted judges, for the next time.  [default: OUT/cache]"
)
@click.option(
    "--processes",
    default=Workers().processes,
    show_default="one for each core",
    type=click.IntRange(1),
    help="Methods at once.",
)
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
    """Judge generators on people whom no training has seen, beside copying and warping alone.

    The report is written anew whenever a method is done: a run that is broken off leaves what it knows.
    """
    specs = method_specs(live, paper, paper_film, ganimation, parts=parts)
    with unusable_input():
        training, unseen = open_shards(data, held_out=False), open_shards(data, held_out=True)
        _open_all(specs, clips)
        out.mkdir(parents=True, exist_ok=True)
    options = ExamOptions(faces=faces, seed=seed)
    if sheet_faces:
        pages = write_sheets(specs, unseen, out / "sheets", seed, sheet_faces)
        say(f"{len(pages)} contact sheets in {out / 'sheets'}")
    exam = set_exam(training, unseen, clips, cache or out / "cache", options)
    heading = f"# Evaluation\n\nOn people held out of training: {len(unseen)} pictures in {data.name}.\n"
    results: dict[str, MethodResult] = {}
    tables: list[Table] = []
    for result in map_chunks(partial(sit_exam, exam=exam), specs, Workers(processes)):
        say(f"{result.name}: done")
        results[result.name] = result
        tables = result_tables([results[spec.name] for spec in specs if spec.name in results], exam)
        write_tables(tables, out, heading)
    tables += own_mouth_tables(clips)
    write_tables([*tables, time_methods(specs, exam, options)], out, heading)
    say(f"report in {out / 'report.md'}")


def _open_all(specs: Sequence[MethodSpec], clips: Sequence[Path]) -> None:
    """Raises now what would be raised after minutes of work."""
    for spec in specs:
        with open_method(spec):
            pass
    for clip in clips:
        with open_capture(clip):
            pass
