"""The model card of exported weights: facts from the run's folder, and text that people supply."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from calib.json_file import parse_json
from reenact.generate.network.contract import ModelInfo
from train.training_options import PRESETS, Scalar, TrainingOptions

WHAT = {
    "live": "Refines one region of a moved face: it adapts light and tone of the painted layers to the face "
    "around them. It neither blurs nor invents detail finer than its patches of 8 pixels.",
    "paper": "The generator of Ling et al. (ECCV 2020): a whole new face for relative action units.",
    "paper-film": "The generator of Ling et al. (ECCV 2020), its action units fed in after every norm.",
    "ganimation": "GANimation (Pumarola et al., ECCV 2018): attention and colour for absolute action units.",
}
"""The description of each preset's network."""


class CardError(ValueError):
    """A description of the data cannot be read."""


@dataclass(frozen=True)
class Validation:
    """The error of one validation."""

    images: int
    """The pictures seen before the validation."""
    error: float
    """The validation error."""
    parts: Mapping[str, float]
    """The terms whose sum the error is."""


@dataclass(frozen=True)
class History:
    """The history of a run, as stats.jsonl holds it."""

    images: int
    """The pictures seen, with repetitions."""
    hours: float
    """The training time without validation and data preparation."""
    validations: tuple[Validation, ...]
    """The validations in order."""

    @property
    def best(self) -> Validation | None:
        """The validation with the lowest error. None: there was no validation."""
        return min(self.validations, key=lambda each: each.error, default=None)


@dataclass(frozen=True)
class DataSet:
    """A row in the card's table of data."""

    name: str
    pictures: int
    what: str
    licence: str


@dataclass(frozen=True)
class Facts:
    """The contents of a card, without the run's options and history."""

    info: ModelInfo
    """The model's description in its file."""
    precision: str
    """The precision of the weights."""
    parameters: int
    """The number of parameters."""
    files: Mapping[str, int]
    """The sizes of the files in bytes, by name."""
    images: int | None
    """The pictures seen in training up to these weights. None: unknown."""
    exported: date
    """The date of the export."""
    data: str
    """Markdown text about the training data."""
    hardware: str
    """The hardware of the training."""
    notes: str = ""
    """Markdown text with its own headings: results and weaknesses."""


def read_history(stats: Path) -> History:
    """Reads a run's stats.jsonl; the history is empty where there is no such file yet."""
    lines = stats.read_text(encoding="utf-8").splitlines() if stats.is_file() else []
    rows = [json.loads(line) for line in lines]
    steps = [(row["images"], row["images_per_s"]) for row in rows if "images_per_s" in row]
    seconds = sum((now - before) / rate for (before, _), (now, rate) in pairwise([(0, 1.0), *steps]))
    return History(max((row["images"] for row in rows), default=0), seconds / 3600, _validations(rows))


def _validations(rows: Sequence[Mapping[str, Any]]) -> tuple[Validation, ...]:
    parts: dict[int, dict[str, float]] = {}
    for row in rows:
        named = {
            name.removeprefix("validation/"): row[name] for name in row if name.startswith("validation/")
        }
        parts.setdefault(row["images"], {}).update(named)
    return tuple(
        Validation(row["images"], row["validation"], parts[row["images"]])
        for row in rows
        if "validation" in row
    )


def read_data_card(path: Path) -> str:
    """Returns Markdown from a Markdown file, or from a JSON list of objects (name, pictures, what,
    licence)."""
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() != ".json":
        return text.strip()
    try:
        sets = [DataSet(**entry) for entry in parse_json(text, CardError)]
    except (ValueError, TypeError) as error:
        names = ", ".join(each.name for each in fields(DataSet))
        raise CardError(f"{path} is not a list of objects with {names}: {error}") from error
    rows = [(each.name, f"{each.pictures:,}", each.what, each.licence) for each in sets]
    return _table(("set", "pictures", "what", "licence of the source"), rows)


def command_of(options: TrainingOptions, defaults: Mapping[str, Scalar]) -> str:
    """Returns the command `python -m train fit` with these options; `defaults` are the recipe's own."""
    preset = PRESETS[options.preset]
    flags = [
        _flag(each.name, getattr(options, each.name))
        for each in fields(TrainingOptions)
        if each.name not in ("preset", "recipe", "seed")
        and getattr(options, each.name) not in (None, getattr(preset, each.name))
    ]
    recipe = [
        f"--recipe {name}={value}" for name, value in options.recipe.items() if defaults.get(name) != value
    ]
    head = f"python -m train fit --preset {options.preset} --data SHARDS --out RUN --seed {options.seed}"
    return " ".join([head, *flags, *recipe])


def _flag(name: str, value: Scalar) -> str:
    name = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name} {value}"


def model_card(facts: Facts, options: TrainingOptions, history: History, command: str) -> str:
    """Returns the whole card in Markdown."""
    info = facts.info
    sections = [
        f"# Model card: {', '.join(f'`{name}`' for name in facts.files)}",
        WHAT[info.preset],
        _table(
            ("", ""),
            [
                ("preset", info.preset),
                ("parameters", f"{facts.parameters:,}"),
                ("files", ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in facts.files.items())),
                ("weights", f"{facts.precision}, SHA-256 `{info.weights_sha256}`"),
                ("crop", f"{info.crop.size} px, {info.crop.width_mm:g} mm wide on the face"),
                ("exported", f"{facts.exported:%Y-%m-%d}, by reenact {info.made_by}"),
                ("licence", info.licence),
            ],
        ),
        "## Data",
        facts.data,
        "## Training",
        f"    {command}",
        _training(facts, options, history),
        *_validation(history),
        *([facts.notes] if facts.notes else []),
    ]
    return "\n\n".join(sections) + "\n"


def _training(facts: Facts, options: TrainingOptions, history: History) -> str:
    seen = facts.images or history.images
    return (
        f"Seed {options.seed}, {seen:,} pictures seen (repeated ones counted) of {history.images:,} in the "
        f"whole run, {history.hours:.1f} hours, on {facts.hardware}."
    )


def _validation(history: History) -> list[str]:
    """Returns lines on the error of the held-out split during training."""
    best = history.best
    if best is None:
        return []
    shown = {"first": history.validations[0], "best": best, "last": history.validations[-1]}
    rows = [
        (name, f"{each.images:,}", f"{each.error:.4f}", *(f"{part:.4f}" for part in each.parts.values()))
        for name, each in shown.items()
    ]
    text = "The sum that chose the weights, on people held out of the training:"
    return [text, _table(("", "pictures seen", "error", *best.parts), rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
