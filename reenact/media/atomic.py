"""Writes files atomically: they appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def partial_path(target: Path) -> Path:
    """The path of an unfinished file that is kept: `out.partial.mp4` for `out.mp4`."""
    return target.with_name(f"{target.stem}.partial{target.suffix}")


@contextmanager
def replacing(target: Path, keep_partial: bool = False) -> Iterator[Path]:
    """Gives the path of a new, empty file beside `target`, which replaces `target` when the block ends well.

    When the block raises, the file is removed, or with `keep_partial` renamed to `partial_path(target)`.
    Where `target` is a symbolic link, the file that it points to is replaced. Raises OSError.
    """
    target = target.resolve()
    # Beside the target, because a rename is atomic only within one file system. The suffix is kept: some
    # writers choose their format by it.
    beside = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    # Not tempfile: its files are private to the user (0600), and the result should obey the umask.
    os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield beside
        os.replace(beside, target)
    except BaseException:
        if keep_partial and beside.stat().st_size > 0:
            os.replace(beside, partial_path(target))
        raise
    finally:
        beside.unlink(missing_ok=True)
