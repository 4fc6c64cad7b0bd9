"""Plans on disk, and what can happen to them. Other builders are real processes."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engines.cache import Plan, PlanCache, PlanKey, default_folder

KEY = PlanKey("a" * 64, "tensorrt 10.12", "Test GPU", "9.0", "tf32", "1 to 4", ("strongly typed",), "onnx")
PLAN = Plan(b"plan " * 1000, "fp16")

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and users")


class Build:
    """Makes PLAN and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> Plan:
        self.count += 1
        return PLAN


@pytest.fixture
def build() -> Build:
    return Build()


@pytest.fixture
def cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "engines")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def folder_of(cache: PlanCache, key: PlanKey = KEY) -> Path:
    return cache.folder / key.digest


# ---- One process -------------------------------------------------------------------------------------------


def test_what_was_built_is_loaded_from_then_on(cache, build):
    first, second = (cache.load_or_build(KEY, "live", build) for _ in range(2))
    assert first.plan == second.plan == PLAN
    assert first.build_s is not None and second.build_s is None
    assert first.notes == second.notes == ()
    assert build.count == 1


@pytest.mark.parametrize(
    "other",
    [
        {"model_sha256": "b" * 64},
        {"runtime": "tensorrt 10.13"},
        {"device": "Other GPU"},
        {"capability": "8.9"},
        {"precision": "fp32"},
        {"shapes": "1 to 8"},
        {"flags": ()},
        {"builder": "torch2trt"},
    ],
)
def test_whatever_differs_in_the_key_makes_another_plan(cache, build, other):
    cache.load_or_build(KEY, "live", build)
    assert cache.load(replace(KEY, **other)) is None


def test_meta_json_says_what_the_plan_is(cache, build):
    cache.load_or_build(KEY, "live", build)
    meta = json.loads((folder_of(cache) / "meta.json").read_text())
    assert meta["model"] == "live"
    assert meta["computes"] == "fp16"
    assert meta["key"]["device"] == "Test GPU"
    assert meta["key"]["flags"] == ["strongly typed"]
    assert {path.name for path in folder_of(cache).iterdir()} == {"plan", "meta.json"}


def truncate(folder: Path) -> None:
    (folder / "plan").write_bytes(PLAN.content[:-1])


def flip_a_bit(folder: Path) -> None:
    (folder / "plan").write_bytes(PLAN.content[:-1] + b"!")


def lose_plan(folder: Path) -> None:
    (folder / "plan").unlink()


def lose_meta(folder: Path) -> None:
    (folder / "meta.json").unlink()


def empty_meta(folder: Path) -> None:
    (folder / "meta.json").write_bytes(b"")


def meta_of_another_kind(folder: Path) -> None:
    (folder / "meta.json").write_text("[1, 2]")


def meta_in_binary(folder: Path) -> None:
    (folder / "meta.json").write_bytes(b"\xff\xfe\x00")


def meta_of_another_version(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "colour": "red"}))


def meta_of_another_key(folder: Path) -> None:
    text = (folder / "meta.json").read_text()
    (folder / "meta.json").write_text(text.replace("Test GPU", "Other GPU"))


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip_a_bit,
        lose_plan,
        lose_meta,
        empty_meta,
        meta_of_another_kind,
        meta_in_binary,
        meta_of_another_version,
        meta_of_another_key,
    ],
)
def test_a_damaged_plan_is_never_used_and_is_built_again(cache, build, damage: Callable[[Path], None]):
    cache.load_or_build(KEY, "live", build)
    damage(folder_of(cache))
    assert cache.load(KEY) is None
    assert len(cache.plans()) == 1  # listing survives it
    assert cache.load_or_build(KEY, "live", build).plan == PLAN
    assert build.count == 2
    assert cache.load(KEY) == PLAN


def test_a_discarded_plan_is_built_again(cache, build):
    cache.load_or_build(KEY, "live", build)
    cache.discard(KEY)
    assert cache.load(KEY) is None
    cache.discard(KEY)


def test_a_build_that_fails_leaves_nothing_behind_and_frees_the_way(cache, build):
    def fail() -> Plan:
        raise RuntimeError("no kernel fits")

    with pytest.raises(RuntimeError, match="no kernel fits"):
        cache.load_or_build(KEY, "live", fail)
    assert cache.plans() == ()
    cache.load_or_build(KEY, "live", build)
    assert [path.name for path in cache.folder.iterdir() if path.is_dir()] == [KEY.digest]


def test_the_plans_that_were_not_used_for_longest_make_room(tmp_path, build):
    cache = PlanCache(tmp_path, most_bytes=3 * 6000)  # three of 5000 bytes and their meta.json
    keys = [replace(KEY, device=name) for name in ("a", "b", "c", "d")]
    for age, key in enumerate(keys[:3]):
        cache.load_or_build(key, "live", build)
        long_ago = time.time() - 1000 + age
        os.utime(folder_of(cache, key) / "meta.json", (long_ago, long_ago))
    cache.load(keys[0])  # so that the second is the oldest
    cache.load_or_build(keys[3], "live", build)
    assert [cache.load(key) is not None for key in keys] == [True, False, True, True]


def test_the_newest_plan_stays_however_large_it_is(tmp_path, build):
    cache = PlanCache(tmp_path, most_bytes=10)
    cache.load_or_build(KEY, "live", build)
    assert cache.load(KEY) == PLAN


def test_clearing_says_what_is_gone(cache, build):
    for device in ("a", "b"):
        cache.load_or_build(replace(KEY, device=device), "live", build)
    removed = cache.clear()
    assert len(removed) == 2
    assert sum(plan.size for plan in removed) > 2 * len(PLAN.content)
    assert cache.plans() == () == cache.clear()


def test_plans_are_listed_with_what_they_are_last_used_first(cache, build):
    for age, device in enumerate(("older", "newer")):
        key = replace(KEY, device=device)
        cache.load_or_build(key, "live", build)
        os.utime(folder_of(cache, key) / "meta.json", (1000 + age, 1000 + age))
    newer, older = cache.plans()
    assert newer.meta.key.device == "newer" and older.meta.key.device == "older"
    assert newer.meta.model == "live" and newer.meta.computes == "fp16"
    assert newer.used > older.used


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert PlanCache(tmp_path / "nowhere").plans() == ()
    assert PlanCache(tmp_path / "nowhere").load(KEY) is None
    assert PlanCache(tmp_path / "nowhere").clear() == ()
    assert not (tmp_path / "nowhere").exists()


def test_plans_are_kept_where_the_system_keeps_what_can_be_made_again(monkeypatch, tmp_path):
    if sys.platform != "linux":
        pytest.skip("the place is another on this system")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "reenact" / "engines"


# ---- Disks that refuse -------------------------------------------------------------------------------------


def test_a_full_disk_costs_the_plan_and_nothing_else(cache, build, monkeypatch):
    def half(path: Path, content: bytes) -> int:
        path.open("wb").write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    loaded = cache.load_or_build(KEY, "live", build)
    assert loaded.plan == PLAN
    assert loaded.notes == (f"what was built cannot be kept in {cache.folder}: No space left on device",)
    assert [path for path in cache.folder.iterdir() if path.is_dir()] == []
    monkeypatch.undo()
    assert cache.load_or_build(KEY, "live", build).notes == ()
    assert cache.load(KEY) == PLAN


def test_a_file_where_the_folder_should_be_costs_the_plan_and_nothing_else(tmp_path, build):
    (tmp_path / "engines").write_text("in the way")
    loaded = PlanCache(tmp_path / "engines").load_or_build(KEY, "live", build)
    assert loaded.plan == PLAN
    assert "cannot be kept in" in loaded.notes[0]


def as_nobody(work: Callable[[], object]) -> object:
    """What `work` returns in a process that may not write everywhere, as this one may when it is root's."""

    def run(pipe) -> None:
        if os.getuid() == 0:
            os.setuid(65534)
        pipe.send(work())

    here, there = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=run, args=(there,))
    process.start()
    try:
        assert here.poll(10), "no answer"
        return here.recv()
    finally:
        process.join()


@posix
def test_a_read_only_folder_still_gives_the_plans_that_it_holds(public, build):
    cache = PlanCache(public / "engines")
    cache.load_or_build(KEY, "live", build)
    cache.folder.chmod(0o555)
    other = replace(KEY, device="Other GPU")
    kept, built, left = as_nobody(
        lambda: (
            cache.load_or_build(KEY, "live", build),
            cache.load_or_build(other, "live", build),
            cache.clear(),
        )
    )
    cache.folder.chmod(0o755)
    assert (kept.plan, kept.build_s, kept.notes) == (PLAN, None, ())
    assert built.plan == PLAN
    assert built.notes == (f"what was built cannot be kept in {cache.folder}: Permission denied",)
    assert left == ()
    assert cache.load(KEY) == PLAN


# ---- Several processes -------------------------------------------------------------------------------------

BUILDER = """
import sys, time
from pathlib import Path
from engines.cache import Plan, PlanCache
from tests.engines.test_engine_cache import KEY, PLAN

folder, seconds = Path(sys.argv[1]), float(sys.argv[2])

def build():
    with (folder / "builds").open("a") as log:
        log.write("one\\n")
    time.sleep(seconds)
    return PLAN

loaded = PlanCache(folder / "engines").load_or_build(KEY, "live", build)
assert loaded.plan == PLAN and not loaded.notes, loaded.notes
print("built" if loaded.build_s is not None else "loaded")
"""

DIES_WHILE_WRITING = """
import os, signal
from pathlib import Path
Path.rename = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
"""


def start_builder(folder: Path, seconds: float, first: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", first + BUILDER, str(folder), str(seconds)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2]
    )


def wait_until_it_builds(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while not (folder / "builds").exists():
        assert time.monotonic() < deadline, "the builder did not begin"
        time.sleep(0.02)


def test_of_several_processes_one_builds_and_the_others_wait_and_load(tmp_path):
    builders = [start_builder(tmp_path, 1.0) for _ in range(3)]
    answers = sorted(builder.communicate(timeout=30)[0].strip() for builder in builders)
    assert answers == ["built", "loaded", "loaded"]
    assert (tmp_path / "builds").read_text() == "one\n"


@posix
def test_a_builder_that_is_killed_holds_up_nobody(tmp_path, build):
    killed = start_builder(tmp_path, 60)
    wait_until_it_builds(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=10)
    start = time.monotonic()
    loaded = PlanCache(tmp_path / "engines").load_or_build(KEY, "live", build)
    assert loaded.plan == PLAN and loaded.notes == ()
    assert time.monotonic() - start < 5


@posix
def test_what_a_builder_that_was_killed_has_half_written_is_not_used_and_goes(tmp_path, build):
    killed = start_builder(tmp_path, 0, DIES_WHILE_WRITING)
    killed.communicate(timeout=20)
    assert killed.returncode == -signal.SIGKILL
    cache = PlanCache(tmp_path / "engines")
    assert [path.name[:10] for path in cache.folder.iterdir() if path.is_dir()] == [".building-"]
    assert cache.load(KEY) is None and cache.plans() == ()
    cache.load_or_build(KEY, "live", build)
    assert [path.name for path in cache.folder.iterdir() if path.is_dir()] == [KEY.digest]


def test_clearing_neither_waits_for_a_builder_nor_takes_its_work(tmp_path, build):
    cache = PlanCache(tmp_path / "engines")
    cache.load_or_build(replace(KEY, device="Other GPU"), "live", build)
    builder = start_builder(tmp_path, 1.5)
    wait_until_it_builds(tmp_path)
    start = time.monotonic()
    assert len(cache.clear()) == 1
    assert time.monotonic() - start < 1
    assert builder.communicate(timeout=30)[0].strip() == "built"
    assert cache.load(KEY) == PLAN
