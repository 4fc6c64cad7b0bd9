"""Every loss against numbers worked out by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from train import losses  # noqa: E402


def test_a_wasserstein_critic_wants_real_above_fake():
    real, fake = torch.tensor([3.0, 1.0]), torch.tensor([-1.0, 0.0])
    assert losses.critic_wasserstein(real, fake).item() == -0.5 - 2.0
    assert losses.generator_wasserstein(fake).item() == 0.5


def test_a_hinge_critic_is_content_beyond_one():
    real, fake = torch.tensor([3.0, 0.5]), torch.tensor([-4.0, 0.5])
    # Real: 0 and 0.5 on average 0.25; fake: 0 and 1.5 on average 0.75.
    assert losses.critic_hinge(real, fake).item() == 1.0


def test_weights_say_how_much_a_score_counts():
    real, fake, weights = torch.tensor([0.5, 0.0]), torch.tensor([1.0, 5.0]), torch.tensor([3.0, 1.0])
    # Real: 0.5 and 1; fake: 2 and 6; the first counts three times.
    assert losses.critic_hinge(real, fake, weights).item() == 2.5 / 4 + 12 / 4
    assert losses.generator_wasserstein(fake, weights).item() == -8 / 4


def test_gradient_penalty_of_a_linear_critic_is_its_slope_off_one():
    slope = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2)
    images = torch.rand(3, 1, 1, 2)
    penalty = losses.gradient_penalty(lambda x: (x * slope).sum((1, 2, 3)), images, images, torch.rand(3))
    assert penalty.item() == pytest.approx((5 - 1) ** 2)


@pytest.mark.parametrize(("mix", "slope"), [(0.0, 2 * 0.5), (1.0, 2 * 2.0), (0.25, 2 * 0.875)])
def test_gradient_penalty_looks_where_the_batch_says(mix, slope):
    real, fake = torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 0.5)
    penalty = losses.gradient_penalty(lambda x: x.square(), real, fake, torch.tensor([mix]))
    assert penalty.item() == pytest.approx((slope - 1) ** 2)


def test_gradient_penalty_teaches_the_critic_alone():
    weight = torch.tensor(3.0, requires_grad=True)
    fake = torch.rand(2, 1, 1, 1, requires_grad=True)
    losses.gradient_penalty(lambda x: weight * x, torch.rand(2, 1, 1, 1), fake, torch.rand(2)).backward()
    assert weight.grad.item() == pytest.approx(2 * (3 - 1))
    assert fake.grad is None


def test_gradient_penalty_of_a_flat_critic_has_a_finite_gradient():
    weight = torch.tensor(0.0, requires_grad=True)
    losses.gradient_penalty(
        lambda x: weight * x, torch.rand(1, 1, 1, 1), torch.rand(1, 1, 1, 1), torch.rand(1)
    ).backward()
    assert torch.isfinite(weight.grad)


def test_r1_is_the_squared_slope_at_real_pictures():
    real = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1).requires_grad_()
    # Scores x squared: slopes 2 and 6, squared 4 and 36.
    assert losses.r1(real.square(), real).item() == 20.0


def test_a_lazy_term_counts_as_often_as_its_interval_in_one_step_of_it():
    assert [losses.lazily(step, 4) for step in range(9)] == [4, 0, 0, 0, 4, 0, 0, 0, 4]
    assert [losses.lazily(step, 1) for step in range(3)] == [1, 1, 1]


def test_au_error_is_a_mean_that_weights_shift():
    predicted, aus = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    assert losses.au_error(predicted, aus).item() == (1 + 4) / 4
    # Three quarters on the first unit: (0.75 * 1 + 0.25 * 4) / 2.
    assert losses.au_error(predicted, aus, torch.tensor([3.0, 1.0])).item() == pytest.approx(0.875)
    assert losses.au_error(predicted, aus, torch.tensor([6.0, 2.0])).item() == pytest.approx(0.875)


@pytest.mark.parametrize("loss", [losses.self_reconstruction, losses.cycle])
def test_reconstruction_is_the_mean_difference(loss):
    image, made = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, -1.0], [0.0, 2.0]]]])
    assert loss(made, image).item() == 1.0


def test_total_variation_is_the_mean_step_down_plus_right():
    image = torch.tensor([[[[0.0, 1.0, 3.0], [0.0, 0.0, 0.0]]]])
    # Down: 0, 1, 3 on average 4/3; right: 1, 2, 0, 0 on average 3/4.
    assert losses.total_variation(image).item() == pytest.approx(4 / 3 + 3 / 4)


def test_total_variation_does_not_hang_on_size():
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    larger = torch.arange(9.0).expand(2, 3, 9, 9)
    assert losses.total_variation(ramp).item() == losses.total_variation(larger).item() == 1.0


def test_perceptual_levels_count_alike_whatever_their_size():
    features = [torch.full((1, 2, 8, 8), 1.0), torch.full((1, 4, 2, 2), 3.0)]
    truth = [torch.zeros(1, 2, 8, 8), torch.zeros(1, 4, 2, 2)]
    assert losses.perceptual(features, truth).item() == 2.0


def test_perceptual_pictures_may_be_left_out():
    features, truth = [torch.tensor([2.0, 6.0]).view(2, 1, 1, 1)], [torch.zeros(2, 1, 1, 1)]
    assert losses.perceptual(features, truth, torch.tensor([1.0, 0.0])).item() == (2 + 0) / 2


def test_perceptual_never_moves_the_truth():
    features, truth = torch.ones(1, 1, 1, 1, requires_grad=True), torch.zeros(1, 1, 1, 1, requires_grad=True)
    losses.perceptual([features], [truth]).backward()
    assert features.grad.item() == 1.0
    assert truth.grad is None


def test_attention_that_paints_nothing_is_punished_most():
    attention = torch.tensor([0.0, 1.0, 0.5, 0.5]).view(1, 1, 2, 2)
    assert losses.attention_saturation(attention).item() == (1 + 0 + 0.25 + 0.25) / 4


def test_masked_l1_counts_each_picture_alike_and_only_inside():
    truth = torch.zeros(3, 2, 2, 2)
    image = torch.ones(3, 2, 2, 2)
    image[1] = 5.0
    mask = torch.zeros(3, 1, 2, 2)
    mask[0] = 1.0  # All of it, off by 1.
    mask[1, 0, 0, 0] = 0.5  # Half of one pixel, off by 5; the third picture's mask is empty.
    assert losses.masked_l1(image, truth, mask).item() == pytest.approx((1 + 5 + 0) / 3)


def test_masked_l1_has_no_gradient_outside_the_mask():
    image = torch.ones(1, 1, 1, 2, requires_grad=True)
    mask = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    losses.masked_l1(image, torch.zeros(1, 1, 1, 2), mask).backward()
    assert image.grad.flatten().tolist() == [1.0, 0.0]
