"""Kinds of training: each brings networks, examples and losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from train.options import PRESETS, OptionsError, Scalar

if TYPE_CHECKING:
    from train.recipes.base import Recipe

ChosenT = TypeVar("ChosenT")


def open_recipe(preset: str, options: Mapping[str, Scalar]) -> Recipe:
    """The recipe of a preset, with these options in place of its own; its weights come from torch's seed."""
    # Imported one by one: who trains one needs none of the others.
    if preset == "live":
        from train.recipes.live import LiveOptions, LiveRecipe

        return LiveRecipe(_chosen(LiveOptions, options))
    from train.recipes import paper

    if preset == "paper":
        return paper.PaperRecipe(_chosen(paper.PaperOptions, options))
    if preset == "paper-film":
        return paper.PaperRecipe(_chosen(paper.PaperFilmOptions, options))
    if preset == "ganimation":
        return paper.PaperRecipe(_chosen(paper.GanimationOptions, options))
    raise OptionsError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")


def _chosen(kind: type[ChosenT], options: Mapping[str, Scalar]) -> ChosenT:
    """The options class with these in place of its defaults, which say the type of each."""
    defaults = {each.name: each.default for each in fields(kind)}  # type: ignore[arg-type]
    for name in options:
        if name not in defaults:
            raise OptionsError(f"no recipe option {name!r}; choose from {', '.join(defaults)}")
    return kind(**{name: _like(defaults[name], value, name) for name, value in options.items()})


def _like(default: object, value: Scalar, name: str) -> Scalar:
    """`value`, perhaps as it was typed, as what `default` is."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[str(value).lower()]
        return type(default)(value)  # type: ignore[call-arg,return-value]
    except (KeyError, ValueError) as error:
        raise OptionsError(f"recipe option {name} is {value!r}; give something like {default}") from error
