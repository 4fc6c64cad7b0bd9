"""The options of the tests: `--shuffle SEED` for another order, `--landmarker=FILE` for a landmark model."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import NO_MODEL, shuffled

ROOT = Path(__file__).parents[2]

ITEMS = [
    SimpleNamespace(path=Path(f"test_{file}.py"), name=f"{file}{number}")
    for file in "abcde"
    for number in range(9)
]


def names(seed: int) -> list[str]:
    return [item.name for item in shuffled(ITEMS, seed)]


def test_a_seed_gives_one_order_and_another_seed_another():
    assert names(1) == names(1)
    assert names(1) != names(2)
    assert sorted(names(1)) == [item.name for item in ITEMS]


def test_the_tests_of_a_file_stay_together_in_an_order_of_their_own():
    order = names(3)
    files = [order[start][0] for start in range(0, len(order), 9)]
    assert all(len({name[0] for name in order[start : start + 9]}) == 1 for start in range(0, len(order), 9))
    assert files != sorted(files)
    assert order[:9] != sorted(order[:9])


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--markers", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_landmark_model_is_given_as_the_readme_says(tmp_path: Path):
    """After a space pytest takes the file for one of tests, and does not know the option."""
    model = tmp_path / "face_landmarker.task"
    model.touch()
    (option,) = re.findall(r"`(--landmarker.?)FILE`", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert f"{option}FILE" in NO_MODEL
    assert ask(*f"{option}{model}".split()).returncode == 0


def test_a_landmark_model_that_is_not_there_is_refused(tmp_path: Path):
    done = ask(f"--landmarker={tmp_path / 'none.task'}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{tmp_path / 'none.task'}: no such file; give MediaPipe's face_landmarker.task" in done.stderr
