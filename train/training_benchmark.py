"""Measures how fast the paper's recipe trains on this machine, against a simple implementation of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch.optim import Adam, Optimizer

from calib.au import OPENFACE_COUNT
from train import losses
from train.distributed import Ranks, joined
from train.loop import begin, descend, frozen, loss_of, prepare_device, to_device
from train.recipes import open_recipe
from train.recipes.paper_recipe import PaperRecipe
from train.recipes.recipe import Batch
from train.training_options import PRESETS, MachineOptions, TrainingOptions

Turn = Callable[[Batch], None]
"""One turn: all steps of the discriminator that precede a step of the generator, and that step."""


@dataclass(frozen=True)
class TrainingBenchmarkOptions:
    """The networks, pictures and rounds of the benchmark."""

    preset: str = "paper"
    """The preset whose recipe is timed."""
    size: int = 64
    """Height and width of the pictures in pixels."""
    channels: int = 32
    """Channels of the first layer of each network; published: 64, at 128 pixels."""
    batch: int = PRESETS["paper"].batch
    """Pictures of a batch."""
    rounds: int = 7
    """The number of turns of each implementation; the figures are medians."""
    amp: bool = True
    """Whether the loop computes in bfloat16 where that is safe."""
    device: str = MachineOptions.device
    threads: int = MachineOptions.threads


@dataclass(frozen=True)
class TrainingRound:
    """The speeds of one turn by both implementations, one right after the other."""

    images_per_s: float
    """The speed of the training loop."""
    plain_images_per_s: float
    """The speed of the simple implementation."""

    @property
    def ratio(self) -> float:
        """The speed of the training loop divided by that of the simple implementation."""
        return self.images_per_s / self.plain_images_per_s


@dataclass(frozen=True)
class Throughput:
    """Medians over rounds."""

    images_per_s: float
    """The speed of the training loop."""
    plain_images_per_s: float
    """The speed of the simple implementation."""
    ratio: float
    """The ratio of the two in one round, since other load slows both alike."""
    least_ratio: float
    """The smallest ratio of a round."""
    most_ratio: float
    """The largest ratio of a round."""


def measure(
    options: TrainingBenchmarkOptions, watch: Callable[[str], None] = lambda doing: None
) -> Throughput:
    """Trains on random pictures with both implementations in turn. watch: receives lines of progress."""
    fit = replace(PRESETS[options.preset], batch=options.batch, amp=options.amp)
    images = options.batch * fit.critic_per_generator
    with joined(options.device) as ranks:
        prepare_device(ranks.device, MachineOptions(threads=options.threads))
        batch = random_batch(options, ranks.device)
        loop, plain = loop_turn(options, fit, ranks), plain_turn(options, fit, ranks.device)
        watch("warming up")
        for turn in (loop, plain):
            seconds(turn, batch)
        rounds = []
        for number in range(1, options.rounds + 1):
            watch(f"round {number} of {options.rounds}")
            # The order alternates, so that neither always runs on a warmer machine.
            order = (loop, plain) if number % 2 else (plain, loop)
            taken_s = {turn: seconds(turn, batch) for turn in order}
            rounds.append(TrainingRound(images / taken_s[loop], images / taken_s[plain]))
    return summarise(rounds)


def summarise(rounds: Sequence[TrainingRound]) -> Throughput:
    """Returns the medians and extremes over rounds."""
    ratios = [each.ratio for each in rounds]
    return Throughput(
        images_per_s=median(each.images_per_s for each in rounds),
        plain_images_per_s=median(each.plain_images_per_s for each in rounds),
        ratio=median(ratios),
        least_ratio=min(ratios),
        most_ratio=max(ratios),
    )


def loop_turn(options: TrainingBenchmarkOptions, fit: TrainingOptions, ranks: Ranks) -> Turn:
    """Returns a turn as train.loop makes it: one backward pass a step, AMP, the device's memory format."""
    recipe = recipe_of(options)
    state = begin(recipe, fit, ranks.device)
    generator, discriminator = state.generator, state.discriminator

    def turn(batch: Batch) -> None:
        batch = to_device(batch, ranks.device)
        for step in range(fit.critic_per_generator):
            with frozen(generator):
                loss = loss_of(recipe.discriminator_loss, generator, discriminator, step)
                descend(loss, [batch], discriminator, state.discriminator_optimiser, fit, ranks)
        with frozen(discriminator):
            loss = loss_of(recipe.generator_loss, generator, discriminator, step)
            descend(loss, [batch], generator, state.generator_optimiser, fit, ranks)

    return turn


def plain_turn(options: TrainingBenchmarkOptions, fit: TrainingOptions, device: torch.device) -> Turn:
    """Returns a turn of the simple implementation: a separate step for the gradient penalty, float32
    throughout, channels first, and gradients of the discriminator computed in the generator's step, too."""
    recipe = recipe_of(options)
    generator, discriminator = recipe.generator.to(device), recipe.discriminator.to(device)
    generator_optimiser, discriminator_optimiser = (
        Adam(network.parameters(), fit.generator_rate, (fit.beta1, fit.beta2))
        for network in (generator, discriminator)
    )

    def turn(batch: Batch) -> None:
        for _ in range(fit.critic_per_generator):
            plain_critic_steps(recipe, batch, discriminator_optimiser)
        terms = recipe.generator_loss(batch, generator, discriminator, step=0)
        plain_step(torch.stack(list(terms.values())).sum(), generator_optimiser)

    return turn


def plain_critic_steps(recipe: PaperRecipe, batch: Batch, optimiser: Optimizer) -> None:
    """Makes a step for the scores and the action units, and another for the gradient penalty."""
    weights, real, discriminator = recipe.options, batch["image"], recipe.discriminator
    with torch.no_grad():
        fake = recipe.paint(recipe.generator, real, batch["aus"], batch["targets"]).image
    verdict = discriminator(real)
    distance = losses.critic_wasserstein(verdict.realness, discriminator(fake).realness)
    error = losses.au_error(verdict.aus, batch["aus"])
    plain_step(weights.adversarial * distance + weights.au * error, optimiser)
    slope = losses.gradient_penalty(lambda image: discriminator(image).realness, real, fake, batch["mix"])
    plain_step(weights.gradient_penalty * slope, optimiser)


def plain_step(loss: torch.Tensor, optimiser: Optimizer) -> None:
    """Makes one step of the optimiser on a loss."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def recipe_of(options: TrainingBenchmarkOptions) -> PaperRecipe:
    """Returns the recipe with the same initial weights each time."""
    torch.manual_seed(0)
    widths = {"size": options.size, "ngf": options.channels, "ndf": options.channels}
    recipe = open_recipe(options.preset, widths)
    assert isinstance(recipe, PaperRecipe)
    return recipe


def random_batch(options: TrainingBenchmarkOptions, device: torch.device) -> Batch:
    """Returns noise in the form of PaperItems; the computing time does not depend on the contents."""
    random = torch.Generator().manual_seed(0)
    count, size = options.batch, options.size
    batch = {
        "image": torch.rand(count, 3, size, size, generator=random) * 2 - 1,
        "aus": torch.rand(count, OPENFACE_COUNT, generator=random),
        "targets": torch.rand(count, OPENFACE_COUNT, generator=random),
        "mix": torch.rand(count, generator=random),
    }
    return {name: tensor.to(device) for name, tensor in batch.items()}


def seconds(turn: Turn, batch: Batch) -> float:
    """Returns the wall time until the turn is fully computed."""
    start_s = time.perf_counter()
    turn(batch)
    if batch["image"].device.type == "cuda":
        torch.cuda.synchronize(batch["image"].device)
    return time.perf_counter() - start_s
