"""Help of every command: an example that can be typed, groups, and lines that fit into a terminal."""

from __future__ import annotations

import ast
import shlex

import click
import pytest
from click.testing import CliRunner

from reenact.cli.grouped import (
    FIRST,
    GENERAL,
    MESSAGES,
    MOST_FIRST,
    MOST_IN_GROUP,
    MOST_IN_ONE_LIST,
    GroupedCommand,
    GroupedOption,
    option,
)
from reenact.cli.shared_options import SharedOption
from tests.cli.test_references import PROGRAMS, program
from tests.project.test_architecture import MODULES, is_entry_point

WIDTH = 80


def commands(path: str, command: click.Command) -> dict[str, click.Command]:
    """The command and all below it, by what people type."""
    found = {path: command}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            found |= commands(f"{path} {name}", below)
    return found


@pytest.fixture(scope="module")
def everything() -> dict[str, GroupedCommand]:
    found = {}
    for name in PROGRAMS:
        found |= commands(name, program(name))
    assert len(found) > 30
    strangers = [path for path, command in found.items() if not isinstance(command, GroupedCommand)]
    assert not strangers
    return found  # type: ignore[return-value]


def help_of(path: str, command: click.Command) -> str:
    result = CliRunner().invoke(command, ["--help"], prog_name=path, terminal_width=WIDTH)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_option_of_every_command_has_a_group_and_no_group_is_a_dump(everything) -> None:
    for path, command in everything.items():
        context = click.Context(command)
        options = [each for each in command.params if isinstance(each, click.Option)]
        own = [each for each in options if not isinstance(each, SharedOption)]
        strangers = [each.opts for each in own if not isinstance(each, GroupedOption)]
        # click's own --version stands in the first section.
        assert not [opts for opts in strangers if opts != ["--version"]], path
        sections = dict(command.sections(context))
        assert len(sections.pop(MESSAGES)) == len(options) - len(own) >= 3, path
        assert sum(map(len, sections.values())) == len(own) + 1, f"{path}: all, and --help"
        if len(own) + 1 <= MOST_IN_ONE_LIST:
            assert list(sections) == [GENERAL], path
            continue
        assert GENERAL not in sections, path
        assert next(iter(sections)) == FIRST and 1 < len(sections[FIRST]) <= MOST_FIRST + 1, path
        assert max(map(len, sections.values())) <= MOST_IN_GROUP, path


def test_no_option_is_declared_in_two_places() -> None:
    """An option that two commands share is one function, or else its text will soon differ."""
    places: dict[tuple[str, ...], list[str]] = {}
    for module in filter(is_entry_point, MODULES):
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("option", "SharedOption"):
                names = "/".join(ast.unparse(name) for name in node.args)
                texts = [ast.unparse(each.value) for each in node.keywords if each.arg == "help"]
                places.setdefault((names, *texts), []).append(module)
    assert len(places) > 100
    assert {option: modules for option, modules in places.items() if len(modules) > 1} == {}


def test_help_begins_with_an_example_that_the_command_understands(everything) -> None:
    for path, command in everything.items():
        assert help_of(path, command).startswith(
            f"Example: {path} {command.example}".rstrip() + f"\n\nUsage: {path} "
        ), path
        called, arguments = command, shlex.split(command.example)
        while isinstance(called, click.Group):
            below = called.get_command(click.Context(called), arguments.pop(0))
            assert below is not None, path
            called = below
        context = click.Context(called)
        values, _, _ = called.make_parser(context).parse_args(args=arguments)
        for parameter in called.params:
            assert not parameter.required or values.get(parameter.name) is not None, (path, parameter.name)


def test_no_line_of_help_is_wider_than_a_terminal(everything) -> None:
    wide = [
        f"{path}: {line}"
        for path, command in everything.items()
        for line in help_of(path, command).splitlines()
        if len(line) > WIDTH
    ]
    assert wide == []


def test_every_option_and_every_command_says_what_it_does(everything) -> None:
    for path, command in everything.items():
        assert command.help and command.get_short_help_str(), path
        silent = [each.opts for each in command.params if isinstance(each, click.Option) and not each.help]
        assert not silent, path


def small(**attributes: object) -> str:
    @click.command(cls=GroupedCommand, example="--size 2")
    @option("--size", help="Size in mm.", detail="Rarely needed.", **attributes)
    def command(size: float) -> None:
        """Measure."""

    return " ".join(help_of("tool", command).split())


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({}, "--size TEXT Size in mm. Rarely needed."),
        ({"default": 1, "show_default": True}, "--size INTEGER Size in mm. [default: 1] Rarely needed."),
        ({"show_default": "the last"}, "Size in mm. [default: the last] Rarely needed."),
        ({"type": click.FloatRange(0, 5), "metavar": "MM"}, "--size MM Size in mm. [0 to 5] Rarely needed."),
        ({"type": click.IntRange(1), "metavar": "MM"}, "[at least 1]"),
        ({"type": click.FloatRange(0, min_open=True), "metavar": "MM"}, "[above 0]"),
    ],
)
def test_what_an_option_does_comes_first_then_the_default_then_detail(attributes, text: str) -> None:
    assert text in small(**attributes)
