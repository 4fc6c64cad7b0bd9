"""Runs frames from a source through stages into a sink, on several cores.

Every step is a generator around the one before it, so the serial run is the plain chain

    for record in apply(paste, ... apply(track, read(source))): sink(record)

and the threaded run is the same chain with `ahead` put around its links: each link then works in a thread
of its own, a few records ahead of the next. Order, output and errors are those of the serial run: what lies
before the record that failed is written, then the error rises out of `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Thread
from typing import Any

from threadpoolctl import threadpool_limits

from reenact.channel import Channel
from reenact.meter import Meter

Records = Generator[Any, None, None]


@dataclass(frozen=True)
class Stage:
    """A step of the frame loop: a record in, a new record out."""

    name: str
    """Under which the meter reports its time."""
    run: Callable[[Any], Any]


def run(
    source: Iterable[Any],
    groups: Sequence[Sequence[Stage]],
    sink: Callable[[Any], None],
    *,
    meter: Meter,
    threaded: bool = True,
    capacity: int = 4,
) -> None:
    """Carries every record of the source, in order, through the stages of all groups into the sink.

    The source is read in one thread, the stages of each group run in another, the sink is called in the
    caller's; between any two of them at most `capacity` records wait. Without `threaded` all happens in the
    caller's thread, with the same result. The first error, wherever it is raised, reaches the caller as
    itself once all threads have ended, and a source that is a generator is closed. The meter times the
    stages by their names, the source as "read" and the sink as "write".

    numpy's BLAS keeps to one thread meanwhile. Its products here are small, and its threads, which wait by
    spinning, took a quarter of the processor from the stages (720p, two cores: 37 ms a frame, 29 without).
    """
    with threadpool_limits(limits=1, user_api="blas"):
        _carry(source, groups, sink, meter, threaded, capacity)


def _carry(
    source: Iterable[Any],
    groups: Sequence[Sequence[Stage]],
    sink: Callable[[Any], None],
    meter: Meter,
    threaded: bool,
    capacity: int,
) -> None:
    records = _read(source, meter)
    if threaded:
        records = _ahead(records, Channel(capacity), "read")
    for group in groups:
        records = _apply(group, records, meter)
        if threaded:
            records = _ahead(records, Channel(capacity), ", ".join(stage.name for stage in group))
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


def _ahead(records: Records, channel: Channel[Any], thread_name: str) -> Records:
    """The same records, made in a thread that works ahead of the reader as far as the channel has room."""
    thread = Thread(target=_feed, args=(records, channel), name=f"reenact {thread_name}", daemon=True)
    try:
        thread.start()
        yield from channel
    finally:
        channel.cancel()
        # An interrupt may strike before the thread runs; then it ends by itself at its first put.
        if thread.is_alive():
            thread.join()


def _feed(records: Records, channel: Channel[Any]) -> None:
    """Puts all records into the channel, then their end or the error that ended them."""
    try:
        with closing(records):
            for record in records:
                channel.put(record)
    except BaseException as error:
        channel.fail(error)
    else:
        channel.close()
