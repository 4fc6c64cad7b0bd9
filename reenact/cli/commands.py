"""The command lines `reenact`, `reenact calib` and `reenact train`, which import a command when it is
called."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from reenact.cli.completion_table import VARIABLE, completing_program
from reenact.cli.errors import plain_errors, plain_import_errors
from reenact.cli.grouped import GroupedGroup
from reenact.cli.log_output import LogOutput
from reenact.cli.shared_options import share_options
from reenact.process.settings import standard_error_open
from reenact.process.shadowing import refuse_shadows

_NEEDED = ("engines", "calib", "train")
"""The packages beside reenact that its command lines use."""


class Program(GroupedGroup):
    """A command line whose commands have the options -v, -q and --log-file.

    It also works without a standard error, and a bug of ours ends in one line.
    """

    def __init__(self, *args: Any, config: bool = False, **attributes: Any) -> None:
        """config: whether options may come from the configuration file."""
        super().__init__(*args, **attributes)
        self._config = config
        share_options(self, config=config)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        super().add_command(share_options(cmd, config=self._config), name)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs the command line, or prints completions where a shell asks for them."""
        with standard_error_open(), LogOutput() as output:
            if VARIABLE in os.environ:
                # Only a table is read, because a shell waits for the completions.
                return completing_program().main(*args, **extra)
            extra.setdefault("obj", output)
            try:
                return super().main(*args, **extra)
            except Exception as error:
                if not extra.get("standalone_mode", True):
                    raise
                output.report_bug(error)
                sys.exit(1)


class Commands(Program):
    """A command line whose commands are imported when they are called."""

    def __init__(
        self,
        *args: Any,
        package: str,
        table: Mapping[str, str],
        tasks: Mapping[str, Sequence[str]],
        advice: str,
        programs: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> None:
        """package: the package with a module for each command. table: the commands, each with a line of help.

        tasks: the headings of help, each with the names of its commands. advice: the advice if a library is
        missing. programs: the modules of commands that are command lines of their own, each with a group
        `main`. None: there are none.
        """
        super().__init__(*args, **attributes)
        self._package = package
        self._table = table
        self._tasks = tasks
        self._advice = advice
        self._programs = programs or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        refuse_shadows(*_NEEDED)
        with plain_import_errors(self._advice):
            if cmd_name in self._programs:
                command = importlib.import_module(self._programs[cmd_name]).main
            else:
                command = getattr(importlib.import_module(f"{self._package}.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return share_options(command, config=self._config)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._table and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], self._table, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(self._table)}"
            ctx.fail(f"no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The table is used, so that --help imports no command.
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
        # Some commands import large libraries when they run.
        with plain_errors(), plain_import_errors(self._advice):
            return super().invoke(ctx)
