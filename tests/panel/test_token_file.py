"""The token that stays the same from run to run."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from reenact.panel.token_file import kept_token, new_token


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: tmp_path / "state")
    return tmp_path / "state" / "panel-token"


def test_it_is_kept_for_its_user_alone(path: Path):
    token = kept_token()
    assert len(token) == 32 and kept_token() == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["panel-token"]


def test_it_is_renewed_when_that_is_asked(path: Path):
    token = kept_token()
    renewed = kept_token(renew=True)
    assert renewed != token and kept_token() == renewed


@pytest.mark.parametrize("text", ["", "short", "x" * 33, "x" * 31 + "!", "é" * 32, "x" * 100_000])
def test_what_is_no_token_is_replaced(path: Path, text: str):
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)
    assert kept_token() != text and len(kept_token()) == 32


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o644, 0o660, 0o606])
def test_a_token_that_others_could_read_or_write_is_replaced(path: Path, mode: int):
    token = kept_token()
    path.chmod(mode)
    assert kept_token() != token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_to_another_file_is_replaced(path: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.write_text("x" * 32)
    other.chmod(0o600)
    path.parent.mkdir()
    path.symlink_to(other)
    assert kept_token() != "x" * 32
    assert other.read_text() == "x" * 32 and not path.is_symlink()


def test_where_it_cannot_be_kept_there_is_one_all_the_same(path: Path):
    path.parent.write_text("a file where the folder should be")
    assert len(kept_token()) == 32 and kept_token() != kept_token()


def test_no_two_are_alike():
    assert len({new_token() for _ in range(100)}) == 100
