"""A black-and-white picture stays one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import reenact
from reenact.generate.grey_picture import as_grey_as_frame
from reenact.media.image_file import load_still
from reenact.records import Frame, Patch
from reenact.run.demo import PORTRAIT


@pytest.mark.parametrize("generator", ["live", "warp"])
@pytest.mark.parametrize("targets", ["laugh", "surprise", "AU04=+3,AU09=+3"])
def test_a_grey_face_gets_no_colour(generator: str, targets: str) -> None:
    grey = cv2.cvtColor(cv2.cvtColor(load_still(PORTRAIT).image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    edited = reenact.edit_image(grey, targets, generator=generator)
    assert (edited != grey).any()
    assert int(np.ptp(edited.astype(int), axis=2).max()) == 0


def test_a_patch_in_colour_stays_as_it_is() -> None:
    frame = Frame(np.full((40, 40, 3), (120, 110, 100), np.uint8))
    patch = Patch(np.full((16, 16, 3), (90, 60, 50), np.uint8), (8, 8))
    assert as_grey_as_frame(frame, patch) is patch


def test_pixels_that_a_patch_leaves_alone_stay_bit_for_bit() -> None:
    image = np.full((40, 40, 3), (101, 100, 99), np.uint8)
    changed = image[8:24, 8:24].copy()
    changed[4:8, 4:8] = (90, 60, 50)
    found = as_grey_as_frame(Frame(image), Patch(changed, (8, 8))).image
    assert (found[4:8, 4:8] == found[4, 4, 0]).all()
    found[4:8, 4:8] = image[0, 0]
    np.testing.assert_array_equal(found, image[8:24, 8:24])
