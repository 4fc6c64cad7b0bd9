"""What a run trains and how, its presets, and the file that remembers it."""

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
    """Options that do not exist, do not fit together, or differ from those that a run was begun with."""


def described(default: Any, help: str) -> Any:
    """A field of a dataclass with the line that the command line shows."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What decides the weights: the same options, data and seed give the same run."""

    preset: str
    """Which recipe: live, paper, paper-film or ganimation."""
    recipe: Mapping[str, Scalar] = field(default_factory=dict)
    """The recipe's own options, all of them."""
    seed: int = described(0, "Of the first weights, of the data's order and of all randomness in it.")
    batch: int = described(16, "Pictures in one step, over all processes together.")
    images: int | None = described(
        None, "Pictures until the end, repeated ones counted; instead of `epochs`."
    )
    epochs: float | None = described(None, "Times that all pictures are seen; instead of `images`.")
    generator_rate: float = described(1e-4, "Adam's learning rate.")
    discriminator_rate: float = described(1e-4, "Adam's learning rate.")
    beta1: float = described(0.5, "Adam's.")
    beta2: float = described(0.999, "Adam's.")
    decay_from: float = described(
        1.0, "From this share of the run on the rates fall linearly, to 0 at its end; 1: never."
    )
    critic_per_generator: int = described(1, "Steps of the discriminator for one of the generator.")
    ema_half_life: float = described(
        0.0,
        "Pictures after which weights count half in the average, which is exported; 0: no average.",
    )
    clip: float = described(0.0, "Largest norm of a network's gradient; 0: any.")
    amp: bool = described(False, "Compute in bfloat16 where that is safe.")
    validate_every: int = described(10_000, "Pictures between two validations.")
    validation_images: int = described(
        64, "Pictures of people held out that a validation looks at, the same each time."
    )


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """How it is computed on this machine: free to change whenever a run goes on."""

    device: str = described("auto", "auto, cpu, cuda, cuda:1, mps.")
    workers: int = described(
        1, "Processes that make examples, for each process that trains; 0: it makes them itself."
    )
    threads: int = described(
        0, "Of the process that trains, on a CPU; 0: as many as torch chooses of the cores it may use."
    )
    accumulate: int = described(
        1, "Parts that a batch is computed in, one after the other: less memory, the same step."
    )
    compile: bool = described(False, "Compile the generator (torch.compile).")
    log_every: int = described(20, "Steps between two lines of stats.jsonl.")
    preview_every: int = described(10_000, "Pictures between two previews.")
    save_minutes: float = described(10.0, "Between two checkpoints.")


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
    # 30 epochs, 20 more of linear decay; the generator's turn comes every fourth time.
    "paper": TrainingOptions(preset="paper", epochs=50.0, decay_from=0.6, critic_per_generator=4),
    "paper-film": TrainingOptions(preset="paper-film", epochs=50.0, decay_from=0.6, critic_per_generator=4),
    # As published: 20 epochs, 10 more of linear decay, batch 25, the generator's turn every fifth time.
    "ganimation": TrainingOptions(
        preset="ganimation", batch=25, epochs=30.0, decay_from=2 / 3, critic_per_generator=5
    ),
}
"""The defaults of each preset, but for those of its recipe."""

_MAY_CHANGE = frozenset({"images", "epochs", "validate_every"})
"""Of a run that goes on: what makes it longer, and what is looked at, not what is learnt from a picture."""


def preset_options(preset: str, given: Mapping[str, Any]) -> TrainingOptions:
    """The preset's options with those that were given in place of its own."""
    if preset not in PRESETS:
        raise OptionsError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")
    return with_given(PRESETS[preset], given)


def with_given(options: TrainingOptions, given: Mapping[str, Any]) -> TrainingOptions:
    """`options` with those that were given; of `images` and `epochs` the one given replaces both."""
    if {"images", "epochs"} <= given.keys():
        raise OptionsError("images and epochs both say when to end; give one of them")
    if {"images", "epochs"} & given.keys():
        options = replace(options, images=None, epochs=None)
    return replace(options, **given)


def total_images(options: TrainingOptions, samples: int) -> int:
    """Pictures until the end of a run on `samples` of them."""
    if options.images is not None:
        return options.images
    assert options.epochs is not None
    return round(options.epochs * samples)


def learning_rate_factor(images: int, total: int, decay_from: float) -> float:
    """1, then linearly down to 0 at the end."""
    if images < decay_from * total or decay_from >= 1:
        return 1.0
    return max(0.0, (total - images) / ((1 - decay_from) * total))


def write_options(options: TrainingOptions, path: Path) -> None:
    with replacing(path) as beside:
        beside.write_text(json.dumps(asdict(options), indent=2) + "\n", encoding="utf-8")


def load_options(path: Path) -> TrainingOptions:
    """What `write_options` wrote; OptionsError if it is something else."""
    try:
        known = read_json(path, OptionsError)
        return TrainingOptions(**known)
    except (ValueError, TypeError) as error:
        raise OptionsError(f"{path} is damaged or of another version: {error}") from error


def agreeing(begun: TrainingOptions, asked: TrainingOptions) -> TrainingOptions:
    """The options to go on with: `asked`, unless it would make another run of the one that was begun."""
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
