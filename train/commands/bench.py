"""`python -m train bench`: how fast this machine trains."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.log_output import is_quiet
from reenact.cli.parameters import json_option, write_json
from train.training_benchmark import Throughput, TrainingBenchmarkOptions, measure
from train.training_options import PRESETS

DEFAULTS = TrainingBenchmarkOptions()
_PRESETS = [preset for preset in PRESETS if preset != "live"]


@click.command(
    cls=GroupedCommand,
    example="--size 128 --batch 16",
    epilog="""\b
    More examples:
      python -m train bench --size 128 --channels 64 --batch 16

    Both ways of training take turns in one run, so that whatever else the machine does slows both.""",
)
@option(
    "--preset",
    type=click.Choice(_PRESETS),
    default=DEFAULTS.preset,
    show_default=True,
    help="The recipe to time.",
)
@option(
    "--size", default=DEFAULTS.size, show_default=True, metavar="PX", help="Side of the pictures, in pixels."
)
@option(
    "--channels",
    type=click.IntRange(2),
    default=DEFAULTS.channels,
    show_default=True,
    metavar="COUNT",
    help="Channels of each network's first layer.",
)
@option(
    "--batch",
    type=click.IntRange(1),
    default=DEFAULTS.batch,
    show_default=True,
    metavar="COUNT",
    help="Pictures in one step.",
)
@option(
    "--rounds",
    type=click.IntRange(1),
    default=DEFAULTS.rounds,
    show_default=True,
    metavar="COUNT",
    help="Rounds, in which both ways take turns; the figures are medians.",
)
@option(
    "--amp/--no-amp", default=DEFAULTS.amp, show_default=True, help="Compute in bfloat16 where that is safe."
)
@option(
    "--device",
    default=DEFAULTS.device,
    show_default=True,
    metavar="NAME",
    help="Where to compute: auto, cpu, cuda, cuda:1, mps.",
)
@option(
    "--threads",
    default=DEFAULTS.threads,
    show_default=True,
    metavar="COUNT",
    help="Threads on a CPU; 0: torch chooses.",
)
@json_option
def bench(
    preset: str,
    size: int,
    channels: int,
    batch: int,
    rounds: int,
    amp: bool,
    device: str,
    threads: int,
    json_path: Path | None,
) -> None:
    """Measure how fast the paper's recipe trains here, against the same recipe in its plain form.

    The plain form has a backward pass for the gradient penalty alone, float32, and channels first.
    """
    options = TrainingBenchmarkOptions(preset, size, channels, batch, rounds, amp, device, threads)
    with Console(stderr=True, quiet=is_quiet()).status("starting") as status:
        throughput = measure(options, status.update)
    if str(json_path) != "-":
        show(options, throughput)
    write_json({"options": asdict(options), **asdict(throughput)}, json_path)


def show(options: TrainingBenchmarkOptions, throughput: Throughput) -> None:
    """Four lines."""
    click.echo(
        f"{options.preset}, {options.size} px, {options.channels} channels, batch {options.batch}: "
        f"medians of {options.rounds} rounds"
    )
    precision = "bfloat16" if options.amp else "float32"
    click.echo(f"{throughput.images_per_s:8.1f} images/s as the loop trains, in {precision}")
    click.echo(f"{throughput.plain_images_per_s:8.1f} images/s written plainly")
    click.echo(
        f"{throughput.ratio:8.2f} times as fast in the same round "
        f"({throughput.least_ratio:.2f} to {throughput.most_ratio:.2f})"
    )
