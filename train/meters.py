"""Counters of the training loop; they make the CPU wait for a GPU only when they are read."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from train.distributed import Ranks, average
from train.recipes.recipe import Terms

_MOST_SKIPPED = 20
"""The number of consecutive steps that are not finite after which a run ends."""


class Diverged(ArithmeticError):
    """The losses are no longer finite."""


class LossMeans:
    """Means of losses, kept on the device until they are read."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._weights: dict[str, float] = {}

    def add(self, terms: Terms, of: str, weight: float = 1.0) -> None:
        """Adds terms of one network with a weight."""
        for term_name, term in terms.items():
            name = f"{of}/{term_name}"
            self._sums[name] = self._sums.get(name, 0.0) + weight * term.detach()
            self._weights[name] = self._weights.get(name, 0.0) + weight

    def take(self, ranks: Ranks | None = None) -> dict[str, float]:
        """Returns the means, over all processes if `ranks` are given, and resets them."""
        means = [total.float() / self._weights[name] for name, total in self._sums.items()]
        if ranks:
            average(means, ranks)
        values = torch.stack(means).tolist() if means else []
        named = dict(zip(self._sums, values, strict=True))
        self._sums, self._weights = {}, {}
        return named


class SkippedSteps:
    """Counts, on the device, the networks' steps that were not finite."""

    def __init__(self, skipped: int, device: torch.device) -> None:
        zero = torch.tensor(0, device=device)
        self._skipped = zero + skipped
        self._in_a_row: dict[str, Tensor] = {"generator": zero, "discriminator": zero}
        self._longest = zero

    def add(self, finite: Tensor, of: str) -> None:
        """Adds one step of a network."""
        self._skipped = self._skipped + ~finite
        self._in_a_row[of] = (self._in_a_row[of] + 1) * ~finite
        self._longest = torch.maximum(self._longest, self._in_a_row[of])

    def check(self) -> int:
        """Returns how many steps were left out so far. Raises Diverged for too many in a row."""
        if int(self._longest) >= _MOST_SKIPPED:
            raise Diverged(
                f"{int(self._longest)} steps in a row were not finite; train into another folder with lower "
                "learning rates, a smaller clip or without amp"
            )
        return int(self._skipped)


class TrainingSpeed:
    """The training speed in images per second since it was last read."""

    def __init__(self, images: int) -> None:
        self._images, self._at = images, time.monotonic()

    def take(self, images: int) -> float:
        """Returns the images per second since the last call. images: all images so far."""
        now = time.monotonic()
        rate = (images - self._images) / max(now - self._at, 1e-9)
        self._images, self._at = images, now
        return rate
