"""Turns errors into one line on standard error and an exit code."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FrameType
from typing import IO, Any

import click

from reenact.cli.log_output import SAID, is_quiet
from reenact.cli.shared_options import in_config
from reenact.process.signals import ENDING, INTERRUPT, signals_call

_OWN_PACKAGES = frozenset({"reenact", "calib", "engines", "train"})
_INTERRUPTED, _ENDED = 130, 143

_log = logging.getLogger(__name__)


class Failure(click.ClickException):
    """The run failed; `message` is shown as one line."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))

    def show(self, file: IO[Any] | None = None) -> None:
        _log.error("%s", self.message, exc_info=self.__cause__, extra=SAID)
        super().show(file)


class Unusable(Failure):
    """The arguments or the input are wrong."""

    exit_code = 2


class Interrupted(Failure):
    """The user pressed Ctrl-C."""

    exit_code = _INTERRUPTED


class EndedBySignal(Failure):
    """SIGTERM came, or the terminal was closed."""

    exit_code = _ENDED


class Terminated(BaseException):
    """Raised when SIGTERM or SIGHUP comes."""


@contextmanager
def unusable_input() -> Iterator[None]:
    """Around what opens the files that the user named: what fails here is Unusable."""
    try:
        yield
    except Exception as error:
        if not _is_for_the_user(error):
            raise
        raise (Failure if _is_disk_full(error) else Unusable)(_message(error)) from error


@contextmanager
def plain_errors() -> Iterator[None]:
    """Around everything: errors that concern the user become a Failure; our own bugs keep their traceback."""
    try:
        with _signals_raise():
            yield
    except click.UsageError as error:
        raise Unusable(_usage_message(error)) from error
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted") from error
    except Terminated as error:
        raise EndedBySignal("terminated") from error
    except Exception as error:
        if not _is_for_the_user(error):
            raise
        raise (Unusable if isinstance(error, ValueError) else Failure)(_message(error)) from error


class Stop:
    """Remembers whether a signal has asked the run to end."""

    def __init__(self) -> None:
        self.number: int | None = None
        """The number of the signal; None: none has come."""

    @property
    def exit_code(self) -> int:
        """The exit code of the run; 0 if no signal has come."""
        if self.number is None:
            return 0
        return _INTERRUPTED if self.number == INTERRUPT else _ENDED


@contextmanager
def signals_stop() -> Iterator[Stop]:
    """Around a run that others end: signals only ask, so that it can finish what it writes.

    A second signal does not ask.
    """
    stop = Stop()
    with ExitStack() as handling:

        def ask(number: int, frame: FrameType | None) -> None:
            stop.number = number
            handling.close()

        handling.enter_context(signals_call(ask, (INTERRUPT, *ENDING)))
        yield stop


@contextmanager
def plain_import_errors(advice: str) -> Iterator[None]:
    """Around imports: a library that is missing, or that misses something, is no bug. `advice` mends it."""
    try:
        yield
    except ImportError as error:
        if error.name and error.name.split(".")[0] in _OWN_PACKAGES:
            raise
        raise Failure(f"{error} ({advice})") from error


def warn(line: str) -> None:
    """Prints a warning in one line on standard error."""
    _log.warning("%s", line, extra=SAID)
    click.echo(f"Warning: {line}", err=True)


def note(line: str) -> None:
    """Prints a note in one line on standard error, about what the user may not expect; -q leaves it out."""
    _log.info("%s", line, extra=SAID)
    if not is_quiet():
        click.echo(f"Note: {line}", err=True)


def say(line: str) -> None:
    """Prints one line on standard error about what is done or was done; -q leaves it out."""
    _log.info("%s", line, extra=SAID)
    if not is_quiet():
        click.echo(line, err=True)


def _is_for_the_user(error: Exception) -> bool:
    """Whether the message was written for the user: by this project, or by the system about a file."""
    if isinstance(error, click.ClickException | click.exceptions.Exit | click.Abort):
        return False
    if isinstance(error, OSError):
        return error.errno != errno.EPIPE  # click's affair: a reader such as `head` has left
    return type(error).__module__.split(".")[0] in _OWN_PACKAGES


def _is_disk_full(error: BaseException | None) -> bool:
    """Whether it, or what caused it, is that there was no room: which no other argument would have helped."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _usage_message(error: click.UsageError) -> str:
    configured = in_config(error)
    if configured is not None:
        return configured.rstrip(".")
    message = error.format_message().rstrip(".")
    return f"{message} (see '{error.ctx.command_path} --help')" if error.ctx else message


def _signals_raise() -> AbstractContextManager[None]:
    """Whoever ends the program or closes its terminal gets what Ctrl-C gets: unfinished files are removed."""
    return signals_call(_raise_terminated, ENDING)


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated
