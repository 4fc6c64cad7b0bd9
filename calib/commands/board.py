"""The display of a guided session in a terminal: prompt, time left, and a bar for each action unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from calib.au import ACTION_UNITS, MAX_INTENSITY, OPENFACE_COUNT
from calib.guided import SessionProgress

_UNITS = ACTION_UNITS[:OPENFACE_COUNT]
_NAMES = max(len(unit.name) for unit in _UNITS)
_LONGEST_BAR = 40


def board(step: SessionProgress, count: int, columns: int, lines: int) -> list[Text]:
    """The lines to show, cut to `columns` and `lines`; a low terminal gets only the bars of the prompt.

    count: the number of prompts in the session.
    """
    face = "" if step.shown is not None else "   (no face)"
    head = f"{step.number + 1}/{count}  {step.prompt.text}  {max(step.left_s, 0):.0f} s{face}"
    asked = [index for index in step.prompt.indices if index < OPENFACE_COUNT]
    bars = range(OPENFACE_COUNT) if lines >= 2 + OPENFACE_COUNT else asked
    return [Text(head[:columns], "bold"), Text(), *(_row(step, index, columns) for index in bars)]


def _row(step: SessionProgress, index: int, width: int) -> Text:
    """AU12 lip corner puller    ######----|----  1.8; the mark is the highest value reached so far."""
    unit = _UNITS[index]
    style = "bold" if unit.code in step.prompt.aus else "dim"
    label, room = f"{unit.code} {unit.name:<{_NAMES}} ", len("  0.0")
    length = min(_LONGEST_BAR, width - len(label) - room)
    if length < 1:
        return Text(f"{unit.code} {_value(step, index)}"[:width], style)
    bar = _bar(0.0 if step.shown is None else float(step.shown[index]), float(step.reached[index]), length)
    return Text(f"{label}{bar}  {_value(step, index)}", style)


def _value(step: SessionProgress, index: int) -> str:
    return "  -" if step.shown is None else f"{step.shown[index]:.1f}"


def _bar(value: float, reached: float, length: int) -> str:
    full = round(length * value / MAX_INTENSITY)
    bar = "█" * full + "·" * (length - full)
    if isnan(reached):
        return bar
    mark = min(round(length * reached / MAX_INTENSITY), length - 1)
    return f"{bar[:mark]}|{bar[mark + 1 :]}"


@contextmanager
def live_board(count: int, console: Console | None = None) -> Iterator[Callable[[SessionProgress], None]]:
    """Shows each step on standard error until the block ends.

    In a terminal a step replaces the one before it, and a bell rings at each new prompt, for those who have
    shut their eyes. Elsewhere each prompt is one line. count: the number of prompts in the session. console:
    None: standard error.
    """
    console = console or Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _Lines(count)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield _Redrawn(count, live)


class _Lines:
    def __init__(self, count: int) -> None:
        self._count = count
        self._number = -1

    def __call__(self, step: SessionProgress) -> None:
        if step.number != self._number:
            click.echo(f"{step.number + 1}/{self._count}  {step.prompt.text}", err=True)
        self._number = step.number


class _Redrawn:
    def __init__(self, count: int, live: Live) -> None:
        self._count = count
        self._live = live
        self._number = 0

    def __call__(self, step: SessionProgress) -> None:
        console = self._live.console
        if step.number != self._number:
            console.bell()
        self._number = step.number
        self._live.update(Group(*board(step, self._count, *console.size)), refresh=True)
