"""A driver that acts while it drives."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from calib.au import JAW_DROP, LID_GAP, LIP_GAP, OPENING_PLACES, AUVector, both, openface
from reenact.programme.au_recording import BRIDGED_S, FADE_S
from reenact.programme.driver import Driver, DriverOptions
from reenact.programme.live_driver import DriverReading, LiveDriverSource
from tests.media.test_virtual_camera import Clock
from tests.support.faces import shows

SMILING = shows(AU12=3, AU25=1)


class DriverFace:
    """Before a camera of thirty frames a second."""

    def __init__(self, at_rest: AUVector | None = None) -> None:
        self.clock = Clock()
        self.waiting: list[DriverReading] = []
        self.source = LiveDriverSource(self.arrived, at_rest, self.clock)

    def arrived(self) -> list[DriverReading]:
        arrived, self.waiting = self.waiting, []
        return arrived

    def act(self, aus: AUVector | None, frames: int = 1) -> None:
        for _ in range(frames):
            self.clock.now_s += 1 / 30
            self.waiting.append(DriverReading(self.clock.now_s, aus))


def test_the_newest_reading_counts_whatever_time_is_asked_for() -> None:
    driver_face = DriverFace()
    driver_face.act(shows(AU12=1))
    driver_face.act(SMILING)
    for time_s in (0.0, 100.0):
        sides, level = driver_face.source.at(time_s)
        aus = both(sides)
        np.testing.assert_array_equal(aus, SMILING)
        assert level == 1


def test_before_the_face_has_come_nobody_performs() -> None:
    driver_face = DriverFace()
    assert driver_face.source.at(0)[1] == 0
    driver_face.act(None, frames=5)
    assert driver_face.source.at(0)[1] == 0


def test_a_face_that_is_lost_is_bridged_then_fades() -> None:
    driver_face = DriverFace()
    driver_face.act(SMILING)
    driver_face.source.at(0)
    driver_face.clock.now_s += BRIDGED_S
    assert driver_face.source.at(0)[1] == 1
    driver_face.clock.now_s += FADE_S / 2
    assert driver_face.source.at(0)[1] == pytest.approx(0.5)
    driver_face.act(None)
    driver_face.clock.now_s += FADE_S
    assert driver_face.source.at(0)[1] == 0


def test_its_neutral_is_learned_while_the_face_is_still() -> None:
    driver_face, resting = DriverFace(), shows(AU12=0.6, AU04=0.4)
    driver_face.act(resting)
    driver_face.source.at(0)
    assert not driver_face.source.neutral.any(), "nothing is known yet"
    driver_face.act(resting, frames=300)
    driver_face.act(SMILING)
    driver_face.source.at(0)
    np.testing.assert_allclose(driver_face.source.neutral, resting, atol=0.05)


def test_a_neutral_that_is_known_is_not_learned() -> None:
    known = shows(AU12=1)
    driver_face = DriverFace(known)
    driver_face.act(SMILING, frames=300)
    driver_face.source.at(0)
    assert (openface(driver_face.source.neutral) == openface(known)).all()
    other = driver_face.source.with_neutral(SMILING).neutral
    assert (openface(other) == openface(SMILING)).all()


def test_it_drives_faces() -> None:
    driver_face = DriverFace(shows(AU12=1))
    driver_face.act(SMILING)
    driver = Driver(driver_face.source, DriverOptions(regions=frozenset({"mouth"})))
    face = shows(AU12=0.5, AU01=2)
    change = both(driver(Fraction(7), 0).change(face))
    np.testing.assert_allclose(face + change, shows(AU12=2, AU01=2), atol=1e-6)


def test_the_jaw_counts_from_rest_before_the_face_has_been_still() -> None:
    driver_face = DriverFace()
    talking = shows(AU12=1)
    talking[OPENING_PLACES] = 8, 60 + 0.45 * 8, 9
    driver_face.act(talking, frames=1)
    targets = Driver(driver_face.source)(Fraction(0), 0)
    assert targets.value[:, JAW_DROP] == pytest.approx(3.6, abs=0.01), "and not 60 mm"
    assert targets.value[:, LIP_GAP] == pytest.approx(8) and targets.value[:, LID_GAP] == pytest.approx(0)


def test_a_neutral_without_openings_leaves_them_to_be_learned() -> None:
    driver_face = DriverFace(shows(AU12=1))
    talking = shows(AU12=1)
    talking[OPENING_PLACES] = 8, 63.6, 9
    driver_face.act(talking, frames=1)
    driver_face.source.at(0)
    assert driver_face.source.neutral[OPENING_PLACES] == pytest.approx([0, 60, 9], abs=0.01)
