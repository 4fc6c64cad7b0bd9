"""What is said, how much of it, and where: -v, -q, --log-file, and what becomes of a bug."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from reenact.cli.commands import Program
from reenact.cli.errors import note, say, warn
from reenact.cli.progress import status_line


@click.group(cls=Program, example="work")
def program() -> None:
    """A program with one command."""


@program.command()
@click.option("--fail", is_flag=True)
def work(fail: bool) -> None:
    """Says something in every way."""
    log = logging.getLogger("engines.somewhere")
    log.debug("a detail")
    log.info("a step")
    log.warning("two\nlines")
    logging.getLogger("stranger").warning("of another library")
    note("a note")
    warn("a warning")
    say("a result")
    thread = threading.Thread(target=log.info, args=("in a thread",), name="reader")
    thread.start()
    thread.join()
    if fail:
        raise KeyError("a bug")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments)


PLAIN = ["Warning: two lines", "Note: a note", "Warning: a warning", "a result"]


def test_warnings_notes_and_results_are_shown_one_a_line():
    result = run("work")
    assert result.stderr.splitlines() == PLAIN
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [("-q", "work"), ("work", "--quiet")])
def test_quiet_leaves_notes_and_results_out_but_not_warnings(arguments):
    assert run(*arguments).stderr.splitlines() == ["Warning: two lines", "Warning: a warning"]


@pytest.mark.parametrize("arguments", [("-v", "work"), ("work", "-v")])
def test_verbose_shows_steps(arguments):
    assert run(*arguments).stderr.splitlines() == ["Info: a step", *PLAIN, "Info: in a thread"]


@pytest.mark.parametrize("arguments", [("-vv", "work"), ("work", "-v", "-v"), ("-v", "work", "-v")])
def test_twice_verbose_shows_details_with_their_logger(arguments):
    lines = run(*arguments).stderr.splitlines()
    assert lines == ["Debug: engines.somewhere: a detail", "Info: a step", *PLAIN, "Info: in a thread"]


@pytest.mark.parametrize("arguments", [("work", "-q", "-v"), ("-v", "work", "-q"), ("-q", "work", "-v")])
def test_quiet_and_verbose_exclude_each_other(arguments):
    result = run(*arguments)
    assert result.exit_code == 2 and "-q and -v exclude each other" in result.stderr


@pytest.mark.parametrize("loudness", ["-q", "-v", "-vv", None])
def test_the_log_file_gets_everything_however_much_is_shown(tmp_path: Path, loudness: str | None):
    path = tmp_path / "log.txt"
    run(*([loudness] if loudness else []), "work", "--log-file", str(path))
    text = path.read_text().replace("two\nlines", "two lines")
    lines = [line.split(" ", 2)[2] for line in text.splitlines()]
    assert lines[0].startswith("INFO [MainThread] reenact.cli.log_output: reenact ")
    assert lines[1:] == [
        "DEBUG [MainThread] engines.somewhere: a detail",
        "INFO [MainThread] engines.somewhere: a step",
        "WARNING [MainThread] engines.somewhere: two lines",
        "WARNING [MainThread] stranger: of another library",
        "INFO [MainThread] reenact.cli.errors: a note",
        "WARNING [MainThread] reenact.cli.errors: a warning",
        "INFO [MainThread] reenact.cli.errors: a result",
        "INFO [reader] engines.somewhere: in a thread",
    ]


def test_a_log_file_is_added_to(tmp_path: Path):
    path = tmp_path / "log.txt"
    for _ in range(2):
        run("--log-file", str(path), "work")
    assert path.read_text().count("a result") == 2


def test_a_log_file_that_cannot_be_written_is_one_line(tmp_path: Path):
    result = run("work", "--log-file", str(tmp_path / "no" / "log.txt"))
    assert result.exit_code == 2
    assert "--log-file" in result.stderr and "No such file or directory" in result.stderr


def test_a_run_leaves_no_logging_behind(tmp_path: Path):
    def settings() -> list[object]:
        loggers = [logging.getLogger(name) for name in (None, "reenact", "engines", "calib", "train")]
        return [(logger.level, list(logger.handlers)) for logger in loggers]

    before = settings()
    run("work", "-vv", "--log-file", str(tmp_path / "log.txt"))
    assert settings() == before


def test_a_bug_is_one_line_that_names_the_log_file(tmp_path: Path):
    path = tmp_path / "log.txt"
    result = run("work", "--fail", "--log-file", str(path))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"Error: this is a bug in reenact: KeyError: 'a bug'; the traceback is in {path}"
    )
    assert "Traceback" not in result.stderr
    assert "Traceback" in path.read_text() and "in work" in path.read_text()


def test_a_bug_without_a_log_file_gets_one_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    result = run("work", "--fail")
    last = result.stderr.splitlines()[-1]
    path = Path(last.rpartition("the traceback is in ")[2])
    assert result.exit_code == 1 and path.suffix == ".log"
    assert "Traceback" in path.read_text() and "in work" in path.read_text()


def test_a_bug_whose_traceback_cannot_be_written_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    result = run("work", "--fail")
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1] == "Error: this is a bug in reenact: KeyError: 'a bug'"


def test_quiet_shows_no_progress(monkeypatch: pytest.MonkeyPatch):
    @click.command()
    def watched() -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        with status_line() as show:
            show("halfway")

    program.add_command(watched, "watched")
    try:
        assert "halfway" in run("watched").stderr
        assert run("watched", "-q").stderr == ""
    finally:
        del program.commands["watched"]


def test_importing_the_packages_sets_up_no_logging():
    code = (
        "import json, logging, reenact, engines, calib, train; print(json.dumps([[type(h).__name__ for h in "
        "logging.getLogger(n).handlers] for n in (None, 'reenact', 'engines', 'calib', 'train')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[]] * 5
