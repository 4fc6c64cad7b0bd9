"""What a kind of training has to bring; the loop does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from train.data.shards import Shards

Batch = Mapping[str, Tensor]
"""Tensors whose first axis is the batch. All randomness of a step is in here, none in the losses."""
Terms = dict[str, Tensor]
"""Weighted parts of a loss, scalars; the loss is their sum."""


class Items(Protocol):
    """Training examples without end: item i is a pure function of the samples, the seed and i."""

    def __getitem__(self, index: int) -> dict[str, Tensor]: ...


class Recipe(Protocol):
    """Networks, examples and losses of one kind of training."""

    @property
    def options(self) -> Any:
        """A frozen dataclass of numbers and names, which a run's folder remembers."""
        ...

    generator: nn.Module
    discriminator: nn.Module

    def items(self, samples: Shards, seed: int) -> Items: ...

    def discriminator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms: ...

    def generator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms: ...

    def validation(self, batch: Batch, generator: nn.Module) -> Terms:
        """How far `generator` is off on people it was not trained on; the sum decides which is best.

        Empty where the batch tells nothing of that; where no batch does, the last generator counts as best.
        """
        ...

    def preview(self, batch: Batch, generator: nn.Module) -> Tensor:
        """(n, 3, height, width) in 0..1: for every example a row of pictures, side by side."""
        ...
