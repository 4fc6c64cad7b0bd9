"""`reenact engines`: the inference runtimes of this machine, and the models that were built for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engines import (
    AUTO,
    NAMES,
    PRECISIONS,
    Choice,
    load_engine,
    parse_choice,
    probe,
    read_model,
    torch2trt,
)
from engines.bench import Bench, BenchOptions, Contest, Measured, Refused, Tools, Workload, every_choice
from engines.cache import CachedPlan, PlanCache
from engines.tensorrt import BUILDERS
from reenact.cli.errors import Unusable, note, unusable_input
from reenact.cli.parameters import FILE, EngineParameter, json_option, write_json
from reenact.meter import rss_mb

if TYPE_CHECKING:
    from rich.console import Console

    from reenact.generate.contract import ModelInfo

BATCHES = 4
"""Of different faces, by which engines are compared and on which they are timed."""
DEFAULTS = BenchOptions()


@click.group(no_args_is_help=False)
def engines() -> None:
    """The runtimes that run the networks, and the models built for this machine.

    \b
    Examples:
      reenact engines list
      reenact engines build live.onnx
      reenact engines bench live.onnx
      reenact engines clear
    """


@engines.command("list")
@json_option
def list_(json_path: Path | None) -> None:
    """Say which runtimes are here, or why not, and which models are built."""
    cache = PlanCache()
    plans = cache.plans()
    runtimes = {name: probe(name) for name in NAMES}
    if str(json_path) != "-":
        from rich.console import Console

        console = Console(highlight=False)
        for name, availability in runtimes.items():
            kinds = f" in {' or '.join(PRECISIONS[name])}" if PRECISIONS[name] else ""
            where = f", computes on {availability.device}{kinds}" if availability.available else ""
            state = "available" if availability.available else "not here"
            console.print(f"{name:19}{state:12}{availability.detail}{where}", soft_wrap=True, markup=False)
        show(plans, cache, console)
    write_json(
        {
            "engines": [
                {"name": name, **asdict(availability), "precisions": PRECISIONS[name]}
                for name, availability in runtimes.items()
            ],
            "folder": str(cache.folder),
            "plans": [to_json(plan) for plan in plans],
        },
        json_path,
    )


@engines.command()
@click.argument("model", metavar="MODEL.onnx", type=FILE)
@click.option("--engine", type=EngineParameter(), default=AUTO, show_default=True)
@click.option("--builder", type=click.Choice(BUILDERS[::-1]), default="onnx", show_default=True)
@json_option
def build(model: Path, engine: str, builder: str, json_path: Path | None) -> None:
    """Build MODEL for the engine that would run it here, so that nobody waits for that later.

    TensorRT builds for a minute and keeps the result; the other engines start at once and keep nothing.
    """
    with unusable_input():
        read_model(model)
    if builder == "torch2trt":
        refuse_torch2trt()
    start = time.monotonic()
    with load_engine(model, engine) as opened:
        seconds = time.monotonic() - start
        for line in opened.notes:
            note(line)
    if str(json_path) != "-":
        click.echo(f"{model.name} is ready: {opened.name}, opened in {seconds:.1f} s")
    write_json({"engine": opened.name, "seconds": seconds, "notes": opened.notes}, json_path)


@engines.command()
@click.argument("model", metavar="[MODEL.onnx]", required=False, type=FILE)
@click.option(
    "--engine",
    "asked",
    type=EngineParameter(),
    multiple=True,
    help="Only this one; can be given several times.  [default: all, in every precision]",
)
@click.option("--faces", type=click.IntRange(1, 16), default=1, show_default=True, help="In one run.")
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=DEFAULTS.rounds,
    show_default=True,
    help="In each, all engines take turns.",
)
@json_option
def bench(
    model: Path | None, asked: tuple[str, ...], faces: int, rounds: int, json_path: Path | None
) -> None:
    """Measure how fast and how exact each engine runs MODEL here, or the model that ships.

    \b
    p50, p95    ms of one run, with the way to a GPU and back
    ceiling     what large convolutions reach in this engine, GFLOP/s; side by side, in the same turns
    x floor     the run's time over that of as many operations at the ceiling
    open, +MB   until the first outputs: seconds (TensorRT builds, the first time), and memory
    mean, max   difference to float32 in ONNX Runtime on the CPU, as a share of an output's range
    PSNR        of the picture that comes out, against the same, in dB

    The exit code is 1 if an engine differs by more than its precision allows: fp32 by 0.0001; the others, and
    all with a model of halves, by 0.01 in the mean or 0.08 anywhere. Close other programs first.
    """
    from rich.console import Console

    from reenact.benchmark import this_machine

    path = model or shipped_model()
    workload, info = open_workload(path, faces)
    with Console(stderr=True).status("starting") as status:
        tools = Tools(memory_mb=rss_mb, watch=status.update)
        result = Contest(workload, BenchOptions(rounds=rounds), tools)(chosen(asked))
    machine = this_machine()
    if str(json_path) != "-":
        console = Console(highlight=False)
        console.print(f"{machine['processor'] or machine['system']}, {machine['cores']} cores")
        gmacs = "" if workload.work is None else f", {workload.work.macs / 1e9:.2f} GMAC"
        console.print(
            f"{path.name} ({info.contract}, {info.crop.size} px), {count(faces, 'face')} a run{gmacs}"
        )
        show_bench(result, console)
    head = {"machine": machine, "model": str(path), "faces": faces, "rounds": rounds}
    work = None if workload.work is None else asdict(workload.work)
    write_json({**head, "work": work, "engines": bench_to_json(result)}, json_path)
    if not all(each.passes for each in result.measured):
        raise click.exceptions.Exit(1)


@engines.command()
@json_option
def clear(json_path: Path | None) -> None:
    """Remove all built models; they are built again when they are needed."""
    removed = PlanCache().clear()
    freed = sum(plan.size for plan in removed)
    if str(json_path) != "-":
        click.echo(f"removed {len(removed)} built models, {freed / 1e6:.1f} MB")
    write_json({"removed": len(removed), "bytes": freed}, json_path)


def refuse_torch2trt() -> None:
    """It converts the torch module that an ONNX file was made from, and the file does not hold it."""
    available = torch2trt.probe()
    advice = "torch2trt converts a trained network, not its ONNX: python -m train export RUN OUT.onnx --plan"
    raise Unusable(advice if available.available else available.detail)


def shipped_model() -> Path:
    """The model of the `live` generator."""
    from reenact.generate.generator import LIVE_MODEL

    if not LIVE_MODEL.exists():
        raise Unusable("this release ships no model; name one: reenact engines bench MODEL.onnx")
    return LIVE_MODEL


def open_workload(model: Path, faces: int) -> tuple[Workload, ModelInfo]:
    """The model with what it is measured on."""
    from engines.work import read_work
    from reenact.generate.contract import model_info
    from reenact.generate.example import RANGES, compose, example

    with unusable_input():
        info = model_info(model)
        content = read_model(model)
    batches = [example(info, faces, seed) for seed in range(BATCHES)]
    work = read_work(content, batches[0])
    return Workload(content, batches, RANGES[info.contract], compose, work), info


def chosen(asked: tuple[str, ...]) -> list[Choice]:
    """What to measure: what was asked for, or everything."""
    choices = [parse_choice(text) for text in asked]
    if not choices or Choice(AUTO) in choices:
        return every_choice()
    found = [
        each for choice in choices for each in ([choice] if choice.precision else every_choice([choice.name]))
    ]
    return list(dict.fromkeys(found))


def show_bench(result: Bench, console: Console) -> None:
    """A table of 80 columns, and a line for all that must be said in words."""
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
    for each in result.measured:
        for line in each.notes:
            yield each.choice, line
        if not each.passes:
            parity, gate = each.parity, each.gate
            yield (
                each.choice,
                f"differs too much: by {parity.mean:.2g} in the mean, which may be {gate.mean:g}, "
                f"and by {parity.most:.2g} at most, which may be {gate.most:g}",
            )
    for refused in result.refused:
        yield refused.choice, refused.reason


def bench_to_json(result: Bench) -> list[dict[str, Any]]:
    """One object for each engine, the refused ones last."""
    return [*map(_to_json, result.measured), *map(_to_json, result.refused)]


def _to_json(each: Measured | Refused) -> dict[str, Any]:
    figures = (
        {"refused": each.reason} if isinstance(each, Refused) else {**asdict(each), "passes": each.passes}
    )
    figures.pop("choice", None)
    return {**asdict(each.choice), **figures}


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def show(plans: tuple[CachedPlan, ...], cache: PlanCache, console: Console) -> None:
    if not plans:
        console.print(f"no models are built in {cache.folder}", soft_wrap=True)
        return
    from rich import box
    from rich.table import Table

    console.print(
        f"{sum(plan.size for plan in plans) / 1e6:.1f} MB of built models in {cache.folder}", soft_wrap=True
    )
    table = Table("model", "precision", "for", "by", box=box.SIMPLE)
    for column in ("MB", "used"):
        table.add_column(column, justify="right")
    now = datetime.now(timezone.utc)
    for plan in plans:
        if plan.meta is None:
            cells = [plan.folder.name[:12], "", "damaged, will be built again", ""]
        else:
            key = plan.meta.key
            name = f"{plan.meta.model} {key.model_sha256[:8]}"
            cells = [name, plan.meta.computes, f"{key.runtime} on {key.device}", key.builder]
        table.add_row(*cells, f"{plan.size / 1e6:.1f}", age((now - plan.used).total_seconds()))
    console.print(table)


def age(seconds: float) -> str:
    """For people, in the largest unit that is full: `3 h ago`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"


def to_json(plan: CachedPlan) -> dict[str, Any]:
    meta = None if plan.meta is None else asdict(plan.meta)
    return {"folder": str(plan.folder), "bytes": plan.size, "used": plan.used.isoformat(), "meta": meta}
