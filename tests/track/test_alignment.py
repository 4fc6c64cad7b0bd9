import cv2
import numpy as np
import pytest

from calib.pose import Pose
from reenact.alignment import SizeError, align
from tests.support.faces import posed_face, rotation, textured_frame


def dotted(place, size=(480, 640)):
    image = np.zeros((*size, 3), np.uint8)
    cv2.circle(image, (round(float(place[0])), round(float(place[1]))), 3, (255, 255, 255), -1)
    return image


@pytest.mark.parametrize("roll", [0, 0.6, np.pi / 2, -2.5])
def test_a_landmark_falls_where_the_crop_shows_it(roll):
    face = posed_face(turn=rotation(roll=roll))
    alignment = align(face.pose, 128, 160)
    crop = alignment.crop(dotted(face.landmarks[33]))[..., 0].astype(float)
    rows, columns = np.mgrid[0:128, 0:128]
    seen = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
    np.testing.assert_allclose(seen, alignment.points(face.landmarks)[33, :2], atol=0.8)


def test_the_crop_is_upright_whatever_the_roll():
    eyes = [
        align(face.pose, 128, 160).points(face.landmarks)[[33, 263]]
        for face in (posed_face(), posed_face(turn=rotation(roll=1.2)))
    ]
    np.testing.assert_allclose(eyes[0], eyes[1], atol=1e-2)
    assert eyes[0][0, 1] == pytest.approx(eyes[0][1, 1], abs=1e-2)


def test_turning_the_head_does_not_change_the_scale_of_the_crop():
    ahead, turned = (align(posed_face(turn=rotation(yaw=yaw)).pose, 128, 160) for yaw in (0, 0.7))
    assert ahead.scale == pytest.approx(turned.scale)


def test_a_large_face_is_averaged_not_sampled():
    stripes = np.zeros((2000, 2000, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the crop's pixels: the average is gray everywhere
    crop = align(posed_face(scale=12, centre=(1000.0, 1000.0)).pose, 112, 160).crop(stripes)
    assert np.abs(crop[4:-4, 4:-4].astype(int) - 127).max() < 40


def test_averaging_keeps_places():
    face = posed_face(scale=9, centre=(900.0, 900.0), turn=rotation(roll=0.4))
    alignment = align(face.pose, 112, 160)
    crop = alignment.crop(cv2.GaussianBlur(dotted(face.landmarks[61], (1800, 1800)), (0, 0), 12) * 8)
    peak = np.unravel_index(crop[..., 0].argmax(), (112, 112))[::-1]
    np.testing.assert_allclose(peak, alignment.points(face.landmarks)[61, :2], atol=1.5)


def test_a_part_of_the_frame_gives_the_same_crop():
    frame, face = textured_frame(), posed_face()
    alignment = align(face.pose, 96, 100)
    part = alignment.shifted((100, 50)).crop(frame.image[50:, 100:])
    assert np.abs(part.astype(int) - alignment.crop(frame.image)).max() <= 1


def test_bounds_stay_inside_the_frame():
    for centre in ((-500.0, 240.0), (10.0, 5.0), (640.0, 480.0)):
        x0, y0, x1, y1 = align(posed_face(centre=centre).pose, 112, 160).bounds((480, 640))
        assert 0 <= x0 < x1 <= 640 and 0 <= y0 < y1 <= 480


@pytest.mark.parametrize("scale", [0.0, np.nan, -1.0])
def test_a_face_without_size_has_no_crop_and_is_told_so_in_one_line(scale: float) -> None:
    pose = Pose(scale, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    with pytest.raises(SizeError, match="its scale must be above 0"):
        align(pose, 64, 100)


def test_a_crop_without_size_is_refused() -> None:
    pose = Pose(1.0, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    with pytest.raises(SizeError, match="a crop of 0 px is impossible"):
        align(pose, 0, 100)
