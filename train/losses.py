"""The terms that training is made of: pure functions of tensors. Each gives a scalar, none is weighted.

N: pictures of a batch, C: channels, H, W: height and width, K: action units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def critic_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """What a critic minimises: real pictures are to score higher than generated ones.

    real, fake: scores of any shape. Arjovsky et al., Wasserstein GAN, 2017.
    """
    return fake.mean() - real.mean()


def generator_wasserstein(fake: Tensor, weights: Tensor | None = None) -> Tensor:
    """What a generator minimises against a Wasserstein or a hinge critic: its pictures are to score high.

    weights: how much each score counts, of any sum; all alike by default.
    """
    return -_mean(fake, weights)


def critic_hinge(real: Tensor, fake: Tensor, weights: Tensor | None = None) -> Tensor:
    """As critic_wasserstein, but scores beyond 1 and -1 count no more. Lim & Ye, Geometric GAN, 2017.

    weights: how much each score counts, of any sum; all alike by default.
    """
    return _mean(F.relu(1 - real), weights) + _mean(F.relu(1 + fake), weights)


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.mean() if weights is None else (values * weights).sum() / weights.sum()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real_NCHW: Tensor, fake_NCHW: Tensor, mix_N: Tensor
) -> Tensor:
    """How far the critic's slope between real and generated pictures is from 1, squared.

    critic: pictures to scores; one picture's scores are summed, so that no other picture's slope is touched.
    mix_N: 0..1, where between generated (0) and real (1) to look. Gulrajani et al., Improved Training of
    Wasserstein GANs, 2017.
    """
    between = torch.lerp(fake_NCHW.detach(), real_NCHW, mix_N[:, None, None, None]).requires_grad_()
    slopes = _slopes(critic(between), between)
    return (torch.linalg.vector_norm(slopes, dim=1) - 1).square().mean()


def r1(real_scores: Tensor, real_NCHW: Tensor) -> Tensor:
    """The critic's squared slope at real pictures, which must require gradients.

    Half of it times gamma is the penalty of Mescheder et al., Which Training Methods for GANs do actually
    Converge?, 2018.
    """
    return _slopes(real_scores, real_NCHW).square().sum(1).mean()


def lazily(step: int, interval: int) -> int:
    """By how much to weight a term that is worked out on one step in `interval` only: 0 on all others.

    Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020, section 3.1.
    """
    return interval if step % interval == 0 else 0


def _slopes(scores: Tensor, images_NCHW: Tensor) -> Tensor:
    """(N, C * H * W) float32: the gradient of every picture's score; differentiable in its turn."""
    (slopes,) = torch.autograd.grad(scores.sum(), images_NCHW, create_graph=True)
    return slopes.float().flatten(1)


def au_error(predicted_NK: Tensor, aus_NK: Tensor, weights_K: Tensor | None = None) -> Tensor:
    """Squared error of action units, averaged with `weights_K` (of any sum; all alike by default)."""
    squared = (predicted_NK - aus_NK).square()
    if weights_K is None:
        return squared.mean()
    return (squared * weights_K).sum(1).mean() / weights_K.sum()


def self_reconstruction(unchanged_NCHW: Tensor, image_NCHW: Tensor) -> Tensor:
    """Mean difference between a picture and what the generator makes of it when nothing is to change."""
    return F.l1_loss(unchanged_NCHW, image_NCHW)


def cycle(returned_NCHW: Tensor, image_NCHW: Tensor) -> Tensor:
    """Mean difference between a picture and itself, taken to other action units and back again.

    Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, 2017.
    """
    return F.l1_loss(returned_NCHW, image_NCHW)


def total_variation(image_NCHW: Tensor) -> Tensor:
    """Mean difference between neighbours, down plus right: a mean, so that no weight hangs on the size."""
    down = (image_NCHW[:, :, 1:] - image_NCHW[:, :, :-1]).abs().mean()
    right = (image_NCHW[..., 1:] - image_NCHW[..., :-1]).abs().mean()
    return down + right


def perceptual(
    features: Sequence[Tensor], truth: Sequence[Tensor], weights_N: Tensor | None = None
) -> Tensor:
    """Mean difference of two pictures' feature maps; every level counts alike, whatever its size.

    The maps may come from any network; the truth's carry no gradient. weights_N: by which each picture's
    difference is multiplied; 1 by default. Johnson et al., Perceptual Losses for
    Real-Time Style Transfer and Super-Resolution, 2016.
    """
    levels_LN = torch.stack(
        [
            (ours.float() - theirs.detach().float()).abs().flatten(1).mean(1)
            for ours, theirs in zip(features, truth, strict=True)
        ]
    )
    return levels_LN.mean() if weights_N is None else (levels_LN * weights_N).mean()


def attention_saturation(attention_N1HW: Tensor) -> Tensor:
    """How much of the picture is left alone, squared, 0..1: a generator that paints nothing learns nothing.

    Pumarola et al., GANimation, 2018, who write 1 - attention for what is here called attention.
    """
    return (1 - attention_N1HW).square().mean()


def masked_l1(image_NCHW: Tensor, truth_NCHW: Tensor, mask_N1HW: Tensor) -> Tensor:
    """Mean difference where the mask is, every picture counting alike whatever its mask's size.

    A picture with an empty mask counts as zero.
    """
    difference = ((image_NCHW - truth_NCHW).abs().mean(1, keepdim=True) * mask_N1HW).flatten(1).sum(1)
    weight = mask_N1HW.flatten(1).sum(1)
    return (difference / weight.clamp_min(torch.finfo(weight.dtype).tiny)).mean()
