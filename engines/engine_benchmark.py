"""Measures how fast and how exact each engine runs a model here, and the fastest that this machine could run
it.

Measurements are paired: all engines are open at once and take turns, so that other load on the machine slows
each of them alike. Beside each model, a stack of large convolutions is timed in the same engine. Its speed is
the machine's ceiling in this engine and precision; no network is faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engines import NAMES, PRECISIONS, Choice, Engine, EngineError, Tensors, open_engine, probe
from engines.ceiling import Ceiling, convolutions
from engines.work import Work

REFERENCE = Choice("onnx", "fp32")
"""The engine with which every other is compared."""

Pictures: TypeAlias = NDArray[np.uint8]
"""(faces, height, width, 3) RGB."""


@dataclass(frozen=True)
class BenchOptions:
    """The number of measurements of a benchmark."""

    rounds: int = 5
    """The number of rounds; in each, every engine has one turn."""
    runs: int = 20
    """The runs of the model in one turn."""
    ceiling_runs: int = 3
    """The runs of the convolutions in one turn."""


@dataclass(frozen=True, eq=False)
class Workload:
    """A model and the inputs that it is measured on."""

    model: bytes
    """The content of the ONNX file."""
    batches: Sequence[Tensors]
    """Realistic inputs, all of one shape."""
    ranges: Mapping[str, float]
    """The range of each output, its greatest value minus its least."""
    compose: Callable[[Tensors, Tensors], Pictures]
    """Turns inputs and outputs into the pictures that are shown."""
    work: Work | None = None
    """The operations for one batch. None: they could not be counted."""


@dataclass(frozen=True)
class Parity:
    """The difference of outputs from the reference's, as shares of their range, for the worst output."""

    mean: float
    """The mean absolute difference."""
    most: float
    """The largest absolute difference."""
    psnr_db: float | None
    """The PSNR of the pictures that are shown, 0..255. None: they are equal."""


@dataclass(frozen=True)
class Gate:
    """The largest differences that pass."""

    mean: float
    """The largest mean difference, as a share of the range."""
    most: float
    """The largest difference of one value, as a share of the range."""

    def passes(self, parity: Parity) -> bool:
        """Returns whether both differences are within the gate."""
        return parity.mean <= self.mean and parity.most <= self.most


EXACT = Gate(mean=1e-4, most=1e-4)
"""For float32, where only the order of sums may differ."""
SHORT = Gate(mean=0.01, most=0.08)
"""For 16 bits, for tf32, whose mantissa is as short, and for types that the runtime chooses."""


@dataclass(frozen=True)
class Turn:
    """One engine in one round."""

    model_ms: tuple[float, ...]
    """The time of each run of the model."""
    ceiling_ms: tuple[float, ...]
    """The time of each run of the convolutions."""


@dataclass(frozen=True)
class Speed:
    """The times of an engine over all rounds."""

    p50_ms: float
    """The median time of one run, a batch."""
    p95_ms: float
    """The 95th percentile of the time of one run."""
    ceiling_gflops: float
    """The speed of the convolutions; a multiplication and an addition are 2 FLOP."""
    times_floor: float | None
    """The run's time divided by the shortest that the ceiling allows. None: the model's work is unknown."""


@dataclass(frozen=True)
class Refused:
    """An engine that did not open the model, and why."""

    choice: Choice
    """The engine that cannot run the model."""
    reason: str
    """The reason, in one line."""


@dataclass(frozen=True)
class EngineMeasurement:
    """The measured speed and exactness of one engine."""

    choice: Choice
    """The engine that was asked for."""
    engine: str
    """The name that the engine gives itself."""
    notes: tuple[str, ...]
    """The engine's notes for the user."""
    open_s: float
    """The time from the file's content to the first outputs; the first time, TensorRT builds a plan in it."""
    growth_mb: float | None
    """The growth of the process's memory meanwhile. The first engine of a runtime includes the runtime
    itself. None: the system does not report memory."""
    parity: Parity
    """The difference from the reference."""
    gate: Gate
    """The difference that passes."""
    speed: Speed
    """The measured times."""

    @property
    def passes(self) -> bool:
        """Whether the outputs are as exact as the gate requires."""
        return self.gate.passes(self.parity)


@dataclass(frozen=True)
class Contestant:
    """An engine in which both the model and the convolutions are open."""

    choice: Choice
    model: Engine
    convolutions: Engine
    open_s: float
    growth_mb: float | None
    parity: Parity


@dataclass(frozen=True)
class Bench:
    """The results of a benchmark."""

    measured: tuple[EngineMeasurement, ...]
    """The engines that ran the model."""
    refused: tuple[Refused, ...]
    """The engines that did not."""


@dataclass(frozen=True)
class Tools:
    """The functions that ask the system; tests replace them."""

    clock: Callable[[], float] = time.perf_counter
    """Returns a time in seconds."""
    memory_mb: Callable[[], float | None] = lambda: None
    """Returns the process's memory. None: it is unknown."""
    watch: Callable[[str], None] = lambda doing: None
    """Receives a line of progress."""


def every_choice(names: Sequence[str] = NAMES) -> list[Choice]:
    """Returns these engines in all of their precisions; an engine that is not available, once."""
    return [
        Choice(name, precision)
        for name in names
        for precision in (PRECISIONS[name] if probe(name).available else ()) or (None,)
    ]


def gate_for(choice: Choice, work: Work | None) -> Gate:
    """Returns the gate; models in float16 get SHORT, as runtimes round them at different steps even in
    fp32."""
    halves = work is not None and work.halves
    return EXACT if choice.precision == "fp32" and not halves else SHORT


@dataclass(frozen=True, eq=False)
class Contest:
    """Runs a workload and the ceiling's convolutions in several engines."""

    workload: Workload
    options: BenchOptions = BenchOptions()
    tools: Tools = field(default_factory=Tools)
    ceiling: Ceiling = field(default_factory=convolutions)

    def __call__(self, choices: Sequence[Choice]) -> Bench:
        """Measures the engines. Raises EngineError where the reference cannot run the model, or an engine
        fails during the measurement."""
        expected = self._reference()
        refused = []
        with ExitStack() as opened:
            contestants = []
            for choice in choices:
                self.tools.watch(f"opening {choice}")
                try:
                    contestants.append(self._enter(choice, expected, opened))
                except EngineError as error:
                    refused.append(Refused(choice, str(error)))
            turns = self._take_turns(contestants)
        measured = [self._sum_up(each, turns[each.choice]) for each in contestants]
        return Bench(tuple(measured), tuple(refused))

    def _reference(self) -> list[Tensors]:
        self.tools.watch(f"opening {REFERENCE}, the reference")
        with open_engine(self.workload.model, REFERENCE) as engine:
            return [engine.run(batch) for batch in self.workload.batches]

    def _enter(self, choice: Choice, expected: Sequence[Tensors], opened: ExitStack) -> Contestant:
        before_mb, start = self.tools.memory_mb(), self.tools.clock()
        with ExitStack() as opening:
            model = opening.enter_context(open_engine(self.workload.model, choice))
            found = [model.run(self.workload.batches[0])]
            open_s, after_mb = self.tools.clock() - start, self.tools.memory_mb()
            found += [model.run(batch) for batch in self.workload.batches[1:]]
            stack = opening.enter_context(open_engine(self.ceiling.model, choice))
            stack.run(self.ceiling.inputs)
            opened.push(opening.pop_all())
        growth_mb = None if before_mb is None or after_mb is None else after_mb - before_mb
        return Contestant(choice, model, stack, open_s, growth_mb, compare(self.workload, found, expected))

    def _take_turns(self, contestants: Sequence[Contestant]) -> dict[Choice, list[Turn]]:
        turns: dict[Choice, list[Turn]] = {each.choice: [] for each in contestants}
        for number in range(self.options.rounds):
            self.tools.watch(f"round {number + 1} of {self.options.rounds}")
            first = number % max(
                1, len(contestants)
            )  # The order rotates, so that no engine always has the best place.
            for each in (*contestants[first:], *contestants[:first]):
                turns[each.choice].append(self._turn(each))
        return turns

    def _turn(self, contestant: Contestant) -> Turn:
        batches, runs = self.workload.batches, self.options.runs
        contestant.model.run(batches[0])  # This reloads what other engines have driven from the caches.
        model_ms = [self._timed_ms(contestant.model, batches[run % len(batches)]) for run in range(runs)]
        contestant.convolutions.run(self.ceiling.inputs)
        ceiling_ms = [
            self._timed_ms(contestant.convolutions, self.ceiling.inputs)
            for _ in range(self.options.ceiling_runs)
        ]
        return Turn(tuple(model_ms), tuple(ceiling_ms))

    def _timed_ms(self, engine: Engine, inputs: Tensors) -> float:
        start = self.tools.clock()
        engine.run(inputs)
        return (self.tools.clock() - start) * 1000

    def _sum_up(self, contestant: Contestant, turns: Sequence[Turn]) -> EngineMeasurement:
        return EngineMeasurement(
            choice=contestant.choice,
            engine=contestant.model.name,
            notes=contestant.model.notes,
            open_s=contestant.open_s,
            growth_mb=contestant.growth_mb,
            parity=contestant.parity,
            gate=gate_for(contestant.choice, self.workload.work),
            speed=summarise(turns, self.workload.work, self.ceiling.macs),
        )


def compare(workload: Workload, found: Sequence[Tensors], expected: Sequence[Tensors]) -> Parity:
    """Compares the outputs of all batches with the expected ones."""
    means, mosts = [], []
    for name, span in workload.ranges.items():
        apart = [
            np.abs(ours[name] - theirs[name]) / span for ours, theirs in zip(found, expected, strict=True)
        ]
        means.append(float(np.mean(apart)))
        mosts.append(float(np.max(apart)))
    shown = [workload.compose(*pair) for pair in zip(workload.batches, found, strict=True)]
    wanted = [workload.compose(*pair) for pair in zip(workload.batches, expected, strict=True)]
    return Parity(max(means), max(mosts), psnr_db(np.concatenate(shown), np.concatenate(wanted)))


def psnr_db(found: Pictures, expected: Pictures) -> float | None:
    """Returns the peak signal-to-noise ratio, 10 log10(255^2 / mean squared error). None: there is no
    error."""
    error = float(np.mean(np.square(found.astype(np.float64) - expected)))
    return None if error == 0 else 10 * float(np.log10(255**2 / error))


def summarise(turns: Sequence[Turn], work: Work | None, ceiling_macs: int) -> Speed:
    """Computes medians over rounds of the paired figures, and p50 and p95 of all runs."""
    p50, p95 = np.percentile([ms for turn in turns for ms in turn.model_ms], (50, 95))
    ceilings = [2 * ceiling_macs / median(turn.ceiling_ms) / 1e6 for turn in turns]
    times_floor = None
    if work is not None:
        floors_ms = [2 * work.macs / ceiling / 1e6 for ceiling in ceilings]
        times_floor = median(
            median(turn.model_ms) / floor_ms for turn, floor_ms in zip(turns, floors_ms, strict=True)
        )
    return Speed(float(p50), float(p95), median(ceilings), times_floor)
