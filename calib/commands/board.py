"""What a guided session looks like in a terminal: the prompt, the time left, a live bar per action unit."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan

import click

from calib.au import ACTION_UNITS, MAX_INTENSITY
from calib.guided import SessionProgress

_NAMES = max(len(unit.name) for unit in ACTION_UNITS)
_LONGEST_BAR = 40
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_HIDE_CURSOR, _SHOW_CURSOR, _CLEAR_BELOW = "\x1b[?25l", "\x1b[?25h", "\x1b[J"


def board(step: SessionProgress, count: int, columns: int, lines: int) -> list[str]:
    """What fits into so many columns and lines: of the bars, if need be, only those that are asked for.

    count: of all prompts.
    """
    face = "" if step.shown is not None else "   (no face)"
    head = f"{step.number + 1}/{count}  {step.prompt.text}  {max(step.left_s, 0):.0f} s{face}"
    bars = range(len(ACTION_UNITS)) if lines >= 2 + len(ACTION_UNITS) else step.prompt.indices
    return [_BOLD + head[:columns] + _PLAIN, "", *(_row(step, index, columns) for index in bars)]


def _row(step: SessionProgress, index: int, width: int) -> str:
    """AU12 lip corner puller    ######----|----  1.8, with what has been reached so far as a mark."""
    unit = ACTION_UNITS[index]
    asked = unit.code in step.prompt.aus
    label, room = f"{unit.code} {unit.name:<{_NAMES}} ", len("  0.0")
    length = min(_LONGEST_BAR, width - len(label) - room)
    if length < 1:
        return f"{unit.code} {_value(step, index)}"[:width]
    bar = _bar(0.0 if step.shown is None else float(step.shown[index]), float(step.reached[index]), length)
    return f"{_BOLD if asked else _DIM}{label}{bar}  {_value(step, index)}{_PLAIN}"


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
def live_board(count: int) -> Iterator[Callable[[SessionProgress], None]]:
    """Shows each step on standard error: in a terminal in place of the one before, with a bell where a new
    prompt comes, for those who have shut their eyes; elsewhere a line for each prompt. count: of prompts."""
    if not sys.stderr.isatty():
        yield _Lines(count)
        return
    click.echo(_HIDE_CURSOR, nl=False, err=True)
    redrawn = _Redrawn(count)
    try:
        yield redrawn
    finally:
        redrawn.clear()
        click.echo(_SHOW_CURSOR, nl=False, err=True)


class _Lines:
    def __init__(self, count: int) -> None:
        self._count = count
        self._number = -1

    def __call__(self, step: SessionProgress) -> None:
        if step.number != self._number:
            click.echo(f"{step.number + 1}/{self._count}  {step.prompt.text}", err=True)
        self._number = step.number


class _Redrawn:
    def __init__(self, count: int) -> None:
        self._count = count
        self._number = self._drawn = 0

    def __call__(self, step: SessionProgress) -> None:
        self.clear()
        if step.number != self._number:
            click.echo("\a", nl=False, err=True)
        columns, lines = shutil.get_terminal_size()
        # One column and one line less: where a terminal wraps or scrolls, the way back up is another.
        shown = board(step, self._count, columns - 1, lines - 1)
        click.echo("\n".join(shown), err=True)
        self._number, self._drawn = step.number, len(shown)

    def clear(self) -> None:
        if self._drawn:
            click.echo(f"\x1b[{self._drawn}A\r{_CLEAR_BELOW}", nl=False, err=True)
        self._drawn = 0
