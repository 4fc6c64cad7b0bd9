"""Shells complete commands, options and values, and do not wait for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from reenact.cli import COMMANDS, main
from reenact.cli.completion_table import describe, load_table, option_names
from reenact.cli.config_file import UNCONFIGURED
from reenact.programme.presets import PRESETS


def asking(*words: str) -> dict[str, str]:
    """The environment in which bash asks for what completes the last of these words."""
    asked = {"_REENACT_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["reenact", *words])}
    return os.environ | asked | {"COMP_CWORD": str(len(words))}


def completed(*words: str) -> list[str]:
    """What bash is offered for the last of these words, each with its kind: plain,word."""
    command = [sys.executable, "-m", "reenact"]
    done = subprocess.run(command, env=asking(*words), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["we"], ["plain,webcam"]),
        (["video", "--encoder"], ["plain,--encoder-preset"]),
        (["image", "--preset", "smile-s"], ["plain,smile-soft"]),
        (["train", "f"], ["plain,fit"]),
        (["calib", "fit", "--held"], ["plain,--held-out"]),
        (["video", "in"], ["file,in"]),
        (["completion", "z"], ["plain,zsh"]),
    ],
)
def test_commands_options_values_and_files_are_completed(words, offered):
    assert completed(*words) == offered


def test_completing_imports_no_command():
    code = (
        "import sys\nfrom reenact.cli import main\ntry: main(prog_name='reenact')\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'cv2', 'av', 'mediapipe', 'openvino', 'torch', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=asking("webcam", "--"), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "plain,--driver-camera" in done.stdout


def test_the_table_is_that_of_today():
    """After a change of an option: python .ci/completion_table.py"""
    pytest.importorskip("torch", reason="the commands of train need it")
    assert load_table() == describe(main)


def test_the_table_knows_every_command_and_its_options():
    table = load_table()["commands"]
    assert list(table) == list(COMMANDS)
    assert {"strength", "rounds", "log-file"} <= option_names(
        {name: each for name, each in table.items() if name not in UNCONFIGURED}
    )
    (preset,) = [each for each in table["video"]["parameters"] if "--preset" in each.get("names", ())]
    assert preset["choices"] == list(PRESETS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shells_script_is_printed(shell):
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0, result.output
    assert "_REENACT_COMPLETE" in result.stdout and "reenact" in result.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_can_read_its_script():
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    done = subprocess.run(["bash", "-c", script + "\ncomplete -p reenact"], capture_output=True, text=True)
    assert done.returncode == 0 and "_reenact_completion" in done.stdout


def test_another_shell_is_refused():
    result = CliRunner().invoke(main, ["completion", "tcsh"])
    assert result.exit_code == 2 and "bash" in result.stderr
