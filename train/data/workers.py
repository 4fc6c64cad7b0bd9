"""Maps a function over chunks of work, in processes of this machine or on a Ray cluster."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TypeVar

import cv2

from engines.threads import core_count

Work = TypeVar("Work")
Result = TypeVar("Result")


class WorkerError(RuntimeError):
    """Chunks of work were lost; the message is one line for the user."""


@dataclass(frozen=True)
class Workers:
    """The processes that do the work."""

    processes: int = field(default_factory=core_count)
    """The number of processes on this machine. 1: this process does the work."""
    ray: str | None = None
    """The address of a Ray cluster, each free core of which takes a chunk; "auto": the cluster of this
    machine; "local": a temporary one of `processes` workers. None: Ray is not used."""


def map_chunks(task: Callable[[Work], Result], chunks: Sequence[Work], workers: Workers) -> Iterator[Result]:
    """Yields the results in the order in which they are ready.

    task: a function of a module, or a partial of one, so that it can be sent to another process.
    Raises WorkerError at the end, after all other work, if chunks were lost with the process that had them.
    """
    if not chunks:
        return iter(())
    if workers.ray:
        return _over_ray(task, chunks, workers.ray, workers.processes)
    return map(task, chunks) if workers.processes == 1 else _over_processes(task, chunks, workers)


@contextmanager
def cluster(workers: Workers) -> Iterator[None]:
    """Connects to one Ray cluster for all map_chunks inside this context."""
    with _joined(workers.ray, workers.processes) if workers.ray else nullcontext():
        yield


def _over_processes(
    task: Callable[[Work], Result], chunks: Sequence[Work], workers: Workers
) -> Iterator[Result]:
    waiting, suspects, fatal = deque(chunks), list[Work](), list[Work]()
    while waiting:
        suspects += yield from _until_one_dies(task, waiting, workers.processes)
    # One by one, so that a chunk that kills its process takes no other with it.
    for chunk in suspects:
        fatal += yield from _until_one_dies(task, deque([chunk]), 1)
    if fatal:
        raise WorkerError(_loss(len(fatal), len(chunks)))


def _until_one_dies(
    task: Callable[[Work], Result], waiting: deque[Work], processes: int
) -> Generator[Result, None, list[Work]]:
    """Takes work from `waiting` until there is none or a process dies; returns the work that was in
    progress."""
    running: dict[Future[Result], Work] = {}
    # Not forked, as a tracker's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        min(processes, len(waiting)), mp_context=get_context("spawn"), initializer=_begin
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


def _begin() -> None:
    """Prepares a new process: it uses one core, and leaves Ctrl-C, which the whole group gets, to its parent.

    Chunks in progress are then finished, and no new ones begun.
    """
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _loss(lost: int, of: int) -> str:
    return (
        f"{lost} of {of} chunks killed the process that worked on them, perhaps for want of memory; "
        "the others are done, and the same command tries again"
    )


def _over_ray(
    task: Callable[[Work], Result], chunks: Sequence[Work], address: str, processes: int
) -> Iterator[Result]:
    with _joined(address, processes):
        import ray

        @ray.remote(num_cpus=1)
        def do(chunk: Work) -> Result:
            cv2.setNumThreads(1)
            return task(chunk)

        lost = 0
        waiting = [do.remote(chunk) for chunk in chunks]
        while waiting:
            (ready,), waiting = ray.wait(waiting)
            try:
                yield ray.get(ready)
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
                lost += 1
    if lost:
        raise WorkerError(_loss(lost, len(chunks)))


@contextmanager
def _joined(address: str, processes: int) -> Iterator[None]:
    """Connects to the cluster, unless there is a connection already.

    Every machine must have this project installed and see the same files under the same names.
    """
    try:
        import ray
    except ImportError as error:
        raise WorkerError("Ray is not installed; run: pip install 'reenact[cluster]'") from error
    if ray.is_initialized():
        yield
        return
    own = {"num_cpus": processes, "include_dashboard": False}
    try:
        ray.init(
            **(own if address == "local" else {"address": address}),
            log_to_driver=False,
            logging_level="error",
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise WorkerError(f"no Ray cluster at {address!r}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()
