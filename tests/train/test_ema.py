"""The average of weights, against numbers worked out by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from train.ema import Ema, kept_share  # noqa: E402


def network(weight):
    linear = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(linear.weight, weight)
    linear.register_buffer("count", torch.tensor(int(weight)))
    return linear


def test_half_is_kept_after_the_half_life():
    assert kept_share(1000, images=1_000_000, since=1000) == 0.5
    assert kept_share(1000, images=1_000_000, since=3000) == 0.125


def test_at_the_start_half_is_kept_after_a_twentieth_of_the_images():
    assert kept_share(1000, images=2000, since=100) == 0.5
    assert kept_share(1000, images=20_000, since=1000) == 0.5


def test_steps_of_any_size_keep_the_same():
    assert kept_share(1000, 1_000_000, 16) ** 4 == pytest.approx(kept_share(1000, 1_000_000, 64))


def test_weights_move_towards_those_of_now_and_buffers_are_copied():
    average = Ema(network(8), half_life=100)
    average.update(network(0), images=10_000, since=100)
    assert average.network.weight.item() == 4
    average.update(network(16), images=10_000, since=200)
    assert average.network.weight.item() == 13  # 4 / 4 + 16 * 3 / 4
    assert average.network.count.item() == 16


def test_without_a_half_life_the_average_is_the_network_of_now():
    average = Ema(network(8), half_life=0)
    average.update(network(3), images=16, since=16)
    assert average.network.weight.item() == 3


def test_the_average_learns_nothing_by_itself():
    source = network(8)
    average = Ema(source, half_life=100)
    assert not average.network.weight.requires_grad and not average.network.training
    assert source.weight.requires_grad and source.training
