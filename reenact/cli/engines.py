"""`reenact engines`: lists the inference runtimes of this machine; builds, lists and removes models for
it."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engines import AUTO, NAMES, PRECISIONS, load_engine, probe, read_model, torch2trt
from engines.cache import CachedPlan, PlanCache
from engines.tensorrt import BUILDERS
from reenact.cli.engines_bench import bench
from reenact.cli.errors import Unusable, note, unusable_input
from reenact.cli.grouped import GroupedCommand, GroupedGroup, option
from reenact.cli.parameters import ENGINE, FILE, json_option, write_json

if TYPE_CHECKING:
    from rich.console import Console


@click.group(cls=GroupedGroup, no_args_is_help=False, example="list")
def engines() -> None:
    """The runtimes of the networks, and the models built for this machine.

    \b
    More examples:
      reenact engines build mouth.onnx
      reenact engines bench mouth.onnx
      reenact engines clear
    """


engines.add_command(bench)


@engines.command("list", cls=GroupedCommand, example="--json -")
@json_option
def list_(json_path: Path | None) -> None:
    """List the runtimes, with the reason where one is missing, and the models that are built."""
    cache = PlanCache()
    plans = cache.plans()
    runtimes = {name: probe(name) for name in NAMES}
    if str(json_path) != "-":
        from rich.console import Console

        console = Console(highlight=False)
        for name, availability in runtimes.items():
            kinds = f" in {' or '.join(PRECISIONS[name])}" if PRECISIONS[name] else ""
            where = f", computes on {availability.device}{kinds}" if availability.available else ""
            state = "available" if availability.available else "missing"
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


@engines.command(cls=GroupedCommand, example="mouth.onnx --engine tensorrt")
@click.argument("model", metavar="MODEL.onnx", type=FILE)
@option(
    "--engine",
    type=ENGINE,
    metavar="ENGINE",
    default=AUTO,
    show_default=True,
    help="The runtime to build for, with a precision if you like: tensorrt:fp16.",
)
@option(
    "--builder",
    type=click.Choice(BUILDERS[::-1]),
    default="onnx",
    show_default=True,
    help="The builder for TensorRT.",
)
@json_option
def build(model: Path, engine: str, builder: str, json_path: Path | None) -> None:
    """Build MODEL for this machine now, so that its first use need not wait.

    TensorRT takes about a minute, and the result is kept. OpenVINO takes a second, and larger models are
    kept. ONNX Runtime builds nothing.
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


@engines.command(cls=GroupedCommand, example="--json -")
@json_option
def clear(json_path: Path | None) -> None:
    """Remove all built models. They are built again when they are needed."""
    removed = PlanCache().clear()
    freed = sum(plan.size for plan in removed)
    if str(json_path) != "-":
        click.echo(f"removed {len(removed)} built models, {freed / 1e6:.1f} MB")
    write_json({"removed": len(removed), "bytes": freed}, json_path)


def refuse_torch2trt() -> None:
    """Raises Unusable, because torch2trt converts a torch module, which an ONNX file does not contain."""
    available = torch2trt.probe()
    advice = "torch2trt converts a trained network, not its ONNX: python -m train export RUN OUT.onnx --plan"
    raise Unusable(advice if available.available else available.detail)


def show(plans: tuple[CachedPlan, ...], cache: PlanCache, console: Console) -> None:
    """Prints a table of the built models."""
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
    """The age in words, in the largest unit of which at least one has passed: `3 h ago`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"


def to_json(plan: CachedPlan) -> dict[str, Any]:
    """A built model as an object for --json."""
    meta = None if plan.meta is None else asdict(plan.meta)
    return {"folder": str(plan.folder), "bytes": plan.size, "used": plan.used.isoformat(), "meta": meta}
