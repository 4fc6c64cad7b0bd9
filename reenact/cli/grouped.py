"""Help of commands: an example, then the options under headings.

Each option names its group. A command with many options shows the most important ones, at most ten, under a
heading of their own, and the others under the headings of their groups.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import click

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

GENERAL = "Options"
"""The heading of a command with few options."""
FIRST = "Options used first"
"""The heading of the most important options of a command with many."""
MESSAGES = "Messages and configuration"
"""The heading of the options that every command has."""
ORDER = (
    *("Expression", "Faces", "Drivers and time lines", "Limits and calibration", "Generator and engine"),
    *("Camera", "Virtual camera and preview", "Recording", "Figures", "Output file", "Report"),
)
"""The headings of the groups in the order of help."""
MOST_IN_ONE_LIST = 12
"""The largest number of options that help shows in one list, without groups."""
MOST_FIRST = 10
"""The largest number of options under FIRST."""
MOST_IN_GROUP = 14
"""The largest number of options under another heading."""
_COLUMN = 22
"""The width of the column of names, in characters; the text of a wider name begins on the next line."""


class GroupedOption(click.Option):
    """An option with the heading under which help shows it."""

    def __init__(self, *args: Any, group: str, detail: str = "", **attributes: Any) -> None:
        """group: the heading. detail: the part of the help text after the default."""
        super().__init__(*args, **attributes)
        self.group = group
        self.detail = detail

    def get_help_extra(self, ctx: click.Context) -> Any:
        """The default and range as click has them, but `0 to 5` for `0<=x<=5` and defaults without
        parentheses."""
        extra = super().get_help_extra(ctx)
        if "default" in extra and isinstance(self.show_default, str):
            extra["default"] = self.show_default
        if "range" in extra:
            extra["range"] = _plain_range(extra["range"])
        return extra

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None:
            return None
        names, text = record
        return names, "  ".join(part for part in (text, self.detail) if part)


def _place(heading: str) -> int:
    """The place of a heading in help; headings that ORDER lacks come last."""
    return ORDER.index(heading) if heading in ORDER else len(ORDER)


def _plain_range(text: str) -> str:
    """`0<=x<=5` as `0 to 5`, `x>=1` as `at least 1`, `x>0` as `above 0`."""
    between = re.fullmatch(r"(\S+?)<=?x<=?(\S+)", text)
    if between is not None:
        return f"{between[1]} to {between[2]}"
    words = {"x>=": "at least ", "x>": "above ", "x<=": "at most ", "x<": "below "}
    start = next((start for start in words if text.startswith(start)), "")
    return words.get(start, "") + text[len(start) :]


def option(*names: str, group: str = GENERAL, detail: str = "", **attributes: Any) -> Callable[..., Any]:
    """A decorator like `click.option`, for a GroupedOption.

    help: what the option does. detail: further information, which help shows after the default.
    """
    return click.option(*names, cls=GroupedOption, group=group, detail=detail, **attributes)


def in_order(*options: Callable[[Any], Any]) -> Callable[[CommandT], CommandT]:
    """A decorator that adds several options, which help shows in this order."""

    def add(command: CommandT) -> CommandT:
        for each in reversed(options):
            command = each(command)
        return command

    return add


class GroupedCommand(click.Command):
    """A command whose help begins with an example and shows many options in groups."""

    def __init__(self, *args: Any, example: str, first: Sequence[str] = (), **attributes: Any) -> None:
        """example: arguments after the command's name. first: the names of the parameters under FIRST."""
        super().__init__(*args, **attributes)
        self.example = example
        self.first = first

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"Example: {ctx.command_path} {self.example}".rstrip() + "\n\n")
        super().format_help(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, options in self.sections(ctx):
            records = [record for each in options if (record := each.get_help_record(ctx)) is not None]
            with formatter.section(heading):
                # The column has the same width in every section.
                formatter.write_dl([(names.ljust(_COLUMN), text) for names, text in records], _COLUMN)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def sections(self, ctx: click.Context) -> Iterator[tuple[str, list[click.Parameter]]]:
        """The headings with their options. Those that every command has are the last section."""
        options = [
            each for each in self.get_params(ctx) if isinstance(each, click.Option) and not each.hidden
        ]
        shared = [each for each in options if isinstance(each, GroupedOption) and each.group == MESSAGES]
        yield from self._own_sections([each for each in options if each not in shared])
        if shared:
            yield MESSAGES, list(shared)

    def _own_sections(self, shown: list[click.Option]) -> Iterator[tuple[str, list[click.Parameter]]]:
        if len(shown) <= MOST_IN_ONE_LIST:
            yield GENERAL, list(shown)
            return
        by_name = {each.name: each for each in shown}
        first = [by_name[name] for name in self.first]
        others: dict[str, list[click.Parameter]] = {}
        for each in shown:
            if isinstance(each, GroupedOption) and each not in first:
                others.setdefault(each.group, []).append(each)
        ungrouped = [each for each in shown if not isinstance(each, GroupedOption)]
        yield FIRST, [*first, *ungrouped]
        yield from sorted(others.items(), key=lambda section: _place(section[0]))


class GroupedGroup(GroupedCommand, click.Group):
    """A command with commands below it, and options in groups."""
