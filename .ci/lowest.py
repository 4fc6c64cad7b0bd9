"""Prints the oldest release of each dependency that pyproject.toml allows, as constraints for pip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

try:
    import tomllib
except ModuleNotFoundError:  # until Python 3.11
    import tomli as tomllib

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
EXTRAS = ("train", "dev")
"""Those that the tests need; the others are for GPUs and clusters."""


def requirements() -> Iterator[Requirement]:
    """All that the tests need with this Python."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    for line in [*project["dependencies"], *(line for extra in EXTRAS for line in optional[extra])]:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement


def oldest(requirement: Requirement) -> Iterator[str]:
    """`click>=8.2` to `click==8.2`; nothing for a requirement without a lower bound."""
    for specifier in requirement.specifier:
        if specifier.operator in (">=", "=="):
            yield f"{requirement.name}=={specifier.version}"


if __name__ == "__main__":
    for each in requirements():
        print(*oldest(each), sep="\n")
