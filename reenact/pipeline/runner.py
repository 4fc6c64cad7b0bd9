"""Runs frames from a source through stages into a sink, on several cores.

Every step is a generator around the one before it, so the serial run is the plain chain

    for record in apply(paste, ... apply(track, read(source))): sink(record)

and the threaded run is the same chain with `ahead` put around its links: each link then works in a thread
of its own, a few records ahead of the next. Order, output and errors are those of the serial run: what lies
before the record that failed is written, then the error rises out of `run`.

`live_records` is the same chain for a camera, which does not wait: the thread that reads it leaves each frame
in a mailbox, where a newer one replaces it, and the others hand their records on without a queue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Protocol

import cv2
from threadpoolctl import threadpool_limits

from engines.threads import core_count
from reenact.pipeline.channel import Channel, Ended, Handover, Latest, NothingYet
from reenact.pipeline.meter import Meter
from reenact.process.settings import WhileNeeded
from reenact.process.signals import signals_answered_afterwards
from reenact.records import Frame, Tracked

log = logging.getLogger(__name__)

TICK_S = 0.01
"""How often a live run looks up while no record comes: whether it is to end, and for its sinks."""
LEAVE_S = 3.0
"""How long the end of a live run waits for each of its threads. A camera may be stuck in its driver for much
longer, a stage on its accelerator."""


@contextmanager
def _few_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    with ExitStack() as limits:
        # It looks for libraries by a callback from C, in which what an interrupt raises would be lost.
        with signals_answered_afterwards():
            limits.enter_context(threadpool_limits(limits=1, user_api="blas"))
        cv2.setNumThreads(min(before, core_count()))
        try:
            yield
        finally:
            cv2.setNumThreads(before)


few_threads = WhileNeeded(_few_threads)
"""Meanwhile, in the whole process, numpy's BLAS keeps to one thread, and OpenCV has no more than there are
cores that the process may use. BLAS's products here are small, and its threads, which wait by spinning, took
a quarter of the processor from the stages (720p, two cores: 37 ms a frame, 29 without)."""

Records = Generator[Any, None, None]


@dataclass(frozen=True)
class Stage:
    """A step of the frame loop: a record in, a new record out."""

    name: str
    """Under which the meter reports its time."""
    run: Callable[[Any], Any]
    afterwards: Callable[[], None] | None = None
    """Work that can wait until the record has been handed on, timed under the name and "later"."""


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
    """Carries every record of the source, in order, through the stages of all groups into the sink.

    The source is read in one thread, the stages of each group run in another, the sink is called in the
    caller's; between any two of them at most `capacity` records wait. Without `threaded` all happens in the
    caller's thread, with the same result. The first error, wherever it is raised, reaches the caller as
    itself once all threads have ended, and a source that is a generator is closed. The meter times the
    stages by their names, the source as "read" and the sink as "write".

    `left` learns of threads that the end did not wait for, which happens only where an interrupt comes while
    it waits. Libraries that the stages call have few threads meanwhile (few_threads).
    """
    with few_threads:
        _carry(source, groups, sink, meter, threaded, capacity, left or LeftThreads())


class LeftThreads:
    """The threads of a run that did not end with it, each stuck in a stage or in the source of a file."""

    def __init__(self) -> None:
        self._threads: list[tuple[str, Event]] = []

    def add(self, name: str, ended: Event) -> None:
        """Says that the thread of this name was left to itself; it sets `ended` at its end."""
        log.warning("the %s does not answer and is left to itself", name)
        self._threads.append((name, ended))

    def join(self) -> None:
        """Waits until all of them have ended, those that are added meanwhile as well."""
        for _, ended in self._threads:
            ended.wait()

    @property
    def running(self) -> tuple[str, ...]:
        """The names of those that still run."""
        return tuple(name for name, ended in self._threads if not ended.is_set())


@contextmanager
def closed_after_stages(left: LeftThreads) -> Iterator[ExitStack]:
    """A stack for what the source and the stages of a run use, such as a tracker or an engine.

    It is closed with the block; or, where a thread of the run was left to itself, when that thread has ended,
    because nothing may be closed under a stage that uses it. The block does not wait for that.
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
        log.exception("what a stage used does not close")


class LiveSink(Protocol):
    """Where the records of a live run go, in the caller's thread."""

    def write(self, record: Any) -> None: ...

    def idle(self) -> None:
        """Called about every TICK_S while there is no record to write."""


def live_records(
    source: Iterable[Frame | None],
    groups: Sequence[Sequence[Stage]],
    sinks: Sequence[LiveSink],
    *,
    meter: Meter,
    left: LeftThreads | None = None,
) -> Generator[Any, None, None]:
    """Carries the newest frame of the source, again and again, through the stages of all groups to the sinks.

    Yields each record when it has been written, and None about every TICK_S while there is none, so that the
    caller can do something else; whoever wants no more closes the generator.

    The source is read in one thread, the stages of each group run in another, the sinks are written in the
    caller's. A frame that is not taken before the next one comes is dropped, and counted, before any work is
    done on it; from then on nothing is dropped and nothing waits in line. The source may say None for no
    frame, so that its thread can end. The first stage gets frames, the last gives records with a `frame`.

    Ends when the source does, when it is closed, or with the first error, which reaches the caller as itself.
    All threads have ended then, but for one that is stuck in its source or in a stage: that is left to itself
    after LEAVE_S, and `left` learns of stages. The meter is told what `run` tells it, latencies and drops.
    """
    left = left or LeftThreads()
    mailbox: Latest[Frame] = Latest()
    channels: list[Channel[Any]] = [mailbox, *(Handover[Any]() for _ in groups)]
    try:
        with few_threads, ExitStack() as workers:
            frames = _present(_read(source, meter), mailbox)
            # What the camera's thread uses is the camera's own: nothing else has to wait for it.
            workers.enter_context(_working(frames, mailbox, "camera", LeftThreads(), limit_s=LEAVE_S))
            for group, before, after in zip(groups, channels, channels[1:], strict=False):
                records = _apply(group, iter(before), meter)
                workers.enter_context(
                    _working(records, after, _names(group), left, waits_at=before, limit_s=LEAVE_S)
                )
            for record in _now_and_then(channels[-1]):
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
    """A channel, and meanwhile a thread that makes the records and puts them there; None is no record.

    `waits_at`: the channel that the records come from, where the thread may wait for one that never comes.
    The end waits for the thread no longer than LEAVE_S; then `left` learns of it.
    """
    channel: Channel[Any] = Channel(capacity)
    present, left = _present(records, channel), left or LeftThreads()
    with _working(present, channel, name, left, waits_at=waits_at, limit_s=LEAVE_S):
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
    """The records of the source, timed; closes the source's generator if it is one."""
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
    """The records after all the stages."""
    with closing(records):
        for record in records:
            for stage in stages:
                with meter.time(stage.name):
                    record = stage.run(record)
            yield record
            _catch_up(stages, meter)


def _catch_up(stages: Sequence[Stage], meter: Meter) -> None:
    """Does what the stages have left for later."""
    for stage in stages:
        if stage.afterwards is not None:
            with meter.time(f"{stage.name} later"):
                stage.afterwards()


def _present(frames: Records, mailbox: Channel[Any]) -> Records:
    """The frames that are there; ends where there is none and the mailbox's reader has left."""
    with closing(frames):
        for frame in frames:
            if frame is None:
                mailbox.check()
            else:
                yield frame


def _now_and_then(records: Channel[Any]) -> Records:
    """The records, and None about every TICK_S while there is none."""
    while True:
        try:
            record = records.get(TICK_S)
        except NothingYet:
            record = None
        except Ended:
            return
        yield record


def _write(record: Tracked | None, sinks: Sequence[LiveSink], meter: Meter) -> None:
    """Writes the record into all sinks, or lets them know that there is none."""
    if record is None:
        for sink in sinks:
            sink.idle()
        return
    with meter.time("write"):
        for sink in sinks:
            sink.write(record)
    meter.count_frame(record.frame.captured_ns)


def _ahead(records: Records, channel: Channel[Any], thread_name: str, left: LeftThreads) -> Records:
    """The same records, made in a thread that works ahead of the reader as far as the channel has room."""
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
    """Meanwhile a thread puts the records into the channel.

    `waits_at`: the channel that the records come from, where the thread may wait for one that never comes.
    `limit_s`: how long its end is waited for; then `left` learns of it.
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
        # An interrupt may strike before the thread runs; then it ends by itself at its first put.
        try:
            if thread.is_alive():
                thread.join(limit_s)
        finally:
            # An interrupt may also strike while it is waited for, and then Python before 3.13 takes a thread
            # that runs for one that has ended. One that has no number yet works on nothing.
            if thread.ident is not None and not ended.is_set():
                left.add(thread_name, ended)


def _feed(records: Records, channel: Channel[Any], ended: Event) -> None:
    """Puts all records into the channel, then their end or the error that ended them; then sets `ended`."""
    try:
        channel.check()  # started too late, it must not begin with work that nobody wants
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
