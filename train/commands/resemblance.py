"""`python -m train resemblance`."""

from __future__ import annotations

from pathlib import Path

import click

from reenact.cli.errors import unusable_input
from train.data.shards import open_shards
from train.evaluate.resemblance import (
    ResemblanceOptions,
    fit_resemblance,
    resemblance_tables,
    save_resemblance,
)
from train.evaluate.tables import write_tables


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="SHARDS",
    help="What `prepare` made; people with several pictures are needed.",
)
@click.option("--seed", default=ResemblanceOptions.seed, show_default=True)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the figures go, as report.md and tables.",
)
@click.argument("output", metavar="OUT.npz", type=click.Path(path_type=Path, dir_okay=False))
def resemblance(data: Path, seed: int, report: Path | None, output: Path) -> None:
    """Fit how alike two faces are, which picks a face by a picture; and measure it on people held out.

    reenact/recognise/resemblance.npz was made by it.
    """
    if not output.parent.is_dir():
        raise click.BadParameter(f"{output.parent} is not a folder; make it first", param_hint="OUT.npz")
    options = ResemblanceOptions(seed=seed)
    with unusable_input():
        training, unseen = (open_shards(data, held_out=held_out) for held_out in (False, True))
    fitted = fit_resemblance(training, options)
    save_resemblance(fitted, output)
    tables = resemblance_tables(fitted, unseen, options)
    for table in tables:
        click.echo(table.to_markdown())
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
        write_tables(tables, report, "# How often a face is picked wrongly\n")
    click.echo(f"{output}: {output.stat().st_size / 1000:.0f} kB")
