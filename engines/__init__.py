"""One file per inference runtime, behind the Engine protocol: `load_engine` picks one and opens a model."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engines import onnx
from engines.base import Availability, Engine, EngineError, Tensors, TensorSpec

__all__ = [
    "NAMES",
    "Availability",
    "Engine",
    "EngineError",
    "TensorSpec",
    "Tensors",
    "load_engine",
    "probe",
    "read_model",
]

NAMES = ("onnx",)
"""The runtimes, best first."""


def probe(name: str) -> Availability:
    """Whether the runtime of this name can be used here; quick, imports nothing heavy."""
    match name:
        case "onnx":
            return onnx.probe()
    raise EngineError(f"no engine is called {name!r}; there is auto, {', '.join(NAMES)}")


def load_engine(model: Path, name: str = "auto", sha256: str | None = None) -> Engine:
    """Opens the ONNX model in the named runtime, or with "auto" in the best one that is available here.

    A runtime asked for by name is never replaced by another. Raises EngineError, in one line, where there is
    no such runtime or the model file is missing, is not the one with this SHA-256, or cannot be loaded.
    """
    chosen = _available(name)
    content = read_model(model, sha256)
    try:
        match chosen:
            case "onnx":
                return onnx.OnnxEngine(content)
    except EngineError as error:
        raise EngineError(f"{model}: {error}") from error
    raise AssertionError(chosen)


def read_model(model: Path, sha256: str | None = None) -> bytes:
    """The file's content, checked against its SHA-256 in hexadecimal digits where that is known."""
    try:
        content = model.read_bytes()
    except OSError as error:
        raise EngineError(f"cannot read the model {model}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise EngineError(
            f"{model} is not the model it should be: its SHA-256 is {found[:12]}…, not {sha256[:12]}…; "
            "it is damaged or of another version, install it again"
        )
    return content


def _available(name: str) -> str:
    """The runtime to use when this one is asked for; raises EngineError with every reason where none is."""
    candidates = NAMES if name == "auto" else (name,)
    refusals = []
    for candidate in candidates:
        availability = probe(candidate)
        if availability.available:
            return candidate
        refusals.append(f"{candidate}: {availability.detail}")
    raise EngineError(f"no engine can run here ({'; '.join(refusals)})")
