"""`reenact engines bench`: measures how fast and how exact each engine is on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engines import AUTO, Choice, parse_choice, read_model
from engines.engine_benchmark import (
    Bench,
    BenchOptions,
    Contest,
    EngineMeasurement,
    Refused,
    Tools,
    Workload,
    every_choice,
)
from reenact.cli.errors import Unusable, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.log_output import is_quiet
from reenact.cli.parameters import ENGINE, FILE, json_option, write_json
from reenact.pipeline.meter import rss_mb

if TYPE_CHECKING:
    from rich.console import Console

    from reenact.generate.network.contract import ModelInfo

BATCHES = 4
"""The number of batches of different faces on which engines are compared and timed."""
DEFAULTS = BenchOptions()


@click.command(cls=GroupedCommand, example="mouth.onnx --engine openvino:fp32")
@click.argument("model", metavar="[MODEL.onnx]", required=False, type=FILE)
@option(
    "--engine",
    "asked",
    type=ENGINE,
    metavar="ENGINE",
    multiple=True,
    show_default="all, in every precision",
    help="Measure only this engine; may be given several times.",
)
@option(
    "--faces",
    type=click.IntRange(1, 16),
    metavar="COUNT",
    default=1,
    show_default=True,
    help="Number of faces in one run of the network.",
)
@option(
    "--rounds",
    type=click.IntRange(1, 1000),
    metavar="COUNT",
    default=DEFAULTS.rounds,
    show_default=True,
    help="Number of rounds, in each of which every engine runs once.",
)
@json_option
def bench(
    model: Path | None, asked: tuple[str, ...], faces: int, rounds: int, json_path: Path | None
) -> None:
    """Measure how fast and how exactly each engine runs MODEL, or the model that ships.

    \b
    p50, p95    time of one run in ms, with copies to a GPU and back
    ceiling     GFLOP/s of large convolutions in this engine, in the same rounds
    x floor     time of the run, as a multiple of its work at the ceiling
    open, +MB   seconds and memory until the first output
    mean, max   difference to float32 in ONNX Runtime on the CPU, as a share of
                an output's range
    PSNR        of the resulting picture, against the same, in dB

    The exit code is 1 if an engine differs by more than its precision allows: fp32 by 0.0001; the others, and
    every engine with a float16 model, by 0.01 in the mean or 0.08 anywhere. Close other programs first.
    """
    from rich.console import Console

    from reenact.run.benchmark import this_machine

    path = model or shipped_model()
    workload, info = open_workload(path, faces)
    with Console(stderr=True, quiet=is_quiet()).status("starting") as status:
        tools = Tools(memory_mb=rss_mb, watch=status.update)
        result = Contest(workload, BenchOptions(rounds=rounds), tools)(engines_to_measure(asked))
    machine = this_machine()
    if str(json_path) != "-":
        console = Console(highlight=False)
        console.print(f"{machine['processor'] or machine['system']}, {machine['cores']} cores")
        console.print(f"{path.name}, {describe(workload, info, faces)}", soft_wrap=True)
        show(result, console)
    head = {"machine": machine, "model": str(path), "faces": faces, "rounds": rounds}
    work = None if workload.work is None else asdict(workload.work)
    write_json({**head, "work": work, "engines": to_json(result)}, json_path)
    if not all(each.passes for each in result.measured):
        raise click.exceptions.Exit(1)


def shipped_model() -> Path:
    """The path of the first model of the generator `live`. Raises Unusable if none ships."""
    from reenact.generate.generator import shipped_models

    models = shipped_models()
    if not models:
        raise Unusable("this release ships no model; name one: reenact engines bench MODEL.onnx")
    return models[0]


def open_workload(model: Path, faces: int) -> tuple[Workload, ModelInfo]:
    """The model with the inputs on which it is measured. faces: the number of faces of each input."""
    from engines.work import read_work
    from reenact.generate.network.contract import model_info
    from reenact.generate.network.example_inputs import RANGES, compose, example

    with unusable_input():
        info = model_info(model)
        content = read_model(model)
    batches = [example(info, faces, seed) for seed in range(BATCHES)]
    work = read_work(content, batches[0])
    return Workload(content, batches, RANGES[info.contract], compose, work), info


def describe(workload: Workload, info: ModelInfo, faces: int) -> str:
    """A workload in words: `live (mouth) at 128 px, 1 face a run, 0.15 GMAC`."""
    count = "1 face" if faces == 1 else f"{faces} faces"
    gmacs = "" if workload.work is None else f", {workload.work.macs / 1e9:.2f} GMAC"
    of = f" ({info.region})" if info.contract == "live" else ""
    return f"{info.contract}{of} at {info.crop.size} px, {count} a run{gmacs}"


def engines_to_measure(asked: tuple[str, ...]) -> list[Choice]:
    """The engines to measure: those that --engine names, or all."""
    choices = [parse_choice(text) for text in asked]
    if not choices or Choice(AUTO) in choices:
        return every_choice()
    found = [
        each for choice in choices for each in ([choice] if choice.precision else every_choice([choice.name]))
    ]
    return list(dict.fromkeys(found))


def show(result: Bench, console: Console) -> None:
    """Prints a table of 80 columns, and a line for each remark."""
    from rich.table import Table

    table = Table("engine", box=None, padding=(0, 1, 0, 0))
    for column in ("p50", "p95", "ceiling", "x floor", "open", "+MB", "mean", "max", "PSNR"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in result.measured:
        speed, parity = each.speed, each.parity
        table.add_row(
            str(each.choice),
            f"{speed.p50_ms:.2f}",
            f"{speed.p95_ms:.2f}",
            f"{speed.ceiling_gflops:.0f}",
            "" if speed.times_floor is None else f"{speed.times_floor:.2f}",
            f"{each.open_s:.2f}",
            "" if each.growth_mb is None else f"{each.growth_mb:.0f}",
            f"{parity.mean:.1g}",
            f"{parity.most:.1g}",
            "same" if parity.psnr_db is None else f"{parity.psnr_db:.1f}",
        )
    if result.measured:
        console.print(table)
    for choice, line in remarks(result):
        console.print(f"{choice}: {line}", soft_wrap=True, markup=False)


def remarks(result: Bench) -> Iterator[tuple[Choice, str]]:
    """The engines' notes, failed comparisons and reasons for a missing result, one line each."""
    for each in result.measured:
        for line in each.notes:
            yield each.choice, line
        if not each.passes:
            parity, gate = each.parity, each.gate
            yield (
                each.choice,
                f"differs too much: by {parity.mean:.2g} in the mean, where {gate.mean:g} is allowed, "
                f"and by {parity.most:.2g} at most, where {gate.most:g} is allowed",
            )
    for refused in result.refused:
        yield refused.choice, refused.reason


def to_json(result: Bench) -> list[dict[str, Any]]:
    """An object for each engine; those that could not be measured come last."""
    return [*map(_to_json, result.measured), *map(_to_json, result.refused)]


def _to_json(each: EngineMeasurement | Refused) -> dict[str, Any]:
    figures = (
        {"refused": each.reason} if isinstance(each, Refused) else {**asdict(each), "passes": each.passes}
    )
    figures.pop("choice", None)
    return {**asdict(each.choice), **figures}
