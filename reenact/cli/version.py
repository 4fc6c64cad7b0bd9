"""`reenact --version`: the versions of reenact, Python and libraries, and the models that ship."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import click

from reenact import __version__
from reenact.process.shadowing import HOME

LIBRARIES = {
    "openvino": ("openvino",),
    "onnx": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
    "tensorrt": ("tensorrt",),
    "mediapipe": ("mediapipe",),
}
"""The distributions that may contain the library of an engine or of the tracker."""
MODELS = (".onnx", ".npz")
"""The endings of files with weights and fitted tables."""


def print_version(context: click.Context, option: click.Parameter, asked: bool) -> None:
    """Prints the versions and ends the program, without importing the libraries."""
    if not asked or context.resilient_parsing:
        return
    click.echo("\n".join(version_lines()))
    context.exit()


def version_lines() -> Iterator[str]:
    """The lines that `reenact --version` prints."""
    # Imported here, so that other commands start without it.
    import hashlib

    yield f"reenact {__version__}, Python {platform.python_version()}"
    for name, distributions in LIBRARIES.items():
        yield f"  {name:10} {_version(distributions)}"
    yield "models, with the first 12 digits of their SHA-256:"
    for path in shipped_models():
        yield f"  {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}  {path.relative_to(HOME).as_posix()}"


def shipped_models() -> list[Path]:
    """The paths of all files with weights and fitted tables that ship."""
    found = (path for package in ("reenact", "calib") for path in (HOME / package).rglob("*.*"))
    return sorted(path for path in found if path.suffix in MODELS)


def _version(distributions: tuple[str, ...]) -> str:
    """The version of the first of these distributions that is installed."""
    from importlib.metadata import PackageNotFoundError, version

    for name in distributions:
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        return found if name == distributions[0] else f"{found} ({name})"
    return "not installed"
