"""One file per inference runtime, behind the Engine protocol: `load_engine` picks one and opens a model."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from engines import onnx, openvino, tensorrt
from engines.choice import AUTO, NAMES, PRECISIONS, Choice, ChoiceError, parse_choice
from engines.engine import Availability, Engine, EngineError, Tensors, TensorSpec
from engines.tensorrt_plan import TensorRtOptions

__all__ = [
    "AUTO",
    "NAMES",
    "PRECISIONS",
    "Availability",
    "Choice",
    "ChoiceError",
    "Engine",
    "EngineError",
    "TensorSpec",
    "Tensors",
    "import_runtime",
    "load_engine",
    "open_engine",
    "parse_choice",
    "probe",
    "read_model",
]

_log = logging.getLogger(__name__)


def probe(name: str) -> Availability:
    """Returns whether the engine of this name can be used here; quick, without heavy imports."""
    assert name in NAMES, name
    match name:
        case "tensorrt":
            return tensorrt.probe()
        case "openvino":
            return openvino.probe()
    return onnx.probe(name)


def import_runtime(name: str) -> None:
    """Imports the runtime of this name as its engine does. Raises EngineError where that fails."""
    match name:
        case "tensorrt":
            tensorrt.import_runtime()
        case "openvino":
            openvino.import_runtime()
        case _:
            onnx.import_runtime(name)


def load_engine(
    model: Path, engine: str = AUTO, sha256: str | None = None, threads: int | None = None
) -> Engine:
    """Opens an ONNX model in the engine asked for (see `parse_choice`); "auto" takes the fastest that can
    open it.

    An engine asked for by name is never replaced by another. If "auto" cannot use a faster engine that is
    expected on this machine, the notes of the engine it takes say why.
    threads: the number of threads on the CPU. None: the number by engines.threads.
    Raises EngineError, in one line, if there is no such engine, or if the model's file is missing, has
    another SHA-256, or cannot be loaded.
    """
    asked = parse_choice(engine)
    choices = [Choice(name) for name in NAMES] if asked.name == AUTO else [asked]
    available = {choice.name: probe(choice.name) for choice in choices}
    content = read_model(model, sha256)
    refusals: dict[str, str] = {}
    for choice in choices:
        told = [refusal for refused, refusal in refusals.items() if available[refused].expected]
        notes = tuple(f"{refusal}; {choice} works in its place, slower" for refusal in told)
        try:
            opened = open_engine(content, choice, notes, available[choice.name], threads)
        except EngineError as error:
            refusals[choice.name] = str(error)
            _log.info("%s does not run %s: %s", choice, model, error)
            continue
        _log.info("%s runs %s", opened.name, model)
        return opened
    raise EngineError(f"{model}: {'; '.join(refusals.values())}")


def open_engine(
    content: bytes,
    choice: Choice,
    notes: tuple[str, ...] = (),
    availability: Availability | None = None,
    threads: int | None = None,
) -> Engine:
    """Opens the content of an ONNX file in this engine and no other. Raises EngineError where it cannot.

    OpenVINO also opens the content of a TensorFlow Lite file.

    availability: the result of `probe`. None: it is called. threads: as in `load_engine`.
    """
    availability = availability or probe(choice.name)
    if not availability.available:
        raise EngineError(availability.detail)
    match choice.name:
        case "tensorrt":
            options = TensorRtOptions(choice.precision or PRECISIONS["tensorrt"][0])
            return tensorrt.TensorRtEngine(content, options, notes)
        case "openvino":
            return openvino.OpenVinoEngine(
                content, openvino.OpenVinoOptions(choice.precision, threads), notes
            )
    return onnx.OnnxEngine(content, onnx.OnnxOptions(choice.name, choice.precision, threads), notes)


def read_model(model: Path, sha256: str | None = None) -> bytes:
    """Returns the file's content, checked against its SHA-256 in hexadecimal digits. None: no check."""
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
