"""The appearance network: restore what the run-time's move damages, and make what was asked look real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calib.au import au_index
from train.data.creases import Creases, fit_creases
from train.data.live import LiveExampleOptions, LiveItems
from train.data.shards import Shards
from train.networks.live import (
    EYE_WINDOW,
    MOUTH_WINDOW,
    Judgement,
    LiveDiscriminator,
    LiveGenerator,
    LiveShape,
    compose,
    window,
)
from train.recipes.base import Batch, Terms

_PAINTED = [
    au_index(code) for code in ("AU04", "AU06", "AU09", "AU10", "AU12", "AU15", "AU17", "AU25", "AU26")
]
"""Action units that the discriminator's reading teaches: those of the lids are the warp's, and asking for
more of them than it makes only brightens the whites of the eyes."""


@dataclass(frozen=True)
class LiveOptions:
    """Weights of the terms; pictures are in -1..1."""

    restore: float = 10.0
    """L1 to the truth, where there is one, inside the gate; openings count `openings` times."""
    openings: float = 4.0
    features: float = 2.0
    """L1 to the truth's features in the discriminator."""
    adversarial: float = 0.3
    """Of each of the discriminator's maps, those of mouth and eyes included."""
    aus: float = 1.5
    aus_from: int = 600
    """Step from which the generator listens to the discriminator's action units: it must have learnt them."""
    keep: float = 2.0
    """L1 to the warped crop on skin and eyes where there is no truth: paint as little as will do."""
    sparsity: float = 0.005
    r1: float = 0.02
    """Small: through Adam, a rare large gradient slows all the others."""
    r1_every: int = 16
    critic_aus: float = 10.0
    shape: LiveShape = field(default_factory=LiveShape)
    examples: LiveExampleOptions = field(default_factory=LiveExampleOptions)


class LiveRecipe:
    def __init__(self, options: LiveOptions = LiveOptions()):
        self.options = options
        self.generator: nn.Module = LiveGenerator(options.shape)
        self.discriminator: nn.Module = LiveDiscriminator(options.shape)
        self._creases: Creases | None = None

    def items(self, samples: Shards, seed: int) -> LiveItems:
        """Creases are fitted to the samples that are asked for first: those to train on."""
        self._creases = self._creases or fit_creases(samples)
        return LiveItems(samples, self._creases, seed, self.options.examples)

    def discriminator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        options = self.options
        with torch.no_grad():
            fake, _ = _paint(batch, generator)
        real = _picture(batch["truth"])
        penalised = options.r1 > 0 and step % options.r1_every == 0
        real = real.requires_grad_(penalised)
        of_real, of_fake = (discriminator(each, batch["centres"]) for each in (real, fake))
        terms = {
            "real": _everywhere(of_real, batch, lambda x: F.relu(1 - x)),
            "fake": _everywhere(of_fake, batch, lambda x: F.relu(1 + x)),
            "critic_aus": options.critic_aus * F.mse_loss(of_real.aus_NK.float(), batch["aus"]),
        }
        if penalised:
            maps = (*of_real.face, of_real.mouth, of_real.eyes)
            total = sum(each.float().mean(dim=(1, 2, 3)).sum() for each in maps)
            (slope,) = torch.autograd.grad(total, real, create_graph=True)
            terms["r1"] = options.r1 * options.r1_every / 2 * slope.float().square().sum((1, 2, 3)).mean()
        return terms

    def generator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        options = self.options
        fake, alpha = _paint(batch, generator)
        truth, warped = _picture(batch["truth"]), _picture(batch["warped"])
        has_truth = batch["has_truth"]
        of_fake: Judgement = discriminator(fake, batch["centres"])
        with torch.no_grad():
            of_truth: Judgement = discriminator(truth, batch["centres"])
        listens = options.aus if step >= options.aus_from else 0.0
        return {
            "restore": options.restore * _restoration(fake, truth, batch, options.openings),
            "features": options.features * _likeness(of_fake, of_truth, has_truth),
            "adversarial": -options.adversarial * _everywhere(of_fake, batch, lambda x: x),
            "aus": listens * F.mse_loss(of_fake.aus_NK[:, _PAINTED].float(), batch["aim"][:, _PAINTED]),
            "keep": options.keep * _repainting(fake, warped, batch),
            "sparsity": options.sparsity * alpha.mean(),
        }

    def validation(self, batch: Batch, generator: nn.Module) -> Terms:
        fake, _ = _paint(batch, generator)
        return {"restore": _restoration(fake, _picture(batch["truth"]), batch, self.options.openings)}

    def preview(self, batch: Batch, generator: nn.Module) -> Tensor:
        """Warped, painted, alpha, truth."""
        fake, alpha = _paint(batch, generator)
        row = [_picture(batch["warped"]), fake, alpha.expand_as(fake) * 2 - 1, _picture(batch["truth"])]
        return (torch.cat([each.float() for each in row], 3) + 1) / 2


def _picture(image_N3HW: Tensor) -> Tensor:
    """uint8 to -1..1."""
    return image_N3HW.float() / 127.5 - 1


def _paint(batch: Batch, generator: nn.Module) -> tuple[Tensor, Tensor]:
    """The composed picture and its alpha."""
    warped = _picture(batch["warped"])
    alpha, colour = generator(warped, batch["mask"].float() / 255, batch["relative_aus"])
    return compose(warped, alpha.float(), colour.float()), alpha.float()


def _repainting(fake: Tensor, warped: Tensor, batch: Batch) -> Tensor:
    """L1 to the warped crop where there is no truth, outside the mouth and inside the gate."""
    gate, seen = batch["mask"][:, 1:].float() / 255, 1 - _inside_mouth(batch)
    painted = (gate * seen * (fake - warped).abs().mean(1, keepdim=True)).sum((1, 2, 3))
    return ((1 - batch["has_truth"]) * painted / gate.sum((1, 2, 3)).clamp(min=1)).mean()


def _inside_mouth(batch: Batch) -> Tensor:
    """(n, 1, h, w) 1 inside the mouth: of the openings, what lies nearer to its middle than to the eyes'."""
    inside, middle = batch["mask"][:, :1].float() / 255, batch["centres"][..., 1].float()
    border = (middle[:, 0] + middle[:, 1:].mean(1)) / 2
    rows = torch.arange(inside.shape[2], device=inside.device)
    return inside * (rows[None, :] > border[:, None])[:, None, :, None]


def _everywhere(judgement: Judgement, batch: Batch, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """The sum over the discriminator's maps of the mean of `loss`, each place weighed by the gate: the
    discriminator looks all over a little, mostly where there is paint."""
    gate, centres = 0.02 + batch["mask"][:, 1:].float() / 255, batch["centres"]
    left, right = (window(gate, centres[:, eye], EYE_WINDOW) for eye in (1, 2))
    looks = [
        *((each, gate) for each in judgement.face),
        (judgement.mouth, window(gate, centres[:, 0], MOUTH_WINDOW)),
        (judgement.eyes, torch.cat([left, right.flip(3)])),
    ]
    return torch.stack([_weighted(loss(realness.float()), where) for realness, where in looks]).sum()


def _weighted(map_N1HW: Tensor, where_N1HW: Tensor) -> Tensor:
    """The mean of a map, each place weighed by how much of `where` falls into it."""
    weights = F.adaptive_avg_pool2d(where_N1HW, map_N1HW.shape[2:])
    return (map_N1HW * weights).sum() / weights.sum()


def _likeness(ours: Judgement, theirs: Judgement, has_truth_N: Tensor) -> Tensor:
    """The sum over the discriminator's features of their L1, for the examples that have a truth."""
    terms = []
    for mine, wanted in zip(ours.features, theirs.features, strict=True):
        apart = (mine.float() - wanted.float()).abs().mean((1, 2, 3))
        terms.append((apart * has_truth_N.repeat(len(apart) // len(has_truth_N))).mean())
    return torch.stack(terms).sum()


def _restoration(fake: Tensor, truth: Tensor, batch: Batch, openings: float) -> Tensor:
    """L1 between pictures with a truth, inside the gate, each picture weighing the same."""
    inside, gate = (batch["mask"].float() / 255).split(1, dim=1)
    weights = gate * (1 + (openings - 1) * inside)
    apart = ((fake - truth).abs().mean(1, keepdim=True) * weights).sum((1, 2, 3))
    apart = apart / weights.sum((1, 2, 3)).clamp(min=1)
    return (batch["has_truth"] * apart).sum() / batch["has_truth"].sum().clamp(min=1)
