"""Whatever is raised for users can be imported from one place, and is one of Python's own kinds."""

from __future__ import annotations

import ast
import builtins
import re

from reenact import errors
from tests.project.test_architecture import MODULES, is_entry_point

INTERNAL = {"DatasetError", "BaselineError"}
"""Raised by what only training and fitting use, and by `reenact bench`."""


def public_errors() -> set[str]:
    return {
        node.name
        for name, path in MODULES.items()
        if not name.startswith("train") and not is_entry_point(name)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Error", "Warning")) and node.name[0] != "_"
    }


def test_every_public_error_is_there():
    assert public_errors() - INTERNAL - set(errors.__all__) == set()


def test_the_docstring_names_every_error_and_the_builtin_that_it_is():
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", errors.__doc__ or "", re.MULTILINE))
    assert sorted(rows) == errors.__all__
    for name, base in rows.items():
        kind = getattr(errors, name)
        assert issubclass(kind, getattr(errors, base, None) or getattr(builtins, base)), name
