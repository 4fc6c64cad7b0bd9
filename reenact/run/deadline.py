"""The deadline of a camera's frame: work that would miss it is not begun."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np

from calib.percentile import median, percentile
from reenact.generate.network.late_refinement import Effort
from reenact.records import Frame

_KEPT = 30
"""The number of the latest durations from which the next ones are estimated."""
_ENOUGH = 5
"""The number of durations below which no work is left out."""


class Deadline:
    """Knows how long the networks take, and what comes after them, and so whether they would be late.

    The stages' thread asks and tells what the networks take; the writer's thread tells when a frame is out.
    """

    def __init__(self, budget_ms: float, clock_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        """budget_ms: the time from a frame's delivery to its deadline, in milliseconds.
        clock_ns: the clock of `Frame.captured_ns`."""
        self._budget_s = budget_ms / 1000
        self._clock_ns = clock_ns
        self._networks_s: deque[float] = deque(maxlen=_KEPT)
        self._rest_s: deque[float] = deque(maxlen=_KEPT)
        self._painted: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        """When each of the latest frames was captured, and when it was painted, in nanoseconds."""

    def effort(self, frame: Frame, wanted: Effort) -> Effort:
        """The effort for a frame: `wanted`, or earlier paint where painting at once would miss the deadline.

        A frame of a file has no deadline."""
        if frame.captured_ns is None or wanted not in ("whole", "half") or not self._knows:
            return wanted
        passed_s = (self._clock_ns() - frame.captured_ns) / 1e9
        rest_s = self.networks_ms / 1000 + median(np.array(self._rest_s))
        late = passed_s + rest_s > self._budget_s
        return "recalled" if late else wanted

    @property
    def _knows(self) -> bool:
        return min(len(self._networks_s), len(self._rest_s)) >= _ENOUGH

    @property
    def networks_ms(self) -> float:
        """The time that the networks will likely take for a face, in milliseconds; 0 where it is unknown."""
        # It varies with the mouth.
        return 1000 * percentile(np.array(self._networks_s), 75) if self._networks_s else 0.0

    def note_painted(self, frame: Frame, duration_s: float, late: bool) -> None:
        """Adds the time in seconds that the networks took for a face of a frame, which is painted now.

        late: whether they worked only after the frame was shown."""
        self._networks_s.append(duration_s)
        if frame.captured_ns is not None and not late:
            self._painted.append((frame.captured_ns, self._clock_ns()))

    def note_written(self, captured_ns: int) -> None:
        """Tells that the frame captured at this time is out now."""
        for captured, painted in tuple(self._painted):
            if captured == captured_ns:
                self._rest_s.append((self._clock_ns() - painted) / 1e9)
                return
