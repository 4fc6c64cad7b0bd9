"""`python -m train fit`."""

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
from train.options import (
    PRESETS,
    FitOptions,
    MachineOptions,
    OptionsError,
    Scalar,
    agreeing,
    load_options,
    preset_options,
    with_given,
)

_FOLDER = click.Path(path_type=Path, file_okay=False)
_TYPES = {"int": int, "float": float, "str": str, "int | None": int, "float | None": float}
_OWN_FLAGS = ("preset", "recipe")
"""Options of a run that are asked for in another way than by their name and a value."""


class Duration(click.ParamType):  # not ParamType[float]: click before 8.5 cannot subscript it
    """90m, 1h30m or 45s, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", str(value))
        if found is None or not any(found.groups()):
            self.fail(f"{value!r} is no duration; give one like 90m, 1h30m or 45s", param, ctx)
        hours, minutes, seconds = (int(each or 0) for each in found.groups())
        return 3600.0 * hours + 60.0 * minutes + seconds


def _flags(options: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A flag for each field of the dataclass; None where it is not given."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for each in reversed([each for each in fields(options) if each.name not in _OWN_FLAGS]):
            command = _flag(each)(command)
        return command

    return decorate


def _flag(field: Field[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    name = field.name.replace("_", "-")
    help = f"{field.metadata['help']}  [default: {_default(field)}]"
    if field.type == "bool":
        return click.option(f"--{name}/--no-{name}", default=None, help=help)
    return click.option(f"--{name}", type=_TYPES[str(field.type)], default=None, help=help)


def _default(field: Field[Any]) -> str:
    """The default, or those of the presets where they differ from it."""
    own = {preset: getattr(options, field.name, field.default) for preset, options in PRESETS.items()}
    others = [f"{preset} {_plain(value)}" for preset, value in own.items() if value != field.default]
    return ", ".join(([] if len(others) == len(own) else [_plain(field.default)]) + others)


def _plain(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _setting(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Scalar]:
    """NAME=VALUE, several times."""
    pairs = [value.partition("=") for value in values]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise click.BadParameter(f"{name + equals + value!r} is not NAME=VALUE", ctx, param)
    return {name.replace("-", "_"): value for name, _, value in pairs}


@click.command()
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), help="What to train; a run that goes on knows it."
)
@click.option(
    "--data", type=_FOLDER, required=True, metavar="DIR", help="Shards made by `python -m train prepare`."
)
@click.option("--out", type=_FOLDER, required=True, metavar="RUN", help="The run's folder.")
@click.option(
    "--recipe",
    multiple=True,
    callback=_setting,
    metavar="NAME=VALUE",
    help="An option of the recipe, such as a loss's weight; may be repeated.",
)
@click.option(
    "--region",
    metavar="NAME",
    help="For the preset live: the region of the face whose network is trained, mouth or eyes.",
)
@click.option(
    "--time-budget",
    type=Duration(),
    metavar="TIME",
    help="Stop after this time, such as 90m or 1h30m; the next call goes on.",
)
@_flags(FitOptions)
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
    """Train networks on the shards in DIR; everything goes into the folder RUN.

    Where RUN holds a checkpoint, training goes on from it with the options it was begun with: naming another
    is an error, except for those that make the run longer and those of this machine. SIGTERM and Ctrl-C let
    the step end and write the checkpoint. Several processes: torchrun --nproc-per-node N -m train fit ...
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
        options = _options(preset, begun, _of(FitOptions, given), recipe)
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


def _begun(run: Path) -> FitOptions | None:
    """The options of the run that goes on; None where a new one begins."""
    if not (run / "checkpoint.pt").is_file():
        return None
    if not (run / "options.json").is_file():
        raise OptionsError(f"{run} has a checkpoint but no options.json; train into another folder")
    return load_options(run / "options.json")


def _options(
    preset: str | None, begun: FitOptions | None, given: dict[str, Any], recipe: dict[str, Scalar]
) -> FitOptions:
    """What is asked for: where nothing is said, what the run was begun with, or else the preset's own."""
    if begun is not None:
        options = with_given(begun, given | ({"preset": preset} if preset else {}))
    elif preset is not None:
        options = preset_options(preset, given)
    else:
        raise OptionsError(f"a new run needs --preset; choose from {', '.join(PRESETS)}")
    return replace(options, recipe={**options.recipe, **recipe})
