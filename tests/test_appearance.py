import cv2
import numpy as np
import pytest

from calib.openings import MOUTH
from reenact.generate.appearance import UNSEEN, Appearance, FaceCrop, left_to_painters, opening_mask, see
from reenact.generate.warp import Warp
from tests.faces import change, closed_mouth, posed_face, rotation, textured_frame

SIZE = 256


class Painter:
    """Alpha and colour as told."""

    def __init__(self, alpha, colour):
        self.outputs = {"alpha": alpha[None, ..., None], "colour": colour[None]}

    def run(self, inputs):
        return self.outputs


def noise(*shape):
    """0..1, smooth enough to sample between pixels."""
    return cv2.GaussianBlur(np.random.default_rng(1).random(shape, np.float32), (0, 0), 2)


def spot(x0, y0, x1, y1):
    """(SIZE, SIZE) some alpha between these places of the crop, 0 elsewhere."""
    alpha = np.zeros((SIZE, SIZE), np.float32)
    alpha[y0:y1, x0:x1] = noise(SIZE, SIZE)[y0:y1, x0:x1]
    return alpha


def warped(face, region, frame):
    """A warp whose pixels are those of the frame, darkened but for the border."""
    x0, y0, x1, y1 = region
    image = frame.image[y0:y1, x0:x1].copy()
    image[1:-1, 1:-1] //= 2
    return Warp(image, region[:2], face.landmarks)


def expected_picture(face, warp, seen, alpha, colour):
    """The formula as it stands, over the whole region, in double precision."""
    alignment = FaceCrop().align(face).shifted(warp.region[:2])
    openings = opening_mask(face.landmarks, FaceCrop().align(face)) / 255.0
    height, width = warp.image.shape[:2]

    def to_region(layer):
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(layer.astype(np.float64), alignment.matrix, (width, height), flags=flags)

    difference = to_region(alpha[..., None] * (colour - seen.astype(np.float64)))
    replaced = to_region(alpha * openings)[..., None]
    there = to_region((alpha * openings)[..., None] * seen)
    picture = warp.image + difference + there - replaced * warp.image
    picture[[0, -1]] = warp.image[[0, -1]]
    picture[:, [0, -1]] = warp.image[:, [0, -1]]
    return np.clip(picture, 0, 255)


FRAME = textured_frame()
SMALL, LARGE = posed_face(scale=1.2), posed_face(scale=3.5)
"""Faces that the crop shows enlarged, and averaged."""


@pytest.mark.parametrize("face", [SMALL, LARGE, posed_face(turn=rotation(roll=0.5))])
@pytest.mark.parametrize("box", [(90, 120, 170, 200), (0, 0, SIZE, SIZE), (0, 250, 3, SIZE)])
def test_the_picture_is_the_warp_plus_alpha_times_the_difference(face, box):
    alpha, colour = spot(*box), noise(SIZE, SIZE, 3) * 255
    warp = warped(face, (200, 100, 450, 400), FRAME)
    seen = see(FRAME, warp, FaceCrop().align(face))
    painted = Appearance(Painter(alpha, colour))(FRAME, face, change(AU12=2), warp)
    apart = np.abs(painted.image - expected_picture(face, warp, seen, alpha, colour))
    # cv2 samples at places rounded to 1/32 pixel, which shows at the spot's edges.
    assert np.percentile(apart, 99) <= 1 and apart.max() < 6
    assert (painted.region, painted.moved is warp.moved) == (warp.region, True)


def test_where_alpha_is_0_every_pixel_stays():
    warp = warped(SMALL, (200, 100, 450, 400), FRAME)
    colour = np.zeros((SIZE, SIZE, 3), np.float32)
    alpha = spot(100, 100, 120, 130)
    painted = Appearance(Painter(alpha, colour))(FRAME, SMALL, change(AU12=2), warp).image
    height, width = warp.image.shape[:2]
    matrix = FaceCrop().align(SMALL).shifted(warp.region[:2]).matrix
    reached = cv2.warpAffine(
        cv2.dilate((alpha > 0).astype(np.uint8) * 255, np.ones((5, 5))),
        matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )  # fmt: skip
    np.testing.assert_array_equal(painted[reached == 0], warp.image[reached == 0])
    assert (painted != warp.image).any()


def test_no_alpha_at_all_gives_the_very_same_warp():
    warp = warped(SMALL, (200, 100, 450, 400), FRAME)
    black = np.zeros((SIZE, SIZE, 3), np.float32)
    assert Appearance(Painter(spot(0, 0, 0, 0), black))(FRAME, SMALL, change(AU12=2), warp) is warp


def test_paint_that_nobody_could_see_is_left_out():
    warp = warped(SMALL, (200, 100, 450, 400), FRAME)
    black = np.zeros((SIZE, SIZE, 3), np.float32)
    faint = np.full((SIZE, SIZE), UNSEEN, np.float32)
    assert Appearance(Painter(faint, black))(FRAME, SMALL, change(AU12=2), warp) is warp
    assert Appearance(Painter(2 * faint, black))(FRAME, SMALL, change(AU12=2), warp) is not warp


def test_the_network_is_not_asked_where_nothing_of_it_would_be_let_through():
    warp = warped(SMALL, (200, 100, 450, 400), FRAME)
    assert Appearance(engine=None)(FRAME, SMALL, change(AU05=3, AU07=-2), warp) is warp


def test_the_warp_that_is_given_is_left_as_it_is():
    warp = warped(SMALL, (200, 100, 450, 400), FRAME)
    before = warp.image.copy()
    Appearance(Painter(spot(0, 0, SIZE, SIZE), noise(SIZE, SIZE, 3)))(FRAME, SMALL, change(AU12=2), warp)
    np.testing.assert_array_equal(warp.image, before)


@pytest.mark.parametrize("face", [SMALL, LARGE])
@pytest.mark.parametrize(
    "region", [(200, 100, 450, 400), (0, 0, 640, 480), (310, 200, 330, 215), (0, 0, 3, 3)]
)
def test_the_network_sees_the_frame_with_the_warp_pasted_in(face, region):
    warp = warped(face, region, FRAME)
    x0, y0, x1, y1 = region
    pasted = FRAME.image.copy()
    pasted[y0:y1, x0:x1] = warp.image
    alignment = FaceCrop().align(face)
    apart = np.abs(see(FRAME, warp, alignment).astype(int) - alignment.crop(pasted))
    assert apart.max() <= 3 and np.percentile(apart, 99) <= 1


def test_a_face_that_leaves_the_frame_is_seen_and_painted():
    face = posed_face(centre=(5.0, 470.0))
    warp = warped(face, (0, 380, 60, 480), FRAME)
    painted = Appearance(Painter(spot(0, 0, SIZE, SIZE), np.zeros((SIZE, SIZE, 3), np.float32)))(
        FRAME, face, change(AU12=2), warp
    )
    assert painted.image.shape == warp.image.shape
    assert painted.image.mean() < warp.image.mean()


def parted(gap_mm):
    landmarks = closed_mouth()
    landmarks[list(MOUTH.lower), 1] += gap_mm * (1 - np.linspace(-1, 1, len(MOUTH.lower)) ** 2)
    return posed_face(landmarks_mm=landmarks)


@pytest.mark.parametrize(
    ("before_mm", "after_mm", "share"), [(0, 10, 0), (8, 14, 1), (8, 8, 0), (8, 0, 0), (5.5, 14, 0.5)]
)
def test_a_mouth_that_was_open_and_opens_further_is_left_to_the_painters(before_mm, after_mm, share):
    face, moved = parted(before_mm), parted(after_mm).landmarks
    assert left_to_painters(face, moved, change()) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(("after_mm", "share"), [(20, 0), (24, 0.5), (27, 1)])
def test_a_mouth_that_is_wider_than_those_it_was_taught_with_is_left_to_the_painters(after_mm, share):
    assert left_to_painters(parted(0), parted(after_mm).landmarks, change()) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("before_mm", [0, 8])
def test_teeth_that_were_in_view_are_not_painted_over(before_mm):
    face, opened = parted(before_mm), parted(14)
    warp = Warp(FRAME.image[100:400, 200:450].copy(), (200, 100), opened.landmarks)
    black = np.zeros((SIZE, SIZE, 3), np.float32)
    alpha = np.ones((SIZE, SIZE), np.float32)
    painted = Appearance(Painter(alpha, black))(FRAME, face, change(AU25=3), warp).image
    x, y = np.rint(opened.landmarks[list(MOUTH.outline), :2].mean(axis=0) - warp.region[:2]).astype(int)
    middle = np.s_[y - 2 : y + 3, x - 2 : x + 3]
    kept = np.array_equal(painted[middle], warp.image[middle])
    assert kept == (before_mm > 0)
    assert (painted[middle].max() < 3) == (before_mm == 0)
    assert painted[5, 5].max() < 40  # elsewhere it paints


@pytest.mark.parametrize(
    ("asked", "share"),
    [({"AU26": 0.5}, 0), ({"AU26": 1}, 0.5), ({"AU26": 2}, 1), ({"AU25": 3}, 0), ({"AU26": 2, "AU12": 3}, 0)],
)
def test_what_a_dropped_jaw_opens_without_a_smile_is_left_to_the_painters(asked, share):
    face = posed_face()
    assert left_to_painters(face, face.landmarks, change(**asked)) == pytest.approx(share, abs=0.02)
