"""How many cores are counted, in small trees of the files that Linux shows of control groups."""

from __future__ import annotations

import ast
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import pytest

from engines import threads
from engines.threads import core_count, core_quota, thread_count
from reenact.media.colour import Colour
from reenact.media.read import open_capture
from reenact.media.write.encoding import CODECS, Encoding, add_picture, last_packets
from reenact.pipeline.meter import Meter
from reenact.pipeline.runner import Stage, run
from reenact.run.benchmark import this_machine
from tests.project.test_architecture import MODULES
from train.data.workers import Workers

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"
MEMORY = "36 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
HYBRID = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"


@pytest.fixture(autouse=True)
def linux_with_eight_cores(monkeypatch):
    monkeypatch.setattr(threads, "visible_cores", lambda: 8)
    monkeypatch.setattr(threads.sys, "platform", "linux")


def tree(root: Path, groups: str, mounts: list[str], **files: str) -> Path:
    """files: their content, by their path below /sys/fs/cgroup."""
    written = {"proc/self/cgroup": groups, "proc/self/mountinfo": "\n".join(mounts) + "\n"}
    written.update({f"sys/fs/cgroup/{path}": content for path, content in files.items()})
    for path, content in written.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return root


@pytest.mark.parametrize(
    ("maximum", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("20000 100000", 1),
        ("1600000 100000", 8),
        ("50000 20000", 3),
        ("", 8),
        ("nonsense", 8),
    ],
)
def test_the_quota_of_a_container_is_rounded_up_and_never_more_than_the_cores(tmp_path, maximum, cores):
    root = tree(tmp_path, "0::/\n", [V2], **{"cpu.max": f"{maximum}\n"})
    assert core_count(root) == cores


def test_the_narrowest_of_nested_groups_counts(tmp_path):
    files = {
        "cpu.max": "max 100000\n",
        "work.slice/cpu.max": "300000 100000\n",
        "work.slice/job:1.scope/cpu.max": "600000 100000\n",
        "work.slice/other.scope/cpu.max": "100000 100000\n",
    }
    assert core_quota(tree(tmp_path, "0::/work.slice/job:1.scope\n", [V2], **files)) == 3


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("250000", 3), ("0", 8)])
def test_the_older_control_groups_have_quota_and_period_in_files_of_their_own(tmp_path, quota, cores):
    files = {"cpu,cpuacct/a/cpu.cfs_quota_us": f"{quota}\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"}
    groups = "5:memory:/elsewhere\n4:cpu,cpuacct:/a/b\n1:name=systemd:/\n"
    assert core_count(tree(tmp_path, groups, [MEMORY, V1], **files)) == cores


def test_a_container_that_is_told_its_path_on_the_host_finds_its_own_group_at_the_top(tmp_path):
    mount = V1.replace("0:29 / ", "0:29 /docker/7103fb ")
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/inner/cpu.cfs_quota_us": "100000\n",
        "cpu,cpuacct/inner/cpu.cfs_period_us": "50000\n",
    }
    outer = tree(tmp_path / "outer", "4:cpu,cpuacct:/docker/7103fb\n", [mount], **files)
    inner = tree(tmp_path / "inner", "4:cpu,cpuacct:/docker/7103fb/inner\n", [mount], **files)
    strange = tree(tmp_path / "strange", "4:cpu,cpuacct:/../other\n", [mount], **files)
    assert [core_quota(each) for each in (outer, inner, strange)] == [4, 2, 4]


def test_both_generations_at_once_count_both(tmp_path):
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "500000\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "unified/cpu.max": "300000 100000\n",
    }
    assert core_count(tree(tmp_path, "4:cpu,cpuacct:/\n0::/\n", [V1, HYBRID], **files)) == 3


def test_without_control_groups_all_cores_count(tmp_path, monkeypatch):
    assert core_count(tmp_path) == 8
    limited = tree(tmp_path, "0::/\n", [V2], **{"cpu.max": "200000 100000\n"})
    monkeypatch.setattr(threads.sys, "platform", "darwin")
    assert core_count(limited) == 8


def test_a_runtime_gets_the_cores_that_the_quota_leaves(monkeypatch):
    monkeypatch.setattr(threads, "core_quota", lambda root: 2.0)
    assert [thread_count(busy) for busy in (0, 1, 2, 5)] == [2, 1, 1, 1]


def test_codecs_choose_for_themselves_unless_a_quota_gives_less_than_they_see(monkeypatch):
    monkeypatch.setattr(threads, "core_quota", lambda root: None)
    assert threads.codec_threads() == 0
    monkeypatch.setattr(threads, "core_quota", lambda root: 2.5)
    assert threads.codec_threads() == 3


@pytest.mark.parametrize("codec", [name for name, codec in CODECS.items() if codec.needs is None])
def test_encoder_and_decoder_keep_within_the_quota(tmp_path, monkeypatch, codec):
    monkeypatch.setattr(threads, "core_quota", lambda root: 3.0)
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as output:
        like = SimpleNamespace(
            rate=Fraction(25),
            time_base=Fraction(1, 25),
            pixel_aspect=Fraction(1),
            colour=Colour(),
            size=(64, 64),
        )
        stream = add_picture(output, like, CODECS[codec], Encoding(codec=codec), (64, 64))
        assert stream.codec_context.thread_count == 3
        output.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        output.mux(last_packets(stream))
    assert CODECS[codec].options(Encoding(codec=codec), 3).get("x265-params", ":pools=3").endswith(":pools=3")
    counts = []
    monkeypatch.setattr("reenact.media.read.video_file.codec_threads", lambda: counts.append(3) or 3)
    with open_capture(path) as capture:
        assert len(list(capture)) == 1
    assert counts


def test_opencv_keeps_within_the_quota_while_a_pipeline_runs_and_not_beyond_it(monkeypatch):
    monkeypatch.setattr(threads, "core_quota", lambda root: 1.0)
    before, seen = cv2.getNumThreads(), []
    cv2.setNumThreads(4)
    try:
        run(
            [1],
            [[Stage("look", lambda one: seen.append(cv2.getNumThreads()) or one)]],
            lambda one: None,
            meter=Meter(),
        )
        assert (seen, cv2.getNumThreads()) == ([1], 4)
    finally:
        cv2.setNumThreads(before)


def test_processes_that_prepare_data_are_as_many_as_the_quota_gives_cores(monkeypatch):
    monkeypatch.setattr(threads, "core_quota", lambda root: 2.0)
    assert Workers().processes == 2
    assert this_machine()["cores"] == 2


def test_torch_keeps_within_the_quota_but_does_as_it_is_told(monkeypatch):
    torch = pytest.importorskip("torch")
    from train.loop import prepare_device
    from train.training_options import MachineOptions

    monkeypatch.setattr(threads, "core_quota", lambda root: 1.0)
    before = torch.get_num_threads()
    try:
        prepare_device(torch.device("cpu"), MachineOptions())
        assert torch.get_num_threads() == 1
        prepare_device(torch.device("cpu"), MachineOptions(threads=2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_nobody_else_counts_cores():
    """os.cpu_count, the affinity and the like know nothing of quotas."""
    counters = {"cpu_count", "process_cpu_count", "sched_getaffinity"}
    found = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
        and (node.attr if isinstance(node, ast.Attribute) else node.id) in counters
    }
    assert found == {"engines.threads"}
