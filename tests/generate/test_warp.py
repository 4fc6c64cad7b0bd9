import cv2
import numpy as np
import pytest

from calib.au import ACTION_UNITS, JAW_SIDEWAYS
from calib.basis import load_basis
from calib.openings import OPENINGS
from reenact.generate.geometry.contact import keep_apart
from reenact.generate.geometry.flow import to_pixels
from reenact.generate.geometry.mesh import warp_triangles
from reenact.generate.geometry.mesh_overlap import prevent_overlap
from reenact.generate.geometry.warp import flow_grid, move_landmarks, warp
from reenact.generate.painters.paint import spread
from reenact.records import Frame
from tests.support.faces import change, posed_face, rotation, textured_frame

CORNER, LOWER_LIP, LEFT_IRIS = 61, 17, 468
BASIS = load_basis()


def dot_at(place, size=(480, 640)):
    image = np.zeros((*size, 3), np.uint8)
    cv2.circle(image, (round(float(place[0])), round(float(place[1]))), 4, (255, 255, 255), -1, cv2.LINE_AA)
    return Frame(image)


def centroid(image, origin=(0, 0)):
    bright = image[..., 0].astype(float)
    rows, columns = np.mgrid[0 : bright.shape[0], 0 : bright.shape[1]]
    return np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum() + origin


def pasted(frame, warped):
    image = frame.image.copy()
    x0, y0, x1, y1 = warped.region
    image[y0:y1, x0:x1] = warped.image
    return image


def test_no_change_moves_nothing():
    assert warp(textured_frame(), posed_face(), change(), BASIS) is None


@pytest.mark.parametrize("roll", [0, 0.5, np.pi / 2])
@pytest.mark.parametrize(("landmark", "aus"), [(CORNER, {"AU12": 2}), (LOWER_LIP, {"AU26": 2})])
def test_pixels_go_where_the_landmarks_go(roll, landmark, aus):
    face = posed_face(turn=rotation(roll=roll))
    frame = dot_at(face.landmarks[landmark])
    warped = warp(frame, face, change(**aus), BASIS)
    moved_by = centroid(warped.image, warped.region[:2]) - centroid(frame.image)
    expected = (warped.moved - face.landmarks)[landmark, :2]
    assert np.linalg.norm(expected) > 5
    assert np.linalg.norm(moved_by - expected) < 0.35 * np.linalg.norm(expected)


def test_a_smile_raises_both_corners_alike_and_widens_the_mouth():
    face = posed_face()
    moved = move_landmarks(face, change(AU12=2), BASIS)
    left, right = moved[61] - face.landmarks[61], moved[291] - face.landmarks[291]
    assert left[1] < -3 and left[0] < -3
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=0.05)


def test_gaze_is_left_alone():
    face = posed_face()
    for unit in ACTION_UNITS[:-2]:
        code = "AU30L" if unit.number == JAW_SIDEWAYS else unit.code
        moved = move_landmarks(face, change(**{code: 3}), BASIS)
        np.testing.assert_array_equal(moved[LEFT_IRIS:], face.landmarks[LEFT_IRIS:])


def test_the_region_joins_the_frame_without_a_seam():
    frame, face = textured_frame(640, 640), posed_face(centre=(320.0, 290.0))
    warped = warp(frame, face, change(AU01=2, AU12=2, AU26=2), BASIS)
    x0, y0, x1, y1 = warped.region
    original = frame.image[y0:y1, x0:x1]
    assert (warped.image != original).any()
    assert min(x0, y0) > 0 and max(x1, y1) < 640
    for border in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        np.testing.assert_array_equal(warped.image[border], original[border])


def test_a_brow_raise_leaves_the_mouth_alone():
    frame, face = textured_frame(), posed_face()
    warped = warp(frame, face, change(AU01=2, AU02=2), BASIS)
    x, y = face.landmarks[LOWER_LIP, :2].astype(int)
    np.testing.assert_array_equal(
        pasted(frame, warped)[y - 5 : y + 5, x - 20 : x + 20], frame.image[y - 5 : y + 5, x - 20 : x + 20]
    )


@pytest.mark.parametrize("centre", [(5.0, 240.0), (640.0, 470.0), (320.0, -30.0)])
def test_a_face_partly_outside_the_picture_is_moved_inside_it(centre):
    frame, face = textured_frame(), posed_face(centre=centre)
    warped = warp(frame, face, change(AU12=3, AU26=2, AU02=2), BASIS)
    x0, y0, x1, y1 = warped.region
    assert 0 <= x0 < x1 <= 640 and 0 <= y0 < y1 <= 480
    assert warped.image.shape == (y1 - y0, x1 - x0, 3)


def test_a_face_outside_the_picture_moves_nothing():
    assert warp(textured_frame(), posed_face(centre=(2000.0, 240.0)), change(AU12=3), BASIS) is None


@pytest.mark.parametrize("scale", [0.4, 10.0])
def test_tiny_and_huge_faces(scale):
    face = posed_face(scale=scale, centre=(800.0, 800.0))
    warped = warp(textured_frame(1600, 1600), face, change(AU12=3), BASIS)
    moved = np.abs(warped.moved - face.landmarks).max() / scale
    assert moved == pytest.approx(np.abs(BASIS.displace(change(AU12=3))).max(), rel=0.2)


def test_rolling_the_picture_rolls_the_result():
    frame = textured_frame(600, 600)
    upright = posed_face(centre=(299.5, 299.5))
    rolled = posed_face(centre=(299.5, 299.5), turn=rotation(roll=np.pi / 2))
    aus = change(AU12=2, AU25=2, AU02=2)
    straight = pasted(frame, warp(frame, upright, aus, BASIS))
    quarter = Frame(np.ascontiguousarray(np.rot90(frame.image, k=-1)))
    turned = pasted(quarter, warp(quarter, rolled, aus, BASIS))
    difference = np.abs(np.rot90(turned).astype(int) - straight)
    assert np.percentile(difference, 99) <= 6


@pytest.mark.parametrize("yaw", [0, 0.7, -0.7])
def test_extreme_requests_fold_hardly_any_skin(yaw):
    triangles = warp_triangles()
    for aus in (
        {"AU25": 5, "AU26": 5},
        {"AU01": 5, "AU02": 5, "AU05": 5},
        {"AU06": 5, "AU12": 5},
        {"AU04": 5, "AU09": 5},
    ):
        face = posed_face(turn=rotation(yaw=yaw))
        before = areas(face.landmarks, triangles)
        after = areas(move_landmarks(face, change(**aus), BASIS), triangles)
        seen = before > 0
        assert before[seen & (after < 0)].sum() < 0.03 * before[seen].sum(), aus


def areas(points, triangles):
    a, b, c = (points[triangles[:, k], :2] for k in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return ux * vy - uy * vx


def test_half_a_displacement_that_folds_is_held_back_smoothly():
    face = posed_face()
    full = face.pose.vectors_to_frame(BASIS.displace(change(AU26=5, AU25=5)))
    strengths = np.linspace(0, 2, 41)
    travel = [np.abs(prevent_overlap(face.landmarks, np.float32(s) * full)).max() for s in strengths]
    assert travel[-1] < 0.9 * 2 * np.abs(full).max()
    steps = np.abs(np.diff(travel))
    assert steps.max() < 0.05 * 2 * np.abs(full).max()


def test_a_blink_shuts_the_eyes_and_no_more():
    face = posed_face()
    for intensity in (4, 5):
        moved = move_landmarks(face, change(AU45=intensity), BASIS)
        for eye in OPENINGS[1:]:
            gap = moved[list(eye.lower[1:-1]), 1] - moved[list(eye.upper[1:-1]), 1]
            assert (gap >= -1e-3).all()
            assert gap.max() < 0.25 * (face.landmarks[eye.lower[4], 1] - face.landmarks[eye.upper[4], 1])


def test_lips_meet_and_do_not_pass():
    face = posed_face()
    moved = face.landmarks.copy()
    mouth = OPENINGS[0]
    moved[list(mouth.lower[1:-1]), 1] -= 60
    settled = keep_apart(face.landmarks, moved, face.pose.down)
    gap = settled[list(mouth.lower[1:-1]), 1] - settled[list(mouth.upper[1:-1]), 1]
    np.testing.assert_allclose(gap, 0, atol=1e-3)


def test_what_does_not_cross_is_not_touched():
    face = posed_face()
    moved = face.landmarks + np.float32([3, -2, 0])
    assert keep_apart(face.landmarks, moved, face.pose.down) is moved


def test_closing_lids_cover_the_eyeball_instead_of_squeezing_it():
    face = posed_face(scale=5.0)
    frame = dot_at(face.landmarks[LEFT_IRIS])
    warped = warp(frame, face, change(AU45=0.5), BASIS)
    lid = (warped.moved - face.landmarks)[159, 1]
    dot = centroid(pasted(frame, warped)) - centroid(frame.image)
    assert lid > 8
    assert np.linalg.norm(dot) < 0.2 * lid


def field_at(face, places, asked):
    """The flow (2, n) at fixed places (n, 2) of the picture."""
    grid = flow_grid(face, move_landmarks(face, asked, load_basis()))
    x, y = (places - grid.low).T.astype(np.float32)
    planes = [to_pixels(plane, grid.cell_px) for plane in grid.field]
    return np.stack([cv2.remap(plane, x, y, cv2.INTER_LINEAR)[:, 0] for plane in planes])


def test_the_flow_at_a_place_changes_smoothly_as_the_face_moves_by_parts_of_a_pixel():
    rows, columns = np.mgrid[120:360:3, 200:440:3]
    places = np.stack([columns.ravel(), rows.ravel()], axis=1)
    asked = change(AU12=3, AU04=2)
    steps = [
        field_at(posed_face(2.6, (320 + 0.1 * step, 240 + 0.07 * step)), places, asked) for step in range(25)
    ]
    jumps = np.linalg.norm(np.diff(steps, axis=0), axis=1)
    # A step moves the face by an eighth of a pixel. On a lattice that began at the face: 0.066 and 1.5.
    assert jumps.mean(axis=1).max() < 0.04
    assert np.quantile(jumps, 0.999) < 1


@pytest.mark.parametrize("by", [(1, 0), (2, 3)])
def test_what_is_spread_over_a_box_does_not_depend_on_where_the_box_begins(by):
    rng = np.random.default_rng(0)
    places = np.array([[20, 20], [90, 25], [80, 95], [15, 85]], np.float32)
    values = rng.normal(0, 1, (4, 2)).astype(np.float32)
    strips = [(0, 1, 2), (0, 2, 3)]
    whole = spread(places, values, strips, (10, 10, 100, 100), 4)
    part = spread(places, values, strips, (10 + by[0], 10 + by[1], 100, 100), 4)
    inside = np.s_[:, 10:-10, 10:-10]
    assert np.abs(part - whole[:, by[1] :, by[0] :])[inside].max() < 1e-4
