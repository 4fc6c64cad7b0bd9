"""Options that all commands share."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from engines import ChoiceError, parse_choice
from reenact.media.atomic import replacing

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class FileParameter(click.Path):
    """A file's name; no address, of which a Path would lose a slash."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and "://" in value:
            self.fail(f"{value!r} is an address; a file's name is needed here", param, ctx)
        return super().convert(value, param, ctx)


FILE = FileParameter(path_type=Path)


class NumberParameter(click.FloatRange):
    """A FloatRange that NaN does not slip through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class ParsedParameter(click.ParamType):
    """What a parser of ours makes of the text; what it says of text that it refuses is for the user."""

    def __init__(self, name: str, parse: Callable[[str], Any], refusal: type[Exception]) -> None:
        self.name = name
        self._parse = parse
        self._refusal = refusal

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._parse(value) if isinstance(value, str) else value
        except self._refusal as error:
            self.fail(str(error), param, ctx)


ENGINE = ParsedParameter("NAME[:PRECISION]", lambda text: str(parse_choice(text)), ChoiceError)


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
    if str(path) == "-" and sys.stdout is None:
        raise click.BadParameter("there is no standard output; give a file's name, not -", ctx, param)
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
