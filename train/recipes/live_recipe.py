"""The recipe of one region's network, which adapts light and tone of the painted layers to real pictures.

The mouth's network ships (reenact/generate/network/MOUTH_MODEL_CARD.md). None ships for the eyes: an eye
opened from shut lids needs an iris, which no change of light makes out of stripes. After 4,000 pictures it
was nearer to the picture for 92 % of 118 held-out people (L1 27.3 to 23.9), but it looked like the same dark
hole, a little lighter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.generate.network.network_regions import REGIONS
from train import losses
from train.data.live_examples import LiveExampleOptions, LiveItems
from train.data.shards import Shards
from train.networks.region_network import (
    LiveDiscriminator,
    LiveGenerator,
    LiveShape,
    RegionDiscriminatorOutput,
    compose,
)
from train.recipes.recipe import Batch, Terms
from train.training_options import OptionsError


@dataclass(frozen=True)
class LiveRecipeOptions:
    """Weights of the terms; pictures are in -1..1."""

    region: str = "mouth"
    """One of reenact.generate.network.network_regions.REGIONS."""
    light: float = 10.0
    """Weight of the difference from the truth, where there is one, at scales coarser than a tooth."""
    apart: float = 0.8
    """Difference in brightness between layers and truth from which a place hardly counts in `light`: where
    the truth has a tooth and the layers have none, light must not make up for it."""
    features: float = 0.03
    """Weight of the L1 distance to the truth's features in the discriminator."""
    adversarial: float = 0.003
    """Weight of the discriminator's scores."""
    keep: float = 0.05
    """Weight of the L1 distance to the layers where there is no truth, so that little is painted there."""
    r1: float = 0.02
    """Weight of the R1 penalty. It is small, as through Adam a rare large gradient slows all others."""
    r1_every: int = 16
    """Steps between two R1 penalties."""
    shape: LiveShape = field(default_factory=LiveShape)
    examples: LiveExampleOptions = field(default_factory=LiveExampleOptions)


class LiveRecipe:
    """The networks, examples and losses of one region; the networks see its crop alone."""

    def __init__(self, options: LiveRecipeOptions = LiveRecipeOptions()):
        if options.region not in REGIONS:
            raise OptionsError(f"no region {options.region!r}; choose from {', '.join(REGIONS)}")
        self.options = options
        self.region = REGIONS[options.region]
        self.generator: nn.Module = LiveGenerator(options.shape)
        self.discriminator: nn.Module = LiveDiscriminator(options.shape)

    def items(self, samples: Shards, seed: int) -> LiveItems:
        """Returns the training examples."""
        return LiveItems(samples, self.region, seed, self.options.examples)

    def discriminator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        """Returns the hinge loss, and the R1 penalty in some steps."""
        options, (inside, allowed) = self.options, _masks(batch)
        with torch.no_grad():
            fake = _paint(batch, generator)
        often = losses.lazily(step, options.r1_every)
        real = _picture(batch["truth"]).requires_grad_(often > 0)
        of_real: RegionDiscriminatorOutput = discriminator(real, inside)
        of_fake: RegionDiscriminatorOutput = discriminator(fake, inside)
        # Pictures without a truth are faces with shut lips, which are no examples of the desired result.
        is_real = batch["has_truth"][:, None, None, None]
        weights = _attention(allowed, of_real)
        hinge = losses.critic_hinge(
            of_real.realness.float() * is_real + (1 - is_real), of_fake.realness.float(), weights
        )
        terms = {"adversarial": hinge}
        if often:
            slope = losses.r1(of_real.realness.float().mean((1, 2, 3)), real)
            terms["r1"] = options.r1 * often / 2 * slope
        return terms

    def generator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        """Returns the terms of restoration, features, the discriminator and small changes."""
        options, (inside, allowed) = self.options, _masks(batch)
        fake = _paint(batch, generator)
        truth = _picture(batch["truth"])
        of_fake: RegionDiscriminatorOutput = discriminator(fake, inside)
        with torch.no_grad():
            of_truth: RegionDiscriminatorOutput = discriminator(truth, inside)
        adversarial = losses.generator_wasserstein(of_fake.realness.float(), _attention(allowed, of_fake))
        without_truth = (1 - batch["has_truth"])[:, None, None, None]
        return {
            **self._restoration(batch, fake),
            "features": options.features
            * losses.perceptual(of_fake.features, of_truth.features, batch["has_truth"]),
            "adversarial": options.adversarial * adversarial,
            "keep": options.keep * losses.masked_l1(fake, _picture(batch["warped"]), allowed * without_truth),
        }

    def validation(self, batch: Batch, generator: nn.Module) -> Terms:
        """Returns the term of restoration on held-out examples."""
        return self._restoration(batch, _paint(batch, generator))

    def preview(self, batch: Batch, generator: nn.Module) -> Tensor:
        """Returns rows of the layers, the refined picture, the difference and the truth."""
        fake = _paint(batch, generator)
        layers = _picture(batch["warped"])
        row = [layers, fake, (2 * (fake - layers)).clamp(-1, 1), _picture(batch["truth"])]
        return (torch.cat([each.float() for each in row], 3) + 1) / 2

    def _restoration(self, batch: Batch, fake: Tensor) -> Terms:
        """Returns the terms that compare with the truth, as means over the pictures that have one."""
        truth, (_, allowed) = _picture(batch["truth"]), _masks(batch)
        has_truth = batch["has_truth"][:, None, None, None]
        apart = (_picture(batch["warped"]) - truth).mean(1, keepdim=True) / self.options.apart
        comparable = batch["comparable"].float() / 255
        weights = allowed * comparable * has_truth * torch.exp(-apart.square())
        light = _coarse(weights * (fake - truth)).abs().mean() / weights.mean().clamp_min(1e-3)
        return {"light": self.options.light * light}


def _picture(image_N3HW: Tensor) -> Tensor:
    """Converts uint8 to -1..1."""
    return image_N3HW.float() / 127.5 - 1


def _paint(batch: Mapping[str, Tensor], generator: nn.Module) -> Tensor:
    """Returns the composed picture."""
    warped = _picture(batch["warped"])
    alpha, colour = generator(warped, batch["mask"].float() / 255, batch["geometry"])
    return compose(warped, alpha.float(), colour.float())


def _masks(batch: Batch) -> tuple[Tensor, Tensor]:
    """Returns the masks of the opening's inside and of where paint is allowed."""
    inside, allowed = (batch["mask"].float() / 255).split(1, dim=1)
    return inside, allowed


def _attention(allowed: Tensor, verdict: RegionDiscriminatorOutput) -> Tensor:
    """Returns the weight of each place in the discriminator's map, (n, 1, h, w): small everywhere, and large
    where paint is allowed."""
    return 0.02 + F.adaptive_avg_pool2d(allowed, verdict.realness.shape[2:])


def _coarse(image_NCHW: Tensor) -> Tensor:
    """Returns means of squares of four pixels a side, without detail finer than a tooth."""
    return F.avg_pool2d(image_NCHW, 4)
