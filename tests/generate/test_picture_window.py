"""Faces in pictures that are longer than cv2 can sample."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calib.basis import load_basis
from reenact.alignment import CV2_SIDE_PX, Alignment, SizeError
from reenact.generate.generator import FaceGenerator, MovedFace
from reenact.generate.geometry.picture_window import window_around
from reenact.generate.paste import paste
from reenact.records import Face, Frame, Retargeted
from tests.support.faces import change, posed_face, shows, textured_frame

FAR_PX = 39_000


def wide(frame: Frame) -> Frame:
    """A picture of 40,000 pixels with the frame at its right end."""
    image = np.full((frame.size[0], FAR_PX + frame.size[1], 3), 90, np.uint8)
    image[:, FAR_PX:] = frame.image
    return Frame(image)


def far(face: Face) -> Face:
    shift = np.array([FAR_PX, 0, 0], np.float32)
    pose = replace(face.pose, translation=face.pose.translation + shift)
    return replace(face, landmarks=face.landmarks + shift, pose=pose)


def smiling(frame: Frame, face: Face) -> np.ndarray:
    asked = change(AU12=3)
    record = Retargeted(frame, (face,), aus=(shows(),), changes=(asked,), asked=(asked,), wanted=(asked,))
    return paste(FaceGenerator(MovedFace(load_basis()))(record)).image


def test_a_face_at_the_end_of_a_long_picture_changes_as_it_does_alone() -> None:
    frame, face = textured_frame(480, 1000), posed_face(centre=(500, 240))
    alone = smiling(frame, face)
    together = smiling(wide(frame), far(face))
    assert (alone != frame.image).any()
    assert np.array_equal(together[:, :FAR_PX], wide(frame).image[:, :FAR_PX])
    # At 39,000 a float32 is 1/256 of a pixel.
    assert np.abs(together[:, FAR_PX:].astype(int) - alone).mean() < 0.2


def test_a_picture_of_usual_size_is_its_own_window() -> None:
    frame, face = textured_frame(), posed_face()
    window = window_around(frame, face)
    assert window.frame is frame and window.face is face


def test_a_face_that_is_too_large_is_refused_in_one_line() -> None:
    frame = Frame(np.zeros((20, CV2_SIDE_PX + 10, 3), np.uint8))
    with pytest.raises(SizeError, match=f"too large; make the picture smaller than {CV2_SIDE_PX} px"):
        window_around(frame, posed_face(scale=200, centre=(16_000, 10)))


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_a_crop_of_a_long_picture_is_that_of_its_part(scale: float) -> None:
    part = textured_frame(300, 1000).image
    crop = Alignment(np.array([[scale, 0, -300 * scale], [0, scale, -50 * scale]], np.float32), 64)
    long = np.hstack([np.zeros((300, FAR_PX, 3), np.uint8), part])
    there = crop.shifted((-FAR_PX, 0)).crop(long)
    assert np.abs(there.astype(int) - crop.crop(part)).mean() < 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 40_000), (40_000, 1), (3, 2)])
@pytest.mark.parametrize("scale", [2.0, 0.4, 0.01])
def test_a_picture_of_any_size_can_be_cropped(shape: tuple[int, int], scale: float) -> None:
    image = np.full((*shape, 3), 77, np.uint8)
    crop = Alignment(np.array([[scale, 0, 0], [0, scale, 0]], np.float32), 16).crop(image)
    assert crop.shape == (16, 16, 3)
    assert (cv2.absdiff(crop, np.full_like(crop, 77)) == 0).all()
