"""How alike pictures are, inside regions of the face."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.evaluation import FRAME
from tests.support.faces import closed_mouth, posed_face
from train.evaluate import comparison_masks
from train.evaluate.likeness import likeness, ssim_map

EVERYWHERE = np.ones((320, 320), np.bool_)


def portrait(landmarks_mm=None):
    return posed_face(scale=1.35, centre=(160.0, 150.0), landmarks_mm=landmarks_mm)


def test_the_same_picture_is_infinitely_alike():
    alike = likeness(FRAME.image, FRAME.image, EVERYWHERE)
    assert (alike.l1, alike.psnr, alike.ssim) == (0, float("inf"), pytest.approx(1))


def test_figures_of_a_constant_difference():
    grey = np.full((320, 320, 3), 100, np.uint8)
    alike = likeness(grey, grey + 10, EVERYWHERE)
    assert alike.l1 == 10
    assert alike.psnr == pytest.approx(20 * np.log10(255 / 10))
    constant = (0.01 * 255) ** 2
    assert alike.ssim == pytest.approx((2 * 100 * 110 + constant) / (100**2 + 110**2 + constant), abs=1e-4)


def test_only_the_region_counts():
    other = FRAME.image.copy()
    other[:100] = 0
    inside = np.zeros((320, 320), np.bool_)
    inside[150:] = True
    assert likeness(FRAME.image, other, inside).l1 == 0
    assert likeness(FRAME.image, other, ~inside).l1 > 50


def test_a_region_that_is_nearly_empty_says_nothing():
    inside = np.zeros((320, 320), np.bool_)
    inside[0, :20] = True
    assert likeness(FRAME.image, FRAME.image, inside) is None


def test_structure_counts_where_brightness_agrees():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    turned = np.ascontiguousarray(noise[::-1, ::-1])
    assert abs(ssim_map(noise, turned).mean()) < 0.1


def test_a_shut_mouth_has_no_inside():
    opened = posed_face(scale=1.35, centre=(160.0, 150.0), landmarks_mm=closed_mouth() + opening())
    shut = portrait(closed_mouth())
    assert comparison_masks.inside_mouth(opened.landmarks, 320).sum() > 200
    assert not comparison_masks.inside_mouth(shut.landmarks, 320).any()
    assert comparison_masks.mouth(shut.landmarks, 320).sum() > 500


def opening():
    """Lower lip 8 mm down."""
    from calib.openings import MOUTH

    offset = np.zeros((478, 3), np.float32)
    offset[list(MOUTH.lower[1:-1]), 1] = 8
    return offset


def test_regions_lie_where_their_landmarks_are():
    landmarks = portrait().landmarks
    spots = {
        comparison_masks.eyes: (468, 473),
        comparison_masks.glabella: (9,),
        comparison_masks.nose_root: (168,),
        comparison_masks.forehead: (108, 337),
        comparison_masks.folds: (206, 426),
        comparison_masks.face: (1, 152, 10),
        comparison_masks.skin: (50, 280),
    }
    for region, inside in spots.items():
        mask = region(landmarks, 320)
        for point in inside:
            x, y = np.rint(landmarks[point, :2]).astype(int)
            assert mask[y - 1 : y + 2, x - 1 : x + 2].any(), (region.__name__, point)
        assert not mask[:8].any()
    assert not (comparison_masks.skin(landmarks, 320) & comparison_masks.eyes(landmarks, 320)).any()
