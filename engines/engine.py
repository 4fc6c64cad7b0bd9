"""The Engine protocol: what every inference runtime offers to the frame loop."""

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
    """A runtime is missing, a model cannot be loaded, or tensors do not fit the model."""


@dataclass(frozen=True)
class Availability:
    """Whether a runtime can be used here."""

    available: bool
    """Whether the runtime can be used."""
    detail: str
    """The runtime's version; if it is not available, the reason and what to do."""
    device: str = "CPU"
    """The device that it computes on."""
    expected: bool = True
    """Whether most machines should have it; if not, its absence is not reported."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model."""

    name: str
    """The name that the model gives it."""
    shape: tuple[int | None, ...]
    """The length of each axis. None: any length is allowed, as for the number of faces."""
    dtype: np.dtype[Any]
    """The type of its elements."""

    def check(self, tensor: NDArray[Any]) -> None:
        """Raises EngineError where the tensor does not have this shape and dtype."""
        fits = len(tensor.shape) == len(self.shape) and all(
            wanted in (None, given) for wanted, given in zip(self.shape, tensor.shape, strict=True)
        )
        if not fits or tensor.dtype != self.dtype:
            raise EngineError(
                f"the model's {self.name!r} is {_describe(self.shape, self.dtype)}, "
                f"but was given {_describe(tensor.shape, tensor.dtype)}"
            )


class Engine(Protocol):
    """A model loaded into a runtime. It is a context manager; leaving it frees the runtime's resources."""

    @property
    def name(self) -> str:
        """The runtime's name, its version and its device, for people."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages for the user about the choice of this engine, one plain line each."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that `run` takes."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that `run` returns."""

    def run(self, inputs: Tensors) -> Tensors:
        """Computes the outputs for these inputs. Raises EngineError where the inputs do not fit."""

    def __enter__(self) -> Engine: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def check_tensors(specs: Sequence[TensorSpec], tensors: Tensors) -> None:
    """Raises EngineError unless there is exactly one fitting tensor for each spec."""
    wanted = {spec.name for spec in specs}
    if wanted != set(tensors):
        raise EngineError(f"the model takes {_names(wanted)}, but was given {_names(set(tensors))}")
    for spec in specs:
        spec.check(tensors[spec.name])


def one_line(error: object) -> str:
    """Returns the first line of a runtime's error, whose message may have many lines."""
    return " ".join(str(error).split())


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _describe(shape: Sequence[int | None], dtype: np.dtype[Any]) -> str:
    """Returns a text for people, such as `float32 (any, 3, 256, 256)`."""
    lengths = ", ".join("any" if length is None else str(length) for length in shape)
    return f"{dtype.name} ({lengths})"
