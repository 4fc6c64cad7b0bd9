"""`python -m train`: from labelled faces to a generator that runs.

Starting it is cheap: a command's module is imported when the command is called.
"""

from __future__ import annotations

import difflib
import importlib

import click

from reenact.cli.errors import Failure, plain_errors

COMMANDS = {
    "prepare": "Make shards of aligned, labelled faces from pictures and clips.",
    "fit": "Train networks on shards.",
    "export": "Write a trained generator as ONNX.",
    "evaluate": "Judge trained generators on people they have not seen.",
    "bench": "Measure how fast this machine trains.",
}
"""Each is a click command of its name in the module train.commands of its name."""


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"train.commands.{cmd_name}")
        except ImportError as error:
            if error.name and error.name.split(".")[0] == "train":
                raise
            raise Failure(f"{error} (pip install 'reenact[train]' brings what training needs)") from error
        command = getattr(module, cmd_name)
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
def main() -> None:
    """Train the networks that paint what moving a face cannot make.

    \b
    Examples:
      python -m train prepare faces/ --out shards/
      python -m train fit --preset live --data shards/ --out runs/live
      torchrun --nproc-per-node 4 -m train fit --preset paper --data shards/ --out runs/paper
      python -m train export runs/live live.onnx
    """


if __name__ == "__main__":
    main(prog_name="python -m train")
