"""Arguments that a docstring explains one by one, as in `strength: how far`, become a list on the pages."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Function

ARGUMENT = re.compile(r"(\w+(?:, \w+)*): ")


class ArgumentLists(Extension):
    """Gives every line that begins with the name of an argument the mark of a list's entry."""

    def on_function_instance(self, *, func: Function, **_: Any) -> None:
        """Called by griffe with every function that it has read."""
        if func.docstring is not None:
            names = {parameter.name for parameter in func.parameters}
            func.docstring.value = as_lists(func.docstring.value, names)


def as_lists(docstring: str, names: set[str]) -> str:
    """The docstring with its arguments as a list of Markdown; `names` are those of the function."""
    lines: list[str] = []
    listing = False
    for line in docstring.splitlines():
        match = ARGUMENT.match(line)
        if match and set(match[1].split(", ")) <= names:
            # A list needs an empty line before its first entry.
            lines += [] if listing else [""]
            line = f"- **{match[1]}**: {line[match.end() :]}"
            listing = True
        elif not line:
            listing = False
        lines.append(line)
    return "\n".join(lines)
