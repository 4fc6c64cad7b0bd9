"""`python -m train compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from reenact.cli.engines_bench import shipped_model
from reenact.cli.errors import unusable_input
from reenact.cli.log_output import is_quiet
from reenact.cli.parameters import ENGINE, FILE, json_option, write_json
from train.inference import InferenceOptions, measure_inference


@click.command()
@click.argument("model", metavar="[MODEL.onnx]", required=False, type=FILE)
@click.option("--engine", type=ENGINE, default=InferenceOptions.engine, show_default=True)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=InferenceOptions.rounds,
    show_default=True,
    help="Faces for each; the figures are medians.",
)
@json_option
def compare(model: Path | None, engine: str, rounds: int, json_path: Path | None) -> None:
    """Measure how fast MODEL, or the one that ships, paints a face, against the paper's generator in PyTorch.

    The paper's as published, 57 M parameters at 128 px, in float32 on the CPU. Both take turns in one run.
    """
    with Console(stderr=True, quiet=is_quiet()).status("taking turns"), unusable_input():
        found = measure_inference(InferenceOptions(model or shipped_model(), engine, rounds))
    if str(json_path) != "-":
        click.echo(f"{found.model_ms:8.1f} ms at {found.size} px, {found.engine}")
        click.echo(f"{found.paper_ms:8.1f} ms a face at 128 px, the paper's generator in PyTorch")
        click.echo(
            f"{found.ratio:8.1f} times as fast in the same round "
            f"({found.least_ratio:.1f} to {found.most_ratio:.1f})"
        )
    write_json(asdict(found), json_path)
