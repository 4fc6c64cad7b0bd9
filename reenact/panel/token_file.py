"""The panel's token, which stays the same from run to run, so that the panel's address does.

An address in OBS, on a Stream Deck or among bookmarks holds the token. It is kept in a file that only its
user can read.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import stat
from pathlib import Path

import platformdirs

log = logging.getLogger(__name__)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)
_BYTES = 24
_ALL_BUT_THE_USER = stat.S_IRWXG | stat.S_IRWXO


def new_token() -> str:
    """A new token: 32 characters of 192 random bits."""
    return secrets.token_urlsafe(_BYTES)


def kept_token(*, renew: bool = False) -> str:
    """The token of this user, which is made and kept at the first call. renew: whether it is made anew.

    Where it cannot be kept, or where others could read or have written it, it is a new one.
    """
    path = platformdirs.user_state_path("reenact", appauthor=False) / "panel-token"
    token = None if renew else _read(path)
    if token is None:
        token = new_token()
        try:
            _write(path, token)
        except OSError as error:
            log.info("the panel's token is not kept: %s: %s", path, error.strerror or error)
    return token


def _read(path: Path) -> str | None:
    """The token in the file. None: there is none that only this user can have read and written."""
    try:
        status = path.lstat()
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return None
    # Windows keeps other users out of the folder itself.
    is_private = os.name == "nt" or (status.st_uid == os.getuid() and not status.st_mode & _ALL_BUT_THE_USER)
    return text if is_private and stat.S_ISREG(status.st_mode) and _TOKEN.fullmatch(text) else None


def _write(path: Path, token: str) -> None:
    """Writes the token to a file that nobody else could ever read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as opened:
        opened.write(f"{token}\n")
    os.replace(beside, path)
