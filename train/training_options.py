"""The options of a run, its presets, and the file that stores them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from calib.json_file import read_json
from reenact.media.atomic import replacing

Scalar = str | int | float | bool


class OptionsError(ValueError):
    """Options do not exist, do not fit together, or differ from those with which the run was begun."""


def described(default: Any, help: str) -> Any:
    """Returns a dataclass field with the help line of its command-line option."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The options that decide the weights: the same options, data and seed give the same run."""

    preset: str
    """The recipe: live, paper, paper-film or ganimation."""
    recipe: Mapping[str, Scalar] = field(default_factory=dict)
    """All of the recipe's own options."""
    seed: int = described(0, "Seed of the initial weights, the data's order and all randomness in it.")
    batch: int = described(16, "Pictures of one step, over all processes together.")
    images: int | None = described(
        None, "Pictures until the end of the run, with repetitions; instead of `epochs`."
    )
    epochs: float | None = described(None, "How often all pictures are seen; instead of `images`.")
    generator_rate: float = described(1e-4, "Learning rate of the generator (Adam).")
    discriminator_rate: float = described(1e-4, "Learning rate of the discriminator (Adam).")
    beta1: float = described(0.5, "Decay rate of Adam's mean of the gradients.")
    beta2: float = described(0.999, "Decay rate of Adam's mean of the squared gradients.")
    decay_from: float = described(
        1.0, "Share of the run from which the learning rates fall linearly to 0; 1: never."
    )
    critic_per_generator: int = described(1, "Steps of the discriminator for each step of the generator.")
    ema_half_life: float = described(
        0.0,
        "Half life, in pictures, of the weights in the exported average; 0: no average.",
    )
    clip: float = described(0.0, "Largest norm of a network's gradient; 0: no limit.")
    amp: bool = described(False, "Compute in bfloat16 where that is safe.")
    validate_every: int = described(10_000, "Pictures between two validations.")
    validation_images: int = described(64, "Held-out pictures of a validation, the same each time.")


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """The options of the machine, which may change whenever a run continues."""

    device: str = described("auto", "Device: auto, cpu, cuda, cuda:1 or mps.")
    workers: int = described(
        1, "Processes that make examples, for each training process; 0: it makes them itself."
    )
    threads: int = described(
        0, "Threads of the training process on a CPU; 0: torch's choice among the allowed cores."
    )
    accumulate: int = described(
        1, "Parts of a batch that are computed in sequence: less memory, the same step."
    )
    compile: bool = described(False, "Compile the generator (torch.compile).")
    log_every: int = described(20, "Steps between two lines of stats.jsonl.")
    preview_every: int = described(10_000, "Pictures between two previews.")
    save_minutes: float = described(10.0, "Minutes between two checkpoints.")


PRESETS: Mapping[str, TrainingOptions] = {
    "live": TrainingOptions(
        preset="live",
        batch=16,
        images=8_000,
        generator_rate=5e-4,
        discriminator_rate=3e-4,
        beta2=0.99,
        decay_from=0.5,
        ema_half_life=1_500.0,
        clip=10.0,
        validate_every=2_000,
        validation_images=128,
    ),
    # 30 epochs, then 20 of linear decay; the generator has every fourth step.
    "paper": TrainingOptions(preset="paper", epochs=50.0, decay_from=0.6, critic_per_generator=4),
    "paper-film": TrainingOptions(preset="paper-film", epochs=50.0, decay_from=0.6, critic_per_generator=4),
    # As published: 20 epochs, then 10 of linear decay, batch 25, the generator has every fifth step.
    "ganimation": TrainingOptions(
        preset="ganimation", batch=25, epochs=30.0, decay_from=2 / 3, critic_per_generator=5
    ),
}
"""The defaults of each preset, without those of its recipe."""

_MAY_CHANGE = frozenset({"images", "epochs", "validate_every"})
"""Options that may change when a run continues: those of its length and of validation."""


def preset_options(preset: str, given: Mapping[str, Any]) -> TrainingOptions:
    """Returns the preset's options with the given ones in their place."""
    if preset not in PRESETS:
        raise OptionsError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")
    return with_given(PRESETS[preset], given)


def with_given(options: TrainingOptions, given: Mapping[str, Any]) -> TrainingOptions:
    """Returns `options` with the given ones; the one of `images` and `epochs` that is given replaces both."""
    if {"images", "epochs"} <= given.keys():
        raise OptionsError("images and epochs both set the end of the run; give one of them")
    if {"images", "epochs"} & given.keys():
        options = replace(options, images=None, epochs=None)
    return replace(options, **given)


def total_images(options: TrainingOptions, samples: int) -> int:
    """Returns the number of pictures of a whole run on this number of samples."""
    if options.images is not None:
        return options.images
    assert options.epochs is not None
    return round(options.epochs * samples)


def learning_rate_factor(images: int, total: int, decay_from: float) -> float:
    """Returns the factor on the learning rate: 1, then linearly down to 0 at the end."""
    if images < decay_from * total or decay_from >= 1:
        return 1.0
    return max(0.0, (total - images) / ((1 - decay_from) * total))


def write_options(options: TrainingOptions, path: Path) -> None:
    """Writes the options as JSON."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(asdict(options), indent=2) + "\n", encoding="utf-8")


def load_options(path: Path) -> TrainingOptions:
    """Reads what `write_options` wrote. Raises OptionsError for other contents."""
    try:
        known = read_json(path, OptionsError)
        return TrainingOptions(**known)
    except (ValueError, TypeError) as error:
        raise OptionsError(f"{path} is damaged or of another version: {error}") from error


def agreeing(begun: TrainingOptions, asked: TrainingOptions) -> TrainingOptions:
    """Returns `asked`. Raises OptionsError where it would make another run of the one that was begun."""
    for each in fields(TrainingOptions):
        before, now = getattr(begun, each.name), getattr(asked, each.name)
        if each.name == "recipe":
            _check_recipe(before, now)
        elif before != now and each.name not in _MAY_CHANGE:
            raise OptionsError(_difference(each.name, before, now))
    return asked


def _check_recipe(before: Mapping[str, Scalar], now: Mapping[str, Scalar]) -> None:
    for name in [*before, *(name for name in now if name not in before)]:
        if before.get(name) != now.get(name):
            raise OptionsError(_difference(f"recipe option {name}", before.get(name), now.get(name)))


def _difference(name: str, before: object, now: object) -> str:
    return f"this run was begun with {name} {before}, not {now}; keep to it, or train into another folder"
