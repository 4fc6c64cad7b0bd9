"""The checks that are not tests, run with them: one command checks everything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


MYPY = pytest.param(
    ("mypy",),
    marks=pytest.mark.skipif(
        np.lib.NumpyVersion(np.__version__) >= "2.0.0",
        reason="types are checked against NumPy 1.26 (Python 3.10 to 3.12), whose annotations differ",
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("ruff", "check"), ("ruff", "format", "--check"), MYPY], ids=" ".join)
def test_the_code_passes(arguments):
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_continuous_integration_runs_the_readmes_test_command():
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    command = next(block for block in blocks if "pytest" in block).strip()
    assert command in (ROOT / ".ci" / "run").read_text()


def test_every_preset_is_in_the_documentation():
    from reenact.programme.presets import PRESETS

    page = (ROOT / "docs" / "pages" / "aus.md").read_text()
    missing = [name for name in PRESETS if f"`{name}`" not in page]
    assert not missing


def test_the_readmes_pictures_are_there():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert pictures and all((ROOT / picture).is_file() for picture in pictures)
