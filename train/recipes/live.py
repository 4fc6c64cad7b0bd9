"""The appearance network: restore what the run-time's move damages, and make what was asked look real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calib.au import AU_CODES
from reenact.generate.creases import load_creases
from train import losses
from train.data.live import LiveExampleOptions, LiveItems
from train.data.shards import Shards
from train.networks.live import (
    SEEN_AUS,
    WINDOWS,
    LiveDiscriminator,
    LiveGenerator,
    LiveShape,
    Verdict,
    compose,
    window,
)
from train.recipes.base import Batch, Terms


@dataclass(frozen=True)
class LiveOptions:
    """Weights of the terms; pictures are in -1..1."""

    restore: float = 10.0
    """L1 to the truth, where there is one, inside the gate."""
    openings: float = 4.0
    """How often mouth and eyes count, against skin, in `restore` and `adversarial`."""
    features: float = 8.0
    """L1 to the truth's features in the discriminator."""
    adversarial: float = 0.04
    au: float = 2.0
    """Squared error of the action units / 5 that the discriminator reads."""
    keep: float = 6.0
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

    def items(self, samples: Shards, seed: int) -> LiveItems:
        return LiveItems(samples, load_creases(), seed, self.options.examples)

    def discriminator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        options, parts = self.options, _windows(batch)
        with torch.no_grad():
            fake = [_paint(part, generator)[0] for part in parts]
        often = losses.lazily(step, options.r1_every)
        real = [_picture(part["truth"]).requires_grad_(often > 0) for part in parts]
        of_real, of_fake = discriminator(real, batch["aus"]), discriminator(fake, batch["aim"])
        hinge = [
            losses.critic_hinge(
                high.realness.float(), low.realness.float(), _attention(part, high, options.openings)
            )
            for high, low, part in zip(of_real, of_fake, parts, strict=True)
        ]
        terms = {"adversarial": _total(hinge), "au": options.au * _au_error(of_real, batch["aus"])}
        if often:
            slopes = [
                losses.r1(verdict.realness.float().mean((1, 2, 3)), picture)
                for verdict, picture in zip(of_real, real, strict=True)
            ]
            terms["r1"] = options.r1 * often / 2 * _total(slopes)
        return terms

    def generator_loss(
        self, batch: Batch, generator: nn.Module, discriminator: nn.Module, step: int
    ) -> Terms:
        options, parts = self.options, _windows(batch)
        painted = [_paint(part, generator) for part in parts]
        fake, truth = [picture for picture, _ in painted], [_picture(part["truth"]) for part in parts]
        of_fake: list[Verdict] = discriminator(fake, batch["aim"])
        with torch.no_grad():
            of_truth: list[Verdict] = discriminator(truth, batch["aus"])
        adversarial = [
            losses.generator_wasserstein(
                verdict.realness.float(), _attention(part, verdict, options.openings)
            )
            for verdict, part in zip(of_fake, parts, strict=True)
        ]
        features = [
            losses.perceptual(ours.features, theirs.features, batch["has_truth"])
            for ours, theirs in zip(of_fake, of_truth, strict=True)
        ]
        return {
            "restore": options.restore * _restoration(fake, parts, options.openings),
            "features": options.features * _total(features),
            "adversarial": options.adversarial * _total(adversarial),
            "au": options.au * _au_error(of_fake, batch["aim"]),
            "keep": options.keep * _repainting(fake, parts),
            "sparsity": options.sparsity * _total([losses.alpha_sparsity(alpha) for _, alpha in painted]),
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


def _attention(part: Mapping[str, Tensor], verdict: Verdict, openings: float) -> Tensor:
    """(n, 1, h, w) how much each place of the discriminator's map counts: all over a little, where there may
    be paint much, and most where there is nothing but paint."""
    return 0.02 + F.adaptive_avg_pool2d(_weights(part, openings), verdict.realness.shape[2:])


def _weights(part: Mapping[str, Tensor], openings: float) -> Tensor:
    """(n, 1, height, width) the gate, `openings` times as much inside mouth and eyes."""
    inside, gate = _openings_and_gate(part)
    return gate * (1 + (openings - 1) * inside)


def _au_error(verdicts: Sequence[Verdict], aus_NK: Tensor) -> Tensor:
    """Of the action units that show in each window."""
    seen = [torch.tensor([code in codes for code in AU_CODES]) for codes in SEEN_AUS.values()]
    return _total(
        [
            losses.au_error(verdict.aus.float(), aus_NK, here.to(aus_NK))
            for verdict, here in zip(verdicts, seen, strict=True)
        ]
    )


def _repainting(fake: Sequence[Tensor], parts: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """L1 to the warped crop where there is no truth, inside the gate; not inside the mouth."""
    terms = []
    for picture, part, name in zip(fake, parts, WINDOWS, strict=True):
        inside, gate = _openings_and_gate(part)
        kept = gate * (1 - inside) if name == "mouth" else gate
        without_truth = (1 - part["has_truth"])[:, None, None, None]
        terms.append(losses.masked_l1(picture, _picture(part["warped"]), kept * without_truth))
    return _total(terms)


def _restoration(fake: Sequence[Tensor], parts: Sequence[Mapping[str, Tensor]], openings: float) -> Tensor:
    """L1 to the truth inside the gate, the mean over the pictures that have one."""
    terms = []
    for picture, part in zip(fake, parts, strict=True):
        weights = _weights(part, openings) * part["has_truth"][:, None, None, None]
        share = part["has_truth"].mean().clamp(min=1 / len(picture))
        terms.append(losses.masked_l1(picture, _picture(part["truth"]), weights) / share)
    return _total(terms)


def _total(of_windows: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(of_windows)).sum()
