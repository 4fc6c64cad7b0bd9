"""Models that a runtime has compiled for this machine, kept on disk: one folder for each, never a pickle.

    <cache>/<digest of the key>/plan         what the runtime made, as it made it
    <cache>/<digest of the key>/meta.json    what it was made from, when, and its SHA-256

A folder appears whole or not at all, and what is damaged in it is found by its hash and made anew. One
process builds at a time, under a lock of the system that ends with the process: builders time kernels against
each other, so they should not share the machine, and the second often finds what it wants already there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import platformdirs

log = logging.getLogger(__name__)

MOST_BYTES = 4_000_000_000
_BUILDING = ".building-"
_FOREIGN = "onnxruntime"
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What reading a damaged meta.json raises."""


def default_folder() -> Path:
    """Where this system keeps what can be made again: ~/.cache/reenact/engines on Linux."""
    return platformdirs.user_cache_path("reenact", appauthor=False) / "engines"


def foreign_folder(model: bytes, *depends: str) -> Path:
    """Where ONNX Runtime may keep what it builds, and checks by itself, for a model and what else that
    depends on. It lies beside the plans, and `clear` removes it with them."""
    digest = hashlib.sha256(model + json.dumps(depends).encode()).hexdigest()
    return default_folder() / _FOREIGN / digest[:32]


@dataclass(frozen=True)
class PlanKey:
    """All that a plan depends on: where one of these differs, it is another plan."""

    model_sha256: str
    """Of the ONNX file."""
    runtime: str
    """With its version: tensorrt 10.12.0.36."""
    device: str
    """The GPU's or processor's name."""
    capability: str
    """Of the device: 9.0."""
    precision: str
    """What float32 parts are computed in."""
    shapes: str
    """That it was built for."""
    flags: tuple[str, ...]
    """Of the builder."""
    builder: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """A compiled model."""

    content: bytes
    computes: str
    """In which precision."""


@dataclass(frozen=True)
class Meta:
    """What is known of a plan on disk."""

    key: PlanKey
    model: str
    """What the model calls itself."""
    computes: str
    built: str
    """When, in UTC, ISO 8601."""
    build_s: float
    plan_sha256: str


@dataclass(frozen=True)
class CachedPlan:
    """One folder of the cache."""

    folder: Path
    size: int
    """In bytes."""
    used: datetime
    """Last."""
    meta: Meta | None
    """None where it is damaged."""


@dataclass(frozen=True)
class Loaded:
    """A plan that was asked for."""

    plan: Plan
    build_s: float | None
    """None where it came from the disk."""
    notes: tuple[str, ...] = ()
    """For the user, one plain line each."""


@dataclass(frozen=True)
class PlanCache:
    """The plans in a folder, which need not exist; those unused for longest make room for new ones.

    Where the folder cannot be read or written, everything works without it.
    """

    folder: Path = field(default_factory=default_folder)
    most_bytes: int = MOST_BYTES

    def load(self, key: PlanKey) -> Plan | None:
        """The plan, or None where there is none that is whole and of this key."""
        folder = self.folder / key.digest
        try:
            meta = _read_meta(folder)
            content = (folder / "plan").read_bytes()
        except FileNotFoundError:
            return None
        except _DAMAGE as error:
            log.info("the plan in %s cannot be read: %s", folder, error)
            return None
        if meta.key != key or hashlib.sha256(content).hexdigest() != meta.plan_sha256:
            log.info("the plan in %s is damaged", folder)
            return None
        with suppress(OSError):
            os.utime(folder / "meta.json")
        return Plan(content, meta.computes)

    def load_or_build(self, key: PlanKey, model: str, build: Callable[[], Plan]) -> Loaded:
        """The plan from disk, or what `build` makes, kept for the next time where that is possible.

        model: what the model is called, for people.
        """
        plan = self.load(key)
        if plan is not None:
            return Loaded(plan, None)
        with ExitStack() as held:
            with suppress(OSError):  # a file system that cannot lock, or write: see below
                held.enter_context(self._locked())
            plan = self.load(key)  # another process may have built it while this one waited
            if plan is not None:
                return Loaded(plan, None)
            start = time.monotonic()
            plan = build()
            build_s = time.monotonic() - start
            try:
                self._write(key, model, plan, build_s)
            except OSError as error:
                note = f"what was built cannot be kept in {self.folder}: {error.strerror}"
                return Loaded(plan, build_s, (note,))
        return Loaded(plan, build_s)

    def discard(self, key: PlanKey) -> None:
        """Forgets a plan that the runtime refuses."""
        shutil.rmtree(self.folder / key.digest, ignore_errors=True)

    def plans(self) -> tuple[CachedPlan, ...]:
        """All there are, last used first."""
        try:
            folders = [each for each in self.folder.iterdir() if len(each.name) == 64 and each.is_dir()]
        except OSError:
            return ()
        return tuple(sorted(map(_look_at, folders), key=lambda plan: plan.used, reverse=True))

    def clear(self) -> tuple[CachedPlan, ...]:
        """Removes every plan, but none that is being built, and returns those that are gone."""
        if not self.folder.is_dir():
            return ()
        plans = self.plans()
        for plan in plans:
            shutil.rmtree(plan.folder, ignore_errors=True)
        shutil.rmtree(self.folder / _FOREIGN, ignore_errors=True)
        with suppress(OSError), self._locked(wait=False):
            pass  # which removes what killed builders have left
        return tuple(plan for plan in plans if not plan.folder.exists())

    @contextmanager
    def _locked(self, wait: bool = True) -> Iterator[None]:
        """Until the block ends, or the process does. Raises OSError where it cannot, or must not wait."""
        from filelock import FileLock, Timeout  # here, since few runs build anything

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:  # an OSError, too
            if not wait:
                raise
            log.warning("waiting for another process, which builds an engine, too")
            lock.acquire()
        except NotImplementedError as error:  # a file system that cannot lock; newer releases do without it
            raise OSError(errno.ENOSYS, str(error)) from error
        try:
            self._remove_unfinished()
            yield
        finally:
            lock.release()

    def _write(self, key: PlanKey, model: str, plan: Plan, build_s: float) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / f"{_BUILDING}{secrets.token_hex(4)}"
        digest = hashlib.sha256(plan.content).hexdigest()
        built = datetime.now(timezone.utc).isoformat(timespec="seconds")
        meta = Meta(key, model, plan.computes, built, round(build_s, 3), digest)
        try:
            beside.mkdir()
            (beside / "plan").write_bytes(plan.content)
            (beside / "meta.json").write_text(json.dumps(asdict(meta), indent=2) + "\n", encoding="utf-8")
            target = self.folder / key.digest
            shutil.rmtree(target, ignore_errors=True)  # a damaged one
            beside.rename(target)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        self._make_room(target)

    def _remove_unfinished(self) -> None:
        """What builders that were killed have left: under the lock no other builds."""
        for folder in self.folder.glob(f"{_BUILDING}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _make_room(self, newest: Path) -> None:
        plans = self.plans()
        for folder in surplus(plans, self.most_bytes):
            if folder != newest:
                shutil.rmtree(folder, ignore_errors=True)


def surplus(plans: Sequence[CachedPlan], most_bytes: int) -> list[Path]:
    """The folders beyond `most_bytes`, of plans that are sorted by when they were used, last first."""
    beyond, total = [], 0
    for plan in plans:
        total += plan.size
        if total > most_bytes:
            beyond.append(plan.folder)
    return beyond


def _look_at(folder: Path) -> CachedPlan:
    try:
        meta, used = _read_meta(folder), (folder / "meta.json").stat().st_mtime
    except _DAMAGE:
        meta, used = None, 0.0
    try:
        size = sum(file.stat().st_size for file in folder.iterdir())
    except OSError:  # another process has just removed it
        size = 0
    return CachedPlan(folder, size, datetime.fromtimestamp(used, timezone.utc), meta)


def _read_meta(folder: Path) -> Meta:
    """Raises one of _DAMAGE where it is damaged."""
    content: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    key = content.pop("key")
    return Meta(key=PlanKey(**{**key, "flags": tuple(key["flags"])}), **content)
