"""`python -m train fit`: trains networks on shards."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

import click

from reenact.cli.errors import say, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FOLDER
from train.commands.fitting import data_option
from train.training_options import (
    PRESETS,
    MachineOptions,
    OptionsError,
    Scalar,
    TrainingOptions,
    agreeing,
    load_options,
    preset_options,
    with_given,
)

_TYPES = {"int": int, "float": float, "str": str, "int | None": int, "float | None": float}
_SCHEDULE, _OPTIMISER = "Length and schedule", "Optimiser"
_CHECKS, _MACHINE = "Validation and checkpoints", "This machine"
_GROUPS = {
    **dict.fromkeys(("seed", "batch", "images", "epochs", "critic_per_generator"), _SCHEDULE),
    **dict.fromkeys(("generator_rate", "discriminator_rate", "beta1", "beta2"), _OPTIMISER),
    **dict.fromkeys(("decay_from", "ema_half_life", "clip"), _OPTIMISER),
    **dict.fromkeys(("validate_every", "validation_images", "log_every"), _CHECKS),
    **dict.fromkeys(("preview_every", "save_minutes"), _CHECKS),
    **dict.fromkeys(("device", "workers", "threads", "accumulate", "compile", "amp"), _MACHINE),
}
"""The heading of the flag of each field of FitOptions and MachineOptions."""
_OWN_FLAGS = ("preset", "recipe")
"""The options of a run that have flags of another form."""


class Duration(click.ParamType):  # not ParamType[float]: click before 8.5 cannot subscript it
    """A duration such as 90m, 1h30m or 45s, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", str(value))
        if found is None or not any(found.groups()):
            self.fail(f"{value!r} is no duration; give one like 90m, 1h30m or 45s", param, ctx)
        hours, minutes, seconds = (int(each or 0) for each in found.groups())
        return 3600.0 * hours + 60.0 * minutes + seconds


def _flags(options: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds a flag for each field of the dataclass; its value is None if it is not given."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for each in reversed([each for each in fields(options) if each.name not in _OWN_FLAGS]):
            command = _flag(each)(command)
        return command

    return decorate


def _flag(field: Field[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    name = field.name.replace("_", "-")
    kind = None if field.type == "bool" else _TYPES[str(field.type)]
    names = f"--{name}" if kind else f"--{name}/--no-{name}"
    return option(
        names,
        group=_GROUPS[field.name],
        type=kind,
        default=None,
        show_default=_default(field),
        help=field.metadata["help"],
    )


def _default(field: Field[Any]) -> str:
    """The default, and the defaults of presets that differ from it."""
    own = {preset: getattr(options, field.name, field.default) for preset, options in PRESETS.items()}
    others = [f"{preset} {_plain(value)}" for preset, value in own.items() if value != field.default]
    return ", ".join(([] if len(others) == len(own) else [_plain(field.default)]) + others)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _setting(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Scalar]:
    """The values of NAME=VALUE, which may be given several times."""
    pairs = [value.partition("=") for value in values]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise click.BadParameter(f"{name + equals + value!r} is not NAME=VALUE", ctx, param)
    return {name.replace("-", "_"): value for name, _, value in pairs}


@click.command(
    cls=GroupedCommand,
    example="--preset paper --data shards/ --out runs/paper",
    first=(
        *("preset", "data", "out", "region", "recipe", "time_budget", "images", "epochs", "batch", "device"),
    ),
)
@option(
    "--preset",
    group="Run",
    type=click.Choice(list(PRESETS)),
    metavar="NAME",
    help=f"What to train: {', '.join(PRESETS)}. A run that is continued keeps its preset.",
)
@data_option("Run")
@option("--out", group="Run", type=FOLDER, required=True, metavar="RUN", help="The folder of the run.")
@option(
    "--recipe",
    group="Run",
    multiple=True,
    callback=_setting,
    metavar="NAME=VALUE",
    help="An option of the recipe, such as the weight of a loss; may be given several times.",
)
@option(
    "--region",
    group="Run",
    metavar="NAME",
    help="With --preset live: the region whose network is trained, mouth or eyes.",
)
@option(
    "--time-budget",
    group="Run",
    type=Duration(),
    metavar="TIME",
    help="Stop after this time: 90m or 1h30m. The next call continues.",
)
@_flags(TrainingOptions)
@_flags(MachineOptions)
def fit(
    preset: str | None,
    data: Path,
    out: Path,
    recipe: dict[str, Scalar],
    region: str | None,
    time_budget: float | None,
    **flags: Any,
) -> None:
    """Train networks on SHARDS, and write everything to the folder RUN.

    If RUN holds a checkpoint, training continues from it with the options of its beginning; others are
    refused, except those that make the run longer and those of this machine. SIGTERM and Ctrl-C let the step
    end and write the checkpoint. Several processes: torchrun --nproc-per-node N -m train fit ...
    """
    # Threads that wait for each other in sleep, not in a loop: where something else takes a core, be it a
    # worker, they would wait for it at full speed. Two threads, two busy cores: 1.2 s a step, not 17 s.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is loaded

    # Here, so that --help and wrong arguments need no torch.
    import torch

    from train import loop
    from train.data.shards import open_shards
    from train.recipes import flat_options, open_recipe

    given = {name: value for name, value in flags.items() if value is not None}
    machine = MachineOptions(**_of(MachineOptions, given))
    if region is not None:
        recipe = {**recipe, "region": region}
    with unusable_input():
        begun = _begun(out)
        options = _options(preset, begun, _of(TrainingOptions, given), recipe)
        training, held_out = (open_shards(data, held_out=each) for each in (False, True))
        torch.manual_seed(options.seed)  # the first weights
        chosen = open_recipe(options.preset, options.recipe)
        options = replace(options, recipe=flat_options(chosen.options))
        if begun is not None:
            options = agreeing(begun, options)
    out.mkdir(parents=True, exist_ok=True)
    loop.fit(
        chosen,
        training,
        held_out,
        options,
        machine,
        out,
        budget_s=math.inf if time_budget is None else time_budget,
        say=say,
    )


def _of(options: type, given: dict[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(options)}
    return {name: value for name, value in given.items() if name in names}


def _begun(run: Path) -> TrainingOptions | None:
    """The options of the run that is continued; None: a new run begins."""
    if not (run / "checkpoint.pt").is_file():
        return None
    if not (run / "options.json").is_file():
        raise OptionsError(f"{run} has a checkpoint but no options.json; train into another folder")
    return load_options(run / "options.json")


def _options(
    preset: str | None, begun: TrainingOptions | None, given: dict[str, Any], recipe: dict[str, Scalar]
) -> TrainingOptions:
    """The options given, with those of the continued run, or else of the preset, for the others."""
    if begun is not None:
        options = with_given(begun, given | ({"preset": preset} if preset else {}))
    elif preset is not None:
        options = preset_options(preset, given)
    else:
        raise OptionsError(f"a new run needs --preset; choose from {', '.join(PRESETS)}")
    return replace(options, recipe={**options.recipe, **recipe})
