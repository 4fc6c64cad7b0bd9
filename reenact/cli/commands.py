"""A command line that is quick to start, however heavy its commands."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import click

from reenact.cli.errors import plain_errors, plain_import_errors
from reenact.cli.grouped import GroupedGroup
from reenact.process.settings import standard_error_there


class Program(GroupedGroup):
    """A command line that also works without a standard error."""

    def main(self, *args: Any, **extra: Any) -> Any:
        with standard_error_there():
            return super().main(*args, **extra)


class Commands(Program):
    """A command line whose commands are imported when they are called."""

    def __init__(
        self,
        *args: Any,
        package: str,
        table: Mapping[str, str],
        tasks: Mapping[str, Sequence[str]],
        advice: str,
        **attributes: Any,
    ) -> None:
        """package: each command stands in the module of its name there. table: a line about each command.

        tasks: headings for help, each with the names of its commands. advice: what to do if a library is
        missing.
        """
        super().__init__(*args, **attributes)
        self._package = package
        self._table = table
        self._tasks = tasks
        self._advice = advice

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        with plain_import_errors(self._advice):
            command = getattr(importlib.import_module(f"{self._package}.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._table and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], self._table, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(self._table)}"
            ctx.fail(f"no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table, so that --help imports no command.
        for heading, names in self._tasks.items():
            with formatter.section(heading):
                formatter.write_dl([(name, self._table[name]) for name in names])

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        with plain_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        with plain_errors():
            return super().invoke(ctx)
