"""The speed of a run, stage by stage, and the memory that it takes."""

from __future__ import annotations

import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from reenact.records import Measured, Signal, Tracked

KEPT = 4096
"""The number of the latest durations that are kept of each stage; a live run may last for days."""
WAIT, HAND_OVER = "wait", "hand over"
"""The times that a camera's frame waits for its first stage, and then for its writing. With those of the
stages and of writing they add up to its latency."""
WAITING = frozenset({"read", WAIT, HAND_OVER})
"""The stages in which a live run waits: for the camera, and for other threads."""
RECENT_S = 5.0
"""The time in seconds over which the status of a live run is measured."""

TrackedT = TypeVar("TrackedT", bound=Tracked)
ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class StageTimes:
    """The time that one stage takes for a frame, in milliseconds."""

    p50_ms: float
    """The median."""
    p95_ms: float
    """The 95th percentile."""
    p99_ms: float
    """The 99th percentile."""


@dataclass(frozen=True)
class Report:
    """The figures of a run. Percentiles are those of the last KEPT frames, all others are of the whole
    run."""

    frames: int = 0
    """The number of frames written."""
    frames_with_face: int = 0
    """The number of frames that show a face."""
    faces_left_out: int = 0
    """The largest number of faces of one frame that were found but not followed."""
    frames_with_hidden_mouth: int = 0
    """The number of frames in which something hides a mouth, so that the lower face is not changed."""
    fps: float = 0.0
    """The number of frames written per second, from the first read to the last write."""
    elapsed_s: float = 0.0
    """The time from the first read to the last write, in seconds."""
    first_frame_s: float | None = None
    """The time until the first frame was written, in seconds. None: no frame was written."""
    stages: dict[str, StageTimes] = field(default_factory=dict)
    """The times of the stages, in the order in which they first ran."""
    peak_rss_mb: float | None = None
    """The largest memory so far of this process and of one that it has started for the run, in MB of 1e6
    bytes. None: the system does not tell."""
    dropped: int = 0
    """The number of a camera's frames that were dropped, before any work, because a newer one had come."""
    latency: StageTimes | None = None
    """The time from a camera's delivery of a frame to the end of its writing. None: there was no camera."""

    def to_json(self) -> dict[str, Any]:
        """The figures as dicts and numbers, rounded to 3 decimals."""
        return rounded(asdict(self))


@dataclass(frozen=True)
class LiveStatus:
    """The status of a live run. Counts are since its start, all other figures of the last RECENT_S
    seconds."""

    frames: int = 0
    """The number of frames written."""
    dropped: int = 0
    """The number of frames that were dropped, before any work, because a newer one had come."""
    fps: float = 0.0
    """The number of frames written per second."""
    latency: StageTimes | None = None
    """The time from the camera's delivery of a frame to the end of its writing. None: no frame was
    written."""
    slowest: str | None = None
    """The name of the stage with the largest median time. None: no frame was written."""
    slowest_ms: float = 0.0
    """The median time of that stage, in milliseconds."""
    signal: Signal = Signal("live")  # noqa: RUF009 (it is frozen)
    """The state of the camera's signal."""
    step: str | None = None
    """The work that is saved to keep the latency within its budget, in words. None: none is."""

    @property
    def trouble(self) -> str | None:
        """The camera's fault in one line. None: it has none."""
        if self.signal.state == "stalled":
            return f"the camera has sent nothing for {self.signal.silent_s:.0f} s"
        if self.signal.state == "lost":
            return f"{self.signal.reason}; trying again, {self.signal.silent_s:.0f} s so far"
        return None

    def to_json(self) -> dict[str, Any]:
        """The figures as dicts and numbers, rounded to 3 decimals."""
        return rounded(asdict(self))

    def __str__(self) -> str:
        """The status in one line for the user."""
        parts = [f"{self.fps:.1f} fps"]
        if self.latency is not None:
            parts.append(f"latency {self.latency.p50_ms:.0f} ms (p95 {self.latency.p95_ms:.0f})")
        parts.append(f"{self.dropped} dropped")
        if self.slowest is not None:
            parts.append(f"slowest: {self.slowest} {self.slowest_ms:.1f} ms")
        parts += [line for line in (self.step, self.trouble) if line is not None]
        return ", ".join(parts)


class Meter:
    """Counts frames and times stages. Any thread may call it at any time."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """clock: a monotonic clock, in seconds."""
        self._clock = clock
        self._lock = Lock()
        self._made = clock()
        self._started: float | None = None
        self._first_frame: float | None = None
        self._last_frame: float | None = None
        self._frames = 0
        self._frames_with_face = 0
        self._faces_left_out = 0
        self._frames_with_hidden_mouth = 0
        self._dropped = 0
        self._written: deque[float] = deque(maxlen=KEPT)
        self._latencies_s: deque[float | None] = deque(maxlen=KEPT)
        self._durations_s: dict[str, deque[float]] = {}
        self._others: list[int] = []

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Times the block as one run of the stage; a block that raises is not counted."""
        start = self._clock()
        with self._lock:
            if self._started is None:
                self._started = start
        yield
        self.note_time(stage, self._clock() - start)

    def note_time(self, stage: str, duration_s: float) -> None:
        """Adds a time in seconds that one run of a stage has taken elsewhere."""
        with self._lock:
            self._durations_s.setdefault(stage, deque(maxlen=KEPT)).append(duration_s)

    def now(self) -> float:
        """The time on the meter's clock, in seconds."""
        return self._clock()

    def note_since(self, stage: str, begin_s: float) -> None:
        """Adds the time from `begin_s`, on the meter's clock, to now as that of a stage."""
        self.note_time(stage, self._clock() - begin_s)

    def count_memory_of(self, pid: int) -> None:
        """Adds the memory of another process to that of this one, where the system tells it."""
        with self._lock:
            self._others.append(pid)

    def count_frame(self, captured_ns: int | None = None) -> None:
        """Counts a frame that has been written.

        captured_ns: the time of its delivery by a camera on the meter's clock, in nanoseconds. None: it came
        from a file.
        """
        now = self._clock()
        with self._lock:
            self._frames += 1
            self._written.append(now)
            self._latencies_s.append(None if captured_ns is None else now - captured_ns / 1e9)
            self._last_frame = now
            if self._first_frame is None:
                self._first_frame = now

    def count_faces(self, tracked: TrackedT) -> TrackedT:
        """Counts the frame if it shows a face, and the faces left out; returns the same record."""
        with self._lock:
            self._frames_with_face += bool(tracked.faces)
            self._faces_left_out = max(self._faces_left_out, tracked.left_out)
        return tracked

    def count_hidden_mouths(self, measured: Measured) -> Measured:
        """Counts the frame if a mouth in it is hidden; returns the same record."""
        with self._lock:
            self._frames_with_hidden_mouth += any(measured.mouth_hidden)
        return measured

    def note_dropped(self, dropped: int) -> None:
        """Sets the number of frames dropped so far."""
        with self._lock:
            self._dropped = dropped

    def recent_latency_ms(self) -> float | None:
        """The median latency of the last RECENT_S seconds, in milliseconds. None: no camera's frame was
        written."""
        latency = self.live_status(Signal("live")).latency
        return None if latency is None else latency.p50_ms

    def live_status(self, signal: Signal) -> LiveStatus:
        """The present status of a live run. signal: the state of the camera's signal."""
        now = self._clock()
        with self._lock:
            recent = sum(1 for moment in self._written if now - moment <= RECENT_S)
            span_s = 0.0 if self._started is None else min(RECENT_S, now - self._started)
            stages = {
                stage: float(np.median(_last(kept, recent))) * 1000
                for stage, kept in self._durations_s.items()
                if recent and stage not in WAITING
            }
            slowest = max(stages, key=stages.__getitem__, default=None)
            return LiveStatus(
                frames=self._frames,
                dropped=self._dropped,
                fps=recent / span_s if span_s > 0 else 0.0,
                latency=_latency(_last(self._latencies_s, recent)),
                slowest=slowest,
                slowest_ms=0.0 if slowest is None else stages[slowest],
                signal=signal,
            )

    def report(self) -> Report:
        """The figures so far."""
        with self._lock:
            elapsed_s = (self._last_frame or 0.0) - (self._started or 0.0) if self._frames else 0.0
            return Report(
                frames=self._frames,
                frames_with_face=self._frames_with_face,
                faces_left_out=self._faces_left_out,
                frames_with_hidden_mouth=self._frames_with_hidden_mouth,
                fps=self._frames / elapsed_s if elapsed_s > 0 else 0.0,
                elapsed_s=elapsed_s,
                first_frame_s=None if self._first_frame is None else self._first_frame - self._made,
                stages={stage: _percentiles(kept) for stage, kept in self._durations_s.items()},
                peak_rss_mb=_sum_mb(peak_rss_mb(), self._others),
                dropped=self._dropped,
                latency=_latency(self._latencies_s),
            )


def peak_rss_mb() -> float | None:
    """The largest memory of this process so far, in MB of 1e6 bytes. None: the system does not tell."""
    # Preferred to getrusage, whose figure on Linux includes that of the program which started this one.
    counted = _status_mb("VmHWM")
    if counted is not None:
        return counted
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def rss_mb() -> float | None:
    """The present memory of this process, in MB of 1e6 bytes. None: the system does not tell."""
    return _status_mb("VmRSS")


def _sum_mb(own: float | None, others: Sequence[int]) -> float | None:
    """The largest memory of this process and of others, by their numbers, in MB. None: it is unknown."""
    if own is None:
        return None
    return own + sum(_status_mb("VmHWM", str(pid)) or 0.0 for pid in others)


def _status_mb(entry: str, process: str = "self") -> float | None:
    """An entry of Linux's status of a process, in MB of 1e6 bytes. None: there is no such entry."""
    status = Path("/proc", process, "status")
    text = status.read_text() if status.exists() else ""
    counted = re.search(rf"^{entry}:\s+(\d+) kB", text, re.MULTILINE)
    return None if counted is None else int(counted.group(1)) * 1024 / 1e6


def forget_peak_rss() -> None:
    """Restarts `peak_rss_mb` at the present memory; only Linux can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _percentiles(durations_s: Sequence[float]) -> StageTimes:
    p50, p95, p99 = np.percentile(np.array(durations_s) * 1000, (50, 95, 99))
    return StageTimes(float(p50), float(p95), float(p99))


def _latency(latencies_s: Sequence[float | None]) -> StageTimes | None:
    known = [latency_s for latency_s in latencies_s if latency_s is not None]
    return _percentiles(known) if known else None


def _last(kept: deque[ValueT], count: int) -> list[ValueT]:
    return list(kept)[max(0, len(kept) - count) :]


def rounded(value: Any) -> Any:
    """The same nested value with its floats rounded to 3 decimals, which is finer than clocks measure."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return round(value, 3) if isinstance(value, float) else value
