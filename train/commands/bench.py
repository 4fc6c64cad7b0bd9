"""`python -m train bench`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from reenact.cli.log_output import is_quiet
from reenact.cli.parameters import json_option, write_json
from train.benchmark import BenchmarkOptions, Throughput, measure
from train.options import PRESETS

DEFAULTS = BenchmarkOptions()
_PRESETS = [preset for preset in PRESETS if preset != "live"]


@click.command(
    epilog="""\b
    Examples:
      python -m train bench
      python -m train bench --size 128 --channels 64 --batch 16

    Both ways of training take turns in one run, so that whatever else the machine does slows both."""
)
@click.option("--preset", type=click.Choice(_PRESETS), default=DEFAULTS.preset, show_default=True)
@click.option("--size", default=DEFAULTS.size, show_default=True, help="Of the pictures, in pixels.")
@click.option(
    "--channels",
    type=click.IntRange(2),
    default=DEFAULTS.channels,
    show_default=True,
    help="Of each network's first layer.",
)
@click.option(
    "--batch", type=click.IntRange(1), default=DEFAULTS.batch, show_default=True, help="Pictures in a step."
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=DEFAULTS.rounds,
    show_default=True,
    help="Turns of each; the figures are medians.",
)
@click.option("--amp/--no-amp", default=DEFAULTS.amp, show_default=True, help="bfloat16 where that is safe.")
@click.option("--device", default=DEFAULTS.device, show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--threads", default=DEFAULTS.threads, show_default=True, help="On a CPU; 0: torch chooses.")
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
    """Measure how fast the paper's recipe trains here, against the same recipe written plainly.

    Plainly: a backward pass for the gradient penalty alone, float32, channels first.
    """
    options = BenchmarkOptions(preset, size, channels, batch, rounds, amp, device, threads)
    with Console(stderr=True, quiet=is_quiet()).status("starting") as status:
        throughput = measure(options, status.update)
    if str(json_path) != "-":
        show(options, throughput)
    write_json({"options": asdict(options), **asdict(throughput)}, json_path)


def show(options: BenchmarkOptions, throughput: Throughput) -> None:
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
