"""The terms of training: pure functions of tensors. Each returns an unweighted scalar.

N: pictures of a batch, C: channels, H, W: height and width, K: action units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def critic_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Returns the critic's loss, which is low if real pictures score higher than generated ones.

    real, fake: scores of any shape. Arjovsky et al., Wasserstein GAN, 2017.
    """
    return fake.mean() - real.mean()


def generator_wasserstein(fake: Tensor, weights: Tensor | None = None) -> Tensor:
    """Returns the generator's loss for a Wasserstein or hinge critic, which is low if its pictures score
    high.

    weights: the weight of each score, of any sum. None: equal weights.
    """
    return -_mean(fake, weights)


def critic_hinge(real: Tensor, fake: Tensor, weights: Tensor | None = None) -> Tensor:
    """Returns the hinge loss: `critic_wasserstein` with scores limited to 1 and -1.

    weights: the weight of each score, of any sum. None: equal weights. Lim & Ye, Geometric GAN, 2017.
    """
    return _mean(F.relu(1 - real), weights) + _mean(F.relu(1 + fake), weights)


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.mean() if weights is None else (values * weights).sum() / weights.sum()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real_NCHW: Tensor, fake_NCHW: Tensor, mix_N: Tensor
) -> Tensor:
    """Returns the squared deviation from 1 of the critic's gradient norm between real and generated pictures.

    critic: pictures to scores; a picture's scores are summed, so that gradients of pictures do not mix.
    mix_N: 0..1, the place between generated (0) and real (1). Gulrajani et al., Improved Training of
    Wasserstein GANs, 2017.
    """
    between = torch.lerp(fake_NCHW.detach(), real_NCHW, mix_N[:, None, None, None]).requires_grad_()
    slopes = _slopes(critic(between), between)
    return (torch.linalg.vector_norm(slopes, dim=1) - 1).square().mean()


def r1(real_scores: Tensor, real_NCHW: Tensor) -> Tensor:
    """Returns the critic's squared gradient at real pictures, which must require gradients.

    Half of it times gamma is the penalty of Mescheder et al., Which Training Methods for GANs do actually
    Converge?, 2018.
    """
    return _slopes(real_scores, real_NCHW).square().sum(1).mean()


def lazily(step: int, interval: int) -> int:
    """Returns the weight of a term computed in one step of `interval`; it is 0 in all other steps.

    Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020, section 3.1.
    """
    return interval if step % interval == 0 else 0


def _slopes(scores: Tensor, images_NCHW: Tensor) -> Tensor:
    """Returns (N, C * H * W) float32: the gradient of every picture's score, itself differentiable."""
    (slopes,) = torch.autograd.grad(scores.sum(), images_NCHW, create_graph=True)
    return slopes.float().flatten(1)


def au_error(predicted_NK: Tensor, aus_NK: Tensor, weights_K: Tensor | None = None) -> Tensor:
    """Returns the mean squared error of action units. weights_K: of any sum. None: equal weights."""
    squared = (predicted_NK - aus_NK).square()
    if weights_K is None:
        return squared.mean()
    return (squared * weights_K).sum(1).mean() / weights_K.sum()


def self_reconstruction(unchanged_NCHW: Tensor, image_NCHW: Tensor) -> Tensor:
    """Returns the mean difference of a picture and the generator's result for no change."""
    return F.l1_loss(unchanged_NCHW, image_NCHW)


def cycle(returned_NCHW: Tensor, image_NCHW: Tensor) -> Tensor:
    """Returns the mean difference of a picture and itself after a change to other action units and back.

    Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, 2017.
    """
    return F.l1_loss(returned_NCHW, image_NCHW)


def total_variation(image_NCHW: Tensor) -> Tensor:
    """Returns the mean difference of neighbours, down plus right; as a mean it is independent of the size."""
    down = (image_NCHW[:, :, 1:] - image_NCHW[:, :, :-1]).abs().mean()
    right = (image_NCHW[..., 1:] - image_NCHW[..., :-1]).abs().mean()
    return down + right


def perceptual(
    features: Sequence[Tensor], truth: Sequence[Tensor], weights_N: Tensor | None = None
) -> Tensor:
    """Returns the mean difference of two pictures' feature maps; all levels weigh the same at any size.

    The maps may come from any network; the truth's carry no gradient. weights_N: factors on each picture's
    difference. None: 1. Johnson et al., Perceptual Losses for Real-Time Style Transfer and Super-Resolution,
    2016.
    """
    levels_LN = torch.stack(
        [
            (ours.float() - theirs.detach().float()).abs().flatten(1).mean(1)
            for ours, theirs in zip(features, truth, strict=True)
        ]
    )
    return levels_LN.mean() if weights_N is None else (levels_LN * weights_N).mean()


def attention_saturation(attention_N1HW: Tensor) -> Tensor:
    """Returns the squared share of the picture that is left unpainted, 0..1: unpainted parts are not learnt.

    Pumarola et al., GANimation, 2018, who write 1 - attention for what is here called attention.
    """
    return (1 - attention_N1HW).square().mean()


def masked_l1(image_NCHW: Tensor, truth_NCHW: Tensor, mask_N1HW: Tensor) -> Tensor:
    """Returns the mean difference inside the mask; pictures weigh the same whatever their mask's size.

    A picture with an empty mask counts as zero.
    """
    difference = ((image_NCHW - truth_NCHW).abs().mean(1, keepdim=True) * mask_N1HW).flatten(1).sum(1)
    weight = mask_N1HW.flatten(1).sum(1)
    return (difference / weight.clamp_min(torch.finfo(weight.dtype).tiny)).mean()
