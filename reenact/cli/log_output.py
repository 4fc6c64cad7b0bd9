"""The output of a program's messages: those that -v and -q select on standard error, all of them in
--log-file."""

from __future__ import annotations

import logging
import platform
import traceback
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import click

from reenact import __version__

OWN_LOGGERS = ("reenact", "engines", "calib", "train")
"""The names of the loggers whose messages are shown. Those of other libraries go into the log file only."""

FILE_FORMAT = "%(asctime)s %(levelname)s [%(threadName)s] %(name)s: %(message)s"
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
"""The lowest level on standard error without -v, with -v and with -vv."""

_log = logging.getLogger(__name__)


class LogOutput:
    """The output of the messages of one run of a program; inside the block a warning is a line on standard
    error."""

    def __init__(self) -> None:
        self.quiet = False
        """Whether notes, results and progress are left out. Warnings and errors are always shown."""
        self.verbosity = 0
        """The number of times that -v was given: 0 shows warnings, 1 also what is done, 2 also every
        detail."""
        self.path: Path | None = None
        """The log file. None: there is no log file."""
        self._undo = ExitStack()

    def __enter__(self) -> LogOutput:
        shown = _StandardError()
        for name in OWN_LOGGERS:
            logger = logging.getLogger(name)
            self._undo.callback(logger.setLevel, logger.level)
            logger.addHandler(shown)
            self._undo.callback(logger.removeHandler, shown)
        self._shown = shown
        self._set_levels()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def be_quiet(self) -> None:
        """Leaves out notes, results and progress. Raises a usage error if -v was given."""
        if self.verbosity:
            raise click.UsageError("-q and -v exclude each other")
        self.quiet = True

    def be_verbose(self, count: int) -> None:
        """Raises the verbosity by `count`. Raises a usage error if -q was given."""
        if self.quiet:
            raise click.UsageError("-q and -v exclude each other")
        self.verbosity += count
        self._set_levels()

    def write_to(self, path: Path) -> None:
        """Appends all messages to this file from now on. Raises an OSError if it cannot be written."""
        handler = logging.FileHandler(path, encoding="utf-8")
        handler.setFormatter(logging.Formatter(FILE_FORMAT))
        root = logging.getLogger()
        root.addHandler(handler)
        self._undo.callback(handler.close)
        self._undo.callback(root.removeHandler, handler)
        self.path = path
        self._set_levels()
        _log.info("reenact %s, Python %s, %s", __version__, platform.python_version(), platform.platform())

    def _set_levels(self) -> None:
        level = _LEVELS[min(self.verbosity, len(_LEVELS) - 1)]
        self._shown.setLevel(level)
        for name in OWN_LOGGERS:
            logging.getLogger(name).setLevel(level if self.path is None else logging.DEBUG)

    def report_bug(self, error: Exception) -> None:
        """Writes the traceback of a bug into a file, and prints one line that names the file."""
        what = " ".join(traceback.format_exception_only(error)[-1].split())
        trace = "".join(traceback.format_exception(error))
        try:
            path = self.path or _write_trace(trace)
        except OSError:
            click.echo(trace, err=True, nl=False)
            click.echo(f"Error: this is a bug in reenact: {what}", err=True)
            return
        _log.critical("a bug: %s", what, exc_info=error, extra=ALREADY_SHOWN)
        if self.verbosity >= 2:
            click.echo(trace, err=True, nl=False)
        click.echo(f"Error: this is a bug in reenact: {what}; the traceback is in {path}", err=True)


ALREADY_SHOWN = {"already_shown": True}
"""The `extra` of a message that standard error already shows in other words."""


def is_quiet() -> bool:
    """Whether -q was given to the program that runs."""
    context = click.get_current_context(silent=True)
    output = None if context is None else context.find_object(LogOutput)
    return output is not None and output.quiet


class _StandardError(logging.Handler):
    """A handler that prints each message as one line on the present standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "already_shown", False):
            return
        try:
            click.echo(_line(record), err=True)
        except Exception:
            self.handleError(record)


def _line(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        message += f": {record.exc_info[1]}"
    source = f" {record.name}:" if record.levelno < logging.INFO else ""
    return f"{record.levelname.capitalize()}:{source} {' '.join(message.split())}"


def _write_trace(trace: str) -> Path:
    """The path of the new file, in the user's folder for logs, into which the traceback was written."""
    from datetime import datetime

    from platformdirs import user_log_path

    folder = user_log_path("reenact", appauthor=False, ensure_exists=True)
    path = folder / f"{datetime.now():%Y%m%d-%H%M%S-%f}.log"
    path.write_text(f"reenact {__version__}, Python {platform.python_version()}\n{trace}", encoding="utf-8")
    return path
