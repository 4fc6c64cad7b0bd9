"""Expressions taken off and asked for again."""

from __future__ import annotations

import numpy as np

from calib.au import neutral_aus
from calib.basis import load_basis
from calib.openings import MOUTH
from tests.support.evaluation import FRAME
from tests.support.faces import closed_mouth, posed_face, shows
from train.evaluate import comparison_masks
from train.evaluate.methods import COPY, WARP, open_method
from train.evaluate.restoration import RESTORATION_CASES, degrade, measure_restoration, smoothed

BASIS = load_basis()
BY_NAME = {case.name: case for case in RESTORATION_CASES}


def open_mouth(gap_mm=5):
    landmarks = closed_mouth()
    landmarks[list(MOUTH.lower), 1] += gap_mm * (1 - np.linspace(-1, 1, len(MOUTH.lower)) ** 2)
    return posed_face(scale=1.35, centre=(160.0, 150.0), landmarks_mm=landmarks)


def test_a_mouth_that_is_shut_on_the_way_is_asked_to_open():
    case = BY_NAME["open mouth, shut and asked to open"]
    face = open_mouth()
    restoration = degrade(case, FRAME.image, face.landmarks, shows(AU25=3, AU26=2), BASIS)
    assert restoration.change[[14, 15]].min() > 0
    assert restoration.truth is FRAME.image
    crop = restoration.crop.align(restoration.face)
    inside = comparison_masks.inside_mouth(crop.points(restoration.face.landmarks), crop.size)
    assert inside.sum() < 0.1 * restoration.inside.sum()


def test_the_warp_brings_a_shut_mouth_back_nearer_to_the_truth_than_doing_nothing():
    case = BY_NAME["shut mouth, opened and asked to shut"]
    face = posed_face(scale=1.35, centre=(160.0, 150.0), landmarks_mm=closed_mouth())
    restoration = degrade(case, FRAME.image, face.landmarks, neutral_aus(), BASIS)
    with open_method(COPY) as copy, open_method(WARP) as warp:
        errors = [
            measure_restoration(method, [restoration]).regions[case.name][0].l1 for method in (copy, warp)
        ]
    assert errors[1] < 0.5 * errors[0]


def test_smoothing_stays_inside_its_region():
    inside = np.zeros((320, 320), np.bool_)
    inside[140:180, 140:180] = True
    noise = np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8)
    smooth = smoothed(noise, inside, 4.0)
    assert smooth[155:165, 155:165].std() < 0.3 * noise.std()
    np.testing.assert_array_equal(smooth[:120], noise[:120])


def test_every_case_is_tried_on_faces_that_show_something_of_it():
    assert len(BY_NAME) == len(RESTORATION_CASES)
    for case in RESTORATION_CASES:
        assert all(least < most for _, least, most in case.shows)
