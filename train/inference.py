"""Measures how fast a network of `live` paints here, against the paper's generator in PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from engines import AUTO, load_engine
from reenact.generate.network.contract import model_info
from reenact.generate.network.example_inputs import example
from train.training_benchmark import TrainingBenchmarkOptions, random_batch, recipe_of

PAPER = TrainingBenchmarkOptions(preset="paper", size=128, channels=64, batch=1)
"""The paper's published size."""


@dataclass(frozen=True)
class InferenceOptions:
    """The model, its engine and the number of rounds."""

    model: Path
    """The ONNX file."""
    engine: str = AUTO
    """The engine, as `engines.choice` reads it."""
    rounds: int = 20
    """The number of rounds."""


@dataclass(frozen=True)
class Inference:
    """Medians over rounds, in each of which both networks painted one face."""

    engine: str
    """The engine and its precision."""
    size: int
    """The height and width of the model's crop in pixels."""
    model_ms: float
    """The model's time."""
    paper_ms: float
    """The time of the paper's generator."""
    ratio: float
    """The ratio of the paper's time to the model's in one round, since other load slows both alike."""
    least_ratio: float
    """The smallest ratio of a round."""
    most_ratio: float
    """The largest ratio of a round."""


def measure_inference(options: InferenceOptions) -> Inference:
    """Measures both. Raises ModelError or EngineError where the model cannot be used."""
    info = model_info(options.model)
    inputs, paper = example(info, 1, seed=0), paper_generator()
    with load_engine(options.model, options.engine) as engine:
        turns = [
            (taken_ms(lambda: engine.run(inputs)), taken_ms(paper))
            for _ in range(options.rounds + 2)  # The first two load weights and wake threads.
        ][2:]
        return summarise(engine.name, info.crop.size, turns)


def paper_generator() -> Callable[[], Any]:
    """Returns a function that paints one face of noise at the published size, in float32 on the CPU."""
    generator = recipe_of(PAPER).generator.eval()
    batch = random_batch(PAPER, torch.device("cpu"))

    def paint() -> Any:
        with torch.inference_mode():
            return generator(batch["image"], batch["targets"] - batch["aus"])

    return paint


def taken_ms(work: Callable[[], Any]) -> float:
    """Returns the wall time of a call in milliseconds."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def summarise(engine: str, size: int, turns: Sequence[tuple[float, float]]) -> Inference:
    """Summarises turns, each the milliseconds of the model and of the paper's generator."""
    ratios = [paper / model for model, paper in turns]
    return Inference(
        engine=engine,
        size=size,
        model_ms=median(model for model, _ in turns),
        paper_ms=median(paper for _, paper in turns),
        ratio=median(ratios),
        least_ratio=min(ratios),
        most_ratio=max(ratios),
    )
