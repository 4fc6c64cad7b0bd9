"""Reduces the generator's effort step by step while the latency is above its budget."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    EffortStep("half", "the networks work at every second frame"),
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
    """The window of that percentile in seconds, and the least time before a step down."""
    reversal_s: float = 1.0
    """The same after a step up, which may have been wrong."""
    fewest_frames: int = 6
    """The number of frames in the window below which the step is not changed."""
    recovery_share: float = 0.75
    """The share of the budget below which the latency must stay before a step up."""
    recovery_s: float = 0.4
    """The time in seconds for which the latency must stay below that share: after a short load, full effort
    is back within two seconds from any step."""
    reversed_recovery_s: float = 8.0
    """That time after a step up that had to be reversed. It doubles after each further one."""
    longest_recovery_s: float = 240.0
    """The upper limit of that doubled time, in seconds."""
    eased_share: float = 0.7
    """The share of the latency just before such a step up below which the load has eased: `recovery_s` holds
    again."""
    stable_s: float = 60.0
    """The time without a step, in seconds, after which the recovery time is reset to its first value."""


class LoadShedder:
    """Chooses the effort step of a live run. One thread adds every latency; any thread may read the step."""

    def __init__(
        self,
        steps: Sequence[EffortStep] = STEPS,
        options: LoadSheddingOptions = LoadSheddingOptions(),
        clock: Callable[[], float] = time.monotonic,
        more_ms: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """more_ms: returns by how much, in milliseconds, full effort will likely raise the latency. A step up
        that would exceed the budget is not tried."""
        self._steps = tuple(steps)
        self._options = options
        self._clock = clock
        self._more_ms = more_ms
        self._index = 0
        self._latencies: deque[tuple[float, float]] = deque()
        """The latencies in the window since the last step, as (time in seconds, milliseconds)."""
        self._step_s = self._last_high_s = -math.inf
        """The time of the last step, and the time at which the latency was last too high for a step up."""
        self._recovery_s = options.recovery_s
        self._stepped_up = False
        self._before_ms = 0.0
        """The latency just before the last step up, in milliseconds."""
        self._refused_ms: float | None = None
        """The latency just before the last step up that had to be reversed. None: there was none, or the
        latency has been much lower since, as when another program has ended."""

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
        if len(self._latencies) < self._options.fewest_frames:
            return
        if self._has_eased:
            self._refused_ms, self._recovery_s = None, self._options.recovery_s
        recent_ms = self._p95_ms(min(self._recovery_s, self._options.window_s))
        if recent_ms > self._calm_ms or recent_ms + self._more_ms() > self._options.budget_ms:
            self._last_high_s = now_s
        held_s = now_s - self._step_s
        # A late frame counts little among those of three seconds, and much among those of one.
        tried_s = self._options.reversal_s if self._stepped_up else self._options.window_s
        # What is over is no reason, and a single late frame neither.
        late = min(recent_ms, self._p95_ms(self._options.window_s)) > self._options.budget_ms
        if held_s >= tried_s and late:
            self._down(now_s)
        elif now_s - max(self._last_high_s, self._step_s) >= self._recovery_s:
            self._up(now_s)

    @property
    def _has_eased(self) -> bool:
        """Whether the latency is much lower than when a step up was last tried in vain."""
        if self._refused_ms is None:
            return False
        return self._p95_ms(self._options.recovery_s) < self._options.eased_share * self._refused_ms

    @property
    def _calm_ms(self) -> float:
        return self._options.recovery_share * self._options.budget_ms

    def _p95_ms(self, window_s: float) -> float:
        """The 95th percentile of the latencies in the last `window_s` seconds.

        It is one of them: of few frames a single late one must not count in part."""
        since_s = self._latencies[-1][0] - window_s
        in_order = sorted(ms for moment_s, ms in self._latencies if moment_s >= since_s)
        return in_order[int(0.95 * (len(in_order) - 1))]

    def _down(self, now_s: float) -> None:
        if self._index == len(self._steps) - 1:
            return
        held_s = now_s - self._step_s
        if self._stepped_up and held_s < self._options.stable_s:
            longer_s = max(2 * self._recovery_s, self._options.reversed_recovery_s)
            self._recovery_s = min(longer_s, self._options.longest_recovery_s)
            self._refused_ms = self._before_ms
        elif held_s >= self._options.stable_s:
            self._recovery_s = self._options.recovery_s
        self._go(self._index + 1, now_s, stepped_up=False)

    def _up(self, now_s: float) -> None:
        if self._index > 0:
            self._before_ms = self._p95_ms(self._options.recovery_s)
            self._go(self._index - 1, now_s, stepped_up=True)

    def _go(self, index: int, now_s: float, *, stepped_up: bool) -> None:
        self._index = index
        self._stepped_up = stepped_up
        self._step_s = self._last_high_s = now_s
        self._latencies.clear()
