"""The Recipe protocol: what a kind of training provides; the loop does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from train.data.shards import Shards

Batch = Mapping[str, Tensor]
"""Tensors whose first axis is the batch. They hold all random numbers of a step; losses draw none."""
Terms = dict[str, Tensor]
"""The weighted scalar terms of a loss, which is their sum."""


class Items(Protocol):
    """Training examples without end; item i is a pure function of the samples, the seed and i."""

    def __getitem__(self, index: int) -> dict[str, Tensor]: ...


class Recipe(Protocol):
    """The networks, examples and losses of one kind of training."""

    @property
    def options(self) -> Any:
        """A frozen dataclass of numbers and names, which the run's folder stores."""
        ...

    generator: nn.Module
    discriminator: nn.Module

    def items(self, samples: Shards, seed: int) -> Items:
        """Returns the training examples."""
        ...

    def discriminator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        """Returns the terms of the discriminator's loss; step: the number of the step."""
        ...

    def generator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        """Returns the terms of the generator's loss; step: the number of the step."""
        ...

    def validation(self, batch: Batch, generator: nn.Module) -> Terms:
        """Returns the error of `generator` on the held-out split; the run with the lowest sum is the best.

        It is empty where a batch allows no comparison; if all batches do, the last generator counts as best.
        """
        ...

    def preview(self, batch: Batch, generator: nn.Module) -> Tensor:
        """Returns (n, 3, height, width), 0..1: for every example a row of pictures, side by side."""
        ...
