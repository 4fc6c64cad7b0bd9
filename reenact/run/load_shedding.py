"""Less effort when the latency is over its budget, step by step, and more again when there is time."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reenact.generate.network.late_refinement import Effort


@dataclass(frozen=True)
class Step:
    """A rung: how the generator works, and what is said of it."""

    effort: Effort
    says: str


# Of generators with networks; others have the first step alone. A smaller working size is no step: that of a
# network is fixed in its file, and a flow on a grid twice as coarse saved 0.5 ms.
STEPS = (
    Step("whole", ""),
    Step("late", "the networks work one frame behind"),
    Step("none", "the networks rest"),
)


@dataclass(frozen=True)
class LadderOptions:
    budget_ms: float = 40.0
    """For the 95th percentile of the latency."""
    window_s: float = 3.0
    """Over which it is taken, and the least time between two steps."""
    fewest: int = 6
    """Frames within it, without which nothing is concluded."""
    calm: float = 0.75
    """Share of the budget below which the latency must stay for a step up ..."""
    patience_s: float = 8.0
    """... for so long; twice as long after each step up that had to be taken back."""
    longest_patience_s: float = 240.0
    proven_s: float = 60.0
    """A step up that has held for so long was right: patience is as at first."""


class Ladder:
    """Which step a live run is on. One thread tells it every latency; any may ask for the step."""

    def __init__(
        self,
        steps: Sequence[Step] = STEPS,
        options: LadderOptions = LadderOptions(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._steps = tuple(steps)
        self._options = options
        self._clock = clock
        self._index = 0
        self._latencies: deque[tuple[float, float]] = deque()
        """(when, ms) since the last step, of the last window."""
        self._since_s = self._uncalm_s = -math.inf
        """When the last step was taken; when the latency was last too high for a step up."""
        self._patience_s = options.patience_s
        self._climbed = False

    @property
    def step(self) -> Step:
        """Where it stands now."""
        return self._steps[self._index]

    @property
    def line(self) -> str | None:
        """What is done with less effort, for people; None at the top."""
        index = self._index
        if index == 0:
            return None
        says = self._steps[index].says
        return f"over {self._options.budget_ms:g} ms: {says} (step {index} of {len(self._steps) - 1})"

    def note(self, latency_ms: float) -> None:
        """Tells the latency of the frame that is out now."""
        if not math.isfinite(latency_ms):
            return
        now_s = self._clock()
        if self._since_s == -math.inf:  # the first frame is late, because everything is new
            self._go(0, now_s, climbed=False)
            return
        self._latencies.append((now_s, latency_ms))
        while now_s - self._latencies[0][0] > self._options.window_s:
            self._latencies.popleft()
        if len(self._latencies) < self._options.fewest or now_s - self._since_s < self._options.window_s:
            return
        p95_ms = float(np.percentile([ms for _, ms in self._latencies], 95))
        if p95_ms > self._options.calm * self._options.budget_ms:
            self._uncalm_s = now_s
        if p95_ms > self._options.budget_ms:
            self._down(now_s)
        elif now_s - max(self._uncalm_s, self._since_s) >= self._patience_s:
            self._up(now_s)

    def _down(self, now_s: float) -> None:
        if self._index == len(self._steps) - 1:
            return
        held_s = now_s - self._since_s
        if self._climbed and held_s < self._options.proven_s:
            self._patience_s = min(2 * self._patience_s, self._options.longest_patience_s)
        elif held_s >= self._options.proven_s:
            self._patience_s = self._options.patience_s
        self._go(self._index + 1, now_s, climbed=False)

    def _up(self, now_s: float) -> None:
        if self._index > 0:
            self._go(self._index - 1, now_s, climbed=True)

    def _go(self, index: int, now_s: float, *, climbed: bool) -> None:
        self._index = index
        self._climbed = climbed
        self._since_s = self._uncalm_s = now_s
        self._latencies.clear()
