"""A file of all commands and options, from which shells complete them without importing the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

TABLE = Path(__file__).with_name("completion_table.json")
VARIABLE = "_REENACT_COMPLETE"
"""The environment variable that shells set when they ask for completions."""


def load_table() -> dict[str, Any]:
    """The description of `reenact` and of all commands below it, as `describe` makes it."""
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


def describe(command: click.Command) -> dict[str, Any]:
    """The description of a command: its help, its options and arguments, and the commands below it."""
    context = click.Context(command)
    table: dict[str, Any] = {"help": command.get_short_help_str(200), "parameters": []}
    for each in command.params:
        if isinstance(each, click.Option) and not each.hidden:
            table["parameters"].append({"names": [*each.opts, *each.secondary_opts]} | _option(each))
        elif isinstance(each, click.Argument):
            table["parameters"].append({"argument": each.name, "nargs": each.nargs} | _values(each))
    table["commands"] = {}
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            table["commands"][name] = describe(below)
    return table


def to_command(name: str, table: Mapping[str, Any]) -> click.Command:
    """A command that completes like the described one but does nothing."""
    parameters = [_to_parameter(index, each) for index, each in enumerate(table["parameters"])]
    if not table["commands"]:
        return click.Command(name, params=parameters, help=table["help"])
    commands = {each: to_command(each, below) for each, below in table["commands"].items()}
    return click.Group(name, commands, params=parameters, help=table["help"])


def completing_program() -> click.Command:
    """The command `reenact` from which shells complete."""
    return to_command("reenact", load_table())


def option_names(commands: Mapping[str, Any]) -> set[str]:
    """The long names, without dashes, of the options of all these commands and of those below them."""
    return {name.removeprefix("--") for each in commands.values() for name in _names(each)}


def _names(table: Mapping[str, Any]) -> Iterator[str]:
    for each in table["parameters"]:
        yield from (name for name in each.get("names", ()) if name.startswith("--"))
    for below in table["commands"].values():
        yield from _names(below)


def _option(option: click.Option) -> dict[str, Any]:
    help_text = (option.help or "").split(". ")[0].rstrip(".")
    flag = {"flag": True} if option.is_flag or option.count else {}
    return {"help": help_text} | flag | ({"multiple": True} if option.multiple else {}) | _values(option)


def _values(parameter: click.Parameter) -> dict[str, Any]:
    """The choices of a parameter, or that it takes a file; empty for other parameters."""
    choices = getattr(parameter.type, "choices", None)
    if choices is not None:
        return {"choices": [str(each) for each in choices]}
    is_file = isinstance(parameter.type, click.Path) or parameter.type.name in ("path", "FILE")
    return {"file": True} if is_file else {}


def _to_parameter(index: int, each: Mapping[str, Any]) -> click.Parameter:
    kind: Any = click.STRING
    if "choices" in each:
        kind = click.Choice(each["choices"])
    elif each.get("file"):
        kind = click.Path()
    if "argument" in each:
        return click.Argument([each["argument"]], nargs=each["nargs"], type=kind, required=False)
    names = [*each["names"], f"option_{index}"]
    if each.get("flag"):
        return click.Option(names, is_flag=True, multiple=True, help=each["help"])
    return click.Option(names, type=kind, multiple=each.get("multiple", False), help=each["help"])
