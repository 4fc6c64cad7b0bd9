"""Whatever option, command, file or module the project's texts name is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import click
import pytest

from tests.project.test_architecture import MODULES, PACKAGES, ROOT

PROGRAMS = {
    "reenact": "reenact.cli",
    "python -m calib": "calib.__main__",
    "python -m train": "train.__main__",
}
FOREIGN = {
    "--help",  # of every command
    *("--force-reinstall", "--no-build-isolation", "--no-deps", "--only-binary"),  # of pip
    "--nproc-per-node",  # of torchrun
    "--shuffle",  # of this project's pytest
    "--version",
    "--strict",  # of mkdocs
}
"""Options that are not declared by a command of ours."""

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?![\w-])")
CALL = re.compile(
    r"(?:^[ ]{2,}|[`'\"]|: |\$ )(reenact|python -m calib|python -m train) ([a-z][^`'\"\n#|]*)", re.MULTILINE
)
"""A command line as it is to be typed: in quotes, behind a prompt or a colon, or on a line of its own."""
PROSE = {"can", "cannot"}
"""Words behind the name of the program where a sentence begins with it."""
DOTTED = re.compile(
    r"(?<![\w./'\"\[-])(?:reenact|engines|calib|train)(?:\.(?!(?:md|py|log)\b)[A-Za-z_]\w*)+(?![\w(/\"'-])"
)
FILE = re.compile(r"(?<![\w./~-])(?:reenact|engines|calib|train|tests)/[\w./-]*\w")
EXTRA = re.compile(r"(?:reenact|[.])\[([\w,]+)\](?=['\"`])")


def texts() -> Iterator[Path]:
    """All that is read by people: the sources with their comments and messages, README, pages and cards."""
    for package in PACKAGES:
        yield from sorted(path for kind in ("py", "md") for path in (ROOT / package).rglob(f"*.{kind}"))
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "NOTICE"))
    yield from sorted(path for kind in ("py", "md", "yml") for path in (ROOT / "docs").rglob(f"*.{kind}"))


TEXTS = list(texts())


def found(pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str]]]:
    """Every match in every text, with the place where it is."""
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        for match in pattern.finditer(text):
            yield f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}", match


@cache
def program(name: str) -> click.Group:
    pytest.importorskip("torch", reason="the commands of train need it")
    return import_module(PROGRAMS[name]).main


def commands(command: click.Command) -> Iterator[click.Command]:
    """It, and all below it."""
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            yield from commands(below)


def options(command: click.Command) -> set[str]:
    return {each for parameter in command.params for each in (*parameter.opts, *parameter.secondary_opts)}


def called(group: click.Group, words: list[str]) -> click.Command | str:
    """The command that these words call; a string: the word that calls none."""
    command: click.Command = group
    for word in words:
        if not isinstance(command, click.Group):
            break
        below = command.get_command(click.Context(command), word) if word.isidentifier() else None
        if below is None:
            return "" if word in PROSE or word.startswith("-") or word.isupper() else word
        command = below
    return command


def test_every_option_that_a_text_names_is_one():
    known = FOREIGN.union(*(options(command) for name in PROGRAMS for command in commands(program(name))))
    unknown = [f"{place} {match[0]}" for place, match in found(OPTION) if match[0] not in known]
    assert unknown == []


def test_every_command_line_in_a_text_calls_a_command_with_options_that_it_has():
    wrong = []
    for place, match in found(CALL):
        command = called(program(match[1]), match[2].split())
        if isinstance(command, str):
            wrong += [f"{place} {match[1]} {command}"] if command else []
            continue
        has = options(command) | FOREIGN
        wrong += [f"{place} {match[0]}: {each}" for each in OPTION.findall(match[2]) if each not in has]
    assert wrong == []


def test_every_module_and_name_that_a_text_names_is_there():
    assert [f"{place} {match[0]}" for place, match in found(DOTTED) if not is_defined(match[0])] == []


def is_defined(dotted: str) -> bool:
    parts = dotted.split(".")
    length = next(n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in MODULES)
    module, names = MODULES[".".join(parts[:length])], parts[length:]
    return set(names) <= {*defined(module), "__file__"}


@cache
def defined(module: Path) -> set[str]:
    """Every name that the module gives to something."""
    names = set[str]()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.alias(name=name, asname=None):
                names.add(name)
            case ast.alias(asname=str(name)):
                names.add(name)
    return names


def test_every_file_that_a_text_names_is_there():
    assert [f"{place} {match[0]}" for place, match in found(FILE) if not (ROOT / match[0]).exists()] == []


def test_every_extra_that_a_text_installs_is_one():
    (table,) = re.findall(
        r"optional-dependencies\]\n(.*?)\n\[", (ROOT / "pyproject.toml").read_text("utf-8"), re.DOTALL
    )
    extras = set(re.findall(r"^(\w+) = ", table, re.MULTILINE))
    named = {name: place for place, match in found(EXTRA) for name in match[1].split(",")}
    assert named and {name: place for name, place in named.items() if name not in extras} == {}
