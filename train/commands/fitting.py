"""The parameters of commands that fit something and write it to one file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from reenact.cli.grouped import CommandT, in_order, option
from train.evaluate.result_table import ResultTable, write_tables


def output_argument(metavar: str) -> Callable[[CommandT], CommandT]:
    """The argument `output`, a file to write; it is refused at once if its folder does not exist."""

    def check(ctx: click.Context, param: click.Parameter, path: Path) -> Path:
        if not path.parent.is_dir():
            raise click.BadParameter(f"{path.parent} is not a folder; make it first", param_hint=metavar)
        return path

    kind = click.Path(path_type=Path, dir_okay=False)
    return click.argument("output", metavar=metavar, type=kind, callback=check)


def fitting_options(seed: int) -> Callable[[CommandT], CommandT]:
    """--data, --seed (by default `seed`) and --report, of what is fitted to shards and measured."""
    return in_order(
        option(
            "--data",
            required=True,
            type=click.Path(path_type=Path, file_okay=False),
            metavar="SHARDS",
            help="The shards that `prepare` has made.",
        ),
        option("--seed", default=seed, show_default=True, metavar="NUMBER", help="Seed of all randomness."),
        option(
            "--report",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Also write the figures to this folder, as report.md and tables.",
        ),
    )


def show_tables(tables: Sequence[ResultTable], folder: Path | None, heading: str) -> None:
    """Prints the tables, and writes them into the folder, which is made, if there is one."""
    for table in tables:
        click.echo(table.to_markdown())
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_tables(tables, folder, heading)
