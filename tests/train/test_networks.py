"""The paper's networks and GANimation's: shapes, sizes, ranges, and how action units get in."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from train.networks.discriminator import Discriminator  # noqa: E402
from train.networks.ganimation import Ganimation, compose  # noqa: E402
from train.networks.paper_network import ConcatConv, FilmConv, Paper  # noqa: E402


@pytest.fixture(autouse=True)
def _same_weights_each_time():
    torch.manual_seed(0)


def parameters(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


def on_meta(make) -> nn.Module:
    """Without memory for its weights."""
    with torch.device("meta"):
        return make()


def picture(size: int = 32, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, size, size) * 2 - 1


def reflecting(network: nn.Module) -> nn.Module:
    """The same network with pictures mirrored at their borders instead of continued with zeros."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "reflect"
    return network


def response(network: nn.Module, *inputs: torch.Tensor) -> float:
    """By how much a network's output changes when all action units go from 0 to 1."""
    network = network.double()
    inputs = tuple(each.double() for each in inputs)
    off, on = torch.zeros(len(inputs[0]), 17).double(), torch.ones(len(inputs[0]), 17).double()
    with torch.no_grad():
        return (network(*inputs, on) - network(*inputs, off)).abs().max().item()


def test_the_published_generator_has_57_6_million_parameters():
    assert parameters(on_meta(lambda: Paper(64))) == 57_632_771


def test_repairing_the_conditioning_costs_no_parameters():
    assert parameters(on_meta(lambda: Paper(64, "film"))) == 57_359_171


def test_ganimation_has_8_5_million_parameters():
    assert parameters(on_meta(lambda: Ganimation(64))) == 8_471_300


@pytest.mark.parametrize("conditioning", ["concat", "film"])
@pytest.mark.parametrize("shape", [(32, 32), (64, 48)])
def test_the_paper_generator_keeps_the_size_and_the_range(conditioning, shape):
    made = Paper(4, conditioning)(3 * torch.randn(2, 3, *shape), torch.rand(2, 17))
    assert made.shape == (2, 3, *shape)
    assert made.abs().max() <= 1


def test_a_constant_map_is_lost_in_an_instance_norm():
    """The finding: by concatenation action units act through zero padding only. FiLM repairs it."""
    features = torch.randn(1, 4, 8, 8)
    concat, film = ConcatConv(4, 4, 3), FilmConv(4, 4, 3)
    assert response(concat, features) > 1e-2
    assert response(reflecting(concat), features) < 1e-12
    film.film = nn.Linear(17, 8)
    assert response(reflecting(film), features) > 1e-2


@pytest.mark.parametrize(("conditioning", "obeys"), [("concat", False), ("film", True)])
def test_without_zero_padding_only_film_makes_the_picture_depend_on_action_units(conditioning, obeys):
    network = reflecting(Paper(4, conditioning))
    change = response(network, picture(64, 1))
    assert change > 1e-3 if obeys else change < 1e-12


def test_ganimation_keeps_the_size_and_the_ranges():
    attention, colour = Ganimation(4)(picture(), torch.rand(2, 17))
    assert attention.shape == (2, 1, 32, 32)
    assert colour.shape == (2, 3, 32, 32)
    assert attention.min() >= 0 and attention.max() <= 1
    assert colour.abs().max() <= 1


def test_compose_paints_where_attention_is():
    image, colour = torch.zeros(1, 3, 1, 2), torch.ones(1, 3, 1, 2)
    attention = torch.tensor([0.0, 0.25]).view(1, 1, 1, 2)
    assert compose(image, attention, colour)[0, 0, 0].tolist() == [0.0, 0.25]


@pytest.mark.parametrize(
    ("size", "levels", "patches"), [(256, 6, 4), (128, 6, 2), (64, 5, 2), (32, 4, 2), (4, 1, 2)]
)
def test_the_discriminator_has_six_levels_as_long_as_patches_remain(size, levels, patches):
    discriminator = Discriminator(size, 2)
    realness, aus = discriminator(picture(size))
    assert len(discriminator.levels) == levels
    assert realness.shape == (2, 1, patches, patches)
    assert aus.shape == (2, 17)


def test_the_discriminator_judges_each_picture_alone():
    discriminator = Discriminator(32, 4)
    two = picture()
    together, alone = discriminator(two), discriminator(two[:1])
    assert torch.allclose(together.realness[:1], alone.realness, atol=1e-6)
    assert torch.allclose(together.aus[:1], alone.aus, atol=1e-6)


def test_the_discriminators_features_go_from_fine_to_coarse():
    maps = Discriminator(64, 4).features(picture(64))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4), (64, 2, 2),
    ]  # fmt: skip
