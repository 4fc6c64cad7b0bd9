"""`python -m train creases`."""

from __future__ import annotations

from pathlib import Path

import click

from reenact.cli.errors import unusable_input
from train.data.creases import fit_creases, save_creases, to_paint
from train.data.shards import open_shards


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="SHARDS",
    help="What `prepare` made.",
)
@click.argument("output", metavar="OUT.npz", type=click.Path(path_type=Path, dir_okay=False))
def creases(data: Path, output: Path) -> None:
    """Fit the folds that action units make to labelled faces, those of people held out left out.

    reenact/generate/creases.npz was made by it.
    """
    if not output.parent.is_dir():
        raise click.BadParameter(f"{output.parent} is not a folder; make it first", param_hint="OUT.npz")
    with unusable_input():
        samples = open_shards(data, held_out=False)
    save_creases(to_paint(fit_creases(samples)), output)
    click.echo(f"{output}: {output.stat().st_size / 1000:.0f} kB")
