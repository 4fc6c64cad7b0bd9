"""The tongue in a wide open mouth."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.generate.tongue import TongueOptions, paint_tongue

OPTIONS = TongueOptions()
X_MM, ABOVE_MM = np.meshgrid(
    np.linspace(-30, 30, 61, dtype=np.float32), np.linspace(0, 30, 31, dtype=np.float32)
)
LIP = np.array([180, 90, 90], np.float32)
DARK = np.full((*X_MM.shape, 3), 20, np.float32)
MIDDLE = X_MM.shape[1] // 2
WIDE_MM = 24.0


def painted(open_mm, lip=LIP):
    return paint_tongue(DARK, lip, X_MM, ABOVE_MM, open_mm)


@pytest.mark.parametrize("open_mm", [0.0, 3.0, OPTIONS.least_mm])
def test_a_mouth_that_is_little_open_shows_none(open_mm):
    assert np.array_equal(painted(open_mm), DARK)


def test_it_comes_gradually_as_the_mouth_opens():
    levels = [painted(open_mm)[4, MIDDLE + 5, 0] for open_mm in np.linspace(5, 20, 61)]
    assert levels[0] == DARK[0, 0, 0] and levels[-1] > 3 * levels[0]
    assert np.abs(np.diff(levels)).max() < 8


def test_it_lies_at_the_bottom_and_the_palate_and_the_corners_stay_dark():
    red = painted(WIDE_MM)[..., 0]
    height = round(OPTIONS.height * WIDE_MM)
    assert red[: height - 5, MIDDLE + 5].min() > 50
    assert np.all(red[height + 5 :] == 20)
    assert np.all(red[:, np.abs(X_MM[0]) > OPTIONS.half_width_mm] == 20)


def test_it_is_redder_and_darker_than_the_lip_and_as_grey_as_a_grey_one():
    colour = painted(WIDE_MM)[8, MIDDLE + 5]
    assert colour.max() < LIP.max()
    assert colour[0] / colour[1] > LIP[0] / LIP[1]
    grey = painted(WIDE_MM, np.full(3, 120, np.float32))
    assert np.ptp(grey, axis=2).max() == 0


def test_it_is_the_same_on_both_sides_and_has_a_groove_between_them():
    red = painted(WIDE_MM)[..., 0]
    np.testing.assert_allclose(red, red[:, ::-1], rtol=1e-5)
    assert red[6, MIDDLE] < 0.93 * red[6, MIDDLE + 5]
