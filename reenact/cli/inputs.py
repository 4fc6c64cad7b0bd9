"""The films and pictures that commands read: files, pipes and addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reenact.cli.errors import unusable_input


class InputParameter(click.ParamType):
    """A file's name as a Path, or an address as it is: a Path would lose one of its slashes."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        return value if isinstance(value, Path) or "://" in value else Path(value)


INPUT = InputParameter()


def kept(source: Path | str) -> Any:
    """The input as a reenact.media.read.spool.Source: what can be read only once, such as a pipe, is kept in
    a file until the command ends."""
    # Here, because the command line is to start without a video library.
    from reenact.media.read.spool import needs_spooling, spooled

    if not needs_spooling(source):
        return Path(source)
    with unusable_input():
        return click.get_current_context().with_resource(spooled(source))
