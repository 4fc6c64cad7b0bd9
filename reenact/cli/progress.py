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
"""A function that is called after each frame with the number of its faces."""


@contextmanager
def progress_bar(total: int | None) -> Iterator[Advance]:
    """Shows a bar with frames per second, time left and faces, for the duration of the block.

    total: the number of frames. None: it is not known. Nothing is shown with -q, or if standard error is not
    a terminal.
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
    """A function that replaces the text in the last line of standard error. The line is cleared at the end.

    Nothing is shown with -q, or if standard error is not a terminal.
    """
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
    """Logs the times of the stages and the memory, for -v and the log file."""
    for name, times in report.stages.items():
        _log.info("%s: p50 %.1f ms, p95 %.1f ms a frame", name, times.p50_ms, times.p95_ms)
    if report.peak_rss_mb is not None:
        _log.info("%.1f s in all, at most %.0f MB of memory", report.elapsed_s, report.peak_rss_mb)


def _in_terminal() -> bool:
    """Whether standard error is a terminal, and -q was not given."""
    return sys.stderr is not None and sys.stderr.isatty() and not is_quiet()
