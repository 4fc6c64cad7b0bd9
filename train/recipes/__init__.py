"""Recipes: each kind of training has networks, examples and losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from train.training_options import PRESETS, OptionsError, Scalar

if TYPE_CHECKING:
    from train.recipes.recipe import Recipe

OptionsT = TypeVar("OptionsT")


def open_recipe(preset: str, options: Mapping[str, Scalar]) -> Recipe:
    """Returns the recipe of a preset with these options; torch's random state draws the first weights."""
    if preset == "live":
        from train.recipes.live_recipe import LiveRecipe, LiveRecipeOptions

        return LiveRecipe(with_options(LiveRecipeOptions(), options))
    from train.recipes import paper_recipe

    if preset == "paper":
        return paper_recipe.PaperRecipe(with_options(paper_recipe.PaperOptions(), options))
    if preset == "paper-film":
        return paper_recipe.PaperRecipe(with_options(paper_recipe.PaperFilmOptions(), options))
    if preset == "ganimation":
        return paper_recipe.PaperRecipe(with_options(paper_recipe.GanimationOptions(), options))
    raise OptionsError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")


def flat_options(options: Any) -> dict[str, Scalar]:
    """Returns a recipe's options by name; those of a part are `part.name`, several numbers are `48,96`."""
    flat: dict[str, Scalar] = {}
    for each in fields(options):
        value = getattr(options, each.name)
        if is_dataclass(value):
            flat |= {f"{each.name}.{name}": inner for name, inner in flat_options(value).items()}
        else:
            flat[each.name] = ",".join(map(str, value)) if isinstance(value, tuple) else value
    return flat


def with_options(defaults: OptionsT, options: Mapping[str, Scalar]) -> OptionsT:
    """Returns `defaults` with these options, named as by `flat_options`; values may be text."""
    known = flat_options(defaults)
    for name in options:
        if name not in known:
            raise OptionsError(f"no recipe option {name!r}; choose from {', '.join(known)}")
    changed: dict[str, Any] = {}
    for name, value in options.items():
        outer, dot, _ = name.partition(".")
        own = getattr(defaults, outer)
        if dot:
            inner = {
                each.partition(".")[2]: options[each] for each in options if each.startswith(f"{outer}.")
            }
            changed[outer] = with_options(own, inner)
        else:
            changed[outer] = _like(own, value, name)
    return replace(defaults, **changed)  # type: ignore[type-var]


def _like(default: object, value: Scalar, name: str) -> object:
    """Converts `value` to the type of `default`."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[str(value).lower()]
        if isinstance(default, tuple):
            return tuple(type(default[0])(each) for each in str(value).split(","))
        return type(default)(value)  # type: ignore[call-arg]
    except (KeyError, ValueError) as error:
        raise OptionsError(f"recipe option {name} is {value!r}; give a value such as {default}") from error
