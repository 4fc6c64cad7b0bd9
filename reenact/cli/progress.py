"""The progress of a run, on standard error."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import click

from reenact.cli.log_output import is_quiet

if TYPE_CHECKING:
    from reenact.pipeline.meter import Report

_log = logging.getLogger(__name__)

Advance: TypeAlias = Callable[[int], None]
"""Called once for each frame, with the number of faces in it."""


@contextmanager
def progress_bar(total: int | None) -> Iterator[Advance]:
    """Shows a bar with frames per second, time left and faces.

    Nothing is shown if standard error is no terminal, or with -q.
    """
    if not _in_terminal():
        yield lambda faces: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed} frames"),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[faces]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("frames", total=total, rate="", faces="")

        def advance(faces: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(
                task,
                advance=1,
                rate=f"{speed:.0f} fps" if speed else "",
                faces="1 face" if faces == 1 else f"{faces} faces",
            )

        yield advance


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Shows a text in the last line of standard error, each in place of the one before; nothing if that is no
    terminal, or with -q. The line is gone afterwards."""
    if not _in_terminal():
        yield lambda text: None
        return
    shown = 0

    def show(text: str) -> None:
        nonlocal shown
        text = text[: shutil.get_terminal_size().columns - 1]
        click.echo("\r" + text.ljust(shown), nl=False, err=True)
        shown = len(text)

    try:
        yield show
    finally:
        show("")
        click.echo("\r", nl=False, err=True)


def log_times(report: Report) -> None:
    """Where the time went, for -v and the log file."""
    for name, times in report.stages.items():
        _log.info("%s: p50 %.1f ms, p95 %.1f ms a frame", name, times.p50_ms, times.p95_ms)
    if report.peak_rss_mb is not None:
        _log.info("%.1f s in all, at most %.0f MB of memory", report.elapsed_s, report.peak_rss_mb)


def _in_terminal() -> bool:
    """Whether somebody watches who has not asked for quiet."""
    return sys.stderr is not None and sys.stderr.isatty() and not is_quiet()
