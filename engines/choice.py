"""The choice of a runtime and its precision, in text: `auto`, `openvino`, `openvino:fp32`."""

from __future__ import annotations

from dataclasses import dataclass

from engines import onnx, openvino, providers, tensorrt_plan
from engines.engine import EngineError

PRECISIONS = {
    "tensorrt": tensorrt_plan.PRECISIONS,
    **{name: provider.precisions for name, provider in providers.PROVIDERS.items()},
    "openvino": openvino.PRECISIONS,
    "onnx": onnx.PRECISIONS,
}
"""The precisions that each engine offers for float32 models, the usual one first. Empty: it computes in types
of its own choice."""

NAMES = tuple(PRECISIONS)
"""The engines in the order in which AUTO tries them, the fastest first."""

AUTO = "auto"


class ChoiceError(EngineError):
    """The text names no engine, or a precision that this engine does not offer."""


@dataclass(frozen=True)
class Choice:
    """An engine and a precision."""

    name: str
    """One of NAMES, or AUTO, which stands for the first of them that can open the model."""
    precision: str | None = None
    """One of the engine's PRECISIONS. None: the engine chooses by what the machine is good at."""

    def __str__(self) -> str:
        return self.name if self.precision is None else f"{self.name}:{self.precision}"


def parse_choice(text: str) -> Choice:
    """Reads `NAME` or `NAME:PRECISION`. Raises ChoiceError, which names the choices."""
    name, colon, precision = text.partition(":")
    if name not in (AUTO, *NAMES):
        raise ChoiceError(f"no engine is called {name!r}; choose from {AUTO}, {', '.join(NAMES)}")
    if not colon:
        return Choice(name)
    if name == AUTO:
        raise ChoiceError(f"{text!r} names no engine for the precision; write for example openvino:fp32")
    if precision not in PRECISIONS[name]:
        raise ChoiceError(f"{name} cannot be asked for {precision!r}: {_offered(name)}")
    return Choice(name, precision)


def _offered(name: str) -> str:
    """Returns the engine's precisions as text for messages."""
    if not PRECISIONS[name]:
        return "it has no choice of precision; leave it out"
    kinds = " or ".join(PRECISIONS[name])
    halves = "; halves are in the model itself: python -m train export --precision fp16"
    return f"it computes in {kinds}{halves if name == 'tensorrt' else ''}"
