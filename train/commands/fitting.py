"""The parameters of commands that fit something and write it to one file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engines.threads import core_count
from reenact.cli.grouped import GENERAL, CommandT, in_order, option
from reenact.cli.parameters import FOLDER

if TYPE_CHECKING:
    from train.evaluate.result_table import ResultTable


def output_argument(metavar: str) -> Callable[[CommandT], CommandT]:
    """The argument `output`, a file to write; it is refused at once if its folder does not exist."""

    def check(ctx: click.Context, param: click.Parameter, path: Path) -> Path:
        if not path.parent.is_dir():
            raise click.BadParameter(f"{path.parent} is not a folder; make it first", param_hint=metavar)
        return path

    kind = click.Path(path_type=Path, dir_okay=False)
    return click.argument("output", metavar=metavar, type=kind, callback=check)


def data_option(group: str = GENERAL) -> Callable[[CommandT], CommandT]:
    """--data, the shards that a command reads, under this heading."""
    return option(
        "--data",
        group=group,
        type=FOLDER,
        required=True,
        metavar="SHARDS",
        help="The shards that `python -m train prepare` has made.",
    )


def processes_option(help: str, *, group: str = GENERAL) -> Callable[[CommandT], CommandT]:
    """--processes, one for each core by default. help: what their number is of."""
    return option(
        "--processes",
        group=group,
        type=click.IntRange(1),
        metavar="COUNT",
        default=core_count(),
        show_default="one for each core",
        help=help,
    )


def fitting_options(seed: int) -> Callable[[CommandT], CommandT]:
    """--data, --seed (by default `seed`) and --report, of what is fitted to shards and measured."""
    return in_order(
        data_option(),
        option("--seed", default=seed, show_default=True, metavar="NUMBER", help="Seed of all randomness."),
        option(
            "--report",
            type=FOLDER,
            metavar="DIR",
            help="Also write the figures to this folder, as report.md and tables.",
        ),
    )


def show_tables(tables: Sequence[ResultTable], folder: Path | None, heading: str) -> None:
    """Prints the tables, and writes them into the folder, which is made, if there is one."""
    from train.evaluate.result_table import write_tables

    for table in tables:
        click.echo(table.to_markdown())
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_tables(tables, folder, heading)
