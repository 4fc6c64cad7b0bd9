"""Which example comes when: a pure function of the seed and of how many were used."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def item_order(start: int, samples: int, seed: int) -> Iterator[int]:
    """Indexes of items from the `start`-th on, without end: epoch e has e n .. e n + n - 1, shuffled."""
    epoch, used = divmod(start, samples)
    while True:
        shuffled = np.random.default_rng((seed, epoch)).permutation(samples)
        yield from (epoch * samples + int(index) for index in shuffled[used:])
        epoch, used = epoch + 1, 0


def parts_of_batches(
    order: Iterator[int], batches: int, batch: int, rank: int, world: int, accumulate: int
) -> Iterator[list[int]]:
    """This process's share of each batch, in `accumulate` parts; all shares and parts are of one size."""
    for _ in range(batches):
        share = [next(order) for _ in range(batch)][rank::world]
        size = len(share) // accumulate
        yield from (share[start : start + size] for start in range(0, len(share), size))
