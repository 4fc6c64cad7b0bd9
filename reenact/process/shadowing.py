"""Finds folders and files of the user's that hide packages of ours: an `engines/` beside a script, say."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
"""The folder in which reenact lies; its other packages lie beside it."""


class ShadowedPackageError(ImportError):
    """A module of a stranger has the name of a package of ours and comes first on Python's path."""


def refuse_shadows(*names: str) -> None:
    """Raises ShadowedPackageError where Python would take one of these packages from elsewhere."""
    for name in names:
        stranger = _stranger(name)
        if stranger is not None:
            raise ShadowedPackageError(
                f"{stranger} hides reenact's own package {name!r}, {HOME / name}: rename it, or take "
                f"{stranger.parent} off Python's path (PYTHONPATH, or the folder of the script that runs)",
                name=name,
            )


def _stranger(name: str) -> Path | None:
    """What Python would import under this name instead of the package in HOME; None: nothing else."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module without a spec, which somebody has put into sys.modules
        return None
    place = None if spec is None else _place(spec)
    return None if place is None or place.parent == HOME else place


def _place(spec: ModuleSpec) -> Path | None:
    """The folder of a package, or the file of a module."""
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return None if spec.origin is None else Path(spec.origin).resolve()
