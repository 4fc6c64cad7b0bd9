"""How many cores this process may use, and how many threads an inference runtime may use of them."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MOST_THREADS = 4
"""A face's crop is too little work to be worth waking more threads than these."""

_ROOT = Path("/")


def thread_count(busy: int = 0) -> int:
    """As many as there are cores that this process may use, up to MOST_THREADS.

    busy: how many threads of the caller work all the time meanwhile, and keep a core each; one is left to the
    runtime. Beside them more threads than cores only wait for one another, spinning.
    """
    return max(1, min(MOST_THREADS, core_count() - busy))


def core_count(root: Path = _ROOT) -> int:
    """How many cores this process may use: those of its affinity, or fewer where a control group limits it.

    A quota of one and a half cores counts as two. root: the folder that /proc and /sys lie in.
    """
    cores, quota = visible_cores(), core_quota(root)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def codec_threads() -> int:
    """For encoders and decoders: 0 lets them choose by the cores that they see; not so under a quota."""
    cores = core_count()
    return cores if cores < visible_cores() else 0


def visible_cores() -> int:
    """How many cores the system lets this process run on. It may forbid it to be busy on all of them."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def core_quota(root: Path = _ROOT) -> float | None:
    """How many cores' worth of time the control groups of this process give it, as containers have it set.

    None: nothing limits it. root: the folder that /proc and /sys lie in.
    """
    if sys.platform != "linux":
        return None
    quotas = [quota for group in _groups(root) if (quota := _quota(group)) is not None]
    return min(quotas, default=None)


# ---- Control groups of Linux -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Mount:
    """Where the system shows a tree of control groups."""

    root: PurePosixPath
    """The group that its top shows; another than / in a container."""
    folder: PurePosixPath
    version: int


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's groups and of those around them: each of them limits it."""
    paths = dict(_paths(root))
    for mount in _mounts(root):
        path = paths.get(mount.version)
        if path is None:
            continue
        top = root / mount.folder.relative_to("/")
        # Where the path is not below the mount's root, the container sees its own group at the top.
        seen = path.is_relative_to(mount.root) and ".." not in path.parts
        below = path.relative_to(mount.root) if seen else PurePosixPath()
        yield top
        for depth in range(len(below.parts)):
            yield top.joinpath(*below.parts[: depth + 1])


def _paths(root: Path) -> Iterator[tuple[int, PurePosixPath]]:
    """(version, path of this process's group) for each tree that can limit the processor."""
    for line in _lines(root / "proc/self/cgroup"):
        number, controllers, path = line.split(":", 2)
        if number == "0" or "cpu" in controllers.split(","):
            yield (2 if number == "0" else 1), PurePosixPath(path)


def _mounts(root: Path) -> Iterator[_Mount]:
    """Those of such trees."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        kind, _, options = after.partition(" ")
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options.split()[-1].split(",")):
            _, _, _, top, folder, *_ = before.split()
            yield _Mount(PurePosixPath(top), PurePosixPath(folder), 2 if kind == "cgroup2" else 1)


def _quota(group: Path) -> float | None:
    """How many cores' worth of time a group has; None: it has no limit of its own."""
    texts = _lines(group / "cpu.max") or [
        " ".join((*_lines(group / "cpu.cfs_quota_us"), *_lines(group / "cpu.cfs_period_us")))
    ]
    try:
        quota, period = map(int, texts[0].split())
    except ValueError:  # "max", or nothing
        return None
    return quota / period if quota > 0 and period > 0 else None


def _lines(file: Path) -> list[str]:
    """None at all where the file cannot be read: a system may have no control groups."""
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
