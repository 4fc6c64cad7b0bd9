"""`python -m train export`: writes a trained generator as ONNX."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import click

from engines import torch2trt
from reenact.cli.errors import Unusable, note, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.media.atomic import replacing
from train import card
from train.commands.fitting import output_argument
from train.export import LICENCE, PRECISIONS, Precision, load_run, write_model
from train.recipes import flat_options, open_recipe
from train.torch2trt_plan import build_plan

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=GroupedCommand, example="runs/mouth mouth.onnx")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@output_argument("OUT.onnx")
@option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="fp16-weights: half the size, computed in float32. fp16: computed in float16 as well.",
)
@option("--plan", is_flag=True, help="Also build it for this GPU and TensorRT 10, with torch2trt.")
@option("--newest", is_flag=True, help="Write the newest weights, not those of the best validation.")
@option(
    "--data-card",
    type=_FILE,
    metavar="FILE",
    help="The training data, for the model card: Markdown or JSON.",
    detail='JSON is [{"name": ..., "pictures": 1000, "what": ..., "licence": ...}, ...].',
)
@option(
    "--notes",
    type=_FILE,
    metavar="MD",
    help="The end of the model card: results and weaknesses, in Markdown.",
)
@option(
    "--hardware",
    default="hardware that was not recorded",
    metavar="TEXT",
    help="The hardware of the training, for the model card.",
)
@option("--licence", default=LICENCE, show_default=True, metavar="TEXT", help="The licence of the weights.")
def export(
    run: Path,
    output: Path,
    precision: Precision,
    plan: bool,
    newest: bool,
    data_card: Path | None,
    notes: Path | None,
    hardware: str,
    licence: str,
) -> None:
    """Write the generator that the folder RUN holds as OUT.onnx, for `reenact --model OUT.onnx`.

    OUT.safetensors with the same weights and OUT_MODEL_CARD.md are written beside it. The weights are the
    averaged ones of the best validation, unless --newest is given.
    """
    if plan and not (available := torch2trt.probe()).available:
        raise Unusable(f"--plan: {available.detail}")
    with unusable_input():
        trained, options = load_run(run, newest=newest)
        data = card.read_data_card(data_card) if data_card else "Not described."
        ending = notes.read_text(encoding="utf-8").strip() if notes else ""
        exported = write_model(trained, output, precision, licence)
    facts = card.Facts(
        info=exported.info,
        precision=precision,
        parameters=sum(parameter.numel() for parameter in trained.network.parameters()),
        files=exported.files,
        images=trained.images,
        exported=datetime.now(tz=timezone.utc).date(),
        data=data,
        hardware=hardware,
        notes=ending,
    )
    command = card.command_of(options, flat_options(open_recipe(options.preset, {}).options))
    text = card.model_card(facts, options, card.read_history(run / "stats.jsonl"), command)
    with replacing(output.with_name(f"{output.stem.upper()}_MODEL_CARD.md")) as beside:
        beside.write_text(text, encoding="utf-8")
    for name, size in exported.files.items():
        click.echo(f"{name}: {size / 1e6:.1f} MB")
    click.echo(f"differs from torch by at most {exported.difference:.1e} of an output's range")
    if plan:
        built = build_plan(trained, output.read_bytes())
        for line in built.notes:
            note(line)
        click.echo(f"plan: {len(built.plan.content) / 1e6:.1f} MB, which --engine tensorrt takes from now on")
