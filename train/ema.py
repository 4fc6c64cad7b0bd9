"""The exponential moving average of a network's weights, which is validated and exported."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

_WARM_UP = 0.05
"""The largest half life as a share of the images seen, so that the first weights have little effect."""


class Ema:
    """The running average of a network's weights."""

    def __init__(self, network: nn.Module, half_life: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        self._half_life = half_life

    @torch.no_grad()
    def update(self, network: nn.Module, images: int, since: int) -> None:
        """Adds the present weights. images: all images seen; since: those seen after the last update."""
        keep = kept_share(self._half_life, images, since)
        averages, weights = list(self.network.parameters()), list(network.parameters())
        torch._foreach_lerp_(averages, weights, 1 - keep)
        for average, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            average.copy_(buffer)


def kept_share(half_life: float, images: int, since: int) -> float:
    """Returns the share of the average that remains after `since` images, `images` into the run.

    half_life: in images.
    """
    half_life = min(half_life, images * _WARM_UP)
    return 0.5 ** (since / half_life) if half_life > 0 else 0.0
