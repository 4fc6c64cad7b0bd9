"""Which items make up a batch, in which order."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from train.loader import item_order, parts_of_batches  # noqa: E402


def test_the_order_is_a_new_permutation_for_each_epoch_and_can_be_entered_anywhere():
    order = [next(item_order(start, 5, seed=1)) for start in range(15)]
    assert [sorted(order[start : start + 5]) for start in (0, 5, 10)] == [
        [*range(5)],
        [*range(5, 10)],
        [*range(10, 15)],
    ]
    assert len({tuple(index % 5 for index in order[start : start + 5]) for start in (0, 5, 10)}) > 1
    assert order != [next(item_order(start, 5, seed=2)) for start in range(15)]


def test_shares_and_parts_make_up_the_batches():
    parts = [
        list(parts_of_batches(iter(range(16)), 2, batch=8, rank=rank, world=2, accumulate=2))
        for rank in (0, 1)
    ]
    assert parts[0] == [[0, 2], [4, 6], [8, 10], [12, 14]]
    assert parts[1] == [[1, 3], [5, 7], [9, 11], [13, 15]]
