"""How skin darkens with action units, fitted to faces that were drawn with known folds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from calib.au import au_index
from calib.shape import load_shape
from reenact.generate.creases import ORIGIN_MM, SIZE, Creases, load_creases, paint_creases
from reenact.generate.warp import Warp
from reenact.types import Frame
from tests.faces import change, posed_face
from train.__main__ import main
from train.data.creases import fit_creases, save_creases, to_paint
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
    shade = creases.shade(FACE.landmarks, change(AU04=1), 320)
    assert -0.1 < shade[y, x] < -0.03
    assert abs(shade[y, x + 30]) < 0.02


def test_action_units_that_fold_no_skin_have_no_folds(creases):
    assert not creases.ratios[au_index("AU25")].any()
    assert not creases.ratios[au_index("AU45")].any()


def test_shade_is_linear_and_stays_on_the_face():
    ratios = np.zeros((17, *SIZE), np.float32)
    ratios[au_index("AU12")] = 0.1
    creases = Creases(ratios)
    one, two = change(AU12=1), change(AU12=2)
    shade = creases.shade(FACE.landmarks, one, 320)
    assert shade.shape == (320, 320)
    assert shade.max() == pytest.approx(0.1, abs=1e-3)
    assert not shade[:20].any() and not shade[:, :20].any()
    assert np.allclose(creases.shade(FACE.landmarks, two, 320), 2 * shade, atol=1e-5)


def test_faces_that_look_aside_are_left_out():
    aside = posed_face(turn=cv2.Rodrigues(np.array([0.0, 1.0, 0.0]))[0].astype(np.float32))
    sample = FaceSample(
        np.zeros((320, 320, 3), np.uint8), aside.landmarks, np.ones(17, np.float32), "", "", ""
    )
    assert not fit_creases([sample] * 3).ratios.any()


GREY = Frame(np.full((480, 640, 3), 128, np.uint8))


def frowning(level, creases=None):
    """The picture of a grey face after the folds of AU04 at this level, and the face."""
    face = posed_face()
    warp = Warp(GREY.image[90:430, 170:470].copy(), (170, 90), face.landmarks)
    return paint_creases(face, change(AU04=level), warp, creases).image, face


def between_brows(image, face):
    x, y = face.landmarks[9, :2].round().astype(int) - (170, 90)
    return image[y - 6 : y + 7, x - 16 : x + 17, 0].astype(int)


def test_a_frown_draws_lines_between_the_brows_and_nowhere_far_from_them():
    image, face = frowning(3)
    assert between_brows(image, face).min() < 128 - 5
    x, y = face.landmarks[152, :2].round().astype(int) - (170, 90)
    assert np.all(image[y - 10 : y - 2, x - 10 : x + 10] == 128)


def test_the_less_of_a_frown_the_lighter_its_lines_and_less_than_none_smooths():
    darkest = [between_brows(*frowning(level)).min() for level in (4, 2, 1, 0)]
    assert darkest == sorted(darkest) and darkest[-1] == 128
    assert between_brows(*frowning(-2)).max() > 128 + 2


def test_what_folds_no_skin_leaves_the_very_same_warp():
    warp = Warp(GREY.image[:320, :320], (0, 0), FACE.landmarks)
    assert paint_creases(FACE, change(AU25=3, AU45=2), warp) is warp


def test_the_region_s_border_stays_the_frame_s():
    face = posed_face()
    x, y = face.landmarks[9, :2].round().astype(int)
    region = (int(x) - 6, int(y) - 6, int(x) + 6, int(y) + 6)
    warp = Warp(GREY.image[:12, :12].copy(), region[:2], face.landmarks)
    image = paint_creases(face, change(AU04=4), warp).image
    assert image[1:-1, 1:-1].min() < 128
    assert np.all(image[[0, -1]] == 128) and np.all(image[:, [0, -1]] == 128)


def test_what_is_painted_lies_near_its_action_unit_and_a_smile_only_darkens(creases):
    painted = to_paint(Creases(np.ones((17, *SIZE), np.float32)))
    assert not painted.ratios[au_index("AU12")].any()
    frown = painted.ratios[au_index("AU04")]
    assert frown.max() > 1
    x, y = (load_shape().canonical[9, :2] - ORIGIN_MM).round().astype(int)
    assert frown[y, x] > 0.9 * frown.max()
    assert not frown[y + 60 :].any()
    assert to_paint(creases).ratios[au_index("AU04"), y, x] < 0


def test_the_file_gives_back_what_was_saved(tmp_path, creases):
    painted = to_paint(creases)
    save_creases(painted, tmp_path / "creases.npz")
    found = load_creases(tmp_path / "creases.npz")
    np.testing.assert_allclose(found.ratios, painted.ratios, atol=1e-4)


def test_the_command_refuses_a_folder_without_shards(tmp_path):
    result = CliRunner().invoke(
        main, ["creases", "--data", str(tmp_path / "none"), str(tmp_path / "out.npz")]
    )
    assert result.exit_code == 2 and not (tmp_path / "out.npz").exists()


def test_many_units_together_approach_a_limit():
    ratios = np.zeros((17, *SIZE), np.float32)
    ratios[au_index("AU04")] = -0.1
    limited, free = Creases(ratios, most=0.3), Creases(ratios)
    deepest = [np.abs(each.shade(FACE.landmarks, change(AU04=5), 320)).max() for each in (limited, free)]
    assert deepest[0] < 0.3 < 0.45 < deepest[1]
    slight = [np.abs(each.shade(FACE.landmarks, change(AU04=0.2), 320)).max() for each in (limited, free)]
    assert slight[0] == pytest.approx(slight[1], rel=0.01)
