"""What a run changes of the whole process is undone, and a missing standard error does no harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from reenact.media.write.au_csv import CsvError, open_csv
from reenact.pipeline.runner import few_threads
from reenact.process.settings import (
    WhileNeeded,
    environment_defaults,
    standard_descriptors_held,
    standard_error_open,
)
from reenact.process.signals import signals_call
from reenact.run.demo import PORTRAIT, make_clip
from reenact.track.native_messages import native_messages_logged
from tests.cli.test_cli_video import SIZE
from tests.project.test_architecture import ROOT

RUN = """
import json, logging, os, signal, sys, threading, warnings
import cv2, numpy, threadpoolctl  # what importing them changes is theirs
from pathlib import Path

def settings():
    root = logging.getLogger()
    here = [os.fstat(number) for number in (0, 1, 2)]
    return {
        "environment": dict(os.environ),
        "handlers of signals": {n: str(signal.getsignal(n)) for n in signal.valid_signals() - {9, 19}},
        "filters of warnings": [str(each) for each in warnings.filters],
        "logging": [root.level, [str(each) for each in root.handlers], logging.root.manager.disable,
                    str(logging.getLoggerClass()), logging.raiseExceptions],
        "standard streams": [(each.st_dev, each.st_ino) for each in here],
        "open files": sorted(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else None,
        "hooks": [str(sys.excepthook), str(threading.excepthook), str(sys.unraisablehook)],
        "folder": os.getcwd(),
        "numpy": [numpy.geterr(), str(numpy.random.get_state())],
        "opencv": [getattr(cv2, "getLogLevel", None) and cv2.getLogLevel(), cv2.getNumThreads()],
        "blas": {each["filepath"]: each["num_threads"] for each in threadpoolctl.threadpool_info()},
    }

before = settings()
import reenact
with reenact.open(sys.argv[1], "smile", generator="live") as first:
    next(iter(first))
    with reenact.open(sys.argv[1], "smile", generator="warp") as second:
        next(iter(second))
        first.close()  # not in the order in which they were opened
        next(iter(second))
try:
    with reenact.open("http://127.0.0.1:9/no/such/stream"):
        pass
except OSError as error:
    assert "does not open" in str(error), error
after = settings()
after["blas"] = {name: after["blas"][name] for name in before["blas"]}  # others may have been loaded since
print(json.dumps({name: [before[name], after[name]] for name in before if before[name] != after[name]}))
"""


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, SIZE, seconds=0.3)
    return path


def run(*command: object, closed: str = "") -> subprocess.CompletedProcess[str]:
    """Python with these arguments, and with the streams `closed`, in the language of the shell."""
    words = [sys.executable, *map(str, command)]
    if closed:
        words = ["sh", "-c", f'exec "$@" {closed}', "sh", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.usefixtures("tracks_faces")
@pytest.mark.slow
def test_the_settings_of_a_process_are_after_a_run_what_they_were_before(face: Path) -> None:
    done = run("-c", RUN, face)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {}


WITHOUT = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes streams")


@pytest.mark.usefixtures("tracks_faces")
@pytest.mark.slow
@WITHOUT
@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("video", "CLIP", "out.mp4", "--target-aus", "AU12=+2", "--generator", "warp"), "out.mp4"),
        (("image", PORTRAIT, "out.png", "--preset", "smile", "--generator", "warp"), "out.png"),
        (("aus", "CLIP", "out.csv"), "out.csv"),
    ],
)
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_commands_work_without_a_standard_error(
    arguments: tuple[object, ...], output: str, closed: str, face: Path, tmp_path: Path
) -> None:
    words = [face if word == "CLIP" else tmp_path / output if word == output else word for word in arguments]
    done = run("-m", "reenact", *words, closed=closed)
    assert done.returncode == 0
    assert (tmp_path / output).stat().st_size > 0


@WITHOUT
def test_what_is_wrong_still_ends_with_its_exit_code_without_a_standard_error(tmp_path: Path) -> None:
    for words, exit_code in (
        (("video", tmp_path / "none.mp4", tmp_path / "out.mp4", "--preset", "smile"), 2),
        (("aus", tmp_path / "none.mp4"), 2),
        (("nothing",), 2),
        (("--version",), 0),
    ):
        assert run("-m", "reenact", *words, closed="2>&-").returncode == exit_code, words
    assert run("-m", "calib", "nothing", closed="2>&-").returncode == 2


OPEN = """
import os, sys
from pathlib import Path
sys.stdout = sys.stderr = None  # as under pythonw
import reenact

def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True

before = [is_open(number) for number in range(3)]
with reenact.open(sys.argv[1], "smile", generator="warp") as session:
    frame = next(iter(session))
    with open(sys.argv[2] + ".other", "w") as file:
        assert file.fileno() > 2, "a file in the place of standard error"
for number in range(3):
    # From its first callback on, libffi 3.5 keeps a descriptor of its own file, which gets the lowest number.
    assert is_open(number) == before[number] or "libffi" in os.readlink(f"/proc/self/fd/{number}")
Path(sys.argv[2]).write_text(str((frame.image != frame.frame.image).any()))
"""


@pytest.mark.usefixtures("tracks_faces")
@WITHOUT
@pytest.mark.parametrize("closed", ["", "2>&-", "<&- >&- 2>&-"])
def test_a_session_opens_without_standard_streams(closed: str, face: Path, tmp_path: Path) -> None:
    done = run("-c", OPEN, face, tmp_path / "edited", closed=closed)
    assert done.returncode == 0
    assert (tmp_path / "edited").read_text() == "True"


def test_a_table_for_a_standard_output_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(CsvError, match=r"no standard output.*aus\.csv"), open_csv(None):
        pass


@WITHOUT
def test_json_for_a_standard_output_that_is_not_there_is_refused(face: Path, tmp_path: Path) -> None:
    done = run("-m", "reenact", "aus", face, tmp_path / "out.csv", "--json", "-", closed=">&-")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ") and "there is no standard output" in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_a_command_line_finds_a_standard_error_and_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with standard_error_open():
        assert sys.stderr is not None
        print("nobody reads this", file=sys.stderr)
    assert sys.stderr is None


def test_the_last_who_needs_a_change_undoes_it_whoever_came_first() -> None:
    made: list[str] = []

    @contextmanager
    def change() -> Iterator[None]:
        made.append("made")
        yield
        made.append("undone")

    needed = WhileNeeded(change)
    needed.__enter__()
    needed.__enter__()
    needed.__exit__(None, None, None)
    assert made == ["made"]
    needed.__exit__(None, None, None)
    assert made == ["made", "undone"]
    with needed:
        assert made[-1] == "made"
    assert made == ["made", "undone"] * 2


def test_blas_has_its_threads_back_when_the_last_of_two_runs_has_ended() -> None:
    def counts() -> list[int]:
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    before = counts()
    few_threads.__enter__()
    few_threads.__enter__()
    assert set(counts()) == {1}
    for _ in range(2):
        few_threads.__exit__(None, None, None)
    assert counts() == before


def test_standard_error_is_where_it_was_after_two_threads_have_diverted_it() -> None:
    def place() -> tuple[int, int]:
        return os.fstat(2).st_dev, os.fstat(2).st_ino

    before, diverted = place(), threading.Barrier(2, timeout=10)
    seen: list[tuple[int, int]] = []

    def divert(leaves_after: threading.Event | None, left: threading.Event) -> None:
        with native_messages_logged:
            diverted.wait()
            seen.append(place())
            if leaves_after is not None:
                assert leaves_after.wait(10)
        left.set()

    first, second = threading.Event(), threading.Event()
    threads = [threading.Thread(target=divert, args=each) for each in ((None, first), (first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert before not in seen
    assert place() == before


def test_what_the_user_has_set_in_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REENACT_TEST_MINE", "mine")
    monkeypatch.delenv("REENACT_TEST_OURS", raising=False)
    with environment_defaults({"REENACT_TEST_MINE": "ours", "REENACT_TEST_OURS": "ours"}):
        assert os.environ["REENACT_TEST_MINE"] == "mine"
        assert os.environ["REENACT_TEST_OURS"] == "ours"
    assert os.environ["REENACT_TEST_MINE"] == "mine"
    assert "REENACT_TEST_OURS" not in os.environ


def test_descriptors_that_are_open_are_left_alone() -> None:
    before = [os.fstat(number).st_ino for number in range(3)]
    with standard_descriptors_held:
        assert [os.fstat(number).st_ino for number in range(3)] == before
    assert [os.fstat(number).st_ino for number in range(3)] == before


def test_a_handler_that_is_none_of_pythons_is_left_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[object] = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: put.append(handler))
    with signals_call(lambda number, frame: None, (signal.SIGTERM,)):
        pass
    assert put == []
