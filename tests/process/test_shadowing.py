"""Folders and files of the user's that have the names of our packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reenact.process.shadowing import ShadowedPackageError, refuse_shadows
from tests.project.test_architecture import ROOT

SCRIPT = Path(sys.executable).with_name("reenact")
STRANGERS = {
    "train.py": "train.py",
    "engines": "engines/__init__.py",
    "calib": "calib/__init__.py",
    "reenact": "reenact/__init__.py",
    "all": "",
}
CALLS = [
    ("engines", "list", "--json", "-"),
    ("calib", "timeline", "--help"),
    ("train", "--help"),
    ("--version",),
]


@pytest.fixture(params=STRANGERS)
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a file of that name which ends every program that imports it."""
    names = (
        [name for name in STRANGERS.values() if name]
        if request.param == "all"
        else [STRANGERS[request.param]]
    )
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise SystemExit('a stranger was imported')\n")
    return tmp_path


def run(folder: Path, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(not SCRIPT.is_file(), reason="needs the installed program")
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_the_installed_program_works_in_any_folder(hostile, call):
    done = run(hostile, SCRIPT, *call)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_python_m_reenact_works_beside_any_other_name(hostile, call):
    if (hostile / "reenact").is_dir():
        pytest.skip("Python itself takes the folder for the package")
    done = run(hostile, sys.executable, "-m", "reenact", *call)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_python_m_calib_works_beside_folders_of_other_names(hostile):
    if (hostile / "calib").is_dir():
        pytest.skip("Python itself takes the folder for the package")
    done = run(hostile, sys.executable, "-m", "calib", "timeline", "--help")
    assert done.returncode == 0, done.stdout + done.stderr


def test_python_m_train_works_beside_folders_of_other_names(hostile):
    if (hostile / "train.py").is_file():
        pytest.skip("Python itself takes the file for the package")
    done = run(hostile, sys.executable, "-m", "train", "--help")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stranger_on_pythonpath_is_named_in_one_line(tmp_path):
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "__init__.py").write_text("")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = run(tmp_path, sys.executable, "-m", "reenact", "engines", "list", PYTHONPATH=path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "engines") in done.stderr and "PYTHONPATH" in done.stderr


@pytest.mark.parametrize(
    "call",
    [
        "open('none.mp4')",
        "edit_image('none.png', 'smile')",
        "edit_video('none.mp4', 'out.mp4', 'smile')",
        "read_aus('none.mp4')",
        "load_driver('none.mp4')",
        "load_timeline('none.csv')",
        "ImageEditor()",
        "errors",
    ],
)
def test_a_script_beside_a_stranger_is_told_so_when_it_uses_the_interface(tmp_path, call):
    (tmp_path / "calib.py").write_text("")
    (tmp_path / "mine.py").write_text(f"import reenact\nreenact.{call}\n")
    done = run(tmp_path, sys.executable, "mine.py", PYTHONPATH=str(ROOT))
    assert done.stderr.splitlines()[-1].startswith(
        f"reenact.process.shadowing.ShadowedPackageError: {tmp_path / 'calib.py'} hides reenact's own package"
    )


def test_our_own_packages_are_no_strangers():
    refuse_shadows("engines", "calib", "train")
    with pytest.raises(ShadowedPackageError, match="hides reenact's own package 'json'"):
        refuse_shadows("json")
    refuse_shadows("no_such_package")
