"""The command line. Importing it is cheap: a command's module is imported when the command is called."""

from __future__ import annotations

import difflib
import importlib

import click

from reenact import __version__
from reenact.cli.errors import plain_errors, plain_import_errors

COMMANDS = {
    "video": "Change the expression in a video file.",
    "image": "Change the expression in a picture.",
    "aus": "Read action units into an OpenFace CSV.",
    "demo": "Make a demonstration film; needs nothing.",
    "bench": "Measure the speed of this machine.",
    "doctor": "Check this installation and say how to mend it.",
}
"""Each is a click command of its name in the module reenact.cli of its name."""


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        with plain_import_errors():
            command = getattr(importlib.import_module(f"reenact.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(COMMANDS)}"
            ctx.fail(f"no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table, so that --help does not import every command.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="reenact")
def main() -> None:
    """Write facial action units: change the expression of a face in a picture or a video.

    \b
    Examples:
      reenact demo
      reenact video in.mp4 out.mp4 --target-aus AU12=+2,AU4=-1
      reenact video in.mp4 out.mp4 --preset smile --strength 0.7
      reenact image in.jpg out.png --preset surprise
      reenact aus in.mp4 aus.csv

    Exit codes: 0 done, 1 failed on the way, 2 wrong arguments or unusable input, 130 interrupted.
    """
