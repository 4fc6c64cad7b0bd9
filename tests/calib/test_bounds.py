"""Bounds of the face's shape, their fit, and what they do to a motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.basis import load_basis
from calib.bounds import (
    FREE_SHARE,
    LEFT_CORNER,
    RIGHT_CORNER,
    from_json,
    held_above,
    held_below,
    load_bounds,
    measure_mouth,
    opening_mm,
    to_json,
)
from calib.bounds_fit import BoundsOptions, fit_bounds
from calib.openings import LEFT_EYE, RIGHT_EYE
from reenact.generate.geometry.warp import move_landmarks
from tests.support.faces import change, closed_mouth, posed_face

BASIS, BOUNDS = load_basis(), load_bounds()


def face_showing(**aus: float):
    """An average face with the motion of these action units in it."""
    face = posed_face(scale=2.0, centre=(320.0, 320.0))
    return replace(face, landmarks=face.landmarks + face.pose.vectors_to_frame(BASIS.displace(change(**aus))))


def moved_mm(face, **aus: float):
    return face.pose.to_canonical(move_landmarks(face, change(**aus), BASIS))


def test_nothing_is_held_on_most_of_the_way_and_nothing_passes_the_bound() -> None:
    assert held_below(7.0, own=0, bound=10) == 7.0
    assert 10 * FREE_SHARE < held_below(9.0, own=0, bound=10) < 9.0
    assert held_below(1000.0, own=0, bound=10) <= 10
    assert held_above(-1000.0, own=0, bound=-10) >= -10


def test_what_is_beyond_a_bound_by_itself_stays_and_may_come_back() -> None:
    assert held_below(12.0, own=12, bound=10) == 12
    assert held_below(15.0, own=12, bound=10) == 12
    assert held_below(11.0, own=12, bound=10) == 11


@pytest.mark.parametrize("own", [-3.0, 4.0, 12.0])
def test_a_bound_comes_in_smoothly(own: float) -> None:
    held = np.array([held_below(wanted, own, bound=10) for wanted in np.linspace(-5, 20, 501)])
    assert np.diff(held).min() >= 0
    assert np.diff(held).max() <= 0.05 + 1e-9


@pytest.mark.parametrize("smiles", [0.0, 2.0, 4.0])
def test_no_mouth_opens_wider_than_the_bound(smiles: float) -> None:
    face = face_showing(AU12=smiles, AU25=smiles / 2)
    own = measure_mouth(face.pose.to_canonical(face.landmarks))
    wide = measure_mouth(moved_mm(face, AU12=5, AU25=5, AU26=5))
    assert 0.8 * BOUNDS.mouth_opening < wide.opening < BOUNDS.mouth_opening + 0.2
    assert wide.width < max(own.width, BOUNDS.widest) + 0.2


def test_a_mouth_that_is_open_wider_than_the_bound_is_left_as_it_is() -> None:
    face = face_showing(AU25=5, AU26=5)
    own = measure_mouth(face.pose.to_canonical(face.landmarks)).opening
    assert own > BOUNDS.mouth_opening
    assert measure_mouth(moved_mm(face, AU26=2)).opening == pytest.approx(own, abs=0.1)


def test_no_eye_opens_wider_than_the_bound() -> None:
    moved = moved_mm(face_showing(AU05=2), AU05=5, AU07=-3)
    for eye in (LEFT_EYE, RIGHT_EYE):
        assert opening_mm(moved, eye) < BOUNDS.eye_opening + 0.1


@pytest.mark.parametrize("smiles", [1.5, 3.0])
def test_a_mouth_goes_back_to_rest_and_is_not_pinched(smiles: float) -> None:
    face = face_showing(AU12=smiles, AU06=smiles)
    rest = BOUNDS.at_rest(face.pose.to_canonical(face.landmarks))
    gone = measure_mouth(moved_mm(face, AU12=-5, AU06=-5, AU14=-5))
    assert gone.width == pytest.approx(rest.width, abs=0.3)
    assert gone.corners == pytest.approx(rest.corners, abs=0.3)
    assert gone.lip >= rest.lip - 0.3


def test_a_mouth_at_rest_is_not_narrowed_by_taking_away_a_smile_that_is_not_there() -> None:
    face = posed_face(scale=2.0, centre=(320.0, 320.0))
    face.landmarks[RIGHT_CORNER, 0] += 8
    face.landmarks[LEFT_CORNER, 0] -= 8
    before = measure_mouth(face.pose.to_canonical(face.landmarks)).width
    assert before < BOUNDS.rest_range[0][0]
    assert measure_mouth(moved_mm(face, AU12=-3)).width == pytest.approx(before, abs=0.2)


def test_what_is_added_to_a_smile_taken_away_is_added_to_the_mouth_at_rest() -> None:
    face = face_showing(AU12=3)
    gone, sad = (measure_mouth(moved_mm(face, AU12=-5, AU15=depressed)) for depressed in (0, 2))
    assert sad.corners < gone.corners - 1.5


def test_a_small_motion_is_left_alone() -> None:
    face = posed_face(scale=2.0, centre=(320.0, 320.0))
    asked = face.pose.vectors_to_frame(BASIS.displace(change(AU12=1, AU26=1)))
    np.testing.assert_allclose(
        move_landmarks(face, change(AU12=1, AU26=1), BASIS), face.landmarks + asked, atol=1.5
    )
    corner = [LEFT_CORNER, RIGHT_CORNER]
    moved = move_landmarks(face, change(AU12=1, AU26=1), BASIS)
    np.testing.assert_allclose(moved[corner], (face.landmarks + asked)[corner], atol=0.05)


def test_a_smile_comes_and_goes_without_a_jump() -> None:
    face = face_showing(AU12=2.5, AU25=1.5)
    widths = [
        measure_mouth(moved_mm(face, AU12=asked, AU25=asked / 2)).width for asked in np.linspace(-5, 5, 101)
    ]
    assert np.abs(np.diff(widths)).max() < 2.0


def people(count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(landmarks, labels, persons): each at rest and smiling; who has a wide mouth smiles more widely."""
    random = np.random.default_rng(0)
    smile = BASIS.displacements[8]
    faces, aus, names = [], [], []
    for person in range(count):
        own = closed_mouth()
        wider = random.normal(0, 3)
        own[LEFT_CORNER, 0] += wider / 2
        own[RIGHT_CORNER, 0] -= wider / 2
        for smiles in (0.0, 2.0):
            faces.append(own + smiles * smile + random.normal(0, 0.05, own.shape))
            aus.append(np.eye(17)[8] * smiles)
            names.append(str(person))
    return np.array(faces, np.float32), np.array(aus, np.float32), np.array(names)


def test_the_fit_tells_the_mouth_at_rest_from_the_smile() -> None:
    faces, aus, persons = people()
    found, report = fit_bounds(faces, aus, persons, BoundsOptions(at_rest=(0, 100), ridge=0.01))
    for at_rest, smiling in zip(faces[::2], faces[1::2], strict=True):
        assert found.at_rest(smiling).width == pytest.approx(measure_mouth(at_rest).width, abs=0.6)
    assert "60 people" in report


def test_the_fit_puts_bounds_at_percentiles() -> None:
    faces, aus, persons = people()
    widths = [measure_mouth(each).width for each in faces]
    found, _ = fit_bounds(faces, aus, persons, BoundsOptions(narrowest=10, widest=90))
    assert found.narrowest == pytest.approx(np.percentile(widths, 10))
    assert found.widest == pytest.approx(np.percentile(widths, 90))


def test_bounds_survive_their_file() -> None:
    assert to_json(from_json(to_json(BOUNDS))) == to_json(BOUNDS)
