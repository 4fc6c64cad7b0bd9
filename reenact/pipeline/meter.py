"""How fast a run is, stage by stage, and how much memory it takes."""

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
"""Durations kept of each stage, the last ones: a live run may go on for days."""
RECENT_S = 5.0
"""What a live run shows of itself is of its last seconds, so that it is of now and yet can be read."""

TrackedT = TypeVar("TrackedT", bound=Tracked)
ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class StageTimes:
    """How long one stage takes for a frame."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Report:
    """What a run came to. The percentiles are of its last KEPT frames, all else is of the whole run."""

    frames: int = 0
    frames_with_face: int = 0
    faces_left_out: int = 0
    """How many more faces than are followed were found in one frame, at most."""
    frames_with_hidden_mouth: int = 0
    """Frames in which something hid a mouth, so that the lower face was left as it was."""
    fps: float = 0.0
    """Frames written per second, from the first read to the last write."""
    elapsed_s: float = 0.0
    """From the first read to the last write."""
    first_frame_s: float | None = None
    """From the making of the meter to the first frame written; None when there was none."""
    stages: dict[str, StageTimes] = field(default_factory=dict)
    """In the order in which they first ran."""
    peak_rss_mb: float | None = None
    """The most memory that this process ever held, in MB of 1e6 bytes; None where the system does not say."""
    dropped: int = 0
    """Frames of a camera that a newer one replaced before any work was done on them."""
    latency: StageTimes | None = None
    """From a camera's delivery of a frame to the end of its writing; None where no camera was."""

    def to_json(self) -> dict[str, Any]:
        """Plain dicts and numbers, rounded to what was measured."""
        return rounded(asdict(self))


@dataclass(frozen=True)
class LiveStatus:
    """How a live run goes: counts since its start, all else of its last RECENT_S seconds."""

    frames: int = 0
    dropped: int = 0
    """Frames that a newer one replaced before any work was done on them."""
    fps: float = 0.0
    """Frames written per second."""
    latency: StageTimes | None = None
    """From the camera's delivery of a frame to the end of its writing; None while there is none."""
    slowest: str | None = None
    """The stage that takes longest ..."""
    slowest_ms: float = 0.0
    """... and how long, at the median."""
    signal: Signal = Signal("live")  # noqa: RUF009 (it is frozen)
    step: str | None = None
    """What is done with less care, so that the latency keeps within its budget; None while all is as it was
    asked for."""

    @property
    def trouble(self) -> str | None:
        """What is wrong with the camera, one line."""
        if self.signal.state == "stalled":
            return f"the camera has sent nothing for {self.signal.silent_s:.0f} s"
        if self.signal.state == "lost":
            return f"{self.signal.reason}; trying again, {self.signal.silent_s:.0f} s so far"
        return None

    def to_json(self) -> dict[str, Any]:
        """Plain dicts and numbers, rounded to what was measured."""
        return rounded(asdict(self))

    def __str__(self) -> str:
        """One line for whoever watches."""
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

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Times what happens inside as one run of the stage; what raises is not counted."""
        start = self._clock()
        with self._lock:
            if self._started is None:
                self._started = start
        yield
        duration_s = self._clock() - start
        with self._lock:
            self._durations_s.setdefault(stage, deque(maxlen=KEPT)).append(duration_s)

    def count_frame(self, captured_ns: int | None = None) -> None:
        """Says that a frame has been written, and on the same clock when a camera delivered it."""
        now = self._clock()
        with self._lock:
            self._frames += 1
            self._written.append(now)
            self._latencies_s.append(None if captured_ns is None else now - captured_ns / 1e9)
            self._last_frame = now
            if self._first_frame is None:
                self._first_frame = now

    def count_faces(self, tracked: TrackedT) -> TrackedT:
        """Counts the frame if it shows a face, notes how many are left out, and hands the record on."""
        with self._lock:
            self._frames_with_face += bool(tracked.faces)
            self._faces_left_out = max(self._faces_left_out, tracked.left_out)
        return tracked

    def count_hidden_mouths(self, measured: Measured) -> Measured:
        """Counts the frame if a mouth in it is hidden, and hands the record on."""
        with self._lock:
            self._frames_with_hidden_mouth += any(measured.mouth_hidden)
        return measured

    def note_dropped(self, dropped: int) -> None:
        """Says how many frames have been dropped so far."""
        with self._lock:
            self._dropped = dropped

    def recent_latency_ms(self) -> float | None:
        """The median of the last seconds, from the camera's delivery of a frame to the end of its writing."""
        latency = self.live_status(Signal("live")).latency
        return None if latency is None else latency.p50_ms

    def live_status(self, signal: Signal) -> LiveStatus:
        """How a live run goes now."""
        now = self._clock()
        with self._lock:
            recent = sum(1 for moment in self._written if now - moment <= RECENT_S)
            span_s = 0.0 if self._started is None else min(RECENT_S, now - self._started)
            stages = {
                stage: float(np.median(_last(kept, recent))) * 1000
                for stage, kept in self._durations_s.items()
                # Reading a camera is waiting for it.
                if recent and stage != "read"
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
                peak_rss_mb=peak_rss_mb(),
                dropped=self._dropped,
                latency=_latency(self._latencies_s),
            )


def peak_rss_mb() -> float | None:
    """The most memory that this process ever held, in MB of 1e6 bytes; None where the system does not say."""
    # Before getrusage, whose figure survives exec on Linux: a small program started by a big one looks big.
    counted = _status_mb("VmHWM")
    if counted is not None:
        return counted
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def rss_mb() -> float | None:
    """The memory that this process holds now, in MB of 1e6 bytes; None where the system does not say."""
    return _status_mb("VmRSS")


def _status_mb(entry: str) -> float | None:
    """What Linux says of this process."""
    status = Path("/proc/self/status")
    text = status.read_text() if status.exists() else ""
    counted = re.search(rf"^{entry}:\s+(\d+) kB", text, re.MULTILINE)
    return None if counted is None else int(counted.group(1)) * 1024 / 1e6


def forget_peak_rss() -> None:
    """Makes `peak_rss_mb` count from now on, where the system can do that: on Linux."""
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
    """The same nested value, its floats rounded to 3 decimals, which is more than a clock can tell."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return round(value, 3) if isinstance(value, float) else value
