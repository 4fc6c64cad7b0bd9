"""How fast and how exact each engine runs a model here, and how fast it could at best.

Engines are paired: all are open at once and take turns, so that whatever else the machine does slows each of
them, and beside every model a stack of large convolutions is timed in the same engine. What that reaches is
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
"""What every other is compared with."""

Pictures: TypeAlias = NDArray[np.uint8]
"""(faces, height, width, 3)."""


@dataclass(frozen=True)
class BenchOptions:
    rounds: int = 5
    """In each, every engine has its turn."""
    runs: int = 20
    """Of the model in a turn."""
    ceiling_runs: int = 3
    """Of the convolutions in a turn."""


@dataclass(frozen=True, eq=False)
class Workload:
    """A model, and what it is run on."""

    model: bytes
    """The content of the ONNX file."""
    batches: Sequence[Tensors]
    """Inputs that are like real ones, all of one shape."""
    ranges: Mapping[str, float]
    """Of each output: its greatest value less its least."""
    compose: Callable[[Tensors, Tensors], Pictures]
    """Inputs and outputs to what is shown."""
    work: Work | None = None
    """For one batch, where it could be counted."""


@dataclass(frozen=True)
class Parity:
    """How outputs differ from the reference's, as shares of their range: those of the worst output."""

    mean: float
    most: float
    psnr_db: float | None
    """Of the pictures that are shown, 0..255; None where they are the same."""


@dataclass(frozen=True)
class Gate:
    """What may not be exceeded."""

    mean: float
    most: float

    def passes(self, parity: Parity) -> bool:
        return parity.mean <= self.mean and parity.most <= self.most


EXACT = Gate(mean=1e-4, most=1e-4)
"""For float32: only the order of sums may differ."""
SHORT = Gate(mean=0.01, most=0.08)
"""For 16 bits, tf32, which has as short a mantissa, and for whatever the runtime chooses by itself."""


@dataclass(frozen=True)
class Turn:
    """One engine in one round."""

    model_ms: tuple[float, ...]
    ceiling_ms: tuple[float, ...]


@dataclass(frozen=True)
class Speed:
    p50_ms: float
    p95_ms: float
    """Of one run, a batch."""
    ceiling_gflops: float
    """Reached by the convolutions. A multiplication and an addition are 2 FLOP."""
    times_floor: float | None
    """The run's time over what the ceiling would allow; None where the model's work is not known."""


@dataclass(frozen=True)
class Refused:
    choice: Choice
    reason: str


@dataclass(frozen=True)
class EngineMeasurement:
    choice: Choice
    engine: str
    """As it calls itself."""
    notes: tuple[str, ...]
    open_s: float
    """From the file's content to the first outputs: with TensorRT a plan is built, the first time."""
    growth_mb: float | None
    """Of the process's memory meanwhile, which holds the runtime, too, if it is the first of its kind; None
    where the system does not say."""
    parity: Parity
    gate: Gate
    speed: Speed

    @property
    def passes(self) -> bool:
        return self.gate.passes(self.parity)


@dataclass(frozen=True)
class Contestant:
    """An engine that has opened both models."""

    choice: Choice
    model: Engine
    convolutions: Engine
    open_s: float
    growth_mb: float | None
    parity: Parity


@dataclass(frozen=True)
class Bench:
    measured: tuple[EngineMeasurement, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True)
class Tools:
    """What is asked of the system."""

    clock: Callable[[], float] = time.perf_counter
    """Seconds."""
    memory_mb: Callable[[], float | None] = lambda: None
    """What the process holds now."""
    watch: Callable[[str], None] = lambda doing: None
    """Is told what is being done."""


def every_choice(names: Sequence[str] = NAMES) -> list[Choice]:
    """These engines in all of their precisions; one that is not here, once."""
    return [
        Choice(name, precision)
        for name in names
        for precision in (PRECISIONS[name] if probe(name).available else ()) or (None,)
    ]


def gate_for(choice: Choice, work: Work | None) -> Gate:
    """A model of halves is rounded by some runtimes at each step and by others not at all, fp32 or not."""
    halves = work is not None and work.halves
    return EXACT if choice.precision == "fp32" and not halves else SHORT


@dataclass(frozen=True, eq=False)
class Contest:
    """A workload, the ceiling's, and the options that all engines share."""

    workload: Workload
    options: BenchOptions = BenchOptions()
    tools: Tools = field(default_factory=Tools)
    ceiling: Ceiling = field(default_factory=convolutions)

    def __call__(self, choices: Sequence[Choice]) -> Bench:
        """Raises EngineError where the reference cannot run the model, or an engine breaks down halfway."""
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
            )  # another one each time, so that none has the best place
            for each in (*contestants[first:], *contestants[:first]):
                turns[each.choice].append(self._turn(each))
        return turns

    def _turn(self, contestant: Contestant) -> Turn:
        batches, runs = self.workload.batches, self.options.runs
        contestant.model.run(batches[0])  # fetches what the others have driven from the processor's caches
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
    """All batches together."""
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
    """Peak signal-to-noise ratio, 10 log10(255^2 / mean squared error); None where there is no error."""
    error = float(np.mean(np.square(found.astype(np.float64) - expected)))
    return None if error == 0 else 10 * float(np.log10(255**2 / error))


def summarise(turns: Sequence[Turn], work: Work | None, ceiling_macs: int) -> Speed:
    """Medians over the rounds of what was measured side by side in one; p50 and p95 of all runs."""
    p50, p95 = np.percentile([ms for turn in turns for ms in turn.model_ms], (50, 95))
    ceilings = [2 * ceiling_macs / median(turn.ceiling_ms) / 1e6 for turn in turns]
    times_floor = None
    if work is not None:
        floors_ms = [2 * work.macs / ceiling / 1e6 for ceiling in ceilings]
        times_floor = median(
            median(turn.model_ms) / floor_ms for turn, floor_ms in zip(turns, floors_ms, strict=True)
        )
    return Speed(float(p50), float(p95), median(ceilings), times_floor)
