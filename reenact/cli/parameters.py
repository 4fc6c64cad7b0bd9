"""Options that all commands share."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from engines import ChoiceError, parse_choice
from reenact.atomic import replacing

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


class NumberParameter(click.FloatRange):
    """A FloatRange that NaN does not slip through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class EngineParameter(click.ParamType):
    """What engines.parse_choice understands; it stays text."""

    name = "NAME[:PRECISION]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(parse_choice(value))
        except ChoiceError as error:
            self.fail(str(error), param, ctx)


def json_option(command: CommandT) -> CommandT:
    """--json, for other programs."""
    return click.option(
        "--json",
        "json_path",
        type=click.Path(path_type=Path, allow_dash=True, dir_okay=False),
        callback=_in_a_folder_that_exists,
        help="Write what was done as one JSON object to PATH, or to standard output if PATH is -.",
    )(command)


def _in_a_folder_that_exists(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Refuses now what could not be written when the work is done."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"the folder {str(path.parent)!r} does not exist", ctx, param)
    return path


def write_json(document: dict[str, Any], path: Path | None) -> None:
    """One object, to the file, to standard output if `path` is '-', or nowhere if it is None."""
    if path is None:
        return
    text = json.dumps(document, indent=2)
    if str(path) == "-":
        click.echo(text)
        return
    with replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")
