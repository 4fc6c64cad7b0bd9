"""What every inference runtime offers to the frame loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[Any]]
"""Arrays by the names that the model gives to its inputs or outputs."""


class EngineError(RuntimeError):
    """A runtime that is not there, a model that cannot be loaded, or tensors that do not fit it."""


@dataclass(frozen=True)
class Availability:
    """Whether a runtime can be used here."""

    available: bool
    detail: str
    """Its version; where it is not available, why, and what would help."""
    device: str = "CPU"
    """Where it computes."""
    expected: bool = True
    """False where most machines rightly do without it, so that nobody need be told."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model."""

    name: str
    shape: tuple[int | None, ...]
    """None where any length will do, such as the number of faces."""
    dtype: np.dtype[Any]

    def check(self, tensor: NDArray[Any]) -> None:
        """Raises EngineError where the tensor is not of this shape and dtype."""
        fits = len(tensor.shape) == len(self.shape) and all(
            wanted in (None, given) for wanted, given in zip(self.shape, tensor.shape, strict=True)
        )
        if not fits or tensor.dtype != self.dtype:
            raise EngineError(
                f"the model's {self.name!r} is {_describe(self.shape, self.dtype)}, "
                f"but was given {_describe(tensor.shape, tensor.dtype)}"
            )


class Engine(Protocol):
    """A model loaded into a runtime. A context manager: leaving it frees what the runtime holds."""

    @property
    def name(self) -> str:
        """The runtime's name, its version and where it computes, for people."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about how it came to be chosen, one plain line each."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `run` takes."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What `run` returns."""

    def run(self, inputs: Tensors) -> Tensors:
        """The outputs for these inputs; raises EngineError where the inputs do not fit."""

    def __enter__(self) -> Engine: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def check_tensors(specs: Sequence[TensorSpec], tensors: Tensors) -> None:
    """Raises EngineError unless there is one fitting tensor for each spec, and no other."""
    wanted = {spec.name for spec in specs}
    if wanted != set(tensors):
        raise EngineError(f"the model takes {_names(wanted)}, but was given {_names(set(tensors))}")
    for spec in specs:
        spec.check(tensors[spec.name])


def one_line(error: object) -> str:
    """What an error of a runtime says, whose messages may have many lines."""
    return " ".join(str(error).split())


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _describe(shape: Sequence[int | None], dtype: np.dtype[Any]) -> str:
    """For people: `float32 (any, 3, 256, 256)`."""
    lengths = ", ".join("any" if length is None else str(length) for length in shape)
    return f"{dtype.name} ({lengths})"
