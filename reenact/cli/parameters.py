"""Types of parameters, and the options that many commands have, such as --json and --out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from engines import ChoiceError, parse_choice
from reenact.cli.grouped import GENERAL, CommandT, option
from reenact.media.atomic import replacing


class FileParameter(click.Path):
    """The name of a file or folder. An address is refused, because a Path would remove one of its slashes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and "://" in value:
            self.fail(f"{value!r} is an address; a file's name is needed here", param, ctx)
        return super().convert(value, param, ctx)


FILE = FileParameter(path_type=Path)
FOLDER = FileParameter(path_type=Path, file_okay=False)
"""A folder to write to; the name of a file is refused."""


class NumberParameter(click.FloatRange):
    """A click.FloatRange that refuses NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class ParsedParameter(click.ParamType):
    """A value that a parser of ours makes of the text.

    name: the metavar. parse: the parser. refusal: its error, whose message is shown to the user.
    """

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
    """--json, the figures of a run for other programs; `write_json` writes them."""
    return option(
        "--json",
        "json_path",
        group="Report",
        type=click.Path(path_type=Path, allow_dash=True, dir_okay=False),
        metavar="PATH",
        callback=_in_a_folder_that_exists,
        help="Write the figures of the run as one JSON object; - is standard output.",
    )(command)


def out_option(content: str, *, group: str = GENERAL) -> Callable[[CommandT], CommandT]:
    """--out, the folder that a command writes to. content: what it will hold, for help."""
    return option(
        "--out", group=group, type=FOLDER, required=True, metavar="DIR", help=f"The folder for {content}."
    )


def _in_a_folder_that_exists(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Raises a usage error for a file that could not be written at the end, before any work is done."""
    if str(path) == "-" and sys.stdout is None:
        raise click.BadParameter("there is no standard output; give the name of a file, not -", ctx, param)
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"the folder {str(path.parent)!r} does not exist", ctx, param)
    return path


def write_json(document: dict[str, Any], path: Path | None) -> None:
    """Writes a JSON object to a file, or for - to standard output. None: nothing is written."""
    if path is None:
        return
    text = json.dumps(document, indent=2)
    if str(path) == "-":
        click.echo(text)
        return
    with replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def landmarker_option(group: str = GENERAL) -> Callable[[CommandT], CommandT]:
    """--landmarker, the model of the tracker, under this heading."""
    return option(
        "--landmarker",
        group=group,
        type=FILE,
        metavar="TASK",
        help="Find landmarks by this file, MediaPipe's face_landmarker.task.",
        detail="Without it, the face mesh of mediapipe 0.10.21 is used up to Python 3.12; from 3.13 on the "
        "file is fetched once.",
    )
