"""The tests' own order: `pytest --shuffle SEED` finds those that need another one before them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from tests.conftest import shuffled

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
