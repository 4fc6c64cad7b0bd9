"""When the networks' work on a camera's frame is left out because it would be late."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reenact.generate.network.late_refinement import Effort
from reenact.records import Frame
from reenact.run.deadline import Deadline

PICTURE = np.zeros((8, 8, 3), np.uint8)


class Run:
    """Frames of a camera, each with a time that its stages before the networks take."""

    def __init__(self, budget_ms: float = 40) -> None:
        self.now_ns = 0
        self.deadline = Deadline(budget_ms, lambda: self.now_ns)

    def frame(
        self, before_ms: float, networks_ms: float = 5, rest_ms: float = 3, wanted: Effort = "whole"
    ) -> Effort:
        """The effort of a frame, whose networks then work if the effort says so."""
        frame = Frame(PICTURE, Fraction(0), 0, self.now_ns)
        captured_ns = self.now_ns
        self.now_ns += round(1e6 * before_ms)
        effort = self.deadline.effort(frame, wanted)
        if effort == "whole":
            self.now_ns += round(1e6 * networks_ms)
            self.deadline.note_painted(frame, networks_ms / 1e3, late=False)
        self.now_ns += round(1e6 * rest_ms)
        self.deadline.note_written(captured_ns)
        return effort


def test_what_would_miss_the_deadline_is_not_begun() -> None:
    run = Run()
    assert [run.frame(10) for _ in range(10)] == ["whole"] * 10
    assert run.frame(31) == "whole", "31 + 5 + 3 ms are within 40"
    assert run.frame(33) == "recalled"
    assert run.frame(10) == "whole", "the next frame is not late"


def test_before_it_knows_how_long_they_take_nothing_is_left_out() -> None:
    run = Run()
    assert run.frame(100) == "whole"


@pytest.mark.parametrize("wanted", ["late", "none"])
def test_what_is_not_done_before_the_frame_is_out_makes_no_frame_late(wanted: Effort) -> None:
    run = Run()
    for _ in range(10):
        run.frame(10)
    assert run.frame(100, wanted=wanted) == wanted


def test_a_film_s_frames_have_no_deadline() -> None:
    run = Run(budget_ms=0.001)
    for _ in range(10):
        run.frame(10)
    assert run.deadline.effort(Frame(PICTURE), "whole") == "whole"


def test_it_tells_what_the_networks_will_likely_take() -> None:
    run = Run()
    assert run.deadline.networks_ms == 0
    for networks_ms in (1, 1, 1, 9, 9, 9):
        run.frame(10, networks_ms)
    assert run.deadline.networks_ms == pytest.approx(9)
    late = Frame(PICTURE, Fraction(0), 0, run.now_ns)
    for _ in range(100):
        run.deadline.note_painted(late, 0.002, late=True)
    assert run.deadline.networks_ms == pytest.approx(2)
