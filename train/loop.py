"""The training loop for all recipes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from engines.threads import core_count
from train.checkpoint import Training, load_checkpoint, save_checkpoint, save_weights
from train.data.shards import Shards
from train.distributed import Ranks, any_of, apart, average, broadcast, check_same, joined, shared
from train.ema import Ema
from train.loader import (
    held_out_batches,
    item_order,
    load_batches,
    parts_of_batches,
    picture_format,
    to_device,
)
from train.log import RunLog, Say, progress_line
from train.meters import LossMeans, SkippedSteps, TrainingSpeed
from train.recipes.recipe import Batch, Recipe, Terms
from train.stop import stop_on_signals
from train.training_options import (
    MachineOptions,
    OptionsError,
    TrainingOptions,
    learning_rate_factor,
    total_images,
    write_options,
)

_LOOK_EVERY = 20
"""Steps between two checks for values that are not finite; each check makes the CPU wait for the GPU."""
_PREVIEWS = 8
"""The number of held-out people in a preview."""


@dataclass(frozen=True)
class Outcome:
    """The end of a run."""

    images: int
    """The pictures seen, with repetitions."""
    total: int
    """The pictures of the complete run."""
    best: float | None
    """The lowest validation error. None: there was none."""
    reason: str
    """The reason of the end: done, stopped (by a signal) or out of time."""


def fit(
    recipe: Recipe,
    training: Shards,
    held_out: Shards,
    options: TrainingOptions,
    machine: MachineOptions,
    run: Path,
    *,
    budget_s: float = math.inf,
    say: Say = lambda line: None,
) -> Outcome:
    """Trains the recipe's networks until all images are seen, the budget is used up, or a signal stops it.

    A run continues from the checkpoint in the folder `run` if there is one, and then ends with the same
    weights as a run without interruption. The folder finally holds checkpoint.pt, generator.safetensors (the
    average), best.safetensors (of the lowest validation error, or the last weights where there is none),
    stats.jsonl, previews/*.png and TensorBoard's events.

    budget_s: the time in seconds. say: receives lines of progress.
    """
    began = time.monotonic()
    with joined(machine.device) as ranks, stop_on_signals() as asked_to_stop, no_denormals():
        # ---- Networks ----------------------------------------------------------------------------------
        prepare_device(ranks.device, machine)
        samples, checkpoint = len(training), run / "checkpoint.pt"
        check_sizes(samples, options, machine, ranks)
        state = begin(recipe, options, ranks.device)
        if checkpoint.is_file():
            load_checkpoint(state, samples, checkpoint)
        check_same(state.images, ranks)
        broadcast((state.average.network,), ranks)
        if machine.compile:
            state.generator.compile()  # Not the discriminator, which then has no second derivatives.
        generator, discriminator = (shared(each, ranks) for each in (state.generator, state.discriminator))

        # ---- Data --------------------------------------------------------------------------------------
        total = total_images(options, samples)
        steps = -(-(total - state.images) // options.batch)
        order = item_order(state.images, samples, options.seed)
        share = parts_of_batches(order, steps, options.batch, ranks.rank, ranks.world, machine.accumulate)
        batches = load_batches(recipe.items(training, options.seed), share, machine, ranks.device)
        unseen = held_out_batches(recipe, held_out, options) if ranks.first else []

        log = RunLog(run, state.images) if ranks.first else None
        if log:
            write_options(options, run / "options.json")
            say(f"{samples} samples, {len(held_out)} held out; {state.images} of {total} images are done")

        # ---- Steps -------------------------------------------------------------------------------------
        means, health, pace = (
            LossMeans(),
            SkippedSteps(state.skipped, ranks.device),
            TrainingSpeed(state.images),
        )
        saved, reason = time.monotonic(), ""
        while parts := list(islice(batches, machine.accumulate)):
            step = state.images // options.batch
            factor = learning_rate_factor(state.images, total, options.decay_from)
            set_rate(state.generator_optimiser, options.generator_rate * factor)
            set_rate(state.discriminator_optimiser, options.discriminator_rate * factor)

            with frozen(state.generator):
                loss = loss_of(recipe.discriminator_loss, state.generator, discriminator, step)
                terms, finite = descend(
                    loss, parts, discriminator, state.discriminator_optimiser, options, ranks
                )
            means.add(terms, of="discriminator")
            health.add(finite, of="discriminator")
            if (step + 1) % options.critic_per_generator == 0:
                with frozen(state.discriminator):
                    loss = loss_of(recipe.generator_loss, generator, state.discriminator, step)
                    terms, finite = descend(loss, parts, generator, state.generator_optimiser, options, ranks)
                means.add(terms, of="generator")
                health.add(finite, of="generator")
                since = options.batch * options.critic_per_generator
                state.average.update(state.generator, state.images + options.batch, since)
            state.images += options.batch

            # ---- Reports; nothing here changes the training --------------------------------------------
            if (step + 1) % _LOOK_EVERY == 0:
                state.skipped = health.check()
            if (step + 1) % machine.log_every == 0:
                values = means.take(ranks)
                rate = pace.take(state.images)
                left_s = min((total - state.images) / rate, budget_s - (time.monotonic() - began))
                if log:
                    log.scalars(state.images, {**values, "images_per_s": rate, "skipped": state.skipped})
                    say(progress_line(state.images, total, rate, left_s, values))
            last = state.images >= total
            if log and (last or passes(state.images, options.batch, machine.preview_every)):
                show(recipe, unseen, state, log)
            if log and (last or passes(state.images, options.batch, options.validate_every)):
                validate(recipe, unseen, state, log, options, run)
                saved = -math.inf
            if log and time.monotonic() - saved > 60 * machine.save_minutes:
                save(state, samples, options, run)
                saved = time.monotonic()
            over = time.monotonic() - began >= budget_s
            if any_of(over or asked_to_stop(), ranks):
                reason = "out of time" if over else "stopped"
                break

        # ---- End ---------------------------------------------------------------------------------------
        state.skipped = health.check()
        if state.images >= total:
            reason = "done"
        if log:
            save(state, samples, options, run)
            log.close()
            say(f"{reason} at {state.images} of {total} images")
        return Outcome(state.images, total, state.best, reason)


def prepare_device(device: torch.device, machine: MachineOptions) -> None:
    """Applies settings of the whole process; none changes results by more than rounding."""
    # torch counts the visible cores, not those that a container's quota allows.
    torch.set_num_threads(machine.threads or min(torch.get_num_threads(), core_count()))
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True


@contextmanager
def no_denormals() -> Iterator[None]:
    """Flushes denormals to zero, as decaying averages become slow otherwise; restored for other code."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def check_sizes(samples: int, options: TrainingOptions, machine: MachineOptions, ranks: Ranks) -> None:
    """Raises OptionsError where there are no samples, or a batch cannot be divided evenly."""
    if samples == 0:
        raise OptionsError("there are no samples to train on; give more data, or hold out fewer people")
    if options.batch % (ranks.world * machine.accumulate):
        raise OptionsError(
            f"a batch of {options.batch} cannot be shared evenly by {ranks.world} processes "
            f"in {machine.accumulate} parts; choose a multiple of {ranks.world * machine.accumulate}"
        )


def begin(recipe: Recipe, options: TrainingOptions, device: torch.device) -> Training:
    """Returns the state before the first step."""
    betas = (options.beta1, options.beta2)
    networks = (recipe.generator, recipe.discriminator)
    for network in networks:
        network.to(device, memory_format=picture_format(device)).train()
    generator_optimiser, discriminator_optimiser = (
        # A tensor group also allows a discriminator without parameters. Only fused optimisers can leave out
        # a step without waiting for the GPU.
        Adam([{"params": trainable(network)}], betas=betas, fused=True)
        for network in networks
    )
    average = Ema(recipe.generator, options.ema_half_life)
    return Training(*networks, average, generator_optimiser, discriminator_optimiser)


def trainable(network: nn.Module) -> list[nn.Parameter]:
    """Returns the parameters that are trained."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def loss_of(
    loss: Callable[..., Terms], generator: nn.Module, discriminator: nn.Module, step: int
) -> Callable[[Batch], Terms]:
    """Returns the loss as a function of the batch alone."""
    return lambda batch: loss(batch, generator, discriminator, step)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Computes no gradients of `network` inside this context."""
    parameters = trainable(network)
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def descend(
    loss: Callable[[Batch], Terms],
    parts: Sequence[Batch],
    trained: nn.Module,
    optimiser: Optimizer,
    options: TrainingOptions,
    ranks: Ranks,
) -> tuple[Terms, Tensor]:
    """Makes one step on the mean loss over parts and processes; returns its terms and whether it was finite.

    A step that is not finite is left out in all processes. trained: the network as `shared` returns it.
    """
    optimiser.zero_grad(set_to_none=True)
    sums: Terms = {}
    for number, part in enumerate(parts):
        with apart(trained, alone=number + 1 < len(parts)):
            # The cache is off: a weight cast without gradients would be reused where gradients are needed.
            with torch.autocast(ranks.device.type, torch.bfloat16, enabled=options.amp, cache_enabled=False):
                terms = loss(part)
            if not terms:
                return {}, torch.ones((), dtype=torch.bool, device=ranks.device)
            whole = torch.stack([term.float() for term in terms.values()]).sum()
            (whole / len(parts)).backward()
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + term.detach().float() / len(parts)

    parameters = optimiser.param_groups[0]["params"]
    value = torch.stack(list(sums.values())).sum()
    average([value], ranks)
    norm = nn.utils.clip_grad_norm_(parameters, options.clip or math.inf)
    finite = norm.isfinite() & value.isfinite()
    optimiser.found_inf = (~finite).float()
    optimiser.step()
    return sums, finite


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Sets the learning rate of all parameters."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def passes(images: int, batch: int, every: int) -> bool:
    """Returns whether the last batch passed a multiple of `every`."""
    return images // every > (images - batch) // every


@torch.no_grad()
def show(recipe: Recipe, unseen: Sequence[Batch], state: Training, log: RunLog) -> None:
    """Writes a preview of held-out examples to the log."""
    if unseen:
        device = next(state.generator.parameters()).device
        few = {name: tensor[:_PREVIEWS] for name, tensor in to_device(unseen[0], device).items()}
        log.preview(state.images, recipe.preview(few, state.average.network))


@torch.no_grad()
def validate(
    recipe: Recipe,
    unseen: Sequence[Batch],
    state: Training,
    log: RunLog,
    options: TrainingOptions,
    run: Path,
) -> None:
    """Validates the average, and saves it if it is the best so far or if there is no validation error."""
    if not unseen:
        return
    means, device = LossMeans(), next(state.generator.parameters()).device
    for batch in unseen:
        terms = recipe.validation(to_device(batch, device), state.average.network)
        means.add(terms, of="validation", weight=len(next(iter(batch.values()))))
    values = means.take()
    if not values:
        save_weights(state.average.network, run / "best.safetensors", about(state, options))
        return
    error = sum(values.values())
    log.scalars(state.images, {"validation": error, **values})
    best_terms = ",".join(sorted(values))
    lowest = math.inf if state.best is None or state.best_terms != best_terms else state.best
    if error < lowest:
        state.best, state.best_terms = error, best_terms
        save_weights(state.average.network, run / "best.safetensors", about(state, options))


def save(state: Training, samples: int, options: TrainingOptions, run: Path) -> None:
    """Saves the checkpoint and the averaged generator."""
    save_checkpoint(state, samples, run / "checkpoint.pt")
    save_weights(state.average.network, run / "generator.safetensors", about(state, options))


def about(state: Training, options: TrainingOptions) -> Mapping[str, str]:
    """Returns the metadata of a file of weights."""
    return {"preset": options.preset, "images": str(state.images)}
