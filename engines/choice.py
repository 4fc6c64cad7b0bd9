"""Which runtime is to open a model, and what it is to compute in: `auto`, `openvino`, `openvino:fp32`."""

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
"""What each engine can be asked to compute in where the model has float32, the usual one first; none where it
computes in whatever types it likes best."""

NAMES = tuple(PRECISIONS)
"""The engines, in the order in which AUTO tries them: the fastest first."""

AUTO = "auto"


class ChoiceError(EngineError):
    """What was asked for is no engine, or nothing that this engine can compute in."""


@dataclass(frozen=True)
class Choice:
    name: str
    """One of NAMES, or AUTO: the first of them that can open the model."""
    precision: str | None = None
    """One of the engine's PRECISIONS; None: its own choice, by what the machine is good at."""

    def __str__(self) -> str:
        return self.name if self.precision is None else f"{self.name}:{self.precision}"


def parse_choice(text: str) -> Choice:
    """`NAME` or `NAME:PRECISION`. Raises ChoiceError, which names what there is."""
    name, colon, precision = text.partition(":")
    if name not in (AUTO, *NAMES):
        raise ChoiceError(f"no engine is called {name!r}; there is {AUTO}, {', '.join(NAMES)}")
    if not colon:
        return Choice(name)
    if name == AUTO:
        raise ChoiceError(f"{text!r}: a precision needs the name of an engine, such as openvino:fp32")
    if precision not in PRECISIONS[name]:
        raise ChoiceError(f"{name} cannot be asked for {precision!r}: {_offered(name)}")
    return Choice(name, precision)


def _offered(name: str) -> str:
    """What the engine computes in, for people."""
    if not PRECISIONS[name]:
        return "there is nothing to choose, leave it out"
    kinds = " or ".join(PRECISIONS[name])
    halves = "; halves are in the model itself: python -m train export --precision fp16"
    return f"it computes in {kinds}{halves if name == 'tensorrt' else ''}"
