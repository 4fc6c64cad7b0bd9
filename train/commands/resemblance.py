"""`python -m train resemblance`: fits how a face is recognised by a picture."""

from __future__ import annotations

from pathlib import Path

import click

from reenact.cli.errors import unusable_input
from reenact.cli.grouped import GroupedCommand
from train.commands.fitting import fitting_options, output_argument, show_tables
from train.data.shards import open_shards
from train.evaluate.resemblance_fit import (
    ResemblanceOptions,
    fit_resemblance,
    resemblance_tables,
    save_resemblance,
)


@click.command(cls=GroupedCommand, example="--data shards/ resemblance.npz")
@fitting_options(ResemblanceOptions.seed)
@output_argument("OUT.npz")
def resemblance(data: Path, seed: int, report: Path | None, output: Path) -> None:
    """Fit how alike two faces are, by which a person is recognised; measure the errors on people held out.

    People with several pictures are needed. reenact/recognise/resemblance.npz was made by this command.
    """
    options = ResemblanceOptions(seed=seed)
    with unusable_input():
        training, unseen = (open_shards(data, held_out=held_out) for held_out in (False, True))
    fitted = fit_resemblance(training, options)
    save_resemblance(fitted, output)
    tables = resemblance_tables(fitted, unseen, options)
    show_tables(tables, report, "# How often a face is picked wrongly\n")
    click.echo(f"{output}: {output.stat().st_size / 1000:.0f} kB")
