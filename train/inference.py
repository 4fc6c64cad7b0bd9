"""How fast a network of `live` paints here, against the paper's generator as PyTorch runs it."""

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
"""As published."""


@dataclass(frozen=True)
class InferenceOptions:
    model: Path
    engine: str = AUTO
    rounds: int = 20


@dataclass(frozen=True)
class Inference:
    """Medians of some rounds, in each of which both networks had one face."""

    engine: str
    """What ran the model, and in which precision."""
    size: int
    """Height and width of its crop in pixels."""
    model_ms: float
    paper_ms: float
    ratio: float
    """Of the paper's time to the model's in the same round: a busy machine slows both."""
    least_ratio: float
    most_ratio: float


def measure_inference(options: InferenceOptions) -> Inference:
    """Raises ModelError or EngineError where the model cannot be used."""
    info = model_info(options.model)
    inputs, paper = example(info, 1, seed=0), paper_generator()
    with load_engine(options.model, options.engine) as engine:
        turns = [
            (taken_ms(lambda: engine.run(inputs)), taken_ms(paper))
            for _ in range(options.rounds + 2)  # the first two fetch weights and wake threads
        ][2:]
        return summarise(engine.name, info.crop.size, turns)


def paper_generator() -> Callable[[], Any]:
    """Paints one face of noise: the published size, in float32, on the CPU, layer by layer."""
    generator = recipe_of(PAPER).generator.eval()
    batch = random_batch(PAPER, torch.device("cpu"))

    def paint() -> Any:
        with torch.inference_mode():
            return generator(batch["image"], batch["targets"] - batch["aus"])

    return paint


def taken_ms(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def summarise(engine: str, size: int, turns: Sequence[tuple[float, float]]) -> Inference:
    """turns: milliseconds of the model and of the paper's generator, side by side."""
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
