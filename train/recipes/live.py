"""The appearance network: restore what the run-time's move damages, and make what was asked look real."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.data.creases import Creases, fit_creases
from train.data.live import LiveExampleOptions, LiveItems
from train.data.shards import Shards
from train.networks.live import (
    WINDOWS,
    Judgement,
    LiveDiscriminator,
    LiveGenerator,
    LiveShape,
    compose,
    window,
)
from train.recipes.base import Batch, Terms


@dataclass(frozen=True)
class LiveOptions:
    """Weights of the terms; pictures are in -1..1."""

    restore: float = 10.0
    """L1 to the truth, where there is one, inside the gate; openings count `openings` times."""
    openings: float = 4.0
    features: float = 2.0
    """L1 to the truth's features in the discriminator."""
    adversarial: float = 0.3
    keep: float = 2.0
    """L1 to the warped crop on skin and eyes where there is no truth: paint as little as will do."""
    sparsity: float = 0.005
    r1: float = 0.02
    """Small: through Adam, a rare large gradient slows all the others."""
    r1_every: int = 16
    shape: LiveShape = field(default_factory=LiveShape)
    examples: LiveExampleOptions = field(default_factory=LiveExampleOptions)


class LiveRecipe:
    """Networks are taught on windows around the mouth and the eyes; the generator then paints whole crops."""

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
        options, parts = self.options, _windows(batch)
        with torch.no_grad():
            fake = [_paint(part, generator)[0] for part in parts]
        penalised = options.r1 > 0 and step % options.r1_every == 0
        real = [_picture(part["truth"]).requires_grad_(penalised) for part in parts]
        of_real, of_fake = discriminator(real, batch["aus"]), discriminator(fake, batch["aim"])
        terms = {
            "real": _everywhere(of_real, parts, lambda x: F.relu(1 - x)),
            "fake": _everywhere(of_fake, parts, lambda x: F.relu(1 + x)),
        }
        if penalised:
            total = sum(each.float().mean(dim=(1, 2, 3)).sum() for each in of_real.realness)
            slopes = torch.autograd.grad(total, real, create_graph=True)
            steepness = sum(slope.float().square().sum((1, 2, 3)).mean() for slope in slopes)
            terms["r1"] = options.r1 * options.r1_every / 2 * steepness
        return terms

    def generator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        options, parts = self.options, _windows(batch)
        painted = [_paint(part, generator) for part in parts]
        fake, truth = [picture for picture, _ in painted], [_picture(part["truth"]) for part in parts]
        of_fake: Judgement = discriminator(fake, batch["aim"])
        with torch.no_grad():
            of_truth: Judgement = discriminator(truth, batch["aus"])
        return {
            "restore": options.restore * _restoration(fake, parts, options.openings),
            "features": options.features * _likeness(of_fake, of_truth, batch["has_truth"]),
            "adversarial": -options.adversarial * _everywhere(of_fake, parts, lambda x: x),
            "keep": options.keep * _repainting(fake, parts),
            "sparsity": options.sparsity * torch.stack([alpha.mean() for _, alpha in painted]).sum(),
        }

    def validation(self, batch: Batch, generator: nn.Module) -> Terms:
        parts = _windows(batch)
        fake = [_paint(part, generator)[0] for part in parts]
        return {"restore": _restoration(fake, parts, self.options.openings)}

    def preview(self, batch: Batch, generator: nn.Module) -> Tensor:
        """Warped, painted, alpha, truth, as whole crops."""
        fake, alpha = _paint(batch, generator)
        row = [_picture(batch["warped"]), fake, alpha.expand_as(fake) * 2 - 1, _picture(batch["truth"])]
        return (torch.cat([each.float() for each in row], 3) + 1) / 2


def _windows(batch: Batch) -> list[dict[str, Tensor]]:
    """The batch as seen through each window: a batch of its own."""
    return [
        {
            name: window(value, batch["centres"][:, place], size) if value.ndim == 4 else value
            for name, value in batch.items()
        }
        for place, size in enumerate(WINDOWS.values())
    ]


def _picture(image_N3HW: Tensor) -> Tensor:
    """uint8 to -1..1."""
    return image_N3HW.float() / 127.5 - 1


def _paint(part: Mapping[str, Tensor], generator: nn.Module) -> tuple[Tensor, Tensor]:
    """The composed picture and its alpha."""
    warped = _picture(part["warped"])
    alpha, colour = generator(warped, part["mask"].float() / 255, part["relative_aus"])
    return compose(warped, alpha.float(), colour.float()), alpha.float()


def _openings_and_gate(part: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    inside, gate = (part["mask"].float() / 255).split(1, dim=1)
    return inside, gate


def _everywhere(
    judgement: Judgement, parts: Sequence[Mapping[str, Tensor]], loss: Callable[[Tensor], Tensor]
) -> Tensor:
    """The sum over the windows of the mean of `loss`, each place weighed by the gate: the discriminator looks
    all over a little, mostly where there is paint."""
    means = [
        _weighted(loss(realness.float()), 0.02 + _openings_and_gate(part)[1])
        for realness, part in zip(judgement.realness, parts, strict=True)
    ]
    return torch.stack(means).sum()


def _weighted(map_N1HW: Tensor, where_N1HW: Tensor) -> Tensor:
    """The mean of a map, each place weighed by how much of `where` falls into it."""
    weights = F.adaptive_avg_pool2d(where_N1HW, map_N1HW.shape[2:])
    return (map_N1HW * weights).sum() / weights.sum()


def _likeness(ours: Judgement, theirs: Judgement, has_truth_N: Tensor) -> Tensor:
    """The sum over the discriminator's features of their L1, for the examples that have a truth."""
    terms = [
        (has_truth_N * (mine.float() - wanted.float()).abs().mean((1, 2, 3))).mean()
        for of_ours, of_theirs in zip(ours.features, theirs.features, strict=True)
        for mine, wanted in zip(of_ours, of_theirs, strict=True)
    ]
    return torch.stack(terms).sum()


def _repainting(fake: Sequence[Tensor], parts: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """L1 to the warped crop where there is no truth, inside the gate; not inside the mouth."""
    terms = []
    for picture, part, name in zip(fake, parts, WINDOWS, strict=True):
        inside, gate = _openings_and_gate(part)
        kept = gate * (1 - inside) if name == "mouth" else gate
        painted = (kept * (picture - _picture(part["warped"])).abs().mean(1, keepdim=True)).sum((1, 2, 3))
        terms.append(((1 - part["has_truth"]) * painted / gate.sum((1, 2, 3)).clamp(min=1)).mean())
    return torch.stack(terms).sum()


def _restoration(fake: Sequence[Tensor], parts: Sequence[Mapping[str, Tensor]], openings: float) -> Tensor:
    """The sum over the windows of the L1 to a truth, inside the gate, each picture weighing the same."""
    terms = []
    for picture, part in zip(fake, parts, strict=True):
        inside, gate = _openings_and_gate(part)
        weights = gate * (1 + (openings - 1) * inside)
        apart = ((picture - _picture(part["truth"])).abs().mean(1, keepdim=True) * weights).sum((1, 2, 3))
        apart = apart / weights.sum((1, 2, 3)).clamp(min=1)
        terms.append((part["has_truth"] * apart).sum() / part["has_truth"].sum().clamp(min=1))
    return torch.stack(terms).sum()
