"""What README and the pages tell people to type: every block of code is parsed, and run where that can be.

A block that cannot be run in a test has the line `<!-- not run: reason -->` before it, and is parsed all the
same.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from calib.profile import load_profile
from reenact.generate.generator import shipped_models
from reenact.programme.au_recording_csv import is_au_table, read_au_recording
from reenact.programme.keyframes_file import load_keyframes
from reenact.programme.programme_file import load_programme
from reenact.run.demo import PORTRAIT, make_clip
from tests.project.test_architecture import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "pages").glob("*.md")))
LANGUAGES = {"console", "bash", "python", "json", "csv", "toml", "text"}
"""Of these the first two are commands; `text` is for diagrams."""
PROGRAMS = {"reenact": "reenact.cli", "calib": "calib.__main__", "train": "train.__main__"}
"""The commands of each of our programs."""
OTHER_PROGRAMS = {"apt-get", "curl", "pip", "uv", "python3", "ffmpeg", "eval"}
OTHER_MODULES = {"venv", "pytest", "mkdocs"}
"""What may stand behind `python -m`."""


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: Path
    line: int
    """Where it begins, from 1."""
    language: str
    code: str
    not_run: str | None
    """Why it is not run; None: it is."""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks() -> Iterator[Block]:
    """Every block of every page."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("fence")) + 1
            yield Block(page, line, match["language"], match["code"], match["reason"])


BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^>]+) -->\n)?(?P<fence>```)(?P<language>[^\n]*)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
BLOCKS = list(blocks())


def of(*languages: str, run: bool = False) -> list[Block]:
    return [
        block for block in BLOCKS if block.language in languages and not (run and block.not_run is not None)
    ]


def commands(block: Block) -> list[list[str]]:
    """The words of every command in the block, its environment and its comments left out."""
    prompt = "$ " if block.language == "console" else ""
    lines = block.code.splitlines()
    assert all(line.startswith(prompt) for line in lines), f"{block}: a line without a prompt"
    found = []
    for line in lines:
        words: list[str] = []
        for word in [*_words(line.removeprefix(prompt)), "&&"]:
            if word in ("&&", "|", ";"):
                found += [words] if words else []
                words = []
            else:
                words.append(word)
    return found


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    return list(lexer)


def ours(words: list[str]) -> tuple[str, list[str]] | None:
    """(the name of our program, its arguments); None for a program of others. An unknown one is an error."""
    name = Path(words[0]).name
    if name == "python" and words[1] == "-m":
        if words[2] in PROGRAMS:
            return words[2], words[3:]
        assert words[2] in OTHER_MODULES, f"unknown module: {words}"
        return None
    if name == "reenact":
        return name, words[1:]
    assert name in OTHER_PROGRAMS, f"unknown program: {words}"
    return None


@cache
def program(name: str) -> click.Group:
    if name == "train":
        pytest.importorskip("torch", reason="the commands of train need it")
    return import_module(PROGRAMS[name]).main


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the pages name."""
    folder = tmp_path_factory.mktemp("documentation")
    make_clip(folder / "in.mp4", (240, 320), seconds=0.2)
    for name in ("actor.mp4", "a.mp4", "anna.mp4", "bob.mp4", "talk.mp4"):
        shutil.copy(folder / "in.mp4", folder / name)
    head = cv2.imread(str(PORTRAIT))[20:300, 80:370]
    for name in ("anna.png", "in.jpg", "smile.jpg", "carla.jpg"):
        assert cv2.imwrite(str(folder / name), head)
    for name in ("faces", "clips", "shards", "runs/mouth"):
        (folder / name).mkdir(parents=True)
    shutil.copy(folder / "smile.jpg", folder / "faces")
    for model in shipped_models():
        shutil.copy(model, folder / "mouth.onnx")
    (folder / "smile.csv").write_text("time,au,value,easing\n0,AU12,+0,\n0.1,AU12,+2,ease\n")
    (folder / "faces.json").write_text('{"version": 1, "faces": {"0": "smile", "*": "neutral"}}')
    for name in ("ana.json", "bob.json"):
        (folder / name).write_text('{"version": 1, "neutral": {"AU12": 0.2}}')
    done = CliRunner().invoke(program("reenact"), ["aus", str(folder / "in.mp4"), str(folder / "aus.csv")])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test stands."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_is_of_a_language_that_is_checked_here():
    strange = [f"{block}: {block.language!r}" for block in BLOCKS if block.language not in LANGUAGES]
    assert strange == []
    assert {block.language for block in BLOCKS} >= {"console", "bash", "python", "json", "csv"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_fence_and_no_mark_is_missed(page: Path):
    text = page.read_text(encoding="utf-8")
    here = [block for block in BLOCKS if block.page == page]
    assert text.count("```") == 2 * len(here)
    assert text.count("<!-- not run") == sum(block.not_run is not None for block in here)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_that_is_there(page: Path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("block", of("console", "bash"), ids=str)
def test_every_command_is_one_that_its_program_takes(
    block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """By the program's own parser, to the end of which the command itself would begin."""
    monkeypatch.setattr(click.Command, "invoke", lambda self, context: None)
    for words in commands(block):
        known = ours(words)
        if known is not None:
            _done(*known)


@pytest.mark.slow
@pytest.mark.parametrize("block", of("console", "bash", run=True), ids=str)
def test_commands_do_what_they_are_to_do(block: Block, folder: Path):
    for words in commands(block):
        known = ours(words)
        assert known is not None, f"{words}: mark the block as not run"
        before = set(folder.iterdir())
        _done(*known)
        named = [folder / word for word in known[1] if re.fullmatch(r"[\w-]+\.[a-z]\w+", word)]
        assert all(path.exists() for path in named), f"{words}: not all files are there"
        for path in set(folder.iterdir()) - before:
            assert path.stat().st_size > 0


def _done(name: str, arguments: list[str]) -> None:
    done = CliRunner().invoke(program(name), arguments, prog_name=name)
    assert done.exit_code == 0, f"{name} {shlex.join(arguments)}: {done.output} {done.exception!r}"


PYTHON: dict[Path, list[Block]] = defaultdict(list)
for each in of("python"):
    PYTHON[each.page].append(each)


@pytest.mark.slow
@pytest.mark.parametrize("page", PYTHON, ids=lambda page: page.name)
def test_python_runs_from_the_top_of_a_page_to_its_end(page: Path, folder: Path):
    namespace: dict[str, object] = {"__name__": page.stem}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in PYTHON[page]:
            code = compile("\n" * block.line + block.code, str(page), "exec")
            if block.not_run is None:
                exec(code, namespace)
    if page.name == "python.md":
        _check_guide(namespace, folder)


def _check_guide(namespace: dict[str, object], folder: Path) -> None:
    """Not only does its code run: the values that it speaks of are as it says."""
    image, smiling = cv2.imread("anna.png"), cv2.imread("smiling.png")
    assert smiling.shape == image.shape and np.abs(smiling.astype(int) - image).max() >= 20
    achieved = namespace["achieved"]
    assert isinstance(achieved, dict) and achieved[1] < achieved[2] < achieved[3]
    assert {"both.mp4", "out.mp4", "aus.csv"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_is_what_its_reader_takes(block: Block, folder: Path):
    path = folder / "block.json"
    path.write_text(block.code, encoding="utf-8")
    if '"tracks"' in block.code:
        assert load_keyframes(path).tracks
    elif '"faces"' in block.code:
        assert load_programme(path)
    else:
        assert '"neutral"' in block.code, f"{block}: of no known kind"
        assert load_profile(path).neutral.any()


@pytest.mark.parametrize("block", of("csv"), ids=str)
def test_tables_are_what_their_reader_takes(block: Block, folder: Path):
    path = folder / "block.csv"
    path.write_text(block.code, encoding="utf-8")
    if is_au_table(path):
        read_au_recording(path)
    else:
        assert load_keyframes(path).tracks


def test_toml_can_be_read():
    tomllib = pytest.importorskip("tomllib", reason="in Python from 3.11 on")
    for block in of("toml"):
        assert tomllib.loads(block.code), block


@pytest.mark.slow
def test_the_pages_are_built_without_a_warning(tmp_path: Path):
    pytest.importorskip("mkdocs", reason="the extra docs")
    pytest.importorskip("mkdocstrings", reason="the extra docs")
    command = ["mkdocs", "build", "--strict", "-q", "-f", "docs/mkdocs.yml", "-d", str(tmp_path / "site")]
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    reference = (tmp_path / "site" / "reference.html").read_text(encoding="utf-8")
    for name in ("edit_image", "edit_video", "read_aus", "load_driver", "load_timeline", "open"):
        assert f'id="reenact.{name}"' in reference


def test_arguments_become_a_list_on_the_pages(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("griffe", reason="the extra docs")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    as_lists = import_module("argument_lists").as_lists
    text = "It.\n\nfirst: one,\nand more.\nsecond, third: two.\nother: not an argument.\n\nEnd."
    assert as_lists(text, {"first", "second", "third"}) == (
        "It.\n\n\n- **first**: one,\nand more.\n- **second, third**: two.\nother: not an argument.\n\nEnd."
    )
