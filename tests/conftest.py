"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test clips and labelled faces that lives beside a development checkout."""
    if not (SHARED / "data" / "clips").is_dir():
        pytest.skip("needs ../shared (test clips and labelled faces), which this checkout does not have")
    return SHARED
