from __future__ import annotations

import cv2
import numpy as np
import pytest

from calib.features import LANDMARK_FEATURES, OrientedGradients, face_features
from calib.shape import load_shape

GRADIENTS = OrientedGradients(32, 8)
SIGNED, UNSIGNED = 18, 9


def ramp(angle_deg: float, size: int = 32) -> np.ndarray:
    """A picture that gets brighter in one direction, clockwise from the right."""
    y, x = np.mgrid[:size, :size]
    angle = np.radians(angle_deg)
    return np.rint(128 + 3 * (x - size / 2) * np.cos(angle) + 3 * (y - size / 2) * np.sin(angle)).astype(
        np.uint8
    )


def planes(picture: np.ndarray) -> np.ndarray:
    return GRADIENTS(picture).reshape(31, GRADIENTS.cells, GRADIENTS.cells)


def textured(size: int = 112) -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 256, (size, size)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def test_a_crop_as_openface_cuts_it_has_4464_features():
    assert OrientedGradients().length == 12 * 12 * 31
    assert OrientedGradients()(textured()).shape == (4464,)


@pytest.mark.parametrize("angle_deg", [0, 60, 180, 300])
def test_a_ramp_falls_into_the_direction_in_which_it_gets_brighter(angle_deg):
    found = planes(ramp(angle_deg))
    assert (found[:SIGNED].argmax(axis=0) == angle_deg // 20).all()


def test_unsigned_directions_do_not_tell_bright_from_dark():
    there, back = planes(ramp(40)), planes(ramp(220))
    np.testing.assert_allclose(there[SIGNED : SIGNED + UNSIGNED], back[SIGNED : SIGNED + UNSIGNED], atol=0.02)
    assert np.abs(there[:SIGNED] - back[:SIGNED]).max() > 0.3


def test_a_flat_picture_has_no_features():
    assert np.abs(GRADIENTS(np.full((32, 32), 90, np.uint8))).max() == 0


def test_contrast_and_brightness_do_not_matter():
    picture = textured() // 4
    found, brighter = OrientedGradients()(picture), OrientedGradients()(picture * 2 + 60)
    np.testing.assert_allclose(found, brighter, atol=1e-4)


def test_an_edge_moved_by_a_cell_moves_its_features_by_a_cell():
    size, cell = 64, 8
    gradients = OrientedGradients(size, cell)
    picture = textured(size)
    moved = np.roll(picture, cell, axis=1)
    before, after = (gradients(each).reshape(31, 6, 6) for each in (picture, moved))
    # Columns 2..4: those whose neighbours, too, have not come around the border.
    np.testing.assert_allclose(before[:, :, 1:4], after[:, :, 2:5], atol=1e-5)


def test_features_are_the_gradients_and_then_millimetres_off_the_canonical_face():
    canonical = load_shape().canonical
    moved = canonical.copy()
    moved[7] += [1, 2, 3]
    features = face_features(textured(), moved, OrientedGradients())
    assert features.shape == (4464 + LANDMARK_FEATURES,)
    np.testing.assert_array_equal(features[:4464], OrientedGradients()(textured()))
    offsets = features[4464:].reshape(-1, 3)
    np.testing.assert_allclose(offsets[7], [1, 2, 3], atol=1e-5)
    assert np.count_nonzero(offsets) == 3


def test_several_crops_are_described_as_each_by_itself():
    crops = [textured(32), np.dstack([textured(48)[8:40, 8:40]] * 3), ramp(60)]
    np.testing.assert_array_equal(GRADIENTS.of_each(crops), [GRADIENTS(crop) for crop in crops])


def test_gray_reads_as_the_colour_picture_of_the_same_gray():
    gray = textured()
    np.testing.assert_allclose(
        OrientedGradients()(gray), OrientedGradients()(np.dstack([gray] * 3)), atol=1e-6
    )


def test_an_edge_counts_in_the_colour_that_shows_it_best():
    """Lips and skin may be equally bright: then gray has no edge."""
    picture = np.full((32, 32, 3), 128, np.uint8)
    picture[..., 1] = ramp(40)
    np.testing.assert_allclose(GRADIENTS(picture), GRADIENTS(ramp(40)), atol=1e-6)
    picture[..., 2] = 128 + (ramp(100).astype(int) - 128) // 3
    np.testing.assert_allclose(GRADIENTS(picture), GRADIENTS(ramp(40)), atol=1e-6)


def test_gradients_are_shared_bilinearly_between_cells():
    """One bright line, one pixel from the border of two cells: their shares are as the distances to them."""
    picture = np.zeros((32, 32), np.uint8)
    picture[:, 16:] = 100
    histogram = GRADIENTS._histograms([picture])[0, 0]
    # The step is seen at columns 15 and 16, half a pixel left and right of the border between cells 1 and 2.
    np.testing.assert_allclose(histogram[1:3, 1], histogram[1:3, 2])
    assert histogram[1, 0] == histogram[1, 3] == 0
    # A cell in the middle has 8 rows' worth of pixels; two columns of 100; half of each.
    assert histogram[1, 1] == pytest.approx(8 * 100)
