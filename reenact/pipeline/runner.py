"""Runs frames from a source through stages into a sink, on several cores.

Every step is a generator around the one before it, so the serial run is the chain

    for record in apply(paste, ... apply(track, read(source))): sink(record)

The threaded run is the same chain with `ahead` around its links: each link then works in a thread of its own,
a few records ahead of the next one. Order, output and errors are those of the serial run: the records before
the one that failed are written, and then `run` raises the error.

`live_records` is the same chain for a camera, which does not wait: the thread that reads it puts each frame
into a channel where a newer frame replaces it, and the other threads pass their records on without a queue.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Protocol

import cv2
from threadpoolctl import threadpool_limits

from engines.threads import core_count
from reenact.pipeline.channel import Channel, Ended, Handover, Latest, NothingYet
from reenact.pipeline.meter import HAND_OVER, WAIT, Meter
from reenact.process.settings import WhileNeeded
from reenact.process.signals import signals_answered_afterwards
from reenact.records import Frame, Tracked

log = logging.getLogger(__name__)

TICK_S = 0.01
"""The time in seconds after which a live run without a record checks whether it is to end."""
LEAVE_S = 3.0
"""The longest time in seconds that the end of a live run waits for each of its threads. The driver of a
camera or of an accelerator may block a thread for much longer."""


@contextmanager
def _few_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    with ExitStack() as limits:
        # It finds libraries by a callback from C, in which the exception of an interrupt would be lost.
        with signals_answered_afterwards():
            limits.enter_context(threadpool_limits(limits=1, user_api="blas"))
        cv2.setNumThreads(min(before, core_count()))
        try:
            yield
        finally:
            cv2.setNumThreads(before)


few_threads = WhileNeeded(_few_threads)
"""Limits, for the block and in the whole process, numpy's BLAS to one thread and OpenCV to as many threads as
the process may use cores. The matrices here are small, and BLAS's threads wait in busy loops, which took a
quarter of the processor's time from the stages (720p, two cores: 37 ms a frame, and 29 ms with this
limit)."""

Records = Generator[Any, None, None]
"""The records of a run, one after the other; a live run also yields None while there is no record."""


@dataclass(frozen=True)
class Stage:
    """A step of the frame loop, which makes a new record of each record."""

    name: str
    """The name under which the meter reports its time."""
    run: Callable[[Any], Any]
    """The function from a record to the new record."""
    afterwards: Callable[[], None] | None = None
    """Work that is done after the record was passed on, timed as "<name> later". None: there is none."""


def run(
    source: Iterable[Any],
    groups: Sequence[Sequence[Stage]],
    sink: Callable[[Any], None],
    *,
    meter: Meter,
    threaded: bool = True,
    capacity: int = 4,
    left: LeftThreads | None = None,
) -> None:
    """Passes every record of the source, in order, through the stages of all groups into the sink.

    The source is read in one thread, the stages of each group run in another, and the sink is called in the
    caller's. Libraries that the stages call are limited by `few_threads`. A source that is a generator is
    closed at the end.

    meter: it times the stages by their names, the source as "read" and the sink as "write".
    threaded: whether there are several threads; without, the result is the same.
    capacity: the largest number of records that wait between two threads.
    left: collects threads that still run at the end, which happens only when an interrupt comes while they
    are waited for.

    Raises the first error of the source, a stage or the sink, once all threads have ended.
    """
    with few_threads:
        _carry(source, groups, sink, meter, threaded, capacity, left or LeftThreads())


class LeftThreads:
    """The threads that still run when their run has ended, each blocked in a stage or in the source of a
    file."""

    def __init__(self) -> None:
        self._threads: list[tuple[str, Event]] = []

    def add(self, name: str, ended: Event) -> None:
        """Adds a thread that is no longer waited for. ended: the event that it sets at its end."""
        log.warning("the %s does not answer and is no longer waited for", name)
        self._threads.append((name, ended))

    def join(self) -> None:
        """Waits until all of them have ended, also those that are added meanwhile."""
        for _, ended in self._threads:
            ended.wait()

    @property
    def running(self) -> tuple[str, ...]:
        """The names of the threads that still run."""
        return tuple(name for name, ended in self._threads if not ended.is_set())


@contextmanager
def closed_after_stages(left: LeftThreads) -> Iterator[ExitStack]:
    """A stack for the resources that the source and the stages of a run use, such as a tracker or an engine.

    It is closed at the end of the block. If a thread of the run still runs then, it is closed when that
    thread has ended, because the thread may use the resources; the block does not wait for that.
    """
    with ExitStack() as resources:
        try:
            yield resources
        finally:
            if left.running:
                late = resources.pop_all()
                Thread(target=_close_late, args=(left, late), name="reenact-closing", daemon=True).start()


def _close_late(left: LeftThreads, resources: ExitStack) -> None:
    left.join()
    try:
        resources.close()
    except Exception:
        log.exception("a resource of a stage cannot be closed")


class LiveSink(Protocol):
    """The destination of a live run's records; it is called in the caller's thread."""

    def write(self, record: Any) -> None:
        """Takes a record."""

    def idle(self) -> None:
        """Is called about every TICK_S while there is no record."""


def live_records(
    source: Iterable[Frame | None],
    groups: Sequence[Sequence[Stage]],
    sinks: Sequence[LiveSink],
    *,
    meter: Meter,
    left: LeftThreads | None = None,
) -> Generator[Any, None, None]:
    """Passes the newest frame of the source, again and again, through the stages of all groups to the sinks.

    Yields each record when it has been written, and None about every TICK_S while there is none. The caller
    ends the run by closing the generator; it also ends with the source.

    The source is read in one thread, the stages of each group run in another, and the sinks are called in the
    caller's. A frame that is not taken before the next one comes is dropped before any work is done on it,
    and counted; after that nothing is dropped, and no record waits in a queue. The first stage takes frames,
    and the last one returns records with a `frame`.

    source: it may yield None while there is no frame, so that its thread can end.
    meter: it gets the times that `run` gives it, those of waiting and handing over, latencies and drops.
    left: collects threads of stages that still run LEAVE_S after the end.

    Raises the first error of the source, a stage or a sink.
    """
    left = left or LeftThreads()
    mailbox: Latest[Frame] = Latest()
    made_s: deque[float] = deque()
    channels: list[Channel[Any]] = [mailbox, *(Handover[Any]() for _ in groups)]
    try:
        with few_threads, ExitStack() as workers:
            frames = _without_gaps(_read(source, meter), mailbox)
            # Only the camera uses its thread's resources, so nothing has to wait for that thread.
            workers.enter_context(_working(frames, mailbox, "camera", LeftThreads(), limit_s=LEAVE_S))
            for group, before, after in zip(groups, channels, channels[1:], strict=False):
                records = _apply(
                    group, _waited(iter(before), meter) if before is mailbox else iter(before), meter
                )
                if after is channels[-1]:
                    records = _stamped(records, made_s, meter)
                workers.enter_context(
                    _working(records, after, _names(group), left, waits_at=before, limit_s=LEAVE_S)
                )
            for record in _with_gaps(channels[-1]):
                if record is not None and made_s:  # without stages nothing is handed over
                    meter.note_since(HAND_OVER, made_s.popleft())
                _write(record, sinks, meter)
                meter.note_dropped(mailbox.dropped)
                yield record
    finally:
        meter.note_dropped(mailbox.dropped)


@contextmanager
def in_background(
    records: Records,
    name: str,
    *,
    capacity: int,
    waits_at: Channel[Any] | None = None,
    left: LeftThreads | None = None,
) -> Iterator[Channel[Any]]:
    """A channel into which a thread puts the records, except None, for the duration of the block.

    name: the name of the thread. capacity: the largest number of records that wait. waits_at: the channel
    from which the records come, which is cancelled at the end. None: there is no such channel. left: collects
    the thread if it still runs LEAVE_S after the end.
    """
    channel: Channel[Any] = Channel(capacity)
    records, left = _without_gaps(records, channel), left or LeftThreads()
    with _working(records, channel, name, left, waits_at=waits_at, limit_s=LEAVE_S):
        yield channel


def _carry(
    source: Iterable[Any],
    groups: Sequence[Sequence[Stage]],
    sink: Callable[[Any], None],
    meter: Meter,
    threaded: bool,
    capacity: int,
    left: LeftThreads,
) -> None:
    records = _read(source, meter)
    if threaded:
        records = _ahead(records, Channel(capacity), "read", left)
    for group in groups:
        records = _apply(group, records, meter)
        if threaded:
            records = _ahead(records, Channel(capacity), _names(group), left)
    with closing(records):
        for record in records:
            with meter.time("write"):
                sink(record)
            meter.count_frame()


def _read(source: Iterable[Any], meter: Meter) -> Records:
    """The records of the source, timed. A source that is a generator is closed at the end."""
    iterator, end = iter(source), object()
    try:
        while True:
            with meter.time("read"):
                record = next(iterator, end)
            if record is end:
                return
            yield record
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def _apply(stages: Sequence[Stage], records: Records, meter: Meter) -> Records:
    """The records that the stages make of `records`."""
    with closing(records):
        for record in records:
            for stage in stages:
                with meter.time(stage.name):
                    record = stage.run(record)
            yield record
            _work_afterwards(stages, meter)


def _work_afterwards(stages: Sequence[Stage], meter: Meter) -> None:
    """Does the work that the stages do after a record was passed on."""
    for stage in stages:
        if stage.afterwards is not None:
            with meter.time(f"{stage.name} later"):
                stage.afterwards()


def _without_gaps(frames: Records, mailbox: Channel[Any]) -> Records:
    """The frames without None. Raises Cancelled at a None once the mailbox's reader has cancelled."""
    with closing(frames):
        for frame in frames:
            if frame is None:
                mailbox.check()
            else:
                yield frame


def _waited(records: Iterator[Frame | Tracked], meter: Meter) -> Records:
    """The records, with the time timed that the frame of each has waited since the camera delivered it."""
    for record in records:
        frame = record if isinstance(record, Frame) else record.frame
        if frame.captured_ns is not None:
            meter.note_since(WAIT, frame.captured_ns / 1e9)
        yield record


def _stamped(records: Records, made_s: deque[float], meter: Meter) -> Records:
    """The records; the time at which each was made is added to `made_s`."""
    with closing(records):
        for record in records:
            made_s.append(meter.now())
            yield record


def _with_gaps(records: Channel[Any]) -> Records:
    """The records of the channel, and None about every TICK_S while there is none."""
    while True:
        try:
            record = records.get(TICK_S)
        except NothingYet:
            record = None
        except Ended:
            return
        yield record


def _write(record: Tracked | None, sinks: Sequence[LiveSink], meter: Meter) -> None:
    """Writes the record into all sinks. None: there is no record, so the sinks are idle."""
    if record is None:
        for sink in sinks:
            sink.idle()
        return
    with meter.time("write"):
        for sink in sinks:
            sink.write(record)
    meter.count_frame(record.frame.captured_ns)


def _ahead(records: Records, channel: Channel[Any], thread_name: str, left: LeftThreads) -> Records:
    """The same records, made in a thread of its own, ahead of the reader by the capacity of the channel."""
    with _working(records, channel, thread_name, left):
        yield from channel


@contextmanager
def _working(
    records: Records,
    channel: Channel[Any],
    thread_name: str,
    left: LeftThreads,
    *,
    waits_at: Channel[Any] | None = None,
    limit_s: float | None = None,
) -> Iterator[None]:
    """Runs a thread that puts the records into the channel, for the duration of the block.

    waits_at: as `in_background` takes it. limit_s: the longest time that the thread's end is waited for.
    None: it has no limit. left: collects a thread that still runs then.
    """
    ended = Event()
    thread = Thread(target=_feed, args=(records, channel, ended), name=f"reenact {thread_name}", daemon=True)
    try:
        thread.start()
        yield
    finally:
        if waits_at is not None:
            waits_at.cancel()
        channel.cancel()
        # An interrupt may come before the thread runs; the thread then ends at its first put.
        try:
            if thread.is_alive():
                thread.join(limit_s)
        finally:
            # An interrupt may also come while the thread is waited for; Python before 3.13 then reports a
            # running thread as ended. A thread without an identifier has not begun its work.
            if thread.ident is not None and not ended.is_set():
                left.add(thread_name, ended)


def _feed(records: Records, channel: Channel[Any], ended: Event) -> None:
    """Puts all records into the channel, then the end or the error of their source, and sets `ended`."""
    try:
        channel.check()  # a thread that starts too late must do no work
        with closing(records):
            for record in records:
                channel.put(record)
    except BaseException as error:
        channel.fail(error)
    else:
        channel.close()
    finally:
        ended.set()


def _names(group: Sequence[Stage]) -> str:
    return ", ".join(stage.name for stage in group)
