"""`python -m train compare`: how fast a network paints, against the paper's."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from reenact.cli.engines_bench import shipped_model
from reenact.cli.errors import unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.log_output import is_quiet
from reenact.cli.parameters import ENGINE, FILE, json_option, write_json
from train.inference import InferenceOptions, measure_inference


@click.command(cls=GroupedCommand, example="mouth.onnx")
@click.argument("model", metavar="[MODEL.onnx]", required=False, type=FILE)
@option(
    "--engine",
    type=ENGINE,
    metavar="ENGINE",
    default=InferenceOptions.engine,
    show_default=True,
    help="The runtime, with a precision if you like: openvino:fp32.",
)
@option(
    "--rounds",
    type=click.IntRange(1),
    default=InferenceOptions.rounds,
    show_default=True,
    metavar="COUNT",
    help="Faces for each network; the figures are medians.",
)
@json_option
def compare(model: Path | None, engine: str, rounds: int, json_path: Path | None) -> None:
    """Measure how fast MODEL, or the one that ships, paints a face, against the paper's generator in PyTorch.

    The paper's generator is as published: 57 M parameters, 128 px, float32 on the CPU. Both take turns.
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
