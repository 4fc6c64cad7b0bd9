"""Networks with as much effort as there is time for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from reenact.generate.geometry.warp import Warp
from reenact.generate.network.late_refinement import Effort, LateRefinement
from reenact.generate.network.paint_filter import PaintFilterOptions
from reenact.generate.network.refine import Refinement
from reenact.records import Frame
from tests.generate.test_refine import REGION, SHAPE, noise, opened, parted
from tests.support.faces import change

PICTURE = np.full((480, 640, 3), 120, np.uint8)
CHANGE = change(AU12=2, AU25=2)


class Brush:
    """An engine that paints the whole crop, and counts how often."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, inputs: object) -> dict[str, np.ndarray]:
        self.runs += 1
        return {
            "alpha": np.full((1, *SHAPE, 1), 0.5, np.float32),
            "colour": noise(*SHAPE, 3)[None] * 255,
        }


class Run:
    """Frames through a LateRefinement, 30 a second."""

    def __init__(self, effort: Effort = "late") -> None:
        self.engine, self.effort, self.index = Brush(), effort, 0
        self.late = LateRefinement(Refinement({REGION: self.engine}), lambda frame: self.effort)

    def frame(
        self,
        centre: tuple[float, float] = (320.0, 240.0),
        track_id: int = 0,
        afterwards: bool = True,
        gap: int = 1,
    ) -> tuple[Warp, Warp]:
        """(before, after) painting."""
        self.index += gap
        frame = Frame(PICTURE, Fraction(self.index, 30), self.index)
        face, warp = opened(frame=frame, centre=centre)
        face = replace(face, track_id=track_id)
        painted = self.late(frame, face, CHANGE, warp)
        if afterwards:
            self.late.afterwards()
        return warp, painted


def test_with_whole_care_it_is_the_refinement_itself() -> None:
    run = Run("whole")
    for _ in range(6):
        warp, painted = run.frame()
    plain = Refinement({REGION: Brush()})
    expected = [plain(Frame(PICTURE, Fraction(index, 30)), parted(0), CHANGE, warp) for index in range(1, 7)][
        -1
    ]
    np.testing.assert_array_equal(painted.image, expected.image)
    assert run.engine.runs == 2, "every third frame"


def test_late_paint_is_that_of_a_frame_before_and_the_network_works_when_the_frame_is_out() -> None:
    run = Run()
    run.frame()
    assert run.engine.runs == 1, "the first has no frame before"
    run.frame()
    run.frame()
    warp, painted = run.frame(afterwards=False)
    assert run.engine.runs == 1
    assert (painted.image != warp.image).any()
    run.late.afterwards()
    assert run.engine.runs == 2


@pytest.mark.parametrize(("effort", "runs"), [("whole", 7), ("late", 7), ("none", 0)])
def test_the_network_works_on_every_third_frame_at_most(effort: Effort, runs: int) -> None:
    run = Run(effort)
    for _ in range(21):
        run.frame()
    assert run.engine.runs == runs


@pytest.mark.parametrize(
    ("effort", "count", "expected"),
    [
        pytest.param("half", 8, [1, 3, 5, 7], id="half: not after a frame that was painted"),
        pytest.param("recalled", 9, [1, 4, 7], id="recalled: after two in a row with earlier paint"),
    ],
)
def test_the_frames_that_the_networks_look_at(effort: Effort, count: int, expected: list[int]) -> None:
    run, looked = Run(effort), []
    refined = run.late._refinement.paint

    def paint(*arguments: object) -> object:
        looked.append(run.index)
        return refined(*arguments)

    run.late._refinement.paint = paint
    for _ in range(count):
        warp, painted = run.frame()
        assert (painted.image != warp.image).any(), "no frame is without paint"
    assert looked == expected


def test_each_face_takes_turns_of_its_own() -> None:
    run = Run("half")
    for _ in range(6):
        for track_id in (0, 1):
            run.frame(track_id=track_id, gap=track_id)
    assert set(run.late._rested) == {0, 1}
    run.index += 400
    run.frame(track_id=2)
    run.frame(track_id=2)
    assert set(run.late._rested) == {2}, "those that are gone are forgotten"


def test_what_the_networks_take_is_told() -> None:
    told = []
    run = Run("whole")
    run.late = LateRefinement(
        Refinement({REGION: run.engine}),
        lambda frame: run.effort,
        lambda frame, duration_s, late: told.append((frame.index, duration_s > 0, late)),
    )
    run.frame()
    run.effort = "late"
    run.frame()
    assert told == [(1, True, False), (2, True, True)]


def test_without_care_the_warp_stays_as_it_is() -> None:
    warp, painted = Run("none").frame()
    assert painted is warp


def test_paint_is_carried_along_with_the_face() -> None:
    here, there = (320.0, 240.0), (329.0, 236.0)
    carried, fresh = Run(), Run("whole")
    carried.frame(here)
    _, late = carried.frame(there)
    warp, whole = fresh.frame(there)
    difference = np.abs(late.image.astype(int) - whole.image)
    assert np.abs(whole.image.astype(int) - warp.image).mean() > 3
    assert difference.mean() < 0.7, "the same paint at the new place"


def test_paint_that_is_too_old_is_made_anew_at_once() -> None:
    run = Run()
    run.frame()
    run.frame(afterwards=False, gap=round(PaintFilterOptions.longest_s * 30) + 1)
    assert run.engine.runs == 2
    run.index = 0  # time runs backwards: another film
    run.frame(afterwards=False)
    assert run.engine.runs == 3


def test_each_face_has_paint_of_its_own_and_those_that_are_gone_are_forgotten() -> None:
    run = Run()
    for track_id in (0, 1):
        run.frame(track_id=track_id)
    assert run.engine.runs == 2
    for _ in range(20):
        run.frame(track_id=1)
    before = run.engine.runs
    run.frame(track_id=0, afterwards=False)
    assert run.engine.runs == before + 1, "as if it were new"


def test_care_can_change_from_frame_to_frame() -> None:
    run = Run()
    for effort in ("whole", "late", "none", "whole", "none", "late") * 3:
        run.effort = effort
        warp, painted = run.frame()
        assert (painted is warp) == (effort == "none")
