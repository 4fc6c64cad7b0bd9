"""How far mouths and eyes are open."""

from __future__ import annotations

import numpy as np
import pytest

from calib.opening_sizes import (
    CHIN,
    STANDARD_LIDS_MM,
    added_openings,
    opening_sizes,
    resting_openings,
    visible_gap_mm,
)
from calib.openings import LEFT_EYE, MOUTH, RIGHT_EYE
from tests.support.faces import closed_mouth


def opened(lips_mm: float = 0, chin_mm: float = 0, left_lid_mm: float = 0) -> np.ndarray:
    """A face with shut lips that then part, a chin that drops, and a left eye that opens."""
    landmarks = closed_mouth()
    landmarks[list(MOUTH.lower), 1] += lips_mm
    landmarks[CHIN, 1] += chin_mm
    landmarks[list(RIGHT_EYE.upper[1:-1]), 1] -= left_lid_mm
    return landmarks


def test_lips_that_are_shut_have_no_gap_and_parted_ones_theirs() -> None:
    assert opening_sizes(opened())[:, 0] == pytest.approx(0, abs=1e-5)
    assert opening_sizes(opened(lips_mm=20))[:, 0] == pytest.approx(20, abs=0.1)
    assert added_openings(opened(lips_mm=7))[:, 0] == pytest.approx(7, abs=1e-4)


@pytest.mark.parametrize(
    ("tracked_mm", "seen_mm"), [(0, 0), (3.6, 2.5), (4.4, 3.4), (7.0, 6.1), (16.5, 16.4)]
)
def test_lips_are_seen_less_far_apart_than_their_landmarks(tracked_mm: float, seen_mm: float) -> None:
    """The visible gaps are means of frames of films, between edges of colour."""
    assert visible_gap_mm(tracked_mm) == pytest.approx(seen_mm, abs=0.2)
    assert opening_sizes(opened(lips_mm=tracked_mm))[:, 0] == pytest.approx(seen_mm, abs=0.2)


def test_a_wider_gap_of_the_landmarks_is_a_wider_gap() -> None:
    gaps = [visible_gap_mm(tracked_mm) for tracked_mm in np.arange(0, 30, 0.1)]
    assert (np.diff(gaps) > 0).all()


def test_lips_that_cross_are_shut() -> None:
    assert opening_sizes(opened(lips_mm=-2))[0, 0] == 0


def test_the_jaw_drops_with_the_chin_whatever_the_lips_do() -> None:
    before, after = opening_sizes(opened()), opening_sizes(opened(lips_mm=3, chin_mm=5))
    assert after[:, 1] - before[:, 1] == pytest.approx(5, abs=1e-4)


def test_the_persons_left_eye_is_the_first() -> None:
    left, right = (opening_sizes(opened(left_lid_mm=2)) - opening_sizes(opened()))[:, 2]
    assert (left, right) == pytest.approx((2, 0), abs=1e-4)
    assert RIGHT_EYE.height(opened(left_lid_mm=2)) > LEFT_EYE.height(opened())


def test_what_a_motion_adds_is_linear() -> None:
    motion = opened(lips_mm=4, chin_mm=3) - opened()
    np.testing.assert_allclose(added_openings(2 * motion), 2 * added_openings(motion), atol=1e-4)
    added = added_openings(opened() + motion) - added_openings(opened())
    np.testing.assert_allclose(added, added_openings(motion), atol=1e-4)


def film(count: int = 300) -> np.ndarray:
    """The sizes of a face that talks half of the time, drops its jaw with its lips, and blinks."""
    lips = np.where(np.arange(count) % 60 < 30, 0.2, 8 + 4 * np.sin(np.arange(count)))
    jaw = 60 + 0.45 * lips
    lids = np.where(np.arange(count) % 50 < 4, 0.5, 8.0)
    return np.stack([lips, jaw, lids], axis=1)


def test_rest_is_shut_lips_open_lids_and_the_jaw_that_goes_with_shut_lips() -> None:
    lips, jaw, lids = resting_openings(film())
    assert lips == pytest.approx(0.2, abs=0.01) and jaw == pytest.approx(60, abs=0.1)
    assert lids == pytest.approx(8)


def test_a_mouth_that_never_shuts_is_at_rest_no_wider_than_a_millimetre() -> None:
    sizes = film()
    sizes[:, 0] += 6
    assert resting_openings(sizes)[0] == 1


def test_a_picture_with_shut_eyes_is_not_taken_for_rest() -> None:
    lips, jaw, lids = resting_openings(np.array([[10.0, 66.0, 0.5]]))
    assert lips == 0 and lids == STANDARD_LIDS_MM and jaw == pytest.approx(61.5)
