"""Turns errors into one line on standard error and an exit code."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FrameType
from typing import IO, Any

import click

from reenact.cli.log_output import ALREADY_SHOWN, is_quiet
from reenact.cli.shared_options import in_config
from reenact.process.signals import ENDING, INTERRUPT, signals_call

_OWN_PACKAGES = frozenset({"reenact", "calib", "engines", "train"})
_INTERRUPTED, _ENDED = 130, 143

_log = logging.getLogger(__name__)


class Failure(click.ClickException):
    """The run failed. The message is shown in one line."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))

    def show(self, file: IO[Any] | None = None) -> None:
        _log.error("%s", self.message, exc_info=self.__cause__, extra=ALREADY_SHOWN)
        super().show(file)


class Unusable(Failure):
    """The arguments or the input are wrong."""

    exit_code = 2


class Interrupted(Failure):
    """The user pressed Ctrl-C."""

    exit_code = _INTERRUPTED


class EndedBySignal(Failure):
    """Another program ended this one by SIGTERM, or the terminal was closed."""

    exit_code = _ENDED


class Terminated(BaseException):
    """Is raised when SIGTERM or SIGHUP comes."""


@contextmanager
def unusable_input() -> Iterator[None]:
    """Turns errors that concern the user into Unusable, for a block that opens the user's files."""
    try:
        yield
    except Exception as error:
        if not _is_for_the_user(error):
            raise
        raise (Failure if _is_disk_full(error) else Unusable)(_message(error)) from error


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turns errors that concern the user into a Failure, for a whole command; bugs of ours are not
    changed."""
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
    """Stores the signal that has asked the run to end."""

    def __init__(self) -> None:
        self.number: int | None = None
        """The number of the signal. None: no signal has come."""

    @property
    def exit_code(self) -> int:
        """The exit code of the run: 0 if no signal has come."""
        if self.number is None:
            return 0
        return _INTERRUPTED if self.number == INTERRUPT else _ENDED


@contextmanager
def signals_stop() -> Iterator[Stop]:
    """Stores the first signal that interrupts or ends the program, so that the block can complete its files.

    A second signal ends the program as usual.
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
    """Turns an import error of other libraries than ours into a Failure that ends with the advice."""
    try:
        yield
    except ImportError as error:
        if error.name and error.name.split(".")[0] in _OWN_PACKAGES:
            raise
        raise Failure(f"{error} ({advice})") from error


def warn(line: str) -> None:
    """Prints and logs a warning in one line, on standard error."""
    _log.warning("%s", line, extra=ALREADY_SHOWN)
    click.echo(f"Warning: {line}", err=True)


def note(line: str) -> None:
    """Prints and logs a note in one line, on standard error, about something unexpected. -q leaves it out."""
    _log.info("%s", line, extra=ALREADY_SHOWN)
    if not is_quiet():
        click.echo(f"Note: {line}", err=True)


def say(line: str) -> None:
    """Prints and logs a line on standard error about the run's work or result. -q leaves it out."""
    _log.info("%s", line, extra=ALREADY_SHOWN)
    if not is_quiet():
        click.echo(line, err=True)


def _is_for_the_user(error: Exception) -> bool:
    """Whether the message is for the user: it comes from this project, or from the system about a file."""
    if isinstance(error, click.ClickException | click.exceptions.Exit | click.Abort):
        return False
    if isinstance(error, OSError):
        return error.errno != errno.EPIPE  # click handles it: a reader such as `head` has ended
    return type(error).__module__.split(".")[0] in _OWN_PACKAGES


def _is_disk_full(error: BaseException | None) -> bool:
    """Whether the error, or a cause of it, is a full disk, which no other argument would have prevented."""
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
    """Makes signals that end the program raise Terminated, so that unfinished files are removed."""
    return signals_call(_raise_terminated, ENDING)


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated
