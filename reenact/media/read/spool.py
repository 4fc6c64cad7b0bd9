"""Keeps input that can be read only once, such as a pipe or an address, in a temporary file."""

from __future__ import annotations

import errno
import http.client
import io
import os
import re
import stat
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 30.0
"""Timeout of an address that sends nothing, in seconds."""
_SCHEMES = ("http", "https", "ftp", "file")
_DESCRIPTOR = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/(\d+)")
STANDARD_INPUT = "-"


class CaptureError(OSError):
    """Raised where the input cannot be read as a video; the message is one line for the user."""


@dataclass(frozen=True)
class Spooled(os.PathLike[str]):
    """Input that is kept in a file of its own; `str` gives its name."""

    name: str
    """The user's name for the input, without a password."""
    path: Path
    """The file that contains the input."""

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        """The ending of the input's name, such as ".mp4"; empty where it has none."""
        name = re.split(r"[?#]", self.name)[0] if is_address(self.name) else self.name
        return Path(name).suffix


Source = Path | Spooled
"""A film or a picture: the path of a file, or spooled input."""


def is_address(text: str) -> bool:
    """Whether the text is a URL."""
    return "://" in text


def without_password(address: str) -> str:
    """The address without its user and password, for messages."""
    return re.sub(r"://[^/]*@", "://", address)


def needs_spooling(source: Source | str) -> bool:
    """Whether the input can be read only once and must be kept in a file: a pipe, a device or an address."""
    if isinstance(source, Spooled):
        return False
    if str(source) == STANDARD_INPUT or is_address(str(source)):
        return True
    try:
        mode = Path(source).stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


@contextmanager
def spooled(source: Path | str) -> Iterator[Spooled]:
    """Copies a pipe or an address into a file that is deleted when the block ends.

    Raises CaptureError where it cannot be read or the disk is full.
    """
    name = "standard input" if str(source) == STANDARD_INPUT else without_password(str(source))
    with ExitStack() as stack:
        stream = stack.enter_context(_opened(str(source), name))
        suffix = Spooled(name, Path()).suffix
        descriptor, path = tempfile.mkstemp(prefix="reenact-", suffix=suffix)
        stack.callback(os.unlink, path)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            _copy(stream, file, name)
        yield Spooled(name, Path(path))


def _opened(source: str, name: str) -> AbstractContextManager[BinaryIO]:
    if is_address(source):
        return _opened_address(source, name)
    descriptor = _DESCRIPTOR.fullmatch(source)
    try:
        if source == STANDARD_INPUT:
            return _standard_input()
        if descriptor:  # a socket cannot be opened by its path
            return os.fdopen(os.dup(int(descriptor[1] or 0)), "rb")
        if not stat.S_ISFIFO(os.stat(source).st_mode):
            raise CaptureError(
                f"{name} is a device; a file, a pipe or an address is needed "
                f"(for a camera: reenact webcam --camera {name})"
            )
        return open(source, "rb")
    except CaptureError:
        raise
    except OSError as error:
        raise CaptureError(f"{name} cannot be read: {error.strerror}") from error


def _standard_input() -> AbstractContextManager[BinaryIO]:
    if sys.stdin is None or sys.stdin.closed:
        raise CaptureError("standard input is closed; name a file")
    if sys.stdin.isatty():
        raise CaptureError("standard input is a terminal; send a file into it: cat IN | reenact video - OUT")
    return nullcontext(sys.stdin.buffer)  # standard input stays open


def _opened_address(address: str, name: str) -> BinaryIO:
    if address.partition("://")[0].lower() not in _SCHEMES:
        raise CaptureError(
            f"{name}: films are read from files, pipes and {', '.join(_SCHEMES)} addresses "
            f"(for a live stream: reenact webcam --camera {name})"
        )
    try:
        return cast("BinaryIO", urllib.request.urlopen(address, timeout=_TIMEOUT_S))
    except urllib.error.HTTPError as error:
        raise CaptureError(f"{name} cannot be read: {error.code} {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise CaptureError(f"{name} cannot be read: {getattr(reason, 'strerror', None) or reason}") from error


def _copy(stream: BinaryIO, file: io.RawIOBase, name: str) -> None:
    copied = 0
    try:
        for chunk in iter(partial(stream.read, _CHUNK_BYTES), b""):
            _write(file, chunk, copied, name)
            copied += len(chunk)
    except CaptureError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise CaptureError(
            f"{name} breaks off after {copied / 1e6:.1f} MB: {getattr(error, 'strerror', None) or error}"
        ) from error
    if not copied:
        raise CaptureError(f"{name} is empty (0 bytes)")
    missing = getattr(stream, "length", None)  # bytes of the announced length that have not come
    if missing:
        raise CaptureError(
            f"{name} breaks off after {copied / 1e6:.1f} MB: {missing / 1e6:.1f} MB are missing"
        )


def _write(file: io.RawIOBase, chunk: bytes, copied: int, name: str) -> None:
    try:
        left = memoryview(chunk)
        while left:
            left = left[file.write(left) or 0 :]
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = "; set TMPDIR to a folder with more room" if full else ""
        raise CaptureError(
            f"{name} is kept in {tempfile.gettempdir()} while it is read, and there is no room after "
            f"{copied / 1e6:.0f} MB: {error.strerror}{advice}"
        ) from error
