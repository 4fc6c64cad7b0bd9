"""What a package owes to those who install it."""

from __future__ import annotations

import re
import sys

import pytest

from reenact import __version__
from reenact.cli.version import shipped_models
from tests.project.test_architecture import PACKAGES, ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_licence_and_the_notice_come_with_the_package(project):
    assert project["license"] == "MIT" and project["license-files"] == ["LICENSE", "NOTICE"]
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License\n\nCopyright (c) 2026 The reenact authors\n")


def test_every_file_of_weights_is_in_the_notice():
    notice = (ROOT / "NOTICE").read_text()
    assert {path.name for path in shipped_models() if path.name not in notice} == set()
    cards = [path for package in PACKAGES for path in (ROOT / package).rglob("*CARD.md")]
    assert {str(path) for path in cards if path.relative_to(ROOT).as_posix() not in notice} == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_are_told_that_there_are_types(package):
    assert (ROOT / package / "py.typed").read_bytes() == b""


def test_the_classifiers_name_every_python_that_may_install_it(project):
    assert project["requires-python"] == ">=3.10"
    named = [each for each in project["classifiers"] if re.search(r"Python :: 3\.\d+$", each)]
    assert named == [f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)]
    assert not [each for each in project["classifiers"] if each.startswith("License")]  # `license` says it


def test_the_changelog_has_this_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert f"## [{__version__}]" in text
    assert len(text.splitlines()) < 120


def test_the_layout_in_contributing_names_every_room():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    folders = [each for package in PACKAGES for each in (ROOT / package).iterdir() if each.is_dir()]
    rooms = {each.name for each in folders if (each / "__init__.py").is_file()} | set(PACKAGES)
    assert {name for name in rooms if f"{name}/" not in text} == set()
