"""The generator in a process of its own makes what it makes in ours, and ends with us."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import reenact.run.files
from calib.au import neutral_aus
from reenact.generate import open_generator
from reenact.generate.network.contract import ModelError
from reenact.programme import parse_targets
from reenact.records import Frame, Retargeted
from reenact.run.demo import make_clip
from reenact.run.files import EditOptions, open_edit
from reenact.run.remote import generator_process, shared_frames
from reenact.run.remote.generator_process import GeneratorProcess, RemoteGenerator
from reenact.run.remote.messages import GeneratorProcessError, GeneratorRequest
from reenact.run.remote.shared_frames import SLOTS
from tests.support.faces import change, posed_face, textured_frame

WARP = GeneratorRequest("warp", None, "auto", 1, None)
SIZE = (480, 960)
_FILMS = itertools.count()


def record(frame: Frame, *changes: np.ndarray) -> Retargeted:
    faces = tuple(posed_face(track_id=i, centre=(320.0 + 320 * i, 240.0)) for i in range(len(changes)))
    return Retargeted(frame, faces, aus=tuple(neutral_aus() for _ in changes), changes=changes)


def records(count: int) -> list[Retargeted]:
    """Frames of a new film, in which two faces smile more and more and a third one does not change.

    Each film is a minute after the one before, so that nothing of that one is remembered."""
    start = Fraction(60 * next(_FILMS))
    return [
        record(
            replace(textured_frame(*SIZE, seed=n), pts=start + Fraction(n, 30), index=n),
            *(change(AU12=0.2 * n), change(AU25=0.1 * n), change()),
        )
        for n in range(1, count + 1)
    ]


def assert_same(one: Retargeted, other: Retargeted) -> None:
    assert len(one.patches) == len(other.patches)
    for mine, theirs in zip(one.patches, other.patches, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine.origin == theirs.origin
            np.testing.assert_array_equal(mine.image, theirs.image)


@pytest.fixture(scope="module")
def process() -> Iterator[GeneratorProcess]:
    with GeneratorProcess() as started:
        yield started


@pytest.fixture(scope="module")
def times() -> dict[str, list[float]]:
    return defaultdict(list)


@pytest.fixture(scope="module")
def remote(process: GeneratorProcess, times: dict[str, list[float]]) -> RemoteGenerator:
    return process.open(WARP, 3 * SIZE[0] * SIZE[1], lambda step, time_s: times[step].append(time_s))


def test_it_makes_the_same_patches(remote: RemoteGenerator, times: dict[str, list[float]]) -> None:
    with open_generator("warp") as here:
        for each in records(3):
            result = remote(each)
            assert result.frame is each.frame and result.faces is each.faces
            assert_same(result, here(each))
    assert result.patches[0] is not None and result.patches[2] is None
    assert times["generate"] and all(time_s > 0 for time_s in times["generate"])


def test_frames_may_be_on_their_way_together(remote: RemoteGenerator) -> None:
    send, receive = remote.steps.values()
    several = records(SLOTS)
    sent = [send(each) for each in several]
    with open_generator("warp") as here:
        for each in sent:
            assert_same(receive(each), here(each))


def test_patches_that_have_no_room_beside_each_other_arrive_too(remote: RemoteGenerator) -> None:
    """Four faces that fill a small frame."""
    frame = textured_frame(120, 160)
    faces = tuple(posed_face(scale=0.7, centre=(80.0, 55.0), track_id=i) for i in range(4))
    crowd = Retargeted(
        frame,
        faces,
        aus=tuple(neutral_aus() for _ in faces),
        changes=tuple(change(AU12=i + 1) for i in range(4)),
    )
    result = remote(crowd)
    assert sum(patch.image.size for patch in result.patches) > frame.image.size
    with open_generator("warp") as here:
        assert_same(result, here(crowd))


def test_an_error_of_the_generator_is_raised_here_and_the_next_frame_is_made(remote: RemoteGenerator) -> None:
    (good,) = records(1)
    bad = replace(good, faces=tuple(replace(face, landmarks=face.landmarks[:5]) for face in good.faces))
    with pytest.raises(IndexError):
        remote(bad)
    with open_generator("warp") as here:
        assert_same(remote(good), here(good))


def test_what_cannot_be_opened_is_refused_as_here() -> None:
    with GeneratorProcess() as started, pytest.raises(ModelError) as there:
        started.open(replace(WARP, name="paper"), 100, lambda step, time_s: None)
    with pytest.raises(ModelError) as here:
        open_generator("paper")
    assert str(there.value) == str(here.value)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_a_process_that_ends_is_reported_in_one_line() -> None:
    with GeneratorProcess() as started:
        remote = started.open(WARP, 3 * SIZE[0] * SIZE[1], lambda step, time_s: None)
        os.kill(started.pid, signal.SIGKILL)
        with pytest.raises(GeneratorProcessError, match=r"ended unexpectedly \(signal SIGKILL\)$"):
            for each in records(3):
                remote(each)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_in_the_terminal_does_not_reach_it() -> None:
    with GeneratorProcess() as started:
        assert os.getsid(started.pid) != os.getsid(0)
        remote = started.open(WARP, 3 * SIZE[0] * SIZE[1], lambda step, time_s: None)
        os.kill(started.pid, signal.SIGINT)
        (each,) = records(1)
        assert remote(each).patches[0] is not None


def is_running(pid: int) -> bool:
    status = Path("/proc", str(pid), "stat")
    return status.exists() and status.read_text().rsplit(") ", 1)[1][0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_ends_when_we_are_killed() -> None:
    program = (
        "import sys\n"
        "from reenact.run.remote.generator_process import GeneratorProcess\n"
        "from reenact.run.remote.messages import GeneratorRequest\n"
        "process = GeneratorProcess()\n"
        "process.open(GeneratorRequest('warp', None, 'auto', 1, None), 300, lambda step, time_s: None)\n"
        "print(process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    first = subprocess.Popen([sys.executable, "-c", program], text=True, **pipes)
    pid = int(first.stdout.readline())
    assert is_running(pid)
    first.kill()
    first.wait()
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def test_files_of_the_current_folder_hide_none_of_our_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("calib", "engines", "numpy", "pickle"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a file of the user')")
    monkeypatch.chdir(tmp_path)
    with GeneratorProcess() as started:
        assert started.open(WARP, 300, lambda step, time_s: None).notes == ()


def test_what_it_logs_is_logged_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = (
        "import logging; import reenact.run.remote.worker as process\n"
        "opened = process.open_generator\n"
        "def slow(**request):\n"
        "    logging.getLogger('engines').warning('%s is built once', request['name'])\n"
        "    logging.getLogger('engines').debug('unasked')\n"
        "    return opened(**request)\n"
        "process.open_generator = slow\n"
        "process.serve()\n"
    )
    monkeypatch.setattr(generator_process, "_PROGRAM", program)
    with GeneratorProcess() as started:
        started.open(WARP, 300, lambda step, time_s: None)
    (record,) = [each for each in caplog.records if each.name == "engines"]
    assert (record.levelname, record.getMessage()) == ("WARNING", "warp is built once")


@pytest.fixture
def shared_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the shared memory."""
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.setattr(shared_frames, "_SHARED_FOLDERS", (tmp_path / "none", folder))
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, (360, 640), seconds=0.6)
    return path


def edited(clip: Path, output: Path, generator: str = "live") -> tuple[bytes, list[str]]:
    with open_edit(clip, output, parse_targets("smile-open"), EditOptions(generator)) as edit:
        report = edit.run()
    return output.read_bytes(), list(report.stages)


@pytest.mark.parametrize("generator", ["live", "warp"])
def test_a_film_is_the_same_byte_for_byte_and_nothing_is_left_behind(
    clip: Path, tmp_path: Path, shared_folder: Path, monkeypatch: pytest.MonkeyPatch, generator: str
) -> None:
    here, stages = edited(clip, tmp_path / "here.mp4", generator)
    assert "receive" not in stages  # a short film is not worth a process
    monkeypatch.setattr(reenact.run.files, "LEAST_FRAMES", 1)
    monkeypatch.setattr(reenact.run.files, "core_count", lambda: 2)
    there, stages = edited(clip, tmp_path / "there.mp4", generator)
    assert {"send", "generate", "receive"} <= set(stages)
    assert there == here
    assert list(shared_folder.iterdir()) == []


@pytest.mark.parametrize("reason", ["no memory", "no process", "another program", "one core"])
def test_without_another_process_faces_are_made_in_this_one(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(reenact.run.files, "LEAST_FRAMES", 1)
    monkeypatch.setattr(reenact.run.files, "core_count", lambda: 1 if reason == "one core" else 2)
    if reason == "no memory":
        monkeypatch.setattr(shared_frames, "_SHARED_FOLDERS", ())
    if reason == "no process":
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    if reason == "another program":  # one that contains Python, and must not be started
        monkeypatch.setattr(sys, "executable", "/bin/sleep")
    _, stages = edited(clip, tmp_path / "out.mp4", "warp")
    assert "generate" in stages and "receive" not in stages


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_memory_that_is_not_there_is_refused_before_it_is_used(shared_folder: Path) -> None:
    """Otherwise writing would crash both processes."""
    with pytest.raises(GeneratorProcessError, match="MB of memory can be shared: "):
        shared_frames.new_memory(10**15)
    assert list(shared_folder.iterdir()) == []
