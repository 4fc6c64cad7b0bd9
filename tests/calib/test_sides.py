"""Left and right: what is asked of one side stays there; what is asked of both is as if there were none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calib.au import (
    AU_CODES,
    AU_COUNT,
    AU_INDEX,
    HIGHEST,
    LOWEST,
    UnknownAUError,
    apart,
    as_vector,
    au_code,
    au_index,
    bilateral,
    both,
    larger,
    lean,
    openface,
    sided_au,
)
from calib.basis import load_basis
from calib.estimator import AUEstimator, load_estimator
from calib.features import LANDMARK_FEATURES, OrientedGradients, face_features, mirrored
from calib.openings import LEFT_EYE, RIGHT_EYE
from calib.shape import IRIS_START, load_shape
from calib.sides import BLEND_MM, landmark_sidedness, sidedness
from reenact.generate.generator import FaceGenerator, MovedFace
from reenact.generate.geometry.contact import limit_closing
from reenact.generate.geometry.warp import move_landmarks
from reenact.generate.painters.creases import load_creases
from reenact.generate.paste import paste
from reenact.measure.read_aus import read_still
from reenact.media.image_file import Still, load_still
from reenact.records import Frame, Retargeted
from reenact.run.demo import PORTRAIT
from reenact.track import TrackerOptions
from tests.support.faces import change, posed_face, rotation, textured_frame

BASIS, SHAPE = load_basis(), load_shape()
FACE = posed_face()
LEFT_MM, MIDDLE = SHAPE.canonical[:, 0], np.abs(SHAPE.canonical[:, 0]) < BLEND_MM
"""Canonical x, larger on the person's left, and what belongs to neither side alone."""
LEFT, RIGHT = (LEFT_MM > 0) & ~MIDDLE, (LEFT_MM < 0) & ~MIDDLE
SPILL_MM = 22.0
"""How far pixels of the other side may change: triangles that begin in the middle end there."""
ONE_SIDED = ("AU01", "AU02", "AU04", "AU06", "AU09", "AU10", "AU12", "AU14", "AU15", "AU20", "AU45")

any_aus = arrays(np.float32, AU_COUNT, elements=st.floats(-5, 5, width=16))


def flipped(landmarks: np.ndarray) -> np.ndarray:
    """(478, 3) in the frame, mirrored in the middle of FACE."""
    mirrored = landmarks[SHAPE.mirror].copy()
    mirrored[:, 0] = 2 * FACE.pose.translation[0] - mirrored[:, 0]
    return mirrored


@pytest.mark.parametrize("text", ["AU12L", "au12l", " 12L ", "Au12l"])
def test_an_l_or_r_at_the_end_names_a_side(text: str) -> None:
    assert sided_au(text) == (AU_INDEX[12], "L", 1)
    assert au_code(*sided_au(text)) == "AU12L"


def test_without_one_both_sides_are_meant() -> None:
    assert sided_au("AU45") == (AU_INDEX[45], None, 1)
    assert au_code(AU_INDEX[45]) == "AU45"


@pytest.mark.parametrize("text", ["AU12X", "L", "AU12LR", "AU12_L", "AU99L", "AU26R"])
def test_what_has_no_sides_is_refused(text: str) -> None:
    with pytest.raises(UnknownAUError, match=r"choose from AU01|AU26 has no sides; write AU26"):
        sided_au(text)


@given(any_aus, any_aus)
def test_both_sides_are_their_mean_and_how_far_they_are_apart(left: np.ndarray, right: np.ndarray) -> None:
    sided = np.stack([left, right])
    np.testing.assert_allclose(both(sided) + lean(sided), left, atol=1e-6)
    np.testing.assert_allclose(both(sided) - lean(sided), right, atol=1e-6)
    assert (np.abs(larger(sided)) == np.abs(sided).max(axis=0)).all()


@given(any_aus)
def test_sides_that_agree_are_exactly_what_they_agree_on(aus: np.ndarray) -> None:
    assert both(bilateral(aus)).tobytes() == larger(bilateral(aus)).tobytes() == aus.tobytes()
    assert not lean(bilateral(aus)).any()


@given(any_aus, any_aus)
def test_no_side_leaves_the_scale_and_their_mean_is_what_the_face_shows(
    aus: np.ndarray, lean: np.ndarray
) -> None:
    shown = np.minimum(np.abs(aus), HIGHEST)
    sides = apart(shown, lean)
    assert np.all(sides >= LOWEST) and np.all(sides <= HIGHEST)
    np.testing.assert_allclose(both(sides), shown, atol=1e-6)


def test_the_way_across_the_midline_is_smooth_and_the_same_for_both_sides() -> None:
    x_mm = np.linspace(-90, 90, 1801).astype(np.float32)
    found = sidedness(x_mm)
    np.testing.assert_allclose(found, -found[::-1], atol=1e-6)
    assert np.all(np.diff(found) >= 0) and np.diff(found).max() < 0.02
    assert (found[x_mm >= BLEND_MM] == 1).all() and (found[x_mm <= -BLEND_MM] == -1).all()
    np.testing.assert_allclose(landmark_sidedness()[SHAPE.mirror], -landmark_sidedness(), atol=1e-6)


@given(any_aus)
def test_a_change_of_both_sides_moves_the_face_as_if_it_had_none(aus: np.ndarray) -> None:
    amounts = BASIS.amounts(bilateral(aus))[0]
    flat = BASIS.displacements.reshape(len(amounts), -1)
    plain = amounts[:17] @ flat[:17]
    if amounts[17:].any():
        plain += amounts[17:] @ flat[17:]
    plain = plain.reshape(-1, 3)
    assert BASIS.displace(bilateral(aus)).tobytes() == plain.tobytes()


@given(
    st.lists(st.sampled_from([10, 25, 26, 5, 45]), min_size=1, max_size=4), st.floats(-5, 5), st.booleans()
)
def test_both_sides_close_as_far_as_the_one_that_has_further_to_go(
    numbers: list[int], asked: float, narrow: bool
) -> None:
    amounts = change(**{AU_CODES[AU_INDEX[number]]: asked for number in numbers})
    face = narrowed(RIGHT_EYE, 0.5) if narrow else FACE
    limited = closed(face, amounts, BASIS)
    assert limited[0].tobytes() == limited[1].tobytes()
    np.testing.assert_array_equal(limited, closed(FACE, amounts, BASIS))


def closed(face, amounts: np.ndarray, basis) -> np.ndarray:
    """What `limit_closing` leaves of the amounts of a change (2, AU_COUNT)."""
    return limit_closing(face, amounts[:, : len(basis.furthest)], basis)


def narrowed(eye, share: float):
    """FACE with one eye open by only this share of what it was."""
    landmarks = SHAPE.canonical.copy()
    upper, lower = list(eye.upper), list(eye.lower)
    landmarks[lower, 1] = landmarks[upper, 1] + share * (landmarks[lower, 1] - landmarks[upper, 1])
    return posed_face(landmarks_mm=landmarks)


@pytest.mark.parametrize("code", ONE_SIDED)
@pytest.mark.parametrize("value", [3, -2])
def test_left_is_the_mirror_image_of_right(code: str, value: float) -> None:
    left, right = (move_landmarks(FACE, change(**{f"{code}{side}": value}), BASIS) for side in "LR")
    np.testing.assert_allclose(flipped(left), right, atol=2e-3)


@pytest.mark.parametrize("code", ONE_SIDED)
def test_one_side_moves_as_with_both_and_the_other_stays(code: str) -> None:
    asked, alike = (BASIS.displace(change(**{name: 3})) for name in (f"{code}L", code))
    np.testing.assert_allclose(asked[LEFT], alike[LEFT], atol=1e-5)
    np.testing.assert_allclose(asked[RIGHT], 0, atol=1e-5)
    assert np.abs(asked[LEFT]).max() > 0.5


def test_the_persons_left_is_on_the_right_of_a_picture() -> None:
    moved = move_landmarks(FACE, change(AU12L=3), BASIS) - FACE.landmarks
    assert np.linalg.norm(moved[291]) > 5 > 0.01 > np.linalg.norm(moved[61])
    assert FACE.landmarks[291, 0] > FACE.landmarks[61, 0]


@pytest.mark.parametrize("turn", [rotation(), rotation(roll=0.5), rotation(yaw=0.4, pitch=-0.2)])
def test_a_wink_shuts_one_eye_and_leaves_the_other_alone(turn: np.ndarray) -> None:
    face = posed_face(turn=turn)
    moved = move_landmarks(face, change(AU45L=5), BASIS)
    gaps = RIGHT_EYE.gaps(moved, face.pose.down)[1:-1]
    assert gaps.max() < 0.3 * RIGHT_EYE.gaps(face.landmarks, face.pose.down).max()
    other = list(LEFT_EYE.outline)
    np.testing.assert_allclose(moved[other], face.landmarks[other], atol=1e-3)


def test_an_eye_that_is_nearly_shut_does_not_hold_the_other_back() -> None:
    face = narrowed(LEFT_EYE, 0.1)
    assert closed(face, change(AU45L=5), BASIS)[0, AU_INDEX[45]] == pytest.approx(
        closed(FACE, change(AU45L=5), BASIS)[0, AU_INDEX[45]]
    )
    shut = closed(face, change(AU45R=5), BASIS)
    assert 0 < shut[1, AU_INDEX[45]] < 1


def test_an_eye_that_opens_while_the_other_shuts_opens_as_asked() -> None:
    limited = closed(FACE, change(AU45L=5, AU45R=-2), BASIS)
    assert limited[1, AU_INDEX[45]] == -2
    assert 0 < limited[0, AU_INDEX[45]] < 5


def test_a_wink_changes_no_pixel_on_the_other_side() -> None:
    frame = textured_frame()
    asked = Retargeted(frame, (FACE,), aus=(np.zeros(17, np.float32),), changes=(change(AU45L=5, AU12L=3),))
    image = paste(FaceGenerator(MovedFace(BASIS))(asked)).image
    middle = round(float(FACE.pose.translation[0]))
    other = np.s_[:, : middle - round(SPILL_MM * FACE.pose.scale)]
    np.testing.assert_array_equal(image[other], frame.image[other])
    assert (image[:, middle:] != frame.image[:, middle:]).any()


def test_creases_come_on_the_side_that_changes() -> None:
    places, size = posed_face(scale=256 / 190, centre=(128, 120)).landmarks, 256
    creases = load_creases()
    anyone = creases.weights(0.01)
    left, right, alike = (
        creases.shade(places, change(**{name: 4}), size, anyone) for name in ("AU09L", "AU09R", "AU09")
    )
    assert not left[:, :100].any() and not right[:, 156:].any()
    np.testing.assert_allclose(left[:, 156:], alike[:, 156:], atol=1e-5)
    np.testing.assert_allclose(right[:, :100], alike[:, :100], atol=1e-5)
    assert np.abs(left).max() > 0.02


def textured_face(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A crop for the estimator, and landmarks (478, 3) in millimetres."""
    rng = np.random.default_rng(seed)
    crop = cv2.GaussianBlur(rng.integers(0, 256, (112, 112)).astype(np.uint8), (0, 0), 2)
    return crop, (SHAPE.canonical + rng.normal(0, 1, SHAPE.canonical.shape)).astype(np.float32)


def mirror_image(crop: np.ndarray, landmarks_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(crop[:, ::-1]), landmarks_mm[SHAPE.mirror] * np.float32([-1, 1, 1])


def test_the_features_of_a_mirror_image_are_the_features_mirrored() -> None:
    gradients = OrientedGradients()
    features, seen_mirrored = (
        face_features(*each, gradients) for each in (textured_face(), mirror_image(*textured_face()))
    )
    found = mirrored(features, gradients)
    np.testing.assert_array_equal(mirrored(found, gradients), features)
    # Straight up and down lies between two directions, and is always counted in the same one.
    off = np.abs(found - seen_mirrored)[:-LANDMARK_FEATURES]
    assert off.mean() < 0.01 < 0.05 < np.abs(features - seen_mirrored)[:-LANDMARK_FEATURES].mean()
    np.testing.assert_allclose(found[-LANDMARK_FEATURES:], seen_mirrored[-LANDMARK_FEATURES:], atol=1e-4)


def test_reading_both_sides_costs_the_plain_reading_nothing() -> None:
    estimator = load_estimator()
    aus, _ = estimator.read(*textured_face())
    np.testing.assert_array_equal(aus, estimator(*textured_face()))


def test_a_mirror_image_leans_the_other_way() -> None:
    estimator = load_estimator()
    _, lean = estimator.read(*textured_face())
    _, other = estimator.read(*mirror_image(*textured_face()))
    assert np.abs(lean).max() > 0.3
    np.testing.assert_allclose(other, -lean, atol=0.1)


def test_a_symmetric_face_leans_to_no_side() -> None:
    crop, _ = textured_face()
    crop[:, :56] = crop[:, :55:-1]
    _, lean = load_estimator().read(crop, SHAPE.canonical)
    assert np.abs(lean).max() < 0.15


def test_a_lean_is_half_of_what_is_read_in_the_halves_of_two_faces() -> None:
    """An estimator of how high the corners of the mouth are, in mm: one side up by 3 is 1.5 to each side."""
    gradients = OrientedGradients()
    weights = np.zeros((17, gradients.length + LANDMARK_FEATURES), np.float32)
    for corner in (61, 291):
        weights[AU_INDEX[12], gradients.length + 3 * corner + 1] = -0.5
    estimator = AUEstimator(weights, np.zeros(17, np.float32))
    raised = SHAPE.canonical.copy()
    raised[291, 1] -= 3
    aus, lean = estimator.read(np.zeros((112, 112), np.uint8), raised)
    sides = apart(as_vector(aus), as_vector(lean))
    np.testing.assert_allclose(sides[:, AU_INDEX[12]], [3, 0], atol=1e-4)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return load_still(Path(PORTRAIT)).image


def leans(image: np.ndarray) -> np.ndarray:
    (found,) = read_still(Still(image), TrackerOptions()).leans
    return openface(found)


def test_a_picture_turned_on_its_side_a_little_leans_as_before_and_its_mirror_image_the_other_way(
    portrait: np.ndarray,
) -> None:
    height, width = portrait.shape[:2]
    turn = cv2.getRotationMatrix2D((226, 116), 15, 1)
    turned = cv2.warpAffine(portrait, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    before = leans(portrait)
    assert np.abs(leans(turned) - before).max() < 0.35
    assert np.abs(leans(np.ascontiguousarray(portrait[:, ::-1])) + before).max() < 0.35


def test_irises_belong_to_their_eye() -> None:
    assert set(landmark_sidedness()[IRIS_START:].tolist()) == {1.0, -1.0}


def test_nothing_asked_of_either_side_hands_on_the_frame_itself() -> None:
    frame = Frame(np.zeros((8, 8, 3), np.uint8))
    record = Retargeted(frame, (FACE,), aus=(np.zeros(17, np.float32),), changes=(change(),))
    assert paste(FaceGenerator(MovedFace(BASIS))(record)) is frame


@pytest.mark.parametrize("name", ["AU12L", "au12r", "AU61R"])
def test_one_side_is_refused_where_both_are_meant(name: str) -> None:
    with pytest.raises(UnknownAUError, match="one side of a face, and both are meant"):
        au_index(name)
