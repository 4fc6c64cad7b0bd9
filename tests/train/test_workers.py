from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from train.data.workers import WorkerError, Workers, map_chunks


def square(number: int) -> int:
    return number * number


def square_or_die(number: int, deadly: int) -> int:
    if number == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def die_the_first_time(number: int, mark: Path) -> int:
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def refuse(number: int) -> int:
    raise ValueError(f"{number} is refused")


def test_no_work_needs_no_workers():
    assert list(map_chunks(square, [], Workers(2))) == []


def test_every_chunk_is_answered_once():
    assert sorted(map_chunks(square, [1, 2, 3, 4, 5], Workers(2))) == [1, 4, 9, 16, 25]


def test_an_error_in_the_work_reaches_the_caller():
    with pytest.raises(ValueError, match="1 is refused"):
        list(map_chunks(refuse, [1], Workers(1)))


def test_a_process_that_dies_once_costs_nothing(tmp_path):
    task = partial(die_the_first_time, mark=tmp_path / "mark")
    assert sorted(map_chunks(task, [1, 2, 3, 4], Workers(2))) == [1, 4, 9, 16]


def test_a_deadly_chunk_is_told_after_the_others_are_done():
    answers = []
    with pytest.raises(WorkerError, match="1 of 4 chunks killed"):
        for answer in map_chunks(partial(square_or_die, deadly=2), [1, 2, 3, 4], Workers(2)):
            answers.append(answer)
    assert sorted(answers) == [1, 9, 16]


def test_one_process_is_this_one():
    assert list(map_chunks(getpid, [1, 2], Workers(1))) == [os.getpid()] * 2
    assert os.getpid() not in list(map_chunks(getpid, [1, 2], Workers(2)))


def getpid(number: int) -> int:
    return os.getpid()


def test_without_ray_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(WorkerError, match=r"pip install 'reenact\[cluster\]'"):
        list(map_chunks(square, [1], Workers(1, ray="local")))
