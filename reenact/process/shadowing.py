"""Finds folders and files of the user that hide our packages, such as an `engines/` beside a script."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
"""The folder that contains our packages."""


class ShadowedPackageError(ImportError):
    """A file or folder of the user has the name of one of our packages and comes first on Python's path."""


def refuse_shadows(*names: str) -> None:
    """Raises ShadowedPackageError if Python would import one of these packages from another folder than
    HOME."""
    for name in names:
        other = _other_package(name)
        if other is not None:
            raise ShadowedPackageError(
                f"{other} hides reenact's own package {name!r}, {HOME / name}: rename it, or take "
                f"{other.parent} off Python's path (PYTHONPATH, or the folder of the script that runs)",
                name=name,
            )


def _other_package(name: str) -> Path | None:
    """The path that Python would import instead of the package in HOME. None: it would import that
    package."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module without a spec was put into sys.modules
        return None
    place = None if spec is None else _place(spec)
    return None if place is None or place.parent == HOME else place


def _place(spec: ModuleSpec) -> Path | None:
    """The path of a package's folder or of a module's file. None: it has neither."""
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return None if spec.origin is None else Path(spec.origin).resolve()
