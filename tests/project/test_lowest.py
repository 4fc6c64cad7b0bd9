"""The oldest releases that pyproject.toml allows: every dependency has one, and the code can do with it."""

from __future__ import annotations

import ast
import runpy
import sys

import pytest

from tests.project.test_architecture import MODULES, PACKAGES, ROOT


@pytest.fixture(scope="module")
def lowest():
    return runpy.run_path(str(ROOT / ".ci" / "lowest.py"))


def test_every_dependency_has_exactly_one_oldest_release(lowest):
    found = {each.name: list(lowest["oldest"](each)) for each in lowest["requirements"]()}
    assert "click" in found and "torch" in found and "pytest" in found
    assert {name: pins for name, pins in found.items() if len(pins) != 1} == {}


def test_the_oldest_release_is_the_lower_bound_or_the_only_one(lowest):
    from packaging.requirements import Requirement

    cases = {"click>=8.2": ["click==8.2"], "numpy>=1.26,<2": ["numpy==1.26"], "a==1.0": ["a==1.0"], "b<3": []}
    for line, pins in cases.items():
        assert list(lowest["oldest"](Requirement(line))) == pins


@pytest.mark.parametrize("module", MODULES)
def test_no_class_derives_from_a_subscripted_class_of_a_dependency(module):
    """It would run at import, and which can be subscripted, as click.ParamType can since 8.5, changes."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    foreign = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if _package(node, alias) not in {*sys.stdlib_module_names, *PACKAGES}
    }
    bases = [
        ast.unparse(base)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Subscript)
    ]
    assert [base for base in bases if base.split(".")[0].split("[")[0] in foreign] == []


def _package(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    return ((node.module or "") if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
