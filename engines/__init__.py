"""One file per inference runtime, behind the Engine protocol: `load_engine` picks one and opens a model."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engines import onnx, openvino, tensorrt
from engines.base import Availability, Engine, EngineError, Tensors, TensorSpec

__all__ = [
    "NAMES",
    "Availability",
    "Engine",
    "EngineError",
    "TensorSpec",
    "Tensors",
    "import_runtime",
    "load_engine",
    "probe",
    "read_model",
]

NAMES = ("tensorrt", "openvino", "onnx")
"""The runtimes, fastest first."""


def probe(name: str) -> Availability:
    """Whether the runtime of this name can be used here; quick, imports nothing heavy."""
    match name:
        case "tensorrt":
            return tensorrt.probe()
        case "openvino":
            return openvino.probe()
        case "onnx":
            return onnx.probe()
    raise EngineError(f"no engine is called {name!r}; there is auto, {', '.join(NAMES)}")


def import_runtime(name: str) -> None:
    """Imports the runtime of this name as its engine does; raises EngineError where that fails."""
    match name:
        case "tensorrt":
            tensorrt.import_runtime()
        case "openvino":
            openvino.import_runtime()
        case "onnx":
            onnx.import_runtime()


def load_engine(model: Path, name: str = "auto", sha256: str | None = None) -> Engine:
    """Opens the ONNX model in the named runtime, or with "auto" in the fastest one that can open it here.

    A runtime asked for by name is never replaced by another; where "auto" had to do without a faster one that
    may be expected here, the engine's notes say why. Raises EngineError, in one line, where there is no such
    runtime or the model file is missing, is not the one with this SHA-256, or cannot be loaded.
    """
    candidates = NAMES if name == "auto" else (name,)
    available = {candidate: probe(candidate) for candidate in candidates}
    content = read_model(model, sha256)
    refusals: dict[str, str] = {}
    for candidate, availability in available.items():
        told = [refusal for refused, refusal in refusals.items() if available[refused].expected]
        notes = tuple(f"{refusal}; {candidate} works in its place, slower" for refusal in told)
        try:
            return _open(candidate, availability, content, notes)
        except EngineError as error:
            refusals[candidate] = str(error)
    raise EngineError(f"{model}: {'; '.join(refusals.values())}")


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


def _open(name: str, availability: Availability, content: bytes, notes: tuple[str, ...]) -> Engine:
    if not availability.available:
        raise EngineError(availability.detail)
    match name:
        case "tensorrt":
            return tensorrt.TensorRtEngine(content, notes=notes)
        case "openvino":
            return openvino.OpenVinoEngine(content, notes=notes)
        case "onnx":
            return onnx.OnnxEngine(content, notes=notes)
    raise AssertionError(name)
