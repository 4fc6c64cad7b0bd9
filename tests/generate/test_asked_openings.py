"""Openings that are asked for in millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from calib.au import AU_INDEX, JAW_DROP, LID_GAP, LIP_GAP, bilateral, neutral_aus
from calib.basis import load_basis
from calib.opening_sizes import added_openings
from reenact.generate.geometry.asked_openings import with_asked_openings
from reenact.generate.geometry.warp import move_landmarks
from tests.support.faces import change, closed_mouth, posed_face

BASIS = load_basis()


def asked(
    lips_mm: float = 0, jaw_mm: float = 0, lids_mm: tuple[float, float] = (0, 0), **aus: float
) -> np.ndarray:
    found = change(**aus)
    found[:, LIP_GAP], found[:, JAW_DROP], found[:, LID_GAP] = lips_mm, jaw_mm, lids_mm
    return found


def sizes(face, wanted: np.ndarray) -> np.ndarray:
    """(2, 3) the openings of a face after a change."""
    return added_openings(face.pose.to_canonical(move_landmarks(face, wanted, BASIS)))


SHUT = posed_face(landmarks_mm=closed_mouth())


@pytest.mark.parametrize("lips_mm", [2.0, 6.0, 12.0, 20.0, 28.0])
def test_lips_open_by_what_is_asked(lips_mm: float) -> None:
    assert sizes(SHUT, asked(lips_mm, 0.45 * lips_mm))[0, 0] == pytest.approx(lips_mm, rel=0.12)


def test_a_mouth_that_is_open_shuts_by_what_is_asked() -> None:
    opened = posed_face(landmarks_mm=SHUT.pose.to_canonical(move_landmarks(SHUT, asked(10, 4), BASIS)))
    before = added_openings(opened.pose.to_canonical(opened.landmarks))[0, 0]
    assert before > 8
    assert sizes(opened, asked(-before, -4))[0, 0] < 0.5
    assert sizes(opened, asked(-before / 2, -2))[0, 0] == pytest.approx(before / 2, rel=0.15)


@pytest.mark.parametrize("others", [{"AU10": 2}, {"AU12": 3}, {"AU17": 2}, {"AU16": 3}, {"AU22": 3}])
def test_other_action_units_do_not_open_the_mouth_by_the_way(others: dict[str, float]) -> None:
    alone, together = sizes(SHUT, asked(8, 3.6)), sizes(SHUT, asked(8, 3.6, **others))
    assert together[0, 0] == pytest.approx(alone[0, 0], abs=1.5)


def test_what_is_asked_of_lips_and_jaw_adds_to_it() -> None:
    plain, more = (BASIS.amounts(change(AU25=value)) for value in (0, 1))
    added = with_asked_openings(more, asked(6, 2.7, AU25=1), BASIS) - more
    np.testing.assert_allclose(added, with_asked_openings(plain, asked(6, 2.7), BASIS), atol=1e-5)


def test_each_lid_shuts_by_what_is_asked_of_it() -> None:
    own = added_openings(SHUT.pose.to_canonical(SHUT.landmarks))[:, 2]
    left, right = sizes(SHUT, asked(lids_mm=(-3, 0)))[:, 2]
    assert left == pytest.approx(own[0] - 3, abs=0.4) and right == pytest.approx(own[1], abs=0.1)
    assert sizes(SHUT, asked(lids_mm=(-20, -20)))[:, 2].max() < 0.5


def test_nothing_asked_leaves_the_very_same_amounts() -> None:
    amounts = BASIS.amounts(change(AU12=2))
    assert with_asked_openings(amounts, change(AU12=2), BASIS) is amounts


def test_what_lips_and_jaw_cannot_do_is_not_tried() -> None:
    amounts = with_asked_openings(BASIS.amounts(bilateral(neutral_aus())), asked(90, 60), BASIS)
    for number in (25, 26):
        index = AU_INDEX[number]
        assert np.abs(amounts[:, index]).max() <= BASIS.furthest[index] + 1e-5
