"""The command line as a whole: help, exit codes, errors."""

from __future__ import annotations

import errno
import hashlib
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from calib.au import UnknownAUError
from reenact import __version__
from reenact.cli import COMMANDS, TASKS, main
from reenact.cli.errors import (
    Failure,
    Interrupted,
    Unusable,
    plain_errors,
    plain_import_errors,
    unusable_input,
)
from reenact.run.demo import PORTRAIT
from tests.project.test_architecture import ROOT

MODELS = "models, with the first 12 digits of their SHA-256:"


def test_help_lists_every_command_with_what_it_does() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for name, summary in COMMANDS.items():
        assert f"  {name} " in text and summary in text
    assert "Exit codes" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_has_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"Usage: main {name}" in result.output


@pytest.mark.parametrize("name", ["video", "image", "aus"])
def test_help_has_more_examples(name: str) -> None:
    assert f"\n    reenact {name} " in CliRunner().invoke(main, [name, "--help"]).output


def test_the_commands_are_grouped_by_task() -> None:
    assert sorted(name for names in TASKS.values() for name in names) == sorted(COMMANDS)
    text = CliRunner().invoke(main, ["--help"]).output
    assert all(f"\n{task}:\n" in text for task in TASKS)


def test_version_names_python_engines_and_the_models_that_ship() -> None:
    lines = CliRunner().invoke(main, ["--version"]).output.splitlines()
    assert lines[0] == f"reenact {__version__}, Python {platform.python_version()}"
    assert f"  openvino   {version('openvino')}" in lines
    models = [line.split() for line in lines[lines.index(MODELS) + 1 :]]
    assert len(models) == 10
    for digits, path in models:
        assert hashlib.sha256((ROOT / path).read_bytes()).hexdigest().startswith(digits)


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "reenact", "--version"], capture_output=True, text=True)
    assert done.stdout.startswith(f"reenact {__version__}, ")


@pytest.mark.parametrize(
    ("error", "failure", "line"),
    [
        (UnknownAUError("unknown action unit"), Unusable, "unknown action unit"),
        (OSError(errno.ENOENT, "No such file", "a.mp4"), Failure, "a.mp4: No such file"),
        (OSError(errno.ENOSPC, "No space left on device"), Failure, "No space left on device"),
        (OSError("two\nlines"), Failure, "two lines"),
        (KeyboardInterrupt(), Interrupted, "interrupted"),
        (click.UsageError("Missing argument 'IN'."), Unusable, "Missing argument 'IN'"),
    ],
)
def test_errors_for_the_user_become_one_line(error: BaseException, failure: type[Failure], line: str) -> None:
    with pytest.raises(Failure) as caught, plain_errors():
        raise error
    assert type(caught.value) is failure
    assert caught.value.format_message() == line


@pytest.mark.parametrize("bug", [AssertionError("a bug"), ValueError("a bug"), KeyError("a bug")])
def test_our_own_bugs_keep_their_traceback(bug: Exception) -> None:
    with pytest.raises(type(bug)), plain_errors(), unusable_input():
        raise bug


def test_what_cannot_be_opened_is_the_inputs_fault_but_a_full_disk_is_not() -> None:
    with pytest.raises(Unusable, match="gone"), unusable_input():
        raise OSError(errno.EACCES, "gone")
    with pytest.raises(Failure, match="No space") as caught, unusable_input():
        try:
            raise OSError(errno.ENOSPC, "No space")
        except OSError as error:
            raise OSError("No space for out.mp4") from error
    assert caught.value.exit_code == 1


def test_a_missing_library_comes_with_advice() -> None:
    with pytest.raises(Failure, match=r"libGL.*\(ask the doctor\)"), plain_import_errors("ask the doctor"):
        raise ImportError("libGL.so.1: cannot open shared object file")
    with pytest.raises(ImportError), plain_import_errors("ask the doctor"):
        raise ImportError("our own typo", name="reenact.nothing")


@pytest.mark.parametrize(
    "command", [["fit", "--data", "shards", "--out", "run"], ["export", "run", "a.onnx"]]
)
def test_training_without_torch_names_the_extra(command: list[str]) -> None:
    code = (
        f"import sys; sys.modules['torch'] = None\nfrom reenact.cli import main; main({['train', *command]})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "pip install 'reenact[train]'" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--out", "made"],
        ["bench", "--rounds", "1", "--seconds", "0.5"],
        ["calib", "neutral", "--image", str(PORTRAIT)],
    ],
)
def test_a_landmark_model_that_is_not_there_is_named(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [*arguments, "--landmarker", "nowhere.task"])
    assert result.exit_code in (1, 2)
    assert "'nowhere.task'" in result.stderr.splitlines()[-1], result.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
