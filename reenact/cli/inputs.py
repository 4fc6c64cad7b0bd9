"""The arguments for films and pictures, which may be files, pipes or addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reenact.cli.errors import unusable_input


class InputParameter(click.ParamType):
    """The name of a file as a Path, or an address as text, because a Path would remove one of its slashes."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        return value if isinstance(value, Path) or "://" in value else Path(value)


INPUT = InputParameter()


def to_source(source: Path | str) -> Any:
    """The input as a reenact.media.read.spool.Source.

    Input that can be read only once, such as a pipe, is copied into a file that exists until the command
    ends.
    """
    # Imported here, so that the command line starts without a video library.
    from reenact.media.read.spool import needs_spooling, spooled

    if not needs_spooling(source):
        return Path(source)
    with unusable_input():
        return click.get_current_context().with_resource(spooled(source))
