"""One function over many chunks of work: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TypeVar

Work = TypeVar("Work")
Answer = TypeVar("Answer")


class WorkerError(RuntimeError):
    """Work that nobody could do; the message is one line for the user."""


@dataclass(frozen=True)
class Workers:
    processes: int = field(default_factory=lambda: os.cpu_count() or 1)
    """On this machine."""
    ray: str | None = None
    """The address of a Ray cluster, whose every free core then takes a chunk; "auto": the one that this
    machine is part of; "local": one of `processes` workers, which ends with the work; None: no Ray."""


def map_chunks(task: Callable[[Work], Answer], chunks: Sequence[Work], workers: Workers) -> Iterator[Answer]:
    """The answers, in the order in which they are ready.

    task: a function of a module, or a partial of one, so that it can be sent to another process.
    Raises WorkerError at the end, when all else is done, if chunks were lost with the process that had them.
    """
    if not chunks:
        return iter(())
    return _over_ray(task, chunks, workers) if workers.ray else _over_processes(task, chunks, workers)


def _over_processes(
    task: Callable[[Work], Answer], chunks: Sequence[Work], workers: Workers
) -> Iterator[Answer]:
    waiting, suspects, fatal = deque(chunks), list[Work](), list[Work]()
    while waiting:
        suspects += yield from _until_one_dies(task, waiting, workers.processes)
    # One by one, so that the chunk that kills its process takes no other with it.
    for chunk in suspects:
        fatal += yield from _until_one_dies(task, deque([chunk]), 1)
    if fatal:
        raise WorkerError(_loss(len(fatal), len(chunks)))


def _until_one_dies(
    task: Callable[[Work], Answer], waiting: deque[Work], processes: int
) -> Generator[Answer, None, list[Work]]:
    """Takes work from `waiting` until there is none or a process dies; returns what was being done then."""
    running: dict[Future[Answer], Work] = {}
    # Not forked: a tracker's threads do not survive that.
    pool = ProcessPoolExecutor(
        min(processes, len(waiting)), mp_context=get_context("spawn"), initializer=_leave_interrupts_to_parent
    )
    with pool:
        try:
            while waiting or running:
                while waiting and len(running) < processes:
                    future = pool.submit(task, waiting[0])
                    running[future] = waiting.popleft()
                ready, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
                    del running[future]
        except BrokenProcessPool:
            return list(running.values())
    return []


def _leave_interrupts_to_parent() -> None:
    """Ctrl-C reaches the whole group; chunks that are being done are then finished, and no new ones begun."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _loss(lost: int, of: int) -> str:
    return (
        f"{lost} of {of} chunks killed the process that worked on them, perhaps for want of memory; "
        "the others are done, and the same command tries again"
    )


def _over_ray(task: Callable[[Work], Answer], chunks: Sequence[Work], workers: Workers) -> Iterator[Answer]:
    """Every machine must have this project installed and see the same files under the same names."""
    try:
        import ray
    except ImportError as error:
        raise WorkerError("Ray is not installed; run: pip install 'reenact[cluster]'") from error
    place = {"num_cpus": workers.processes} if workers.ray == "local" else {"address": workers.ray}
    try:
        ray.init(**place, log_to_driver=False, logging_level="error")
    except (OSError, ValueError, RuntimeError) as error:
        raise WorkerError(f"no Ray cluster at {workers.ray!r}: {error}") from error

    @ray.remote(num_cpus=1)
    def do(chunk: Work) -> Answer:
        return task(chunk)

    lost = 0
    try:
        waiting = [do.remote(chunk) for chunk in chunks]
        while waiting:
            (ready,), waiting = ray.wait(waiting)
            try:
                yield ray.get(ready)
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
                lost += 1
    finally:
        ray.shutdown()
    if lost:
        raise WorkerError(_loss(lost, len(chunks)))
