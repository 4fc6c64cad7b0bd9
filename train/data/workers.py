"""One function over many chunks of work: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, TypeVar

Work = TypeVar("Work")
Answer = TypeVar("Answer")


class WorkerError(RuntimeError):
    """Work that nobody finished; the message is one line for the user."""


@dataclass(frozen=True)
class Workers:
    processes: int = field(default_factory=lambda: os.cpu_count() or 1)
    """On this machine; without meaning on a cluster, where every free core takes a chunk."""
    ray: str | None = None
    """The address of a Ray cluster, "auto" for the one that this machine is part of, "local" for one of
    `processes` workers that is started and stopped with the work; None: no Ray."""


def map_chunks(task: Callable[[Work], Answer], chunks: Sequence[Work], workers: Workers) -> Iterator[Answer]:
    """The answers, in the order in which they are ready.

    task: a function of a module, or a partial of one, so that it can be sent to another process.
    """
    if not chunks:
        return iter(())
    return _over_ray(task, chunks, workers) if workers.ray else _over_processes(task, chunks, workers)


def _over_processes(
    task: Callable[[Work], Answer], chunks: Sequence[Work], workers: Workers
) -> Iterator[Answer]:
    # Not forked: a tracker's threads do not survive that.
    pool = ProcessPoolExecutor(min(workers.processes, len(chunks)), mp_context=get_context("spawn"))
    try:
        for done in as_completed([pool.submit(task, chunk) for chunk in chunks]):
            yield done.result()
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process died, perhaps for want of memory; run the same command again to go on"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _over_ray(task: Callable[[Work], Answer], chunks: Sequence[Work], workers: Workers) -> Iterator[Answer]:
    """Every machine must have this project installed and see the same files under the same names."""
    try:
        import ray
    except ImportError as error:
        raise WorkerError("Ray is not installed; run: pip install 'reenact[cluster]'") from error
    local = workers.ray == "local"
    started: dict[str, Any] = {"num_cpus": workers.processes} if local else {"address": workers.ray}
    try:
        ray.init(
            **started, include_dashboard=False if local else None, log_to_driver=False, logging_level="error"
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise WorkerError(f"no Ray cluster at {workers.ray!r}: {error}") from error
    try:
        remote = ray.remote(task_of)
        waiting = [remote.remote(task, chunk) for chunk in chunks]
        while waiting:
            ready, waiting = ray.wait(waiting)
            yield from ray.get(ready)
    finally:
        ray.shutdown()


def task_of(task: Callable[[Work], Answer], chunk: Work) -> Answer:
    return task(chunk)
