"""The number of cores that this process may use, and of threads for an inference runtime."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MOST_THREADS = 4
"""The largest number of threads; a face's crop is too little work for more."""

_ROOT = Path("/")


def thread_count(busy: int = 0) -> int:
    """Returns the number of cores that this process may use, up to MOST_THREADS.

    busy: the number of the caller's threads that work all the time and keep a core each; at least one is left
    to the runtime. More threads than cores would only wait for each other, spinning.
    """
    return max(1, min(MOST_THREADS, core_count() - busy))


def core_count(root: Path = _ROOT) -> int:
    """Returns the number of cores in the process's affinity, or fewer if a control group limits them.

    A quota of one and a half cores counts as two. root: the folder that contains /proc and /sys.
    """
    cores, quota = visible_cores(), core_quota(root)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def codec_threads() -> int:
    """Returns the threads of encoders and decoders. 0: they choose by visible cores, if there is no quota."""
    cores = core_count()
    return cores if cores < visible_cores() else 0


def visible_cores() -> int:
    """Returns the number of cores in the process's affinity; a quota may limit it further."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def core_quota(root: Path = _ROOT) -> float | None:
    """Returns the number of cores by the quota of the process's control groups, as set for containers.

    None: there is no limit. root: the folder that contains /proc and /sys.
    """
    if sys.platform != "linux":
        return None
    quotas = [quota for group in _groups(root) if (quota := _quota(group)) is not None]
    return min(quotas, default=None)


# ---- Control groups of Linux -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Mount:
    """A mount of a tree of control groups."""

    root: PurePosixPath
    """The group at the mount's top; in a container it differs from /."""
    folder: PurePosixPath
    """The folder that it is mounted on."""
    version: int
    """The version of control groups, 1 or 2."""


def _groups(root: Path) -> Iterator[Path]:
    """Yields the folders of this process's groups and their parents, each of which limits it."""
    paths = dict(_paths(root))
    for mount in _mounts(root):
        path = paths.get(mount.version)
        if path is None:
            continue
        top = root / mount.folder.relative_to("/")
        # Where the path is not below the mount's root, the container has its own group at the top.
        seen = path.is_relative_to(mount.root) and ".." not in path.parts
        below = path.relative_to(mount.root) if seen else PurePosixPath()
        yield top
        for depth in range(len(below.parts)):
            yield top.joinpath(*below.parts[: depth + 1])


def _paths(root: Path) -> Iterator[tuple[int, PurePosixPath]]:
    """Yields (version, path of this process's group) for each tree that can limit the processor."""
    for line in _lines(root / "proc/self/cgroup"):
        number, controllers, path = line.split(":", 2)
        if number == "0" or "cpu" in controllers.split(","):
            yield (2 if number == "0" else 1), PurePosixPath(path)


def _mounts(root: Path) -> Iterator[_Mount]:
    """Yields the mounts of such trees."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        kind, _, options = after.partition(" ")
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options.split()[-1].split(",")):
            _, _, _, top, folder, *_ = before.split()
            yield _Mount(PurePosixPath(top), PurePosixPath(folder), 2 if kind == "cgroup2" else 1)


def _quota(group: Path) -> float | None:
    """Returns the number of cores in a group's quota. None: it has no limit of its own."""
    texts = _lines(group / "cpu.max") or [
        " ".join((*_lines(group / "cpu.cfs_quota_us"), *_lines(group / "cpu.cfs_period_us")))
    ]
    try:
        quota, period = map(int, texts[0].split())
    except ValueError:  # The text is "max" or empty.
        return None
    return quota / period if quota > 0 and period > 0 else None


def _lines(file: Path) -> list[str]:
    """Returns a file's lines; none where it cannot be read, as on systems without control groups."""
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
