"""JSON that people write: read whole, and refused with the place where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_LARGEST_FILE = 1_000_000


def read_json(path: Path, refusal: type[ValueError]) -> Any:
    """The document in a file; raises `refusal` with what is wrong, but without the file's name."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
        if len(data) > _LARGEST_FILE:
            raise refusal(f"is larger than {_LARGEST_FILE} bytes")
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=lambda pairs: _once(pairs, refusal))
    except refusal:
        raise
    except UnicodeDecodeError as error:
        raise refusal("is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise refusal(f"is not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
    except OSError as error:
        raise refusal(f"cannot be read: {error.strerror or 'no reason given'}") from error
    except (ValueError, RecursionError) as error:
        raise refusal(f"cannot be read: {error}") from error


def _once(pairs: list[tuple[str, Any]], refusal: type[ValueError]) -> dict[str, Any]:
    """The object with these members; a name that comes twice would silently be the last one's."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise refusal(f"holds {twice!r:.40} twice in one object")
    return found
