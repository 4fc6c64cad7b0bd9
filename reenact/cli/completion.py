"""`reenact completion`: prints the script that makes a shell complete commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from reenact.cli.completion_table import VARIABLE, completing_program
from reenact.cli.errors import Failure
from reenact.cli.grouped import GroupedCommand

SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=GroupedCommand,
    example="bash",
    epilog="""\b
    To have it in every new shell, once:
      reenact completion bash > ~/.local/share/bash-completion/completions/reenact
      reenact completion zsh > ~/.zfunc/_reenact
      reenact completion fish > ~/.config/fish/completions/reenact.fish

    For zsh, ~/.zshrc needs fpath+=~/.zfunc before compinit.
    Make the folder first if it is not there. To try it: eval "$(reenact completion bash)\"""",
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script with which SHELL completes commands, options and their values."""
    kind = get_completion_class(shell)
    assert kind is not None
    try:
        script = kind(completing_program(), {}, "reenact", VARIABLE).source()
    except RuntimeError as error:  # a bash that is too old for it
        raise Failure(str(error)) from error
    click.echo(script)
