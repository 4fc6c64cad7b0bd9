"""How skin darkens with action units, fitted to faces that were drawn with known folds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calib.au import au_index
from tests.faces import posed_face
from train.data.creases import SIZE, Creases, fit_creases
from train.data.shards import FaceSample

FACE = posed_face(scale=320 / 237.5, centre=(160.0, 140.0))


def drawn(rng, frown, noise=4.0):
    """A flat face with a dark vertical line between its brows, the darker the stronger its AU04."""
    grey = np.full((320, 320), 160, np.float32) + rng.normal(0, noise, (320, 320))
    x, y = FACE.landmarks[9, :2]
    line = np.exp(-(((np.arange(320) - x) / 2) ** 2))[None] * (abs(np.arange(320)[:, None] - y) < 12)
    grey *= np.exp(-0.1 * frown * line)
    aus = np.zeros(17, np.float32)
    aus[au_index("AU04")] = frown
    image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return FaceSample(image, FACE.landmarks, aus, "anyone", "drawn", str(frown))


@pytest.fixture(scope="module")
def creases():
    rng = np.random.default_rng(0)
    return fit_creases([drawn(rng, frown) for frown in rng.uniform(0, 5, 120)])


def test_a_fold_that_comes_with_an_action_unit_is_found_where_it_is(creases):
    x, y = FACE.landmarks[9, :2].round().astype(int)
    one = np.zeros(17, np.float32)
    one[au_index("AU04")] = 1
    shade = creases.shade(FACE.landmarks, one, (320, 320))
    assert -0.1 < shade[y, x] < -0.03
    assert abs(shade[y, x + 30]) < 0.02


def test_action_units_that_fold_no_skin_have_no_folds(creases):
    assert not creases.ratios[au_index("AU25")].any()
    assert not creases.ratios[au_index("AU45")].any()


def test_shade_is_linear_and_stays_on_the_face():
    ratios = np.zeros((17, *SIZE), np.float32)
    ratios[au_index("AU12")] = 0.1
    creases = Creases(ratios)
    one, two = np.zeros((2, 17), np.float32)
    one[au_index("AU12")], two[au_index("AU12")] = 1, 2
    shade = creases.shade(FACE.landmarks, one, (320, 320))
    assert shade.shape == (320, 320)
    assert shade.max() == pytest.approx(0.1, abs=1e-3)
    assert not shade[:20].any() and not shade[:, :20].any()
    assert np.allclose(creases.shade(FACE.landmarks, two, (320, 320)), 2 * shade, atol=1e-5)


def test_faces_that_look_aside_are_left_out():
    aside = posed_face(turn=cv2.Rodrigues(np.array([0.0, 1.0, 0.0]))[0].astype(np.float32))
    sample = FaceSample(
        np.zeros((320, 320, 3), np.uint8), aside.landmarks, np.ones(17, np.float32), "", "", ""
    )
    assert not fit_creases([sample] * 3).ratios.any()
