"""Reads JSON that people write: one set of rules for all files, and errors that name line and column."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from calib.text_file import read_text

_LARGEST_BYTES = 1_000_000
_DEEPEST = 64
"""The deepest nesting of brackets."""
_TOKEN = re.compile(
    r'(?P<text>"(?:[^"\\]|\\.)*")(?P<names>\s*:)?|(?P<bracket>[][{}])|(?P<number>-?Infinity|NaN|-?\d[-+.eE\d]*)'
)
"""The parts of JSON text that the rules concern; commas and words are skipped."""


def read_json(path: Path, refusal: type[ValueError], largest_bytes: int = _LARGEST_BYTES) -> Any:
    """Returns the document in a file, by the rules of `parse_json`.

    Raises `refusal` with what is wrong, but without the file's name.
    """
    return parse_json(read_text(path, refusal, largest_bytes), refusal)


def parse_json(text: str, refusal: type[ValueError]) -> Any:
    """Returns the document in a text. No object may name a member twice, and numbers must be finite.

    Raises `refusal` with what is wrong and where.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise refusal(f"is not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise refusal(f"cannot be read: brackets are nested more than {_DEEPEST} deep") from error
    except ValueError as error:  # a number with thousands of digits
        raise refusal(f"cannot be read: {error}") from error
    _check_rules(text, refusal)
    return document


def number_in(value: Any) -> float:
    """Returns a document's number; NaN where the value is text, true, false, or a number that is too
    large."""
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.nan


def has_version(document: Any, version: int) -> bool:
    """Returns whether a document is an object whose "version" is this number."""
    return isinstance(document, dict) and number_in(document.get("version")) == version


def _check_rules(text: str, refusal: type[ValueError]) -> None:
    """Raises `refusal` for what `json` accepts without an error, such as a repeated name; `text` is JSON."""
    names: list[set[str]] = []
    """The names of the members of each object or list that is open at the token."""
    for token in _TOKEN.finditer(text):
        if token["bracket"] in ("[", "{"):
            names.append(set())
            if len(names) > _DEEPEST:
                raise refusal(
                    f"cannot be read: brackets are nested more than {_DEEPEST} deep {_place(text, token)}"
                )
        elif token["bracket"]:
            names.pop()
        elif token["names"]:
            name = json.loads(token["text"])
            if name in names[-1]:
                raise refusal(f"holds {name!r:.40} twice in one object, again {_place(text, token)}")
            names[-1].add(name)
        elif token["number"] and not _is_finite(token["number"]):
            raise refusal(f"holds {token['number']:.20} {_place(text, token)}; write a finite number")


def _is_finite(number: str) -> bool:
    """Returns whether the text of a number is finite; whole numbers always are."""
    return math.isfinite(float(number)) if set(number) & set(".eENI") else True


def _place(text: str, token: re.Match[str]) -> str:
    start = token.start()
    line = text.count("\n", 0, start) + 1
    return f"at line {line}, column {start - text.rfind(chr(10), 0, start)}"
