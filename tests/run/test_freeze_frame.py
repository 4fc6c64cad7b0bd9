"""What is shown while a camera delivers nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reenact.records import Finished, Frame, Signal
from reenact.run.freeze_frame import FADE_S, Freeze
from tests.media.test_camera import Clock
from tests.support.faces import posed_face

BEFORE, CHANGED = np.full((4, 6, 3), 40, np.uint8), np.full((4, 6, 3), 200, np.uint8)


class Shown:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[Finished] = []
        self.idled = 0

    def write(self, record: Finished) -> None:
        self.records.append(record)

    def idle(self) -> None:
        self.idled += 1

    @property
    def shades(self) -> list[int]:
        return [int(record.output.image[0, 0, 0]) for record in self.records]


class Stage:
    """A freeze, what it shows, and a camera whose signal the test sets."""

    def __init__(self) -> None:
        self.clock, self.shown, self.state = Clock(), Shown(), "live"
        self.freeze = Freeze([self.shown], lambda: Signal(self.state), 30, clock_ns=self.clock)

    def show(self) -> Finished:
        frame = Frame(BEFORE, Fraction(self.clock.now_ns, 10**9), captured_ns=self.clock.now_ns)
        record = Finished(frame, (posed_face(),), output=Frame(CHANGED, frame.pts))
        self.freeze.write(record)
        return record

    def idle(self, duration_s: float) -> None:
        for _ in range(round(duration_s * 100)):
            self.clock.sleep(0.01)
            self.freeze.idle()


def test_while_the_camera_is_live_records_pass_as_they_are() -> None:
    stage = Stage()
    records = []
    for _ in range(10):
        records.append(stage.show())
        stage.idle(0.03)
    assert stage.shown.records == records
    assert stage.shown.idled == 30, "sinks hear of the time between"


def test_a_picture_stands_until_the_camera_counts_as_lost_then_its_change_fades_out() -> None:
    stage = Stage()
    stage.show()
    stage.idle(1)
    assert stage.shown.shades == [200], "frozen"
    stage.state = "stalled"
    stage.idle(2)
    shades = stage.shown.shades
    assert len(shades) == pytest.approx(FADE_S * 30, abs=4), "a fade at the declared rate, and then no more"
    assert shades == sorted(shades, reverse=True)
    assert max(-np.diff(shades)) < 30, "without a jump"
    np.testing.assert_array_equal(stage.shown.records[-1].output.image, BEFORE)


def test_what_is_repeated_has_a_time_of_its_own_and_no_face() -> None:
    stage = Stage()
    first = stage.show()
    stage.state = "lost"
    stage.idle(1)
    repeated = stage.shown.records[1:]
    times = [record.frame.captured_ns for record in (first, *repeated)]
    assert times == sorted(set(times))
    for record in repeated:
        assert record.faces == record.aus == record.changes == ()
        assert record.frame.pts == pytest.approx(record.frame.captured_ns / 1e9)


def test_a_camera_that_is_back_fades_in_again() -> None:
    stage = Stage()
    stage.show()
    stage.state = "lost"
    stage.idle(2)
    stage.state = "live"
    before = len(stage.shown.shades)
    for _ in range(40):
        stage.clock.sleep(1 / 30)
        record = stage.show()
    back = stage.shown.shades[before:]
    assert back[0] < 80
    assert back == sorted(back)
    assert stage.shown.records[-1] is record


def test_a_camera_that_is_back_soon_turns_the_fade_around() -> None:
    stage = Stage()
    stage.show()
    stage.state = "lost"
    stage.idle(FADE_S / 2)
    lowest = stage.shown.shades[-1]
    stage.state = "live"
    stage.clock.sleep(1 / 30)
    stage.show()
    assert 40 < lowest < stage.shown.shades[-1] < 200


def test_where_left_and_right_are_exchanged_they_are_so_at_the_end_of_the_fade() -> None:
    stage = Stage()
    seen = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    frame = Frame(seen, captured_ns=stage.clock.now_ns)
    stage.freeze.write(Finished(frame, (), output=Frame(CHANGED), mirrored=True))
    stage.state = "lost"
    stage.idle(1)
    np.testing.assert_array_equal(stage.shown.records[-1].output.image, seen[:, ::-1])


def test_without_a_picture_there_is_nothing_to_fade() -> None:
    stage = Stage()
    stage.state = "lost"
    stage.idle(1)
    assert stage.shown.records == []
    assert stage.shown.idled == 100
