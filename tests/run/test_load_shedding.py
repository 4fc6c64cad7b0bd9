"""When a live run does with less effort, and when with more again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from reenact.run.load_shedding import STEPS, LoadShedder, LoadSheddingOptions
from tests.media.test_virtual_camera import Clock

BUDGET_MS = LoadSheddingOptions.budget_ms
OPTIONS = LoadSheddingOptions()


class Run:
    """Thirty frames a second, as late as `latency_ms` of the step description."""

    def __init__(
        self, latency_ms: Callable[[int], float], steps: int = len(STEPS), more_ms: float = 0
    ) -> None:
        self.clock = Clock()
        self.more_ms = more_ms
        self.load_shedder = LoadShedder(STEPS[:steps], clock=self.clock, more_ms=lambda: self.more_ms)
        self.latency_ms = latency_ms
        self.taken: list[tuple[float, int]] = []
        """(seconds since the start, step)."""

    @property
    def step(self) -> int:
        return STEPS.index(self.load_shedder.step)

    def go(self, duration_s: float) -> int:
        for _ in range(round(30 * duration_s)):
            before = self.step
            self.load_shedder.add_latency(self.latency_ms(before))
            self.clock.now_s += 1 / 30
            if self.step != before:
                self.taken.append((round(self.clock.now_s - 5, 2), self.step))
        return self.step


def test_within_the_budget_everything_is_done() -> None:
    run = Run(lambda step: BUDGET_MS - 1)
    assert run.go(60) == 0
    assert run.load_shedder.line is None


def test_over_the_budget_it_steps_down_one_by_one_until_it_is_within() -> None:
    run = Run(lambda step: (90, 60, 35, 35)[step])
    assert run.go(20) == 2
    assert [step for _, step in run.taken] == [1, 2]
    assert run.taken[0][0] <= OPTIONS.window_s + 0.2
    assert run.taken[1][0] - run.taken[0][0] >= OPTIONS.window_s


def test_what_never_gets_within_the_budget_stays_on_the_last_step() -> None:
    run = Run(lambda step: 200)
    assert run.go(100) == len(STEPS) - 1
    assert len(run.taken) == len(STEPS) - 1


def test_single_late_frames_are_no_reason() -> None:
    count = itertools.count()
    run = Run(lambda step: 300 if next(count) % 30 == 0 else 20)  # one a second
    assert run.go(120) == 0


def test_at_four_frames_a_second_a_single_late_frame_is_no_reason_either() -> None:
    run = Run(lambda step: 20)
    for index in range(60):
        run.load_shedder.add_latency(300 if index == 30 else 20)
        run.clock.now_s += 1 / 4
        assert run.step == 0


def test_the_first_frame_which_is_always_late_does_not_count() -> None:
    run = Run(lambda step: 20)
    run.load_shedder.add_latency(5000)
    assert run.go(10) == 0


def test_when_the_latency_falls_it_is_back_at_full_effort_within_two_seconds() -> None:
    run = Run(lambda step: (90, 80, 70, 60)[step])
    run.go(20)
    assert run.step == 3
    run.latency_ms = lambda step: 20
    assert run.go(2) == 0
    assert [step for _, step in run.taken] == [1, 2, 3, 2, 1, 0]


def test_after_a_step_up_that_was_too_early_it_is_back_as_soon_as_the_load_is_gone() -> None:
    run = Run(lambda step: (90, 60, 50, 25)[step])
    run.go(14)
    assert [step for _, step in run.taken][:5] == [1, 2, 3, 2, 3], "it has tried"
    assert run.step == 3
    run.latency_ms = lambda step: 15
    assert run.go(2) == 0


def test_a_step_up_that_the_networks_would_make_late_is_not_tried() -> None:
    run = Run(lambda step: (60, 60, 28, 28)[step], more_ms=15)
    assert run.go(60) == 2
    assert [step for _, step in run.taken] == [1, 2]
    run.latency_ms, run.more_ms = (lambda step: 15), 5
    assert run.go(2) == 0, "the load is gone"


def test_within_the_budget_but_above_the_recovery_share_it_stays() -> None:
    run = Run(lambda step: (90, 35, 35, 35)[step])
    assert run.go(300) == 1
    assert len(run.taken) == 1


def test_it_does_not_flip_flop_between_two_steps() -> None:
    """One step is too slow and the next is quick: neither is right for long."""
    run = Run(lambda step: (60, 15, 15, 15)[step])
    run.go(1500)
    ups = [moment for moment, step in run.taken if step == 0]
    pauses = [later - earlier for earlier, later in itertools.pairwise(ups)]
    assert pauses[0] >= OPTIONS.reversed_recovery_s
    assert all(later >= 0.99 * earlier for earlier, later in itertools.pairwise(pauses))
    assert pauses[-1] >= OPTIONS.longest_recovery_s
    assert len(ups) < 1500 / OPTIONS.longest_recovery_s + 6


def test_a_step_up_that_has_held_resets_the_recovery_time() -> None:
    slow = Run(lambda step: (60, 15, 15, 15)[step])
    slow.go(200)  # the recovery time has grown
    slow.latency_ms = lambda step: 15
    slow.go(300)
    assert slow.step == 0
    slow.go(OPTIONS.stable_s)
    slow.latency_ms = lambda step: 60
    assert slow.go(8) > 0
    slow.latency_ms = lambda step: 15
    assert slow.go(2) == 0


def test_a_pause_without_frames_changes_no_step() -> None:
    run = Run(lambda step: 20)
    run.go(5)
    run.clock.now_s += 100
    for _ in range(5):
        run.load_shedder.add_latency(500)
        run.clock.now_s += 1 / 30
    assert run.step == 0


def test_a_generator_without_steps_stays_where_it_is() -> None:
    run = Run(lambda step: 500, steps=1)
    assert run.go(30) == 0
    assert run.load_shedder.line is None


@pytest.mark.parametrize("index", range(1, len(STEPS)))
def test_it_says_which_step_it_is_on(index: int) -> None:
    run = Run(lambda step: 100 if step < index else 35)
    run.go(30)
    assert run.load_shedder.line == f"over 40 ms: {STEPS[index].description} (step {index} of 3)"


def test_a_latency_that_is_no_number_counts_for_nothing() -> None:
    latencies_ms = itertools.cycle([*[100.0] * 20, math.nan])
    assert Run(lambda step: next(latencies_ms)).go(20) == len(STEPS) - 1
