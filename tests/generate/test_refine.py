"""Networks of single regions: what they see, and where and how much they paint."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calib.openings import LEFT_EYE, MOUTH
from reenact.generate.geometry.warp import Warp
from reenact.generate.network.network_regions import PLANES, REGIONS, geometry_planes, masks
from reenact.generate.network.refine import LIGHTER, Refinement, RefinementOptions, moved_crop, region_inputs
from tests.support.faces import change, closed_mouth, posed_face, rotation, textured_frame

REGION = REGIONS["mouth"]
SHAPE = REGION.height_px, REGION.width_px
FRAME = textured_frame()
ASKED = change(AU25=3)


class Painter:
    """Alpha and colour as told; remembers what it was given."""

    def __init__(self, alpha, colour):
        self.outputs = {"alpha": alpha[None, ..., None], "colour": colour[None]}
        self.seen = None

    def run(self, inputs):
        self.seen = inputs
        return self.outputs


def noise(*shape):
    """0..1, smooth enough to sample between pixels."""
    return cv2.GaussianBlur(np.random.default_rng(1).random(shape, np.float32), (0, 0), 2)


def spot(x0, y0, x1, y1):
    """(height, width) some alpha between these places of what the network sees, 0 elsewhere."""
    alpha = np.zeros(SHAPE, np.float32)
    alpha[y0:y1, x0:x1] = noise(*SHAPE)[y0:y1, x0:x1]
    return alpha


def parted(gap_mm, **posed):
    """A face with lips so far apart."""
    landmarks = closed_mouth()
    landmarks[list(MOUTH.lower), 1] += gap_mm * (1 - np.linspace(-1, 1, len(MOUTH.lower)) ** 2)
    return posed_face(landmarks_mm=landmarks, **posed)


def opened(region=(200, 100, 450, 400), frame=FRAME, gap_mm=12, **posed):
    """A face with shut lips, and its warp to an open mouth: the frame's pixels, darkened but for a border."""
    x0, y0, x1, y1 = region
    image = frame.image[y0:y1, x0:x1].copy()
    image[1:-1, 1:-1] //= 2
    return parted(0, **posed), Warp(image, region[:2], parted(gap_mm, **posed).landmarks)


def alignment_of(face, warp):
    return REGION.alignment(MOUTH, face.pose, warp.moved)


def refined(face, warp, alpha, colour):
    return Refinement({REGION: Painter(alpha, colour)}, WHOLE)(FRAME, face, ASKED, warp)


def expected_picture(face, warp, alpha, colour):
    """The formula as it stands, over the whole region, in double precision."""
    alignment = alignment_of(face, warp)
    seen = region_inputs(FRAME, face, warp, REGION, MOUTH, alignment).warped
    added = np.zeros((REGION.width_px, REGION.width_px, 3))
    added[REGION.rows] = alpha[..., None] * (colour - seen.astype(np.float64))
    height, width = warp.image.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = alignment.shifted(warp.region[:2]).matrix
    added = cv2.warpAffine(added, matrix, (width, height), flags=flags)
    picture = warp.image + np.minimum(added, LIGHTER * warp.image.min(axis=2, keepdims=True))
    picture[[0, -1]] = warp.image[[0, -1]]
    picture[:, [0, -1]] = warp.image[:, [0, -1]]
    return np.clip(picture, 0, 255)


@pytest.mark.parametrize("posed", [{"scale": 1.2}, {"scale": 3.5}, {"turn": rotation(roll=0.5)}])
@pytest.mark.parametrize("box", [(40, 30, 90, 60), (0, 0, *SHAPE[::-1]), (0, 93, 3, 96)])
def test_the_picture_is_the_warp_plus_alpha_times_the_difference(posed, box):
    alpha, colour = spot(*box), noise(*SHAPE, 3) * 255
    face, warp = opened(**posed)
    painted = refined(face, warp, alpha, colour)
    apart = np.abs(painted.image - expected_picture(face, warp, alpha, colour))
    # cv2 samples at places rounded to 1/32 pixel, and what nobody could see is left out.
    assert np.percentile(apart, 99) <= 1.1 and apart.max() < 6
    assert (painted.region, painted.moved is warp.moved) == (warp.region, True)


def test_dark_stays_dark_under_the_paint_of_a_tooth():
    """However bright the paint: it is sampled between pixels, and carried from the frame before."""
    face, warp = opened()
    image = np.full_like(warp.image, FLOOR)
    image[:, :100] = TEETH
    white = np.full((*SHAPE, 3), 255, np.float32)
    painted = refined(face, replace(warp, image=image), np.ones(SHAPE, np.float32), white)
    assert (painted.image.astype(int) - FLOOR)[:, 100:].max() == round(LIGHTER * min(FLOOR))
    assert (painted.image[:, :100] > image[:, :100]).any()


def test_no_paint_at_all_gives_the_very_same_warp():
    face, warp = opened()
    black = np.zeros((*SHAPE, 3), np.float32)
    assert refined(face, warp, spot(0, 0, 0, 0), black) is warp


def test_paint_that_nobody_could_see_is_left_out():
    face, warp = opened()
    seen = region_inputs(FRAME, face, warp, REGION, MOUTH, alignment_of(face, warp)).warped.astype(np.float32)
    ones = np.ones(SHAPE, np.float32)
    assert refined(face, warp, ones, seen + RefinementOptions.unseen) is warp
    assert refined(face, warp, ones, seen + 3 * RefinementOptions.unseen) is not warp


def test_the_network_is_not_asked_where_no_teeth_show():
    face, warp = opened()
    floor = replace(warp, image=np.full_like(warp.image, FLOOR))
    assert Refinement({REGION: None})(FRAME, face, ASKED, floor) is floor


@pytest.mark.parametrize("gaps_mm", [(0, 0), (8, 8), (8, 0)])
def test_the_network_is_not_asked_where_the_mouth_stays_or_shuts(gaps_mm):
    before, after = map(parted, gaps_mm)
    warp = Warp(FRAME.image[100:400, 200:450].copy(), (200, 100), after.landmarks)
    assert Refinement({REGION: None})(FRAME, before, change(AU04=2), warp) is warp


def test_paint_comes_with_the_motion_and_does_not_pop():
    seen = []
    for gap_mm in (8.0, 8.2, 8.8, 10):
        warp = Warp(FRAME.image[100:400, 200:450].copy(), (200, 100), parted(gap_mm).landmarks)
        black = np.zeros((*SHAPE, 3), np.float32)
        painted = Refinement({REGION: Painter(np.ones(SHAPE, np.float32), black)})(
            FRAME, parted(8), ASKED, warp
        )
        seen.append(float(painted.image.mean()))
    assert seen[0] > seen[1] > seen[2] > seen[3]
    assert seen[0] - seen[1] < 0.1 * (seen[0] - seen[3])


def test_the_warp_that_is_given_is_left_as_it_is():
    face, warp = opened()
    before = warp.image.copy()
    refined(face, warp, spot(0, 0, *SHAPE[::-1]), noise(*SHAPE, 3))
    np.testing.assert_array_equal(warp.image, before)


@pytest.mark.parametrize(
    "region", [(200, 100, 450, 400), (0, 0, 640, 480), (310, 200, 330, 215), (0, 0, 3, 3)]
)
def test_the_network_sees_the_frame_with_the_warp_pasted_in(region):
    face, warp = opened(region)
    x0, y0, x1, y1 = region
    pasted = FRAME.image.copy()
    pasted[y0:y1, x0:x1] = warp.image
    alignment = alignment_of(face, warp)
    apart = np.abs(moved_crop(FRAME, warp, alignment).astype(int) - alignment.crop(pasted))
    assert apart.max() <= 3 and np.percentile(apart, 99) <= 1


def test_the_network_gets_what_the_contract_says():
    face, warp = opened()
    painter = Painter(np.zeros(SHAPE, np.float32), np.zeros((*SHAPE, 3), np.float32))
    Refinement({REGION: painter})(FRAME, face, ASKED, warp)
    shapes = {name: (value.shape, value.dtype) for name, value in painter.seen.items()}
    assert shapes == {
        "warped": ((1, *SHAPE, 3), np.uint8),
        "mask": ((1, *SHAPE, 2), np.uint8),
        "geometry": ((1, *SHAPE, PLANES), np.float32),
    }


def test_a_face_that_leaves_the_frame_is_seen_and_painted():
    face, warp = opened((0, 380, 60, 480), centre=(5.0, 400.0))
    painter = Painter(np.ones(SHAPE, np.float32), np.zeros((*SHAPE, 3), np.float32))
    painted = Refinement({replace(REGION, teeth_only=False): painter})(FRAME, face, ASKED, warp)
    assert painted.image.shape == warp.image.shape
    assert painted.image.mean() < warp.image.mean()


def test_each_eye_is_refined_by_the_same_network():
    eyes = REGIONS["eyes"]
    shape = eyes.height_px, eyes.width_px
    painter = Painter(np.ones(shape, np.float32), np.zeros((*shape, 3), np.float32))
    face = posed_face()
    moved = face.landmarks.copy()
    moved[list(LEFT_EYE.lower[1:-1]), 1] += 6
    warp = Warp(FRAME.image[60:400, 180:470].copy(), (180, 60), moved)
    paints = Refinement({eyes: painter}).paint(FRAME, face, change(AU45=-2), warp)
    assert paints[0] is not None and paints[1] is None, "the other eye stays as it is"


WHOLE = RefinementOptions(strength=1)
LIGHT = np.array([220, 205, 190], np.float32)
"""RGB of white teeth."""
TEETH, SHADED_TEETH = (200, 185, 165), (120, 108, 95)
TONGUE, GUMS, FLOOR = (130, 72, 65), (150, 82, 75), (42, 17, 13)


def masks_of(face, warp, colour=TEETH, region=REGION):
    """The masks of a mouth that shows one colour everywhere."""
    alignment = alignment_of(face, warp)
    before, after = (alignment.points(places) for places in (face.landmarks, warp.moved))
    layers = np.full((*SHAPE, 3), colour, np.uint8)
    return masks(region, MOUTH, geometry_planes(region, MOUTH, before, after), after, layers, LIGHT)


def test_no_paint_is_allowed_on_what_the_frame_has_shown():
    shut, warp = opened(gap_mm=14)
    middle = np.s_[:, SHAPE[1] // 2]
    inside, allowed = (plane[middle] for plane in cv2.split(masks_of(parted(8), warp)))
    of_shut = cv2.split(masks_of(shut, warp))[1][middle]
    assert of_shut[inside == 255].min() > 230
    assert (allowed[inside == 255] == 0).mean() > 0.4, "the opening as it was"
    assert allowed[inside == 255].max() > 250, "what it has uncovered"


@pytest.mark.parametrize("colour", [TEETH, SHADED_TEETH])
def test_paint_is_allowed_on_teeth_between_the_lips(colour):
    inside, allowed = cv2.split(masks_of(*opened(), colour))
    assert allowed[SHAPE[0] // 2, SHAPE[1] // 2] > 180
    assert (allowed > 0)[inside == 0].mean() < 0.03


@pytest.mark.parametrize("colour", [TONGUE, GUMS, FLOOR])
def test_no_paint_is_allowed_on_what_is_no_tooth(colour):
    assert not masks_of(*opened(), colour)[..., 1].any()


def test_between_lips_that_hardly_part_all_that_is_pale_is_lip():
    assert not masks_of(*opened(gap_mm=0.9))[..., 1].any()


def test_the_gleam_of_a_lip_is_no_tooth():
    layers = np.full((*SHAPE, 3), FLOOR, np.uint8)
    layers[60:62] = TEETH
    face, warp = opened()
    alignment = alignment_of(face, warp)
    before, after = (alignment.points(places) for places in (face.landmarks, warp.moved))
    planes = geometry_planes(REGION, MOUTH, before, after)
    assert masks(REGION, MOUTH, planes, after, layers, LIGHT)[..., 1].max() == 0


def test_masks_of_other_regions_cover_the_opening_and_a_rim_of_it():
    inside, allowed = cv2.split(masks_of(*opened(), FLOOR, replace(REGION, teeth_only=False)))
    assert inside[SHAPE[0] // 2, SHAPE[1] // 2] == 255 and inside[0].max() == 0
    assert (allowed >= inside).mean() > 0.99 and (allowed > 0).sum() > (inside > 0).sum()
    assert allowed[[0, -1]].max() == 0 and allowed[:, [0, -1]].max() == 0


def test_geometry_tells_distances_in_millimetres():
    face, warp = opened(gap_mm=12)
    alignment = alignment_of(face, warp)
    before, after = (alignment.points(places) for places in (face.landmarks, warp.moved))
    planes = geometry_planes(REGION, MOUTH, before, after)
    below_upper, above_lower, gap, uncovered = planes[:, SHAPE[1] // 2].T
    row = SHAPE[0] // 2
    assert below_upper[row] + above_lower[row] == pytest.approx(12, abs=0.3)
    assert gap.max() == pytest.approx(0, abs=0.1)
    assert uncovered[row] == pytest.approx(below_upper[row], abs=0.2)
    assert below_upper[row + 1] - below_upper[row] == pytest.approx(1 / REGION.px_per_mm, rel=0.01)


def test_a_larger_face_is_seen_alike():
    planes = []
    for scale in (1.5, 3.0):
        face, warp = opened(scale=scale)
        alignment = alignment_of(face, warp)
        before, after = (alignment.points(places) for places in (face.landmarks, warp.moved))
        planes.append(geometry_planes(REGION, MOUTH, before, after))
    np.testing.assert_allclose(*planes, atol=0.05)


def test_paint_of_another_face_is_not_shown():
    face, warp = opened()
    refinement = Refinement({REGION: Painter(np.ones(SHAPE, np.float32), np.zeros((*SHAPE, 3), np.float32))})
    refinement(FRAME, face, ASKED, warp)
    assert refinement.recalled(FRAME, replace(face, track_id=7), ASKED, warp) is None
