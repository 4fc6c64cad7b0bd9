"""Folds: fitted to people who were drawn with known lines, and painted onto faces."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from calib.au import au_index, neutral_aus
from calib.shape import load_shape
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.geometry.warp import Warp
from reenact.generate.painters.creases import (
    COARSE_SIZE,
    SIZE,
    CreaseLines,
    Creases,
    load_creases,
    paint_creases,
    to_cells,
)
from reenact.generate.painters.skin import see_skin
from reenact.records import Frame
from tests.support.faces import change, posed_face
from train.__main__ import main
from train.data.crease_fit import BORROWED, along_lines, dimples, fit_creases, save_creases, to_look

FACE = posed_face(scale=2.0, centre=(160.0, 140.0))
ROUGHNESS = (0.008, 0.01, 0.012, 0.02)


def drawn(rng, frown, depth, base):
    """A person with a dark vertical line between the brows, the darker the stronger AU04."""
    x, y = FACE.landmarks[9, :2]
    line = np.exp(-(((np.arange(320) - x) / 2) ** 2))[None] * (abs(np.arange(320)[:, None] - y) < 12)
    grey = base * np.exp(-depth * frown * line) + rng.normal(0, 1, (320, 320))
    image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    aus = neutral_aus()
    aus[au_index("AU04")] = frown
    return to_look(Frame(image), FACE, aus)


def person(depth, light=1.0, pictures=8):
    rng = np.random.default_rng(0)
    base = np.full((320, 320), 150.0) * light
    return [drawn(rng, frown, depth, base) for frown in np.linspace(0, 4, pictures)]


@pytest.fixture(scope="module")
def creases():
    return fit_creases([person(0.12), person(0.04)], ROUGHNESS)


def between_the_brows():
    column, row = to_cells(load_shape().canonical)[9].round().astype(int)
    return row, column


def test_a_line_that_comes_with_an_action_unit_is_found_where_it_is(creases):
    row, column = between_the_brows()
    faint, deep = (creases.draw(change(AU04=1), np.float32(who)) for who in ((1, 0), (0, 1)))
    assert deep[row, column] < 2 * faint[row, column] < -0.03
    assert np.abs(deep[row, column + 40 :]).max() < 0.2 * abs(deep[row, column])


def test_people_stand_in_the_order_of_their_lines_and_skin(creases):
    (lines,) = (lines for lines in creases.lines if lines.index == au_index("AU04"))
    depths = np.abs(lines.people.astype(int)).sum(axis=(1, 2))
    assert depths[0] < depths[1]
    assert 0.008 < creases.roughness[0] < creases.roughness[1] < 0.02


@pytest.mark.slow
def test_pictures_in_another_light_are_left_out():
    rng = np.random.default_rng(0)
    slope = np.linspace(60, 240, 320)[None] * np.ones((320, 1))
    others = [drawn(rng, 4, -0.1, slope) for _ in range(3)]
    row, column = between_the_brows()
    with_others, without = (
        fit_creases([looks], ROUGHNESS).draw(change(AU04=1), np.ones(1, np.float32))[row, column]
        for looks in (person(0.12) + others, person(0.12))
    )
    assert with_others == pytest.approx(without, rel=0.1)


def test_a_person_seen_too_seldom_gives_no_lines():
    with pytest.raises(ValueError, match="same light"):
        fit_creases([person(0.12, pictures=3)], ROUGHNESS)


def test_a_raised_chin_gets_dimples_and_the_rest_of_the_face_none(creases):
    column, row = to_cells(load_shape().canonical)[199].round().astype(int)
    drawn = creases.draw(change(AU17=1), np.float32([0, 1]))
    chin = drawn[row - 16 : row + 8, column - 20 : column + 20]
    assert chin.min() < -0.08 and chin.std() > 0.02
    column, row = to_cells(load_shape().canonical)[9].round().astype(int)
    assert np.abs(drawn[row - 20 : row + 20]).max() < 0.01
    assert not dimples()[: SIZE[0] // 2].any()


def test_action_units_that_are_hardly_seen_fold_as_others_do():
    shipped = load_creases()
    who = np.eye(len(shipped.roughness), dtype=np.float32)[3]
    for code, shares in BORROWED.items():
        asked = sum(share * change(**{other: 1}) for other, share in shares.items())
        apart = np.abs(shipped.draw(change(**{code: 1}), who) - shipped.draw(asked, who))
        smooth = dimples() == 0  # which are not borrowed
        assert (apart[smooth] > 2 / 400).mean() < 0.001, "but for lines that are deeper than a file can tell"


def test_noise_goes_and_lines_stay():
    rng = np.random.default_rng(0)
    line = np.zeros((60, 60), np.float32)
    line[:, 29:31] = -1
    noise = rng.normal(0, 0.3, line.shape).astype(np.float32)
    cleaned = along_lines(line + noise)
    assert cleaned[20:40, 29:31].mean() < -0.6
    assert cleaned[20:40, 45:55].std() < 0.5 * noise.std()


def flat_creases(code, value=0.0, step=0, roughness=(0.01,)):
    """One person's lines, `step` all over the face, and shading of `value`."""
    shading, reach = np.zeros((2, 17, *COARSE_SIZE), np.float32)
    shading[au_index(code)] = value
    reach[au_index(code)] = 1
    people = np.stack([np.full(SIZE, step * (number + 1), np.int8) for number in range(len(roughness))])
    return Creases((CreaseLines(au_index(code), (0, 0), people),), shading, reach, np.float32(roughness))


def test_shade_covers_the_face_alone_and_grows_with_what_is_asked():
    creases = flat_creases("AU12", 0.02)
    one, two = (creases.shade(FACE.landmarks, change(AU12=n), 320, np.ones(1)) for n in (1, 2))
    assert one.shape == (320, 320)
    assert not one[:20, :20].any() and not one[-20:, -20:].any()
    assert 0.015 < one[160, 160] <= 0.02
    assert 1.7 < two[160, 160] / one[160, 160] < 2


def test_many_units_together_approach_a_limit():
    dark, light = (flat_creases("AU04", value) for value in (-0.5, 0.5))
    assert -0.6 < dark.shade(FACE.landmarks, change(AU04=5), 320, np.ones(1)).min() < -0.4
    assert 0.12 < light.shade(FACE.landmarks, change(AU04=5), 320, np.ones(1)).max() < 0.18


def test_the_weights_of_the_people_change_gradually_and_are_mostly_one_person_s():
    creases = flat_creases("AU04", step=10, roughness=(0.008, 0.012, 0.02))
    weights = np.array([creases.weights(roughness) for roughness in np.geomspace(0.004, 0.04, 400)])
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert np.abs(np.diff(weights, axis=0)).max() < 0.1
    assert (weights.max(axis=1) == 1).mean() > 0.5
    assert list(weights.argmax(axis=1)[[0, -1]]) == [0, 2]


GREY = np.full((480, 640, 3), 128, np.uint8)


def painted(aus, image=GREY, creases=None):
    """A picture of the posed face after the folds of a change, and the face."""
    face = posed_face()
    warp = Warp(image[90:430, 170:470].copy(), (170, 90), face.landmarks)
    return paint_creases(face, aus, warp, creases).image, face


def between_brows(image, face):
    x, y = face.landmarks[9, :2].round().astype(int) - (170, 90)
    return image[y - 6 : y + 7, x - 16 : x + 17].astype(int)


def test_a_frown_draws_lines_between_the_brows_and_nowhere_far_from_them():
    image, face = painted(change(AU04=3))
    assert between_brows(image, face).min() < 128 - 5
    x, y = face.landmarks[152, :2].round().astype(int) - (170, 90)
    assert np.all(image[y - 10 : y - 2, x - 10 : x + 10] == 128)


def test_the_more_of_a_frown_the_darker_its_lines():
    darkest = [between_brows(*painted(change(AU04=level))).min() for level in (4, 2, 1, 0)]
    assert darkest == sorted(darkest) and darkest[-1] == 128 and darkest[0] < darkest[1]


def wrinkled(face):
    """Grey skin with a dark line of 3 mm down the left cheek, beside nose and mouth."""
    image = GREY.copy()
    first, last = (face.landmarks[index, :2].round().astype(int).tolist() for index in (203, 216))
    cv2.line(image, first, last, (100, 100, 100), 4)
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def test_less_of_an_action_unit_smooths_the_face_s_own_folds_and_draws_none():
    creases = flat_creases("AU12", step=40)
    image, face = painted(change(AU12=-3), wrinkled(posed_face()), creases)
    x, y = ((face.landmarks[203, :2] + face.landmarks[216, :2]) / 2).round().astype(int) - (170, 90)
    before = wrinkled(face)[90:430, 170:470]
    assert before[y, x - 4 : x + 5].min() < 105 < 118 < image[y, x - 4 : x + 5].mean(axis=-1).min()
    elsewhere = face.landmarks[425, :2].round().astype(int) - (170, 90)
    assert np.all(image[elsewhere[1] - 3 : elsewhere[1] + 3, elsewhere[0] - 3 : elsewhere[0] + 3] == 128)


def test_a_red_fold_that_is_smoothed_takes_the_colour_of_the_skin_around():
    creases = flat_creases("AU12", step=40)
    skin, fold = np.array([200, 150, 120]), np.array([165, 112, 92])
    dark = (128 - wrinkled(posed_face()).astype(np.float32)) / 28
    image, face = painted(change(AU12=-3), np.rint(skin + dark * (fold - skin)).astype(np.uint8), creases)
    x, y = ((face.landmarks[203, :2] + face.landmarks[216, :2]) / 2).round().astype(int) - (170, 90)
    across = image[y, x - 4 : x + 5].astype(float)
    deepest = across[across.sum(axis=1).argmin()]
    assert deepest.sum() > 0.9 * skin.sum()
    assert deepest[1] / deepest[0] == pytest.approx(skin[1] / skin[0], abs=0.05)


def test_a_fold_is_hardly_redder_than_the_skin():
    skin = np.broadcast_to(np.uint8([200, 150, 120]), GREY.shape)
    image, face = painted(change(AU04=4), skin.copy())
    patch = between_brows(image, face).reshape(-1, 3)
    darkest = patch[patch.sum(axis=1).argmin()] / [200, 150, 120]
    assert darkest[0] < 0.97
    assert 0.8 < darkest[2] / darkest[0] < 1


def test_rims_of_glasses_make_no_skin_rough():
    face = posed_face()
    smooth, rimmed = GREY.copy(), GREY.copy()
    for side in ((101, 36), (330, 266)):
        first, last = (face.landmarks[index, :2].round().astype(int).tolist() for index in side)
        cv2.line(rimmed, first, last, (10, 10, 10), 3)
    found = [see_skin(picture, face.landmarks, face.pose.scale).roughness for picture in (smooth, rimmed)]
    assert found[1] < found[0] + 0.003


def test_overexposed_skin_and_hair_get_no_folds():
    white, _ = painted(change(AU04=4), np.full_like(GREY, 255))
    assert np.all(white == 255)
    face = posed_face()
    fringe = GREY.copy()
    fringe[: int(face.landmarks[168, 1])] = 20
    image, _ = painted(change(AU04=4), fringe)
    x, y = face.landmarks[9, :2].round().astype(int) - (170, 90)
    assert np.abs(image[y - 12 : y, x - 10 : x + 10].astype(int) - 20).max() <= 1


def test_what_folds_no_skin_leaves_the_very_same_warp():
    warp = Warp(GREY[:320, :320], (0, 0), FACE.landmarks)
    assert paint_creases(FACE, change(AU25=3, AU45=2), warp) is warp


def test_the_region_s_border_stays_the_frame_s():
    face = posed_face()
    x, y = face.landmarks[9, :2].round().astype(int)
    region = (int(x) - 6, int(y) - 6, int(x) + 6, int(y) + 6)
    warp = Warp(GREY[:12, :12].copy(), region[:2], face.landmarks)
    image = paint_creases(face, change(AU04=4), warp).image
    assert image[1:-1, 1:-1].min() < 128
    assert np.all(image[[0, -1]] == 128) and np.all(image[:, [0, -1]] == 128)


def test_the_file_gives_back_what_was_saved(tmp_path, creases):
    save_creases(creases, tmp_path / "creases.npz")
    found = load_creases(tmp_path / "creases.npz")
    asked, who = change(AU04=2, AU09L=1), np.float32([0.5, 0.5])
    np.testing.assert_array_equal(found.draw(asked, who), creases.draw(asked, who))
    np.testing.assert_allclose(found.shading, creases.shading, atol=0.002)
    np.testing.assert_allclose(found.reach, creases.reach, atol=0.003)


def test_the_command_refuses_what_is_no_source(tmp_path):
    result = CliRunner().invoke(main, ["creases", str(tmp_path / "none"), str(tmp_path / "out.npz")])
    assert result.exit_code != 0 and "none" in result.output and not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("size", [256, 130, 131])
def test_shade_reaches_the_same_places_in_a_crop_of_any_size(size):
    face = posed_face()
    creases = load_creases()
    places = FaceCrop(size=size).align(face).points(face.landmarks)
    shade = creases.shade(places, change(AU04=3), size, creases.weights(0.01))
    assert shade.shape == (size, size)
    whole = creases.shade(
        FaceCrop().align(face).points(face.landmarks), change(AU04=3), 256, creases.weights(0.01)
    )
    assert np.abs(cv2.resize(shade, (256, 256)) - whole).mean() < 0.1 * np.abs(whole).max()
