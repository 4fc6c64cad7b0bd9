"""Pairs of one person: brought together in place and light, and compared."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from reenact.records import Frame
from tests.support.evaluation import FRAME, copy, subject
from tests.support.faces import posed_face, rotation, shows, textured_frame
from train.evaluate import comparison_masks
from train.evaluate.comparison import Compared, comparison_table
from train.evaluate.likeness import Likeness
from train.evaluate.pairs import lit_alike, measure_pairs, pairs_of_frames, similarity
from train.evaluate.picture_reader import PictureReading

SMILE = shows(AU12=3, AU25=2)


def moved_twin(aus=SMILE, gain=1.0, name="two", **pose):
    """The first subject's picture, turned, shrunk and lit differently."""
    turn, shift = cv2.getRotationMatrix2D((160, 150), 10, 0.9), (6, -4)
    turn[:, 2] += shift
    image = cv2.warpAffine(FRAME.image, turn, (320, 320), borderMode=cv2.BORDER_REPLICATE)
    first = subject()
    landmarks = first.face.landmarks.copy()
    landmarks[:, :2] = landmarks[:, :2] @ turn[:, :2].T + turn[:, 2]
    image = np.clip(128 + (image - 128.0) * gain, 0, 255).astype(np.uint8)
    face = replace(first.face, landmarks=landmarks.astype(np.float32), **pose)
    return replace(first, frame=Frame(image), before=PictureReading(face, aus), name=name)


def test_the_similarity_undoes_turn_scale_and_shift():
    first, second = subject(), moved_twin()
    back = similarity(second.face.landmarks, first.face.landmarks)
    np.testing.assert_allclose(
        back.points(second.face.landmarks)[:, :2], first.face.landmarks[:, :2], atol=1e-2
    )


def test_the_truth_lies_over_the_first_picture_in_its_light():
    (pair,) = pairs_of_frames([subject(), moved_twin(gain=0.6)])
    first = pair.first
    assert first.name == "one"
    np.testing.assert_allclose(pair.change, SMILE)
    np.testing.assert_allclose(pair.landmarks[:, :2], first.face.landmarks[:, :2], atol=1e-2)
    compared = measure_pairs(copy, [pair], lambda image, near: first.before)
    (face,) = compared.regions["face"]
    assert face.l1 < 6 and face.ssim > 0.9
    assert compared.landmark_errors["mouth"][0] == pytest.approx(0, abs=1e-2)


def test_heads_turned_differently_are_no_pair():
    turned = posed_face(scale=1.35, centre=(160.0, 150.0), turn=rotation(yaw=np.radians(9)))
    assert pairs_of_frames([subject(), moved_twin(pose=turned.pose)]) == []
    turned = posed_face(scale=1.35, centre=(160.0, 150.0), turn=rotation(yaw=np.radians(7)))
    assert len(pairs_of_frames([subject(), moved_twin(pose=turned.pose)])) == 1


def test_faces_that_show_the_same_are_no_pair():
    assert pairs_of_frames([subject(), moved_twin(aus=shows(AU12=1))]) == []


def test_pictures_that_have_little_in_common_are_no_pair():
    stranger = replace(moved_twin(), frame=textured_frame(320, 320, seed=5))
    assert pairs_of_frames([subject(), stranger]) == []


def test_the_most_different_frames_are_taken_and_none_twice():
    frames = [subject(), *(moved_twin(shows(AU12=each), name=f"f{each}") for each in (5, 4, 3.5))]
    (pair,) = pairs_of_frames(frames)
    assert pair.change.max() == 5


def test_light_is_matched_on_the_skin():
    face = subject().face
    dark = (FRAME.image * 0.5).astype(np.uint8)
    lit = lit_alike(dark, FRAME.image, comparison_masks.skin(face.landmarks, 320))
    assert np.abs(lit.astype(int) - FRAME.image).mean() < 2


def test_a_face_that_is_lost_is_no_landmark_error():
    (pair,) = pairs_of_frames([subject(), moved_twin()])
    compared = measure_pairs(copy, [pair], lambda image, near: None)
    assert np.isnan(compared.landmark_errors["all"][0])


def test_the_gain_is_how_far_landmarks_go_of_how_far_they_should():
    (pair,) = pairs_of_frames([subject(), moved_twin()])
    way = np.zeros_like(pair.landmarks)
    way[:, 1] = 3
    pair = replace(pair, landmarks=pair.first.face.landmarks + 4 * way)

    def reader(image, near):
        return replace(pair.first.before, face=replace(pair.first.face, landmarks=near + 3 * way))

    compared = measure_pairs(copy, [pair], reader)
    assert compared.landmark_gains["mouth"] == pytest.approx(0.75)
    assert measure_pairs(copy, [pair], lambda image, near: None).landmark_gains == {}


def test_the_table_counts_on_how_many_pictures_a_method_is_nearer_than_the_baselines():
    def results(*errors):
        alike = tuple(None if each is None else Likeness(each, 20, 0.5) for each in errors)
        return Compared({"mouth": alike, "eyes": (None,) * len(errors)})

    table = comparison_table(
        "t",
        "T",
        "",
        {"copy": results(4, 4, 4, None), "live": results(3, 4, 5, None), "x": results(1, 1, 9, None)},
    )
    assert table.columns[-1] == "L1 below copy's"
    assert [row[:4] for row in table.rows] == [
        ("mouth", "copy", 3, 4),
        ("mouth", "live", 3, 4),
        ("mouth", "x", 3, pytest.approx(11 / 3)),
    ]
    assert [row[-1] for row in table.rows] == [None, 0.5, pytest.approx(2 / 3)]


def test_readings_are_cut_off_where_others_see_them():
    assert PictureReading(SimpleNamespace(), shows(AU12=-1, AU25=6)).aus.tolist() == shows(AU25=5).tolist()
