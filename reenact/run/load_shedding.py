"""Reduces the generator's effort step by step while the latency is above its budget."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reenact.generate.network.late_refinement import Effort


@dataclass(frozen=True)
class EffortStep:
    """One level of effort."""

    effort: Effort
    """The effort of the generator."""
    description: str
    """The effect for the user; empty for full effort."""


STEPS = (
    EffortStep("whole", ""),
    EffortStep("late", "the networks work one frame behind"),
    EffortStep("none", "the networks are switched off"),
)
"""The steps of generators with networks, from full effort down; other generators have only the first one.

A smaller working size is no step: that of a network is fixed in its file, and a flow on a grid twice as
coarse saved only 0.5 ms."""


@dataclass(frozen=True)
class LoadSheddingOptions:
    """The thresholds of a LoadShedder."""

    budget_ms: float = 40.0
    """The budget of the 95th percentile of the latency, in milliseconds."""
    window_s: float = 3.0
    """The window of that percentile in seconds, and the least time between two steps."""
    fewest_frames: int = 6
    """The number of frames in the window below which the step is not changed."""
    recovery_share: float = 0.75
    """The share of the budget below which the latency must stay before a step up."""
    recovery_s: float = 8.0
    """The time in seconds for which the latency must stay below that share. It doubles after each step up
    that had to be reversed."""
    longest_recovery_s: float = 240.0
    """The upper limit of that doubled time, in seconds."""
    stable_s: float = 60.0
    """The time without a step, in seconds, after which the recovery time is reset to its first value."""


class LoadShedder:
    """Chooses the effort step of a live run. One thread adds every latency; any thread may read the step."""

    def __init__(
        self,
        steps: Sequence[EffortStep] = STEPS,
        options: LoadSheddingOptions = LoadSheddingOptions(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._steps = tuple(steps)
        self._options = options
        self._clock = clock
        self._index = 0
        self._latencies: deque[tuple[float, float]] = deque()
        """The latencies in the window since the last step, as (time in seconds, milliseconds)."""
        self._step_s = self._last_high_s = -math.inf
        """The time of the last step, and the time at which the latency was last too high for a step up."""
        self._recovery_s = options.recovery_s
        self._stepped_up = False

    @property
    def step(self) -> EffortStep:
        """The current step."""
        return self._steps[self._index]

    @property
    def line(self) -> str | None:
        """One line for the user about the reduced effort. None: the effort is full."""
        index = self._index
        if index == 0:
            return None
        description = self._steps[index].description
        return f"over {self._options.budget_ms:g} ms: {description} (step {index} of {len(self._steps) - 1})"

    def add_latency(self, latency_ms: float) -> None:
        """Adds the latency of the frame that was just written, and changes the step if need be."""
        if not math.isfinite(latency_ms):
            return
        now_s = self._clock()
        if self._step_s == -math.inf:  # the first frame is always late
            self._go(0, now_s, stepped_up=False)
            return
        self._latencies.append((now_s, latency_ms))
        while now_s - self._latencies[0][0] > self._options.window_s:
            self._latencies.popleft()
        if (
            len(self._latencies) < self._options.fewest_frames
            or now_s - self._step_s < self._options.window_s
        ):
            return
        p95_ms = float(np.percentile([ms for _, ms in self._latencies], 95))
        if p95_ms > self._options.recovery_share * self._options.budget_ms:
            self._last_high_s = now_s
        if p95_ms > self._options.budget_ms:
            self._down(now_s)
        elif now_s - max(self._last_high_s, self._step_s) >= self._recovery_s:
            self._up(now_s)

    def _down(self, now_s: float) -> None:
        if self._index == len(self._steps) - 1:
            return
        held_s = now_s - self._step_s
        if self._stepped_up and held_s < self._options.stable_s:
            self._recovery_s = min(2 * self._recovery_s, self._options.longest_recovery_s)
        elif held_s >= self._options.stable_s:
            self._recovery_s = self._options.recovery_s
        self._go(self._index + 1, now_s, stepped_up=False)

    def _up(self, now_s: float) -> None:
        if self._index > 0:
            self._go(self._index - 1, now_s, stepped_up=True)

    def _go(self, index: int, now_s: float, *, stepped_up: bool) -> None:
        self._index = index
        self._stepped_up = stepped_up
        self._step_s = self._last_high_s = now_s
        self._latencies.clear()
