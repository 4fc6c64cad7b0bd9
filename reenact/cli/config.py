"""`reenact config`: shows the configuration file and the options it sets, or writes a template of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from reenact.cli.config_file import UNCONFIGURED, ConfigError, ConfigFile, ConfiguredOption, default_path
from reenact.cli.errors import Failure
from reenact.cli.grouped import GroupedCommand, GroupedGroup
from reenact.cli.shared_options import given_config, given_path

TEMPLATE = """\
# Options of `reenact` that need not be typed each time. Remove the # of a line to set it.
# A key is an option's long name without its dashes: `reenact video --help` lists them.
# The command line overrides this file. [defaults] holds for every command that has the option,
# [video], [image], [webcam], ... for one command, and override [defaults].
# Text is written in quotes, numbers and true or false are not. `reenact config` shows what is set.

[defaults]
# strength = 0.8              # how far to go from the present expression (0) to what is asked (1)
# engine = "openvino"         # what runs the networks; `reenact engines list` names those that are here
# max-faces = 2
# quiet = true                # no notes and no progress; or verbose = 1
# log-file = "~/reenact.log"

[video]
# codec = "hevc"
# crf = 18                    # quality: lower is better and larger
# encoder-preset = "fast"

[image]
# faces = "all"

[webcam]
# camera = 1
# size = "1280x720"
# mirror = false
# preset = "smile-soft"
# device = "/dev/video9"      # the virtual camera
# preview = true

[engines.bench]
# engine = "openvino"
"""


@click.group(cls=GroupedGroup, example="init", invoke_without_command=True)
@click.pass_context
def config(context: click.Context) -> None:
    """Show where the configuration file is and which options it sets, or write a template.

    \b
    Examples:
      reenact config
      reenact config init
      reenact --config lab.toml config
    """
    if context.invoked_subcommand is not None:
        return
    file = given_config(context)
    if file is None:
        click.echo(f"{default_path()} does not exist; 'reenact config init' writes a template")
        return
    click.echo(f"{file.path}")
    root = context.find_root().command
    assert isinstance(root, click.Group)
    lines = list(in_force(file, root))
    click.echo("\n".join(lines) if lines else "sets no option")


@config.command(cls=GroupedCommand, example="")
@click.pass_context
def init(context: click.Context) -> None:
    """Write a template in which every line is a comment. An existing file is never replaced."""
    path = given_path(context) or default_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError as error:
        raise Failure(f"{path} exists already and is not changed") from error
    click.echo(f"{path}")


def in_force(file: ConfigFile, root: click.Group) -> Iterator[str]:
    """The lines of `reenact config`: a heading for each command with options in the file, and the options.

    Every value is checked as if it were given on the command line. Raises ConfigError for the first wrong
    one.
    """
    for names, command in _commands(root, ()):
        found = file.options_of(names, command)
        if found:
            yield f"reenact {' '.join(names)}"
        for key, each in found.items():
            _check(file.path, names, command, key, each)
            yield f"  {f'{key} = {each.text}':38} [{each.section}]"


def _commands(group: click.Group, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands that take options from the file, each with its names, as in ('engines', 'build')."""
    context = click.Context(group)
    for name in group.list_commands(context):
        if not names and name in UNCONFIGURED:
            continue
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, (*names, name))
        else:
            yield (*names, name), command


def _check(
    path: Path, names: tuple[str, ...], command: click.Command, key: str, option: ConfiguredOption
) -> None:
    """Raises ConfigError if the command does not accept the value."""
    parameter = next(each for each in command.params if each.name == option.name)
    try:
        parameter.type_cast_value(click.Context(command, info_name=names[-1]), option.value)
    except click.BadParameter as error:
        problem = f"{key} = {option.text}: {error.message}"
        raise ConfigError(path, option.section, problem) from error
