"""What commands that fit something and write it to one file have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from reenact.cli.parameters import CommandT
from train.evaluate.result_table import ResultTable, write_tables


def output_argument(metavar: str) -> Callable[[CommandT], CommandT]:
    """The file to write, `output`; one whose folder does not exist is refused before any work is done."""

    def check(ctx: click.Context, param: click.Parameter, path: Path) -> Path:
        if not path.parent.is_dir():
            raise click.BadParameter(f"{path.parent} is not a folder; make it first", param_hint=metavar)
        return path

    kind = click.Path(path_type=Path, dir_okay=False)
    return click.argument("output", metavar=metavar, type=kind, callback=check)


def fitting_options(seed: int) -> Callable[[CommandT], CommandT]:
    """--data, --seed (by default `seed`) and --report, of what is fitted to shards and measured."""

    def add(command: CommandT) -> CommandT:
        for option in reversed(
            (
                click.option(
                    "--data",
                    required=True,
                    type=click.Path(path_type=Path, file_okay=False),
                    metavar="SHARDS",
                    help="What `prepare` made.",
                ),
                click.option("--seed", default=seed, show_default=True),
                click.option(
                    "--report",
                    type=click.Path(path_type=Path, file_okay=False),
                    metavar="DIR",
                    help="Where the figures go, as report.md and tables.",
                ),
            )
        ):
            command = option(command)
        return command

    return add


def show_tables(tables: Sequence[ResultTable], folder: Path | None, heading: str) -> None:
    """Prints the tables, and writes them into the folder, which is made, if there is one."""
    for table in tables:
        click.echo(table.to_markdown())
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_tables(tables, folder, heading)
